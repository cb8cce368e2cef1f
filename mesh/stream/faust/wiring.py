"""What a processor needs of the mesh: the product it makes, the products it reads, and the way to their cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol
from uuid import UUID

from mesh.consumer.record import Record, RecordReader, Schemas, Source
from mesh.contract import Contract
from mesh.errors import MalformedBody, NotFound, UsageError
from mesh.kafka import Admin, Connection
from mesh.lineage import PARENTS_HEADER, Descent, Reference
from mesh.producer.encoding import RecordEncoder, SchemaIds
from mesh.types import Headers, ProductName, TopicPartition


class Registry(Schemas, SchemaIds, Protocol):
    """What a processor asks a registry: schemas by id to read, ids by schema to write."""


@dataclass(frozen=True)
class Wiring:
    """One derived product and its inputs on one cluster, as its domain."""

    connection: Connection
    contract: Contract
    encoder: RecordEncoder
    sources: tuple[Source, ...]
    places: tuple[TopicPartition, ...]
    """Every partition of every input."""
    parents_id: UUID
    parents_partitions: int
    build: str

    @classmethod
    def of(
        cls, connection: Connection, contract: Contract, inputs: Sequence[Contract], registry: Registry, build: str
    ) -> Wiring:
        """Look up topic ids and partitions; raises NotFound, NotAuthorised, BrokerUnreachable."""
        if contract.derivation is None:
            raise UsageError(f"{contract.product} is not derived: its contract names no inputs (derivation)")
        names = [each.topics.public for each in inputs] + [contract.topics.parents]
        with Admin(connection) as admin:
            cluster = admin.cluster_id()
            found = admin.topics(names)
        for name in names:
            if name not in found:
                raise NotFound("topic", name, "its contract is applied, but the topic is gone: mesh plan")
        sources = [Source(each, registry, found[each.topics.public].topic_id, cluster) for each in inputs]
        places = [
            TopicPartition(each.topics.public, number)
            for each in inputs
            for number in range(found[each.topics.public].partitions)
        ]
        encoder = RecordEncoder(contract, registry)
        kept = found[contract.topics.parents]
        ids = kept.topic_id, kept.partitions
        return cls(connection, contract, encoder, tuple(sources), tuple(places), *ids, build)

    @property
    def group(self) -> str:
        """The consumer group: a domain may join the groups that begin with its name."""
        return str(self.contract.product)

    @property
    def processor(self) -> str:
        """The name that identities are made with."""
        return self.contract.derivation.processor if self.contract.derivation else self.group

    @cached_property
    def readers(self) -> Mapping[UUID, tuple[Source, RecordReader]]:
        """What decodes a public record, by the id of its topic."""
        return {each.topic_id: (each, RecordReader(each)) for each in self.sources if each.topic_id is not None}

    @cached_property
    def topic_ids(self) -> Mapping[str, UUID]:
        """The ids of the inputs' public topics."""
        return {str(each.contract.topics.public): found for found, (each, _) in self.readers.items()}

    def source(self, product: ProductName) -> Source:
        """An input by its product's name; raises UsageError for a product that the contract does not name."""
        for each in self.sources:
            if each.contract.product == product:
                return each
        known = ", ".join(str(each.contract.product) for each in self.sources)
        raise UsageError(f"{product} is no input of {self.contract.product}; its derivation names {known}")

    def origin(self, fetched: Fetched) -> tuple[Reference, int]:
        """The public record that a fetched one is, or came from, and where its outputs' numbers begin."""
        known = self.topic_ids.get(fetched.name)
        if known is not None:
            return Reference(known, fetched.number, fetched.place), 0
        content = next((value for name, value in fetched.carried if name == PARENTS_HEADER), None)
        if content is None:
            raise MalformedBody(f"a record of {fetched.name} does not say which public record it came from")
        came = Descent.decode(content)
        return came.driving, (came.index + 1) * _OUTPUTS

    def read(self, fetched: Fetched) -> Record:
        """The record, with the coordinate of the public one where it came through the topic of records keyed anew."""
        driving, base = self.origin(fetched)
        found = self.readers.get(driving.topic_id)
        if found is None:
            raise MalformedBody(f"a record of {fetched.name} came from a topic that is no input")
        source, reader = found
        if not base:
            return reader.read(fetched)
        topic = str(source.contract.topics.public)
        return reader.read(Fetched(topic, driving.partition, driving.offset, None, fetched.body, (), fetched.time))


_OUTPUTS = 1 << 16
"""Outputs of one record keyed anew; the numbers of the next one's begin after them."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A record as Faust fetched it, in the shape that the mesh's readers know."""

    name: str
    number: int
    place: int
    keyed: bytes | None
    body: bytes | None
    carried: Headers
    time: int

    def topic(self) -> str:
        return self.name

    def partition(self) -> int:
        return self.number

    def offset(self) -> int:
        return self.place

    def key(self) -> bytes | None:
        return self.keyed

    def value(self) -> bytes | None:
        return self.body

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return list(self.carried)

    def timestamp(self) -> tuple[int, int]:
        return 1, self.time


def fetched(message: Any) -> Fetched:
    """A message of Faust's as the mesh's readers know it."""
    headers: Headers = tuple(message.headers or ())
    time = int((message.timestamp or 0) * 1000)
    return Fetched(message.topic, message.partition, message.offset, message.key, message.value, headers, time)
