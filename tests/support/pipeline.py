"""A small pipeline on a real mesh: products of source, and one made from them by a bare producer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from mesh.contract import Contract
from mesh.kafka import Admin, LogReader, Producer
from mesh.lineage import PARENTS_HEADER, Descent, OffsetSet, ParentSet, Progress, Reference, encode_progress
from mesh.types import TopicPartition
from tests.support.deriving import Derived
from tests.support.mesh import RunningMesh
from tests.support.writing import Framing


@dataclass
class Pipeline:
    """Two products of source, and one made from them by a processor that only tells what it read."""

    mesh: RunningMesh
    domain: str
    instants: list[str]

    def product(self, name: str, version: str = "1.0.0", *made_from: str, **more: Any) -> Contract:
        """Apply a product of the domain."""
        inputs = [f"{self.domain}.{each}" for each in made_from]
        lineage = [{"from": f"{each}.speed", "subtype": "IDENTITY"} for each in inputs]
        more.setdefault("readers", [self.domain])
        contract = Derived(f"{self.domain}.{name}", inputs, version, speed=lineage, **more).contract()
        self.mesh.apply(contract)
        return contract

    def derived(self, name: str, made_from: Sequence[str], **more: Any) -> Contract:
        """Apply a product that is made from products of any domain."""
        contract = Derived(f"{self.domain}.{name}", made_from, readers=[self.domain], **more).contract()
        self.mesh.apply(contract)
        return contract

    def publish(self, contract: Contract, count: int) -> None:
        framing = Framing(self.mesh, contract)
        with Producer(self.mesh.admin) as producer:
            for key, value, _ in framing.many(1, count + 1):
                producer.produce(contract.topics.ingress, key=key, value=value, partition=0)
            producer.flush()
        self.mesh.await_gated(contract)

    def read(self, contract: Contract, source: Contract, start: int, end: int) -> None:
        """Tell of one commit, as a processor does."""
        with Admin(self.mesh.admin) as admin:
            topic_id = admin.topics([source.topics.public])[source.topics.public].topic_id
        told = Progress(
            processor=str(contract.product),
            build="bare-1",
            product=str(source.product),
            topic_id=topic_id,
            partition=0,
            start=start,
            end=end,
            delivered=OffsetSet.between(start, end),
            outputs=end - start,
            created_at=int(time.time() * 1000),
        )
        with Producer(self.mesh.connection(self.domain)) as producer:
            producer.write(contract.topics.parents, key=b"progress", value=encode_progress(told))

    def mark(self) -> None:
        """Remember this instant."""
        time.sleep(0.01)
        self.instants.append(datetime.now(UTC).isoformat(timespec="milliseconds"))
        time.sleep(0.01)

    def derive(self, contract: Contract, parents: Sequence[ParentSet]) -> None:
        """Write a record for each parent set to the ingress, as a processor does that has no framework."""
        framing = Framing(self.mesh, contract)
        with Producer(self.mesh.connection(contract.product.domain)) as producer:
            for index, each in enumerate(parents):
                header = Descent(next(iter(each)), index, each).encode()
                value, key = framing.value("S", float(index)), framing.key("S")
                topic = contract.topics.ingress
                producer.produce(topic, key=key, value=value, partition=0, headers=[(PARENTS_HEADER, header)])
            producer.flush()
        self.mesh.await_gated(contract)

    def topic_id(self, contract: Contract) -> UUID:
        """The id of the public topic."""
        with Admin(self.mesh.admin) as admin:
            return admin.topics([contract.topics.public])[contract.topics.public].topic_id

    def public(self, contract: Contract) -> list[Reference]:
        """The public records of partition 0."""
        topic_id = self.topic_id(contract)
        with LogReader(self.mesh.admin) as reader:
            found = reader.read(TopicPartition(contract.topics.public, 0), 0, 1 << 60)
            return [Reference(topic_id, 0, each.offset()) for each in found]
