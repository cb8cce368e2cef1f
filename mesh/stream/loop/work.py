"""One log that this process holds: what reads it, the task at work on it, and how far it has come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mesh.consumer.record import RecordReader
from mesh.kafka import Message
from mesh.stream.arrival import Arrival, Outcome, Place, Punctuation, reference_of
from mesh.stream.observed import Fates, Observed
from mesh.stream.rekeying import Headway
from mesh.stream.task import Task

DirectRead = Callable[[Message], Arrival]
Read = Callable[[Message], Arrival | Punctuation]

# An input partition that gave nothing for so long no longer holds back the windows of a repartitioned log.
IDLE_SECONDS: Final = 60.0


@dataclass(slots=True)
class Work:
    """``position`` is the next offset, as committed; ``came_at`` is when its last record came, by a monotonic clock."""

    place: Place
    task: Task
    read: Read
    routes: bool
    position: int
    came_at: float
    rested: bool = False
    finished: bool = False

    def apply(self, entry: Arrival | Punctuation) -> Outcome:
        """Give the task the next entry of its log."""
        return self.task.punctuate(entry) if isinstance(entry, Punctuation) else self.task.apply(entry)


@dataclass(slots=True)
class Open:
    """A log within the transaction: what was observed, and how far its records have come on their way to another."""

    observed: Observed
    headway: Headway
    repartitioned: bool = False
    rests: bool = False
    _own: Fates | None = None

    def fates_of(self, arrival: Arrival) -> Fates:
        """Where it is told what becomes of a record: a repartitioned log holds those of many partitions."""
        if self.repartitioned:
            return self.observed.sources[str(arrival.record.product), arrival.reference.partition]
        if self._own is None:
            self._own = self.observed.sources[self.headway.source]
        return self._own


def direct(reader: RecordReader) -> DirectRead:
    """Reads an input's own partition."""
    read = reader.read

    def arrival(message: Message) -> Arrival:
        record = read(message)
        return Arrival(record, message.offset(), reference_of(record.coordinate), message.key(), message.value())

    return arrival
