"""Products of readings for tests that publish and subscribe: applied, filled and read back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from mesh import Mesh, Record
from mesh.contract import Contract
from mesh.kafka import Admin
from mesh.types import TopicPartition
from tests.support.mesh import RunningMesh

SEEN_AT = {"name": "seen_at", "logicalType": "timestamp", "physicalType": "long/timestamp-millis"}
MOMENT = datetime(2013, 1, 31, 10, tzinfo=UTC)
PARTITIONS = 3

Make = Callable[..., Contract]


@dataclass
class Thirty:
    """Thirty readings, and subscribers that have not read them yet."""

    contract: Contract
    names: Iterator[str]


def publish(mesh: RunningMesh, way_in: Mesh, contract: Contract, count: int, start: int = 0) -> None:
    """So many readings, numbered by their speed, on seven stations; waits until the gate has passed them."""
    with way_in.producer(contract.product) as publisher:
        for number in range(start, start + count):
            record = {"station": f"S{number % 7}", "speed": number / 1000, "seen_at": MOMENT}
            publisher.publish(record, origin=f"readings#{number}")
    mesh.await_gated(contract)


def numbers(records: Iterator[Record]) -> list[int]:
    """The numbers of readings, sorted."""
    return sorted(round(record.value["speed"] * 1000) for record in records if record.value is not None)


def everything(way_in: Mesh, contract: Contract, name: str) -> list[int]:
    """The numbers of what a subscription has not read yet."""
    with way_in.subscribe(contract.product, name=name, purpose="testing", until_end=True) as subscription:
        return numbers(subscription)


def ends(mesh: RunningMesh, topic: str, partitions: int = PARTITIONS) -> int:
    """How many offsets of a topic are taken, those of transaction markers included."""
    with Admin(mesh.admin) as admin:
        return sum(admin.ends([TopicPartition(topic, n) for n in range(partitions)], committed=True).values())
