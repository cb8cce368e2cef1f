"""Counting what really lies on the topics, product by product, so that conservation is checked and not assumed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mesh.cli.console import Bars
from mesh.contract import Contract
from mesh.errors import DeadlineExceeded
from mesh.gate import GateIdentity
from mesh.gate.lag import LagMeter
from mesh.kafka import Admin, Connection, LogReader
from mesh.lineage import decode_manifest, last_verdict
from mesh.types import Coordinate, TopicPartition

_STALL_SECONDS = 90.0
_WHOLE = 1 << 62


@dataclass(slots=True)
class Account:
    """One product: what was sent, read, accepted and quarantined, each counted where it lies."""

    product: str
    sent: int
    read: int = 0
    accepted: int = 0
    quarantined: int = 0
    accounted: int = 0
    """Records that the manifests say were delivered."""
    clauses: Counter[str] = field(default_factory=Counter)
    first_quarantined: Coordinate | None = None
    first_accepted: Coordinate | None = None

    @property
    def conserved(self) -> bool:
        """Read = accepted + quarantined, = what was sent, = what the manifests account for."""
        return self.read == self.accepted + self.quarantined == self.sent == self.accounted

    def as_json(self) -> dict[str, object]:
        """The product's line of the report."""
        return {
            "name": self.product,
            "sent": self.sent,
            "read": self.read,
            "accepted": self.accepted,
            "quarantined": self.quarantined,
            "clauses": dict(self.clauses.most_common()),
        }


def await_gated(connection: Connection, contracts: Iterable[Contract], bars: Bars) -> None:
    """Wait until the gates have committed past the last record of every ingress partition.

    Raises DeadlineExceeded when nothing moves for ``_STALL_SECONDS``.
    """
    partitions = [place for contract in contracts for place in _partitions(contract, contract.topics.ingress)]
    group = GateIdentity().group
    last, moved = -1, time.monotonic()
    with Admin(connection) as admin, LogReader(connection) as reader:
        total, meter = sum(admin.ends(partitions, committed=True).values()), LagMeter(admin, reader)
        while True:
            positions = {place: at or 0 for place, at in admin.committed(group, partitions).items()}
            left = sum(lag.records for lag in meter.measure(positions).values())
            bars.show("gates", total - left, total)
            if not left:
                return
            if total - left > last:
                last, moved = total - left, time.monotonic()
            if time.monotonic() - moved > _STALL_SECONDS:
                raise DeadlineExceeded("the gates' work (see logs/gate.log)", _STALL_SECONDS)
            time.sleep(0.2)


def count(connection: Connection, contract: Contract, account: Account) -> None:
    """Count a product's ingress and quarantine, and what its manifests account for."""
    topics = contract.topics
    with LogReader(connection) as reader:
        account.read = sum(_size(reader, place) for place in _partitions(contract, topics.ingress))
        for place in _partitions(contract, topics.quarantine):
            _count_refusals(reader, place, account)
        for place in _partitions(contract, topics.lineage):
            account.accounted += sum(
                len(decode_manifest(record.value() or b"").delivered) for record in reader.read(place, 0, _WHOLE)
            )


def count_accepted(connection: Connection, contract: Contract, account: Account) -> None:
    """Count what lies on a product's public topic, where no subscriber has."""
    with LogReader(connection) as reader:
        account.accepted = sum(_size(reader, place) for place in _partitions(contract, contract.topics.public))


def _count_refusals(reader: LogReader, place: TopicPartition, account: Account) -> None:
    for record in reader.read(place, 0, _WHOLE):
        account.quarantined += 1
        if account.first_quarantined is None:
            account.first_quarantined = Coordinate(place.topic, place.partition, record.offset())
        verdict = last_verdict(record.headers() or ())
        account.clauses.update({finding.clause for finding in verdict.findings} if verdict else {"no verdict"})


def _size(reader: LogReader, place: TopicPartition) -> int:
    return sum(1 for _ in reader.read(place, 0, _WHOLE))


def _partitions(contract: Contract, topic: str) -> Sequence[TopicPartition]:
    return [TopicPartition(topic, partition) for partition in range(contract.partitions)]


def conserved(accounts: Mapping[str, Account]) -> bool:
    """Whether every product adds up."""
    return all(account.conserved for account in accounts.values())
