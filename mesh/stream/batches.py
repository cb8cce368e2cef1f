"""Functions over many records at once.

What becomes of a record must not depend on the records beside it: batches are cut wherever they come, and cut
differently when the same records come again. The mesh looks at that once in each run, on the first batch of several.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar
from uuid import UUID

from mesh.errors import UsageError
from mesh.kafka import Message
from mesh.stream.arrival import Arrival, Fate, Outcome, Output
from mesh.stream.calling import failure
from mesh.stream.declared import Batched
from mesh.stream.each import Stateless, driven
from mesh.stream.parking import OF_ONE_RECORD, Parking
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
    """What became of the first ``taken`` records of a stretch: the outputs in order, and the records that made none.

    Those by offset; of the parked ones with the kind of failure.
    """

    taken: int = 0
    outputs: Sequence[Output] = ()
    filtered: Sequence[int] = ()
    parked: Mapping[int, str] = field(default_factory=dict)


class Bulk(Stateless, Generic[E]):
    """A task that takes stretches of at most ``size`` records, as well as single ones.

    With ``parking`` a batch that fails is cut in halves until the record is alone, so that only that one is parked.
    """

    def __init__(self, size: int, parking: Parking | None = None) -> None:
        self.size, self.parking, self._proven = size, parking, False
        self._cuts: list[int] = []
        """Where the batches end that are left of those that failed, by their last offsets: the next one on top."""

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
        try:
            outputs = self.outputs([self.entry(arrival)])
        except OF_ONE_RECORD as error:
            if self.parking is None:
                raise
            return self.parking.park(arrival.record.coordinate, error)
        return Outcome(Fate.USED if outputs else Fate.FILTERED, outputs)

    def apply_all(self, stretch: Stretch) -> Made:
        """As many of the first records as go together: all, unless one fails and is to be parked.

        Raises Waiting, and nothing has happened, or ProcessingFailed and EncodingRefused where nothing is parked.
        """
        messages = self._uncut(stretch.messages)
        while True:
            try:
                return self._together(replace(stretch, messages=messages))
            except OF_ONE_RECORD as error:
                if self.parking is None:
                    raise
                if len(messages) == 1:
                    return _alone(messages[0], self.parking.park(_place(messages[0]), error))
                self._cuts.append(messages[-1].offset())
                messages = messages[: len(messages) // 2]

    def _uncut(self, messages: Sequence[Message]) -> Sequence[Message]:
        """The first records, up to where a batch that failed ended or was cut."""
        first = messages[0].offset()
        while self._cuts and self._cuts[-1] < first:
            self._cuts.pop()
        return [each for each in messages if each.offset() <= self._cuts[-1]] if self._cuts else messages

    def _together(self, stretch: Stretch) -> Made:
        entries = self.entries(stretch)
        outputs = self.outputs(entries)
        if not self._proven and len(entries) > 1:
            if _told(outputs) != _told(self._halves(entries, stretch)):
                raise _dependent(stretch)
            self._proven = True
        used = {each.driving.offset for each in outputs}
        rest = [at for each in stretch.messages if (at := each.offset()) not in used]
        return Made(len(entries), outputs, rest)

    def _halves(self, entries: Sequence[E], stretch: Stretch) -> list[Output]:
        half = len(entries) // 2
        try:
            return [*self.outputs(entries[:half]), *self.outputs(entries[half:])]
        except OF_ONE_RECORD as error:
            if self.parking is None:
                raise
            # Not to be parked: beside the others the same records did not fail.
            raise _dependent(stretch) from error


class BatchTask(Bulk[Arrival]):
    """Calls a function with records and their steps; it gives as many results, one for each."""

    def __init__(self, declared: Batched, tables: Tables, parking: Parking | None = None) -> None:
        super().__init__(declared.size, parking)
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
            outputs = list(_driven(entries, steps, given))
            return outputs if self.parking is None else self.parking.sealed(outputs)
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


def _place(message: Message) -> str:
    return f"{message.topic()}/{message.partition()}/{message.offset()}"


def _alone(message: Message, outcome: Outcome) -> Made:
    return Made(1, parked={message.offset(): outcome.failure})


def _dependent(stretch: Stretch) -> UsageError:
    """A batch gave something else than its two halves."""
    first, last = stretch.messages[0], stretch.messages[-1]
    return UsageError(
        f"what becomes of a record depends on the records beside it: the batch {_place(first)} to {last.offset()} gave "
        "other outputs than its two halves. Batches are cut wherever they come; gather records by window or aggregate"
    )


def _told(outputs: Sequence[Output]) -> list[object]:
    """What is compared of outputs; as text, because no NaN equals another."""
    return [(repr(each.value), each.descent) for each in outputs]
