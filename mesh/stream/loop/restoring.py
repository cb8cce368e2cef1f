"""State back from the changelog, once nobody's transaction can still add to it."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from mesh.errors import DeadlineExceeded
from mesh.kafka import Admin, LogReader
from mesh.stream.scope import Scope
from mesh.types import TopicPartition

logger = logging.getLogger(__name__)

# A predecessor that died for good leaves its transaction open until the broker's time-out (10 s, checked every 10 s).
_SETTLE_SECONDS = 25.0
_POLL_SECONDS = 0.05

Entries = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Measured:
    """What a restore took: records read, entries that are in force, their bytes, seconds."""

    records: int
    entries: int
    size: int
    seconds: float


class Changelog:
    """The topic of a processor's state. A log's state lies in the partition of its own number, modulo their count."""

    def __init__(self, admin: Admin, reader: LogReader, topic: str, partitions: int) -> None:
        self._admin, self._reader = admin, reader
        self.topic, self._partitions = topic, partitions
        self.measured: Measured | None = None

    def partition_of(self, scope: Scope) -> int:
        """Where a log's state lies."""
        return scope.partition % self._partitions

    def read(self, scopes: Collection[Scope]) -> Mapping[Scope, Entries]:
        """The entries in force of each; raises DeadlineExceeded when a transaction on it stays open."""
        if not scopes:
            return {}
        began = time.monotonic()
        places = [TopicPartition(self.topic, number) for number in sorted({self.partition_of(each) for each in scopes})]
        ends = self._settled(places)
        held: dict[bytes, bytes] = {}
        records = 0
        for place in places:
            for message in self._reader.read(place, 0, ends[place]):
                records += 1
                key, value = message.key() or b"", message.value()
                if value is None:
                    held.pop(key, None)
                else:
                    held[key] = value
        self._measure(records, held, began)
        return _sorted_out(held.items(), scopes)

    def _measure(self, records: int, held: Mapping[bytes, bytes], began: float) -> None:
        size = sum(len(key) + len(value) for key, value in held.items())
        self.measured = found = Measured(records, len(held), size, time.monotonic() - began)
        logger.info("state: %d entries of %d records, %d bytes, %.2f s", found.entries, records, size, found.seconds)

    def _settled(self, places: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Where they end, once all up to there is committed or aborted: commits return before the ends move."""
        goal = self._admin.ends(places, committed=False)
        waiting, deadline = dict(goal), time.monotonic() + _SETTLE_SECONDS
        while waiting:
            ends = self._admin.ends(waiting, committed=True)
            waiting = {place: end for place, end in waiting.items() if ends[place] < end}
            if waiting and time.monotonic() > deadline:
                raise DeadlineExceeded(f"an open transaction on {', '.join(map(str, waiting))}", _SETTLE_SECONDS)
            if waiting:
                time.sleep(_POLL_SECONDS)
        return goal


def _sorted_out(entries: Iterable[tuple[bytes, bytes]], scopes: Collection[Scope]) -> Mapping[Scope, Entries]:
    found: dict[Scope, Entries] = {scope: [] for scope in scopes}
    # The first two items of a key, as they are written: the same for all of a log's entries, and parsed once.
    known: dict[bytes, Entries | None] = {}
    for key, value in entries:
        head = key[: key.find(b",", key.find(b",") + 1)]
        if head not in known:
            known[head] = found.get(Scope.parse(key)[0])
        mine = known[head]
        if mine is not None:
            mine.append((key, value))
    return found
