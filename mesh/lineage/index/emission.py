"""OpenLineage events of what the collector folds: told once each minute is over, and once it has caught up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Protocol

from mesh.errors import LineageBroken
from mesh.kafka.message import Message
from mesh.lineage.encoding import decode_manifest
from mesh.lineage.graph.facts import Declaration
from mesh.lineage.index.lookup import Lookup
from mesh.lineage.index.store import Store
from mesh.lineage.manifest import Manifest
from mesh.lineage.openlineage import Runs
from mesh.lineage.openlineage.runs import GRACE_MS
from mesh.lineage.openlineage.window import MINUTE_MS
from mesh.lineage.progress import Progress, decode_parents_record
from mesh.types import TopicPartition

_STATE: Final = "openlineage"

Send = Callable[[Iterable[dict[str, Any]]], None]


class Past(Protocol):
    """Committed records by offset and by time; ``mesh.kafka.LogReader`` is one."""

    def read(self, partition: TopicPartition, start: int, end: int) -> Iterator[Message]:
        """Every readable record with ``start <= offset < end``, ascending."""

    def offset_at(self, partition: TopicPartition, timestamp_ms: int) -> int:
        """The offset of the first record of that time or later; the end where there is none."""


class Emission:
    """Runs beside one file, in which they are remembered. The history before the first start is folded in silence."""

    def __init__(self, runs: Runs, store: Store, send: Send) -> None:
        self._runs, self._store, self._send = runs, store, send
        kept = store.state(_STATE)
        self._told: int | None = kept["told"] if kept else None
        if kept:
            runs.restore(kept)
        for declaration in Lookup(store.path).declarations():
            runs.declare(declaration)

    def declare(self, declaration: Declaration) -> None:
        """A contract came into force."""
        self._runs.declare(declaration)

    def manifest(self, lineage: str, manifest: Manifest) -> None:
        """One transaction of a gate; what comes late for its minute is told of that minute, beside what was."""
        self._runs.manifest(lineage, manifest)

    def progress(self, parents: str, progress: Progress) -> None:
        """One commit of a processor, likewise."""
        self._runs.progress(parents, progress)

    def rewind(self, past: Past, positions: Mapping[TopicPartition, int]) -> None:
        """Take again what was folded but not told when the last collector ended: it was in its memory alone."""
        if self._told is None:
            return
        for place, end in positions.items():
            start = past.offset_at(place, (self._told + 1) * MINUTE_MS)
            for message in past.read(place, start, end) if start < end else ():
                self._take(place.topic, message.value() or b"")

    def tick(self, now: int) -> int:
        """Send what is due at ``now``, epoch milliseconds, when everything up to now is folded; gives how many."""
        events = self._runs.due(now)
        muted, minute = self._told is None, (now - GRACE_MS) // MINUTE_MS - 1
        if events and not muted:
            self._send(events)
        if muted or events:
            self._told = max(self._told or 0, minute)
            self._store.remember(_STATE, self._runs.state() | {"told": self._told})
        return 0 if muted else len(events)

    def _new(self, moment: int) -> bool:
        """Whether its minute is untold: Kafka's time of a record, by which it was found, is later than its own."""
        return self._told is None or moment // MINUTE_MS > self._told

    def _take(self, topic: str, payload: bytes) -> None:
        try:
            if topic.endswith(".lineage"):
                manifest = decode_manifest(payload)
                if self._new(manifest.created_at):
                    self.manifest(topic, manifest)
            elif topic.endswith(".parents"):
                record = decode_parents_record(payload)
                if isinstance(record, Progress) and self._new(record.created_at):
                    self.progress(topic, record)
        except LineageBroken:
            return  # the fold has set it aside and told of it
