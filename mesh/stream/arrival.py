"""What goes into a task and what comes out: records as they arrive, outputs with where they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import BaseModel

from mesh.consumer.record import Record
from mesh.errors import UsageError
from mesh.lineage import Descent, Reference
from mesh.stream.times import epoch_ms
from mesh.types import Coordinate, TopicPartition, light


class Encoded(NamedTuple):
    """A record that is encoded already: the payloads of its key and its value."""

    key: bytes | None
    value: bytes


Value = Mapping[str, Any] | BaseModel | Encoded


@light
class Arrival:
    """An input record as a task takes it.

    ``offset`` is its place in the log that the task reads: the input's own partition, or a repartitioned one.
    ``reference`` is where the public record lies, which is what parents name. ``key`` and ``value`` are its bytes.
    """

    record: Record
    offset: int
    reference: Reference
    key: bytes | None
    value: bytes | None

    @classmethod
    def of(cls, record: Record, key: bytes | None, value: bytes | None, offset: int | None = None) -> Arrival:
        """A record with its bytes; ``offset`` where the log is not the record's own partition."""
        at = record.coordinate
        return cls(record, at.offset if offset is None else offset, reference_of(at), key, value)

    @property
    def time(self) -> int | None:
        """Its event time in milliseconds; reckoned when it is asked for, since only windows do."""
        when = self.record.event_time
        return None if when is None else epoch_ms(when)


@dataclass(frozen=True, slots=True)
class Punctuation:
    """An entry of a repartitioned log: a source has come to ``time`` (milliseconds), or is idle for now (None).

    ``reference`` is the source's last record then; None where it has had none.
    """

    product: str
    partition: int
    time: int | None
    offset: int
    reference: Reference | None = None


def reference_of(coordinate: Coordinate) -> Reference:
    """A coordinate as a parent; raises UsageError where it does not say which topic it means."""
    _, partition, offset, topic_id, _ = coordinate
    if topic_id is None:
        raise UsageError(f"{coordinate} has no topic id, so it cannot be named as a parent; take a record's own")
    return Reference(topic_id, partition, offset)


class Output:
    """A record of the derived product, before it is encoded; its parents are still a set.

    The only output of its only parent is by far the most frequent one, so its descent is made when it is asked for.
    """

    __slots__ = ("_descent", "alone", "driving", "value")

    def __init__(self, value: Value, descent: Descent | Reference) -> None:
        """``descent`` may be the only parent itself; ``alone`` says that it is."""
        self.value = value
        self._descent: Descent | None
        if isinstance(descent, Reference):
            self.alone, self.driving, self._descent = True, descent, None
        else:
            self.alone, self.driving, self._descent = False, descent.driving, descent

    @property
    def descent(self) -> Descent:
        """Where it comes from."""
        return Descent.of_one(self.driving) if self._descent is None else self._descent


class Fate(StrEnum):
    """What became of an input record. ``USED`` ones went into outputs or into state."""

    USED = "used"
    FILTERED = "filtered"
    LATE = "late"
    PARKED = "parked"
    """Its handling failed; nothing came of it."""
    KNOWN = "known"
    """It is in the state already, since somebody set the group back: its fate was told then."""


@dataclass(slots=True)
class Outcome:
    """What a task made of one record. ``routed`` is the key under which it goes to the repartitioned log.

    ``failure`` says of a parked one which kind of failure it was.
    """

    fate: Fate
    outputs: Sequence[Output] = ()
    routed: bytes | None = None
    failure: str = ""


@dataclass(slots=True)
class Changes:
    """What a task's state has to write, all of it in one transaction with the input's offset."""

    puts: list[tuple[bytes, bytes]] = field(default_factory=list)
    removals: list[bytes] = field(default_factory=list)

    def __iter__(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Every change as (key, value); None removes."""
        yield from self.puts
        yield from ((key, None) for key in self.removals)


@dataclass(frozen=True, slots=True)
class Names:
    """What identities are made of: the processor's name and the public topic it makes."""

    processor: str
    output: str


@dataclass(frozen=True, slots=True)
class Place:
    """The log a task reads: an input's partition, or one of the repartitioned log."""

    product: str
    partition: int
    repartitioned: bool = False

    def of(self, topic: str) -> TopicPartition:
        """The same, as Kafka names it."""
        return TopicPartition(topic, self.partition)
