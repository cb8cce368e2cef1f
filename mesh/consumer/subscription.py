"""A named reading of products for a stated purpose; what was processed is committed, and nothing else."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from mesh.consumer.purpose import check_purpose, client_id
from mesh.consumer.record import Record, RecordReader, Source
from mesh.kafka import Connection, GroupConsumer, GroupOptions, Message
from mesh.telemetry import (
    CONSUMED,
    DESTINATION,
    GROUP,
    OFFSET,
    OPERATION,
    OPERATION_TYPE,
    PARTITION,
    PURPOSE,
    SILENT,
    SYSTEM,
    Attributes,
    Span,
    SpanName,
    SpanStart,
    Telemetry,
)
from mesh.types import TopicPartition

_BATCH: Final = 500
_COMMIT_SECONDS: Final = 1.0
_COMMIT_RECORDS: Final = 10_000
_WAIT_SECONDS: Final = 0.25
# The broker takes partitions from a member that does not ask for five minutes; slow work is interrupted to ask.
_ASK_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Reading:
    """How a subscription reads.

    ``from_beginning``: where it starts the first time, else with what comes from now on. ``until_end``: stop where its
    partitions ended when it began. ``idle_seconds``: stop when nothing has come for so long. ``skip_lost``: pass over
    what retention took before it was read, instead of raising RecordsLost.
    """

    from_beginning: bool = True
    until_end: bool = False
    idle_seconds: float | None = None
    skip_lost: bool = False


class Subscription:
    """An iterator of records, in order within a partition. Its name is its consumer group and its principal.

    A record counts as processed when the next one is asked for, and when the ``with`` block is left without an error;
    an exception in the block leaves the record at hand uncommitted, so that it comes again. What was processed is
    committed every second. Only ``stop`` may be called from another thread or a signal handler.

    Iteration raises NotAuthorised, NotFound, RecordsLost, MalformedBody and RegistryUnreachable. A record that cannot
    be decoded is never passed over: asking again gives the same error.
    """

    def __init__(
        self,
        connection: Connection,
        name: str,
        purpose: str,
        sources: Collection[Source],
        reading: Reading,
        ends: Mapping[TopicPartition, int] | None = None,
        telemetry: Telemetry = SILENT,
    ) -> None:
        self.name, self.purpose = name, purpose
        self._traced = _Traced(telemetry, name, purpose)
        for source in sources:
            check_purpose(source.contract, connection.principal or name, purpose)
        self._readers: dict[str, RecordReader] = {
            source.contract.topics.public: RecordReader(source) for source in sources
        }
        self._reading = reading
        self._ends = dict(ends or {}) if reading.until_end else None
        self._waiting: deque[Message] = deque()
        self._current: Message | None = None
        self._stopped = threading.Event()
        self._since_commit = 0
        self._committed_at = self._asked_at = self._came_at = time.monotonic()
        options = GroupOptions(reading.from_beginning, reading.skip_lost, client_id(name, purpose), self._drop)
        self._group = GroupConsumer(connection, name, self._readers, options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._traced.end(error)
        if error is None:
            self._settle()
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Record:
        self._settle()
        if self._commit_if_due() - self._asked_at > _ASK_SECONDS:
            self._ask(0)
        while not self._waiting:
            self._commit_if_due()
            if self._over():
                raise StopIteration
            self._ask(_WAIT_SECONDS)
        if self._stopped.is_set():
            raise StopIteration
        message = self._waiting[0]
        record = self._readers[message.topic()].read(message)
        self._current = self._waiting.popleft()
        self._traced.begin(message)
        return record

    def stop(self) -> None:
        """End the iteration before its next record."""
        self._stopped.set()

    def commit(self, *, wait: bool = True) -> None:
        """Commit what was processed; the record at hand is not."""
        self._since_commit, self._committed_at = 0, time.monotonic()
        self._group.commit(wait=wait)
        self._traced.count()

    @property
    def positions(self) -> Mapping[TopicPartition, int]:
        """The offset after the last processed record of each partition."""
        return dict(self._group.positions)

    def close(self) -> None:
        """Commit what was processed and leave the group; the record at hand comes again."""
        self._current = None
        self._traced.end()
        self._traced.count()
        self._waiting.clear()
        self._group.close()

    def _settle(self) -> None:
        if self._current is not None:
            self._traced.end()
            self._group.processed(self._current)
            self._since_commit += 1
            self._current = None

    def _commit_if_due(self) -> float:
        now = time.monotonic()
        if self._since_commit >= _COMMIT_RECORDS or now - self._committed_at > _COMMIT_SECONDS:
            self.commit(wait=False)
        return now

    def _ask(self, seconds: float) -> None:
        records = self._group.poll(_BATCH, seconds)
        self._asked_at = time.monotonic()
        if records:
            self._came_at = self._asked_at
            self._waiting.extend(records if self._ends is None else self._before_end(records))

    def _before_end(self, records: list[Message]) -> list[Message]:
        return [each for each in records if each.offset() < self._end(TopicPartition(each.topic(), each.partition()))]

    def _end(self, partition: TopicPartition) -> int:
        return (self._ends or {}).get(partition, 0)

    def _over(self) -> bool:
        """Whether the iteration ends here, with nothing at hand."""
        idle, quiet = self._reading.idle_seconds, time.monotonic() - self._came_at
        if self._stopped.is_set() or (idle is not None and quiet >= idle):
            return True
        held = self._group.held
        return self._ends is not None and held is not None and all(self._reached(partition) for partition in held)

    def _reached(self, partition: TopicPartition) -> bool:
        at = max(self._group.positions.get(partition, 0), self._group.ends.get(partition, 0))
        return at >= self._end(partition)

    def _drop(self, partitions: Collection[TopicPartition]) -> None:
        """Another member reads these on from what was committed, so what is at hand of them is no longer ours."""
        gone = set(partitions)
        kept = [each for each in self._waiting if TopicPartition(each.topic(), each.partition()) not in gone]
        self._waiting.clear()
        self._waiting.extend(kept)


class _Traced:
    """The span of the record at hand: a child of its publisher's, and the parent of what the program does meanwhile."""

    def __init__(self, telemetry: Telemetry, name: str, purpose: str) -> None:
        self._telemetry, self._name, self._purpose = telemetry, name, purpose
        self._span: Span | None = None
        self._taken = 0

    def begin(self, message: Message) -> None:
        """A record is handed to the program."""
        if not self._telemetry.active:
            return
        self._taken += 1
        attributes: Attributes = {
            OPERATION: "process",
            OPERATION_TYPE: "process",
            DESTINATION: message.topic(),
            PARTITION: str(message.partition()),
            OFFSET: message.offset(),
            GROUP: self._name,
            PURPOSE: self._purpose,
        }
        start = SpanStart(SpanName.PROCESS, message.topic(), attributes, message.headers() or ())
        self._span = self._telemetry.span(start)
        self._span.__enter__()

    def end(self, error: BaseException | None = None) -> None:
        """The program is done with it."""
        if self._span is not None:
            self._span.__exit__(type(error) if error is not None else None, error, None)
            self._span = None

    def count(self) -> None:
        """Tell how many were handed over since the last time."""
        if self._taken:
            self._telemetry.add(CONSUMED, self._taken, {SYSTEM: "kafka", OPERATION: "process", GROUP: self._name})
            self._taken = 0
