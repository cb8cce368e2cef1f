"""Reading partitions as the logs they are: by offset, without a group, exactly as far as asked."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from confluent_kafka import OFFSET_END, Consumer
from confluent_kafka import TopicPartition as ClientTopicPartition

from mesh.errors import DeadlineExceeded, MeshError
from mesh.kafka.connection import FETCH_AGAIN_MS, REQUEST_SECONDS, Connection
from mesh.kafka.message import Message
from mesh.kafka.translation import Diagnosis
from mesh.types import TopicPartition

logger = logging.getLogger(__name__)

_END = "_PARTITION_EOF"
# Reading by offset uses no group, but the client looks for its coordinator all the same; a refusal means nothing here.
_GROUP_NOISE = {"GROUP_AUTHORIZATION_FAILED", "_TIMED_OUT", "_TRANSPORT", "_ALL_BROKERS_DOWN"}
_CHUNK = 2000


class _GrouplessConsumer:
    """What both readers share: a consumer that is assigned, never subscribed."""

    def __init__(self, connection: Connection, *, committed: bool, wait_ms: int) -> None:
        self._connection = connection
        self._diagnosis = Diagnosis(connection)
        settings = connection.config(
            group_id="_mesh.reader",
            enable_auto_commit=False,
            enable_auto_offset_store=False,
            enable_partition_eof=True,
            auto_offset_reset="earliest",
            fetch_wait_max_ms=wait_ms,
            fetch_queue_backoff_ms=FETCH_AGAIN_MS,
            queued_min_messages=_CHUNK,
            isolation_level="read_committed" if committed else "read_uncommitted",
        )
        self._consumer = Consumer(settings | self._diagnosis.config())
        self._ends: dict[TopicPartition, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back."""
        self._consumer.close()

    def bounds(self, partition: TopicPartition) -> tuple[int, int]:
        """The first offset held and the offset after the last readable one."""
        with self._diagnosis.translated(f"read {partition}"):
            place = ClientTopicPartition(partition.topic, partition.partition)
            low, high = self._consumer.get_watermark_offsets(place, timeout=REQUEST_SECONDS, cached=False)
        self._ends[partition] = int(high)
        return int(low), int(high)

    def _assign(self, starts: Mapping[TopicPartition, int]) -> None:
        with self._diagnosis.translated("assign partitions", asks=False):
            self._consumer.assign([ClientTopicPartition(tp.topic, tp.partition, at) for tp, at in starts.items()])

    def _consume(self, seconds: float) -> list[Any]:
        """What has arrived, waiting up to ``seconds`` for the first of it only.

        The client's own call waits for a whole batch, so that whoever is at the end of a log waits all of the time.
        """
        first: list[Any] = self._consumer.consume(1, seconds)
        if first and (first[0].error() is None or first[0].error().name() == _END):
            self._diagnosis.answered()
        return first + self._consumer.consume(_CHUNK - 1, 0) if first else first

    def _problem(self, message: Any, operation: str) -> MeshError | None:
        error = message.error()
        if error.name() in _GROUP_NOISE and self._diagnosis.refused is None:
            return None
        return self._diagnosis.translate(error, operation)


class LogReader(_GrouplessConsumer):
    """Reads ranges and single records. Not for use by two threads at once."""

    def __init__(self, connection: Connection, *, committed: bool = True) -> None:
        super().__init__(connection, committed=committed, wait_ms=10)

    def read(self, partition: TopicPartition, start: int, end: int, seconds: float = 30.0) -> Iterator[Message]:
        """Every readable record with ``start <= offset < end``, clipped to what the partition holds.

        Holes (transaction markers, aborted records, compaction) are passed over. Raises DeadlineExceeded when
        ``seconds`` go by without a record.
        """
        first, last = self._clipped(partition, start, end)
        if first >= last:
            return
        self._assign({partition: first})
        try:
            yield from self._until(partition, last, seconds)
        finally:
            self._consumer.unassign()

    def _clipped(self, partition: TopicPartition, start: int, end: int) -> tuple[int, int]:
        """What the partition holds of a range; an end once seen is not asked for again, since ends only grow.

        What has expired since then is passed over like any other hole.
        """
        if start < 0 or end > self._ends.get(partition, 0):
            low, high = self.bounds(partition)
            return max(start, low), min(end, high)
        return start, end

    def fetch(self, partition: TopicPartition, offset: int) -> Message | None:
        """The record at exactly this offset, or None when there is none to be read."""
        return next(self.read(partition, offset, offset + 1), None)

    def offset_at(self, partition: TopicPartition, timestamp_ms: int) -> int:
        """The offset of the first record of that time or later, in epoch milliseconds; the end where there is none."""
        with self._diagnosis.translated(f"look up a time in {partition}"):
            asked = ClientTopicPartition(partition.topic, partition.partition, timestamp_ms)
            (found,) = self._consumer.offsets_for_times([asked], timeout=REQUEST_SECONDS)
        return int(found.offset) if found.offset >= 0 else self.bounds(partition)[1]

    def _until(self, partition: TopicPartition, end: int, seconds: float) -> Iterator[Message]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for message in self._consume(0.05):
                if message.error() is None:
                    if message.offset() >= end:
                        return
                    yield message
                    deadline = time.monotonic() + seconds
                    if message.offset() == end - 1:
                        return
                elif message.error().name() == _END:
                    if message.offset() >= end:
                        return
                elif problem := self._problem(message, f"read {partition}"):
                    raise problem
        raise DeadlineExceeded(f"reading {partition} up to offset {end}", seconds)


class SideInput(_GrouplessConsumer):
    """Partitions read beside a group's own, each from an offset of the caller's, by whoever owns a partner of theirs.

    What cannot be read is logged once and tried again by the client; it never stops the caller.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, committed=True, wait_ms=500)
        self._positions: dict[TopicPartition, int] = {}
        self._told: set[tuple[str, str]] = set()

    def follow(self, starts: Mapping[TopicPartition, int]) -> None:
        """Read these too, or again from another offset."""
        self._positions |= starts
        self._assign(self._positions)

    def leave(self, partitions: Collection[TopicPartition]) -> None:
        """Read these no more."""
        known = self._positions.keys() & set(partitions)
        for partition in known:
            del self._positions[partition]
        if known:
            self._assign(self._positions)

    def take(self, most: int) -> list[Message]:
        """What has arrived, without waiting."""
        taken: list[Message] = []
        for message in self._consumer.consume(most, 0):
            place = TopicPartition(message.topic(), message.partition())
            if message.error() is not None:
                self._tell(message)
            elif message.offset() >= self._positions.get(place, message.offset() + 1):
                taken.append(message)
                self._positions[place] = message.offset() + 1
        return taken

    def _tell(self, message: Any) -> None:
        name, topic = message.error().name(), str(message.topic())
        if name not in {_END, *_GROUP_NOISE} and (topic, name) not in self._told:
            self._told.add((topic, name))
            logger.warning("reading %s: %s (%s)", topic, message.error().str(), name)


class LogTail(_GrouplessConsumer):
    """Follows partitions from a start as they grow; for logs that are folded into state.

    An idle broker is asked again after ``wait_ms``, in which a partition that is added has to wait. Who only ever
    catches up lets it rest in between: partitions that are followed cost the broker work with every request.
    """

    def __init__(self, connection: Connection, starts: Mapping[TopicPartition, int], *, wait_ms: int = 100) -> None:
        super().__init__(connection, committed=True, wait_ms=wait_ms)
        self.positions = dict(starts)
        self._resting: set[TopicPartition] = set()
        self._taken: list[Message] = []
        self._assign(self.positions)

    def add(self, starts: Mapping[TopicPartition, int]) -> None:
        """Follow more partitions; those already followed stay where they are."""
        new = {tp: at for tp, at in starts.items() if tp not in self.positions}
        self.positions |= new
        with self._diagnosis.translated("assign partitions", asks=False):
            self._consumer.incremental_assign(
                [ClientTopicPartition(tp.topic, tp.partition, at) for tp, at in new.items()]
            )

    def poll(self, seconds: float) -> list[Message]:
        """The records that arrived, waiting up to ``seconds`` for the first ones."""
        self._wake(self._resting)
        self._take(seconds, {})
        return self._given()

    def catch_up(self, seconds: float = 30.0) -> list[Message]:
        """Everything up to the present end of every partition.

        Raises DeadlineExceeded and what the broker says; the next call then begins with what had been read by then.
        """
        deadline = time.monotonic() + seconds
        ends = self._ends_of(self.positions, min(seconds, REQUEST_SECONDS))
        waiting = {tp: end for tp, end in ends.items() if end > self.positions[tp]}
        self._wake(waiting)
        while waiting:
            if time.monotonic() > deadline:
                raise DeadlineExceeded(f"reading {', '.join(map(str, waiting))}", seconds)
            self._take(0.05, waiting)
        return self._given()

    def _given(self) -> list[Message]:
        taken, self._taken = self._taken, []
        return taken

    def rest(self) -> None:
        """Ask for nothing more until there is something to catch up with."""
        awake = self.positions.keys() - self._resting
        with self._diagnosis.translated("rest at the ends of logs", asks=False):
            self._consumer.pause([ClientTopicPartition(tp.topic, tp.partition) for tp in awake])
        self._resting |= awake

    def _wake(self, partitions: Collection[TopicPartition]) -> None:
        asleep = self._resting & set(partitions)
        with self._diagnosis.translated("follow logs", asks=False):
            self._consumer.resume([ClientTopicPartition(tp.topic, tp.partition) for tp in asleep])
        self._resting -= asleep

    def _ends_of(self, partitions: Collection[TopicPartition], seconds: float) -> dict[TopicPartition, int]:
        """The offsets after the last readable records: one request for each broker, however many partitions."""
        asked = [ClientTopicPartition(tp.topic, tp.partition, OFFSET_END) for tp in partitions]
        with self._diagnosis.translated("look for the ends of logs", asks=bool(asked)):
            found = self._consumer.offsets_for_times(asked, timeout=seconds) if asked else []
        for each in found:
            if each.error is not None:
                raise self._diagnosis.translate(each.error, f"look for the end of {each.topic}")
        return {TopicPartition(each.topic, each.partition): int(each.offset) for each in found}

    def _take(self, seconds: float, waiting: dict[TopicPartition, int]) -> None:
        problems = [problem for message in self._consume(seconds) if (problem := self._sorted(message, waiting))]
        # Only now: what came along with it would not come again.
        for problem in problems:
            raise problem

    def _sorted(self, message: Any, waiting: dict[TopicPartition, int]) -> MeshError | None:
        """Keep a record, note an end; what the message says is wrong."""
        error = message.error()
        place = TopicPartition(message.topic(), message.partition())
        if error is None:
            self._taken.append(message)
            self.positions[place] = message.offset() + 1
            # The client tells the end only with the next answer of the broker.
            if place in waiting and self.positions[place] >= waiting[place]:
                del waiting[place]
        elif error.name() == _END:
            self.positions[place] = message.offset()
            waiting.pop(place, None)
        else:
            return self._problem(message, "follow a log")
        return None
