"""Reading the quarantine of one product: which records are there, how they stand, and which of them are meant."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from mesh.access import holds_keys
from mesh.contract import Contract
from mesh.errors import NotFound, UsageError
from mesh.gate.quarantine.contents import Contents, Schemas
from mesh.gate.quarantine.parked import ParkedLog, Waiting
from mesh.gate.quarantine.record import Quarantined
from mesh.gate.quarantine.standing import OPEN, Standing, State, standings
from mesh.kafka import Admin, LogReader
from mesh.types import Coordinate, SchemaId, TopicPartition


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which records are meant: those that every given part fits. Times include their beginning, not their end.

    ``since`` and ``until`` are about the arrival at the ingress; ``key`` is its text, or its JSON for several fields.
    """

    states: Collection[State] = (State.OPEN,)
    clauses: Collection[str] = ()
    coordinates: Collection[Coordinate] = ()
    key: str | None = None
    schema_id: SchemaId | None = None
    version: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    event_since: datetime | None = None
    event_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """One quarantined record and how it stands; ``behind`` counts who waits for it where it holds its key."""

    record: Quarantined
    standing: Standing
    behind: int | None = None


class QuarantineLog:
    """The quarantine of one product, through connections of the caller's. Not for use by two threads at once."""

    def __init__(
        self, contract: Contract, admin: Admin, reader: LogReader, schemas: Schemas, *, reveal: bool = False
    ) -> None:
        self.contract, self._admin, self._reader = contract, admin, reader
        self.contents = Contents(contract, schemas, reveal=reveal)
        self._matching = Contents(contract, schemas, reveal=True)

    def records(self, selection: Selection) -> Iterator[Held]:
        """The selected records by partition and offset; raises NotFound, NotAuthorised, RegistryUnreachable."""
        topics = self.contract.topics
        for coordinate in selection.coordinates:
            if coordinate.topic != topics.quarantine:
                raise UsageError(
                    f"{coordinate} is not in the quarantine of {self.contract.product}: {topics.quarantine}"
                )
        state = self._admin.topics([topics.quarantine]).get(topics.quarantine)
        if state is None:
            raise NotFound("topic", topics.quarantine, "is the contract applied? (mesh plan)")
        partitions = sorted({each.partition for each in selection.coordinates}) or range(state.partitions)
        for partition in partitions:
            standing = standings(self._reader, topics, partition, state.topic_id)
            holders = self._parked(partition).holders
            for record in self._held(TopicPartition(topics.quarantine, partition), selection):
                stands = standing.get(record.coordinate.offset, OPEN)
                waiting = holders.get(record.verdict.coordinate.offset) if stands.state is State.OPEN else None
                held = Held(record, stands, waiting)
                if held.standing.state in selection.states and self._meant(record, selection):
                    yield held

    def parked(self) -> Iterator[Waiting]:
        """The records that wait for a held key, by partition and in the order of the ingress; raises NotAuthorised."""
        for partition in range(self.contract.partitions):
            yield from self._parked(partition).waiting

    def _parked(self, partition: int) -> ParkedLog:
        """What waits in a partition; where the contract holds no keys nobody but the gate may look."""
        if not holds_keys(self.contract):
            return ParkedLog()
        return ParkedLog.read(self._admin, self._reader, self.contract.topics, partition)

    def _held(self, partition: TopicPartition, selection: Selection) -> Iterator[Quarantined]:
        offsets = sorted(each.offset for each in selection.coordinates if each.partition == partition.partition)
        if offsets and len(offsets) <= _FEW:
            messages = iter([each for at in offsets if (each := self._reader.fetch(partition, at)) is not None])
        else:
            messages = self._reader.read(partition, 0, self._reader.bounds(partition)[1])
        for message in messages:
            record = Quarantined.of(message)
            if record is not None:
                yield record

    def _meant(self, record: Quarantined, selection: Selection) -> bool:
        verdict = record.verdict
        return (
            (not selection.coordinates or record.coordinate in selection.coordinates)
            and (not selection.clauses or not set(record.clauses).isdisjoint(selection.clauses))
            and selection.schema_id in (None, verdict.schema_id)
            and selection.version in (None, verdict.basis.contract_version)
            and _within(record.arrived, selection.since, selection.until)
            and (selection.key is None or selection.key == self.key_text(record))
            and self._happened(record, selection)
        )

    def key_text(self, record: Quarantined) -> str | None:
        """The key as people write it: its text, or its JSON for several fields."""
        key = self._matching.key(record)
        return key if key is None or isinstance(key, str) else json.dumps(key, ensure_ascii=False)

    def _happened(self, record: Quarantined, selection: Selection) -> bool:
        if selection.event_since is None and selection.event_until is None:
            return True
        when = self._matching.event_time(record)
        bounds = selection.event_since, selection.event_until
        return when is not None and _within(int(when.timestamp() * 1000), *bounds)


_FEW = 50
"""Up to so many records are fetched one by one."""


def _within(milliseconds: int, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or milliseconds >= since.timestamp() * 1000) and (
        until is None or milliseconds < until.timestamp() * 1000
    )
