"""Derived products on a real Kafka: contracts, inputs laid down partition by partition, and what a processor wrote."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.contract import Contract
from mesh.judge.frame import unframe
from mesh.judge.rows import RowCodec
from mesh.kafka import Admin, LogReader, Producer
from mesh.lineage import PARENTS_HEADER, Descent, Identity, ParentSet, Progress, Reference, decode_parents_record
from mesh.producer.encoding import RecordEncoder
from mesh.types import TopicPartition
from tests.support.mesh import RunningMesh
from tests.support.pipelines import Event, Made

PARTITIONS = 2

EVENT_FIELDS = """
      - {name: key, logicalType: string, physicalType: string, required: true}
      - {name: amount, logicalType: integer, physicalType: long, required: true}
      - {name: at, logicalType: timestamp, physicalType: long/timestamp-millis, required: true}
"""
TOTAL_FIELDS = """
      - {name: key, logicalType: string, physicalType: string, required: true, primaryKey: true, primaryKeyPosition: 1}
      - {name: total, logicalType: integer, physicalType: long, required: true}
      - {name: count, logicalType: integer, physicalType: long, required: true}
      - {name: at, logicalType: timestamp, physicalType: long/timestamp-millis}
      - {name: until, logicalType: timestamp, physicalType: long/timestamp-millis}
"""
CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: "urn:mesh:{product}"
version: 1.0.0
status: active
domain: {domain}
schema:
  - name: Row
    physicalName: {product}.v1
    physicalType: topic
    logicalType: object
    customProperties:
      - {{property: topic, value: {{partitions: {partitions}}}}}
{custom}
    properties:{fields}
{roles}
"""
ROLE = """
roles:
  - role: reader
    access: read
    customProperties:
      - {{property: principals, value: {readers}}}
      - {{property: purposes, value: [testing]}}
"""


def source(product: str, partitions: int = PARTITIONS, readers: Sequence[str] = ()) -> Contract:
    """A product of events, which ``readers`` may read."""
    custom = "      - {property: eventTime, value: at}"
    roles = ROLE.format(readers=json.dumps(list(readers))) if readers else ""
    return _contract(product, custom, EVENT_FIELDS, partitions, roles)


def derived(
    product: str, inputs: Sequence[str], *, repartition: bool = False, partitions: int = PARTITIONS
) -> Contract:
    """A product of totals."""
    value = json.dumps({"inputs": list(inputs), "repartition": repartition})
    return _contract(product, f"      - {{property: derivation, value: {value}}}", TOTAL_FIELDS, partitions)


def _contract(product: str, custom: str, fields: str, partitions: int, roles: str = "") -> Contract:
    domain = product.partition(".")[0]
    named = {"product": product, "domain": domain, "partitions": partitions}
    return Contract.parse(CONTRACT.format(custom=custom, fields=fields, roles=roles, **named))


def publish(mesh: RunningMesh, contract: Contract, events: Iterable[Event]) -> None:
    """Lay events into the partitions they name, and wait until the gate has passed them."""
    registry = mesh.registry()
    encoder = RecordEncoder(contract, registry)
    registry.close()
    with Producer(mesh.connection(contract.product.domain)) as producer:
        for event in events:
            value = encoder.value(event.value())
            producer.produce(contract.topics.ingress, key=None, value=value, partition=event.partition)
        producer.flush()
    mesh.await_gated(contract)


@dataclass(slots=True)
class Written:
    """What a processor wrote: outputs with their identities, and its progress."""

    outputs: list[Made]
    identities: list[Identity]
    progress: list[Progress]
    deposits: int = 0


Found = tuple[Identity, Descent, ParentSet, dict[str, Any]]


class Looker:
    """Reads what processors wrote; coordinates are told by product and by the number of the record in its partition."""

    def __init__(self, mesh: RunningMesh, sources: Mapping[str, Contract]) -> None:
        self._mesh, self._sources = mesh, sources
        self._numbers: dict[tuple[str, int, int], int] = {}
        self._names: dict[Any, str] = {}

    def learn(self) -> None:
        """Number the records of the sources: markers leave holes between their offsets."""
        with Admin(self._mesh.admin) as admin, LogReader(self._mesh.admin) as reader:
            for name, contract in self._sources.items():
                topic = contract.topics.public
                self._names[admin.topics([topic])[topic].topic_id] = name
                for partition in range(contract.partitions):
                    place = TopicPartition(topic, partition)
                    for number, message in enumerate(reader.read(place, 0, 1 << 60)):
                        self._numbers[name, partition, message.offset()] = number

    def place(self, reference: Reference) -> tuple[str, int, int]:
        """A coordinate as the oracle tells it."""
        name = self._names[reference.topic_id]
        return name, reference.partition, self._numbers[name, reference.partition, reference.offset]

    def number(self, name: str, partition: int, offset: int) -> int:
        """The number of a record in its partition."""
        return self._numbers[name, partition, offset]

    def written(self, contract: Contract, *, public: bool = False, repeats: bool = False) -> Written:
        """Everything committed on the ingress (or passed by the gate) of a derived product, and beside it.

        With ``repeats`` an output may be there several times, each time the same, and counts once.
        """
        codec = RowCodec(contract.value_schema, logical=True)
        topic = contract.topics.public if public else contract.topics.ingress
        found: list[Found] = []
        progress: list[Progress] = []
        deposits = 0
        processor = contract.derivation.processor if contract.derivation else ""
        with LogReader(self._mesh.admin) as reader:
            laid: dict[tuple[int, int], ParentSet] = {}
            for partition in range(contract.partitions):
                for message in reader.read(TopicPartition(contract.topics.parents, partition), 0, 1 << 60):
                    entry = decode_parents_record(message.value() or b"")
                    if isinstance(entry, Progress):
                        progress.append(entry)
                    else:
                        laid[partition, message.offset()] = entry
                        deposits += 1
            for partition in range(contract.partitions):
                for message in reader.read(TopicPartition(topic, partition), 0, 1 << 60):
                    headers = dict(message.headers() or [])
                    descent = Descent.decode(headers[PARENTS_HEADER] or b"")
                    at = descent.deposit.at if descent.deposit is not None else None
                    parents = descent.parents if at is None else laid[at.partition, at.offset]
                    assert parents is not None
                    assert parents.digest() == descent.sha256
                    row: Any = codec.decode(unframe(message.value() or b"")[1])
                    value = {name: each for name, each in row.items() if each is not None}
                    found.append((descent.identity(processor, contract.topics.public), descent, parents, value))
        if repeats:
            found = _once(found)
        outputs = self._chained(found)
        return Written(outputs, [each[0] for each in found], progress, deposits)

    def _chained(self, found: Collection[Found]) -> list[Made]:
        by_identity = {identity: descent for identity, descent, _, _ in found}
        assert len(by_identity) == len(found), "an output was written twice"

        def chain(descent: Descent) -> int:
            return 0 if descent.previous is None else 1 + chain(by_identity[descent.previous])

        return [
            Made(
                tuple(sorted(value.items())),
                frozenset(self.place(each) for each in parents),
                self.place(descent.driving),
                None,
                chain(descent),
            )
            for _, descent, parents, value in found
        ]


def _once(found: Iterable[Found]) -> list[Found]:
    """Repetitions left out; the same output is made of the same records and says the same."""
    kept: dict[Identity, Found] = {}
    for each in found:
        first = kept.setdefault(each[0], each)
        assert (first[2], first[3]) == (each[2], each[3]), "two outputs of one identity"
    assert len({identity.slot for identity in kept}) == len(kept), "an output diverged"
    return list(kept.values())
