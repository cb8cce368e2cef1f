"""Functions over many records at once.

What becomes of a record must not depend on the records beside it: batches are cut wherever they come, and cut
differently when the same records come again. The mesh looks at that once in each run, on the first batch of several.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from mesh.errors import UsageError
from mesh.kafka import Message
from mesh.stream.arrival import Arrival, Fate, Outcome, Output
from mesh.stream.calling import failure
from mesh.stream.declared import Batched
from mesh.stream.each import Stateless, driven
from mesh.stream.step import Step, as_values
from mesh.stream.tables import Tables

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive records of one partition of an input, as they were fetched; ``read`` makes an arrival of one."""

    topic_id: UUID
    messages: Sequence[Message]
    read: Callable[[Message], Arrival]


@dataclass(frozen=True, slots=True)
class Made:
    """What became of a stretch: the outputs in order, and the offsets of records that made none."""

    outputs: Sequence[Output]
    filtered: Sequence[int]


class Bulk(Stateless, Generic[E]):
    """A task that takes stretches of at most ``size`` records, as well as single ones."""

    def __init__(self, size: int) -> None:
        self.size, self._proven = size, False

    @abstractmethod
    def entries(self, stretch: Stretch) -> list[E]:
        """The records of a stretch in the form that the function's batches are made from."""

    @abstractmethod
    def entry(self, arrival: Arrival) -> E:
        """The same of a single record."""

    @abstractmethod
    def outputs(self, entries: Sequence[E]) -> list[Output]:
        """What the function makes of them; raises Waiting, ProcessingFailed and UsageError."""

    def apply(self, arrival: Arrival) -> Outcome:
        """A batch of one."""
        outputs = self.outputs([self.entry(arrival)])
        return Outcome(Fate.USED if outputs else Fate.FILTERED, outputs)

    def apply_all(self, stretch: Stretch) -> Made:
        """All records of a stretch; raises Waiting, and nothing has happened, or ProcessingFailed."""
        entries = self.entries(stretch)
        outputs = self.outputs(entries)
        if not self._proven and len(entries) > 1:
            half = len(entries) // 2
            again = [*self.outputs(entries[:half]), *self.outputs(entries[half:])]
            _check_alike(outputs, again, stretch)
            self._proven = True
        used = {each.driving.offset for each in outputs}
        return Made(outputs, [at for each in stretch.messages if (at := each.offset()) not in used])


class BatchTask(Bulk[Arrival]):
    """Calls a function with records and their steps; it gives as many results, one for each."""

    def __init__(self, declared: Batched, tables: Tables) -> None:
        super().__init__(declared.size)
        self._function, self._tables = declared.function, tables

    def entries(self, stretch: Stretch) -> list[Arrival]:
        """Decoded."""
        return [stretch.read(message) for message in stretch.messages]

    def entry(self, arrival: Arrival) -> Arrival:
        """Itself."""
        return arrival

    def outputs(self, entries: Sequence[Arrival]) -> list[Output]:
        """Each with the parents that its own step knows."""
        steps = [Step(each, self._tables) for each in entries]
        try:
            given = self._function([each.record for each in entries], steps)
            return list(_driven(entries, steps, given))
        except Exception as error:
            raise failure(self._function, _span(entries), error) from error
        finally:
            for step in steps:
                step.close()


def _driven(arrivals: Sequence[Arrival], steps: Sequence[Step], given: Any) -> Iterator[Output]:
    if not isinstance(given, Sequence) or len(given) != len(arrivals):
        raise UsageError(
            f"a function over a batch gives a list with one entry for each of its {len(arrivals)} records, in their "
            "order: None, an output, or several"
        )
    for arrival, step, each in zip(arrivals, steps, given, strict=True):
        yield from driven(arrival, step, as_values(each))


def _span(arrivals: Sequence[Arrival]) -> str:
    """Where a batch lies, for messages."""
    first, last = arrivals[0].record.coordinate, arrivals[-1].record.coordinate
    return str(first) if len(arrivals) == 1 else f"{first} to {last.offset}"


def _check_alike(together: Sequence[Output], apart: Sequence[Output], stretch: Stretch) -> None:
    """Raises UsageError where a batch gave something else than its two halves."""
    if _told(together) != _told(apart):
        first, last = stretch.messages[0], stretch.messages[-1]
        raise UsageError(
            "what becomes of a record depends on the records beside it: the batch "
            f"{first.topic()}/{first.partition()}/{first.offset()} to {last.offset()} gave other outputs than its two "
            "halves. Batches are cut wherever they come; gather records by window or aggregate"
        )


def _told(outputs: Sequence[Output]) -> list[object]:
    """What is compared of outputs; as text, because no NaN equals another."""
    return [(repr(each.value), each.descent) for each in outputs]
