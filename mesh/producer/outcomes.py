"""What a gate made of published records, looked up in manifests: of many records at the cost of a few reads."""

from __future__ import annotations

import time
from bisect import bisect_right
from contextlib import ExitStack
from operator import attrgetter
from typing import Final

from mesh.errors import DeadlineExceeded, LineageBroken
from mesh.kafka import Connection, LogReader, LogTail
from mesh.lineage import Disposition, LineageLog, Manifest, Place, decode_manifest, last_verdict
from mesh.producer.ticket import Outcome
from mesh.types import Coordinate, ProductTopics, TopicPartition

# Enough for the tickets of a few hundred thousand records; older ones are searched for in Kafka.
_REMEMBERED: Final = 1024
_POLL_SECONDS: Final = 0.1
_begin = attrgetter("ingress_from")


class LineageOutcomes:
    """Follows the lineage of the partitions that tickets ask about. Connections are made when they are needed."""

    def __init__(self, connection: Connection, topics: ProductTopics) -> None:
        self._connection, self._topics = connection, topics
        self._known: dict[int, list[Manifest]] = {}
        self._ended = False
        self._stack: ExitStack | None = None
        self._reader: LogReader | None = None
        self._tail: LogTail | None = None

    def end(self) -> None:
        """The publisher is done: give the connections back; a later question makes its own, and gives them back."""
        self._ended = True
        self._close()

    def _close(self) -> None:
        if self._stack is not None:
            self._stack.close()
        self._stack = self._reader = self._tail = None
        self._known.clear()

    def outcome(self, partition: int, offset: int, deadline: float) -> Outcome:
        """What became of an ingress offset; raises DeadlineExceeded, NotAuthorised, LineageBroken."""
        try:
            return self._outcome(partition, offset, deadline)
        finally:
            if self._ended:
                self._close()

    def _outcome(self, partition: int, offset: int, deadline: float) -> Outcome:
        began = time.monotonic()
        manifest = self._covering(partition, offset)
        while manifest is None:
            if time.monotonic() > deadline:
                what = f"the verdict on {self._topics.ingress}/{partition}/{offset} (is a gate running? mesh status)"
                raise DeadlineExceeded(what, round(deadline - began, 3))
            self._advance(min(_POLL_SECONDS, max(0.0, deadline - time.monotonic())))
            manifest = _among(self._known[partition], offset)
        return self._told(manifest, partition, offset)

    def _covering(self, partition: int, offset: int) -> Manifest | None:
        """The manifest that says so, among those remembered, else in Kafka."""
        known = self._known.get(partition)
        if known is not None:
            found = _among(known, offset)
            if found is not None or not known or offset >= known[-1].ingress_to:
                return found
        reader = self._connected()[0]
        place = TopicPartition(self._topics.lineage, partition)
        log = LineageLog(reader, place)
        hit = log.index.find(Place.INGRESS, offset)
        if known is None:
            self._known[partition] = [hit[1]] if hit is not None else []
            self._follow(place, hit[0] + 1 if hit is not None else log.end)
        return hit[1] if hit is not None else None

    def _follow(self, place: TopicPartition, start: int) -> None:
        stack = self._connected()[1]
        if self._tail is None:
            self._tail = stack.enter_context(LogTail(self._connection, {place: start}))
        else:
            self._tail.add({place: start})

    def _advance(self, seconds: float) -> None:
        assert self._tail is not None  # noqa: S101  (who waits follows)
        for message in self._tail.poll(seconds):
            _remember(self._known[message.partition()], decode_manifest(message.value() or b""))

    def _told(self, manifest: Manifest, partition: int, offset: int) -> Outcome:
        found = manifest.ingress_to_outcome(offset)
        ingress = Coordinate(self._topics.ingress, partition, offset)
        if found.disposition is Disposition.NOT_DELIVERED:
            raise LineageBroken(str(ingress), "its manifest says that no record was there; was the ingress made again?")
        if found.offset is None:
            return Outcome(ingress, found.disposition)
        refused = found.disposition is Disposition.QUARANTINED
        topic = self._topics.quarantine if refused else self._topics.public
        settled = Coordinate(topic, partition, found.offset)
        if not refused:
            return Outcome(ingress, found.disposition, settled)
        message = self._connected()[0].fetch(TopicPartition(topic, partition), found.offset)
        verdict = last_verdict(message.headers() or ()) if message is not None else None
        return Outcome(ingress, found.disposition, settled, verdict.findings if verdict is not None else ())

    def _connected(self) -> tuple[LogReader, ExitStack]:
        if self._stack is None or self._reader is None:
            self._stack = ExitStack()
            self._reader = self._stack.enter_context(LogReader(self._connection))
        return self._reader, self._stack


def _remember(known: list[Manifest], manifest: Manifest) -> None:
    """Keep the newest of one epoch: they ascend, and a newer epoch reads anew."""
    if known and known[-1].epoch != manifest.epoch:
        known.clear()
    known.append(manifest)
    if len(known) > _REMEMBERED:
        del known[: _REMEMBERED // 2]


def _among(known: list[Manifest], offset: int) -> Manifest | None:
    """The one of these that read an offset."""
    at = bisect_right(known, offset, key=_begin) - 1
    return known[at] if at >= 0 and offset in known[at].span(Place.INGRESS) else None
