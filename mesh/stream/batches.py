"""Functions over many records at once.

What becomes of a record must not depend on the records beside it: batches are cut wherever they come, and cut
differently when the same records come again. The mesh looks at that once in each run, on the first batch of several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from mesh.errors import UsageError
from mesh.kafka import Message
from mesh.stream.arrival import Arrival, Fate, Outcome, Output
from mesh.stream.calling import failure
from mesh.stream.declared import Batched
from mesh.stream.each import Stateless, driven
from mesh.stream.step import Step, as_values
from mesh.stream.tables import Tables


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


class Bulk(Stateless):
    """A task that takes stretches of at most ``size`` records, as well as single ones."""

    size: int

    def apply_all(self, stretch: Stretch) -> Made:
        """All records of a stretch; raises Waiting, and nothing has happened, or ProcessingFailed."""
        raise NotImplementedError


class BatchTask(Bulk):
    """Calls a function with records and their steps; it gives as many results, one for each."""

    def __init__(self, declared: Batched, tables: Tables) -> None:
        self._function, self._tables, self.size = declared.function, tables, declared.size
        self._proven = False

    def apply(self, arrival: Arrival) -> Outcome:
        """A batch of one."""
        outputs = self._outputs([arrival])[0]
        return Outcome(Fate.USED if outputs else Fate.FILTERED, outputs)

    def apply_all(self, stretch: Stretch) -> Made:
        """A batch."""
        arrivals = [stretch.read(message) for message in stretch.messages]
        outputs = self._outputs(arrivals)
        if not self._proven and len(arrivals) > 1:
            self._prove(arrivals, outputs)
        filtered = [each.offset for each, made in zip(arrivals, outputs, strict=True) if not made]
        return Made([each for made in outputs for each in made], filtered)

    def _prove(self, arrivals: Sequence[Arrival], outputs: Sequence[Sequence[Output]]) -> None:
        half = len(arrivals) // 2
        again = [*self._outputs(arrivals[:half]), *self._outputs(arrivals[half:])]
        check_alike([told(each) for each in outputs], [told(each) for each in again], span_of(arrivals))
        self._proven = True

    def _outputs(self, arrivals: Sequence[Arrival]) -> list[list[Output]]:
        steps = [Step(each, self._tables) for each in arrivals]
        try:
            given = self._function([each.record for each in arrivals], steps)
            return list(_driven(arrivals, steps, given))
        except Exception as error:
            raise failure(self._function, span_of(arrivals), error) from error
        finally:
            for step in steps:
                step.close()


def _driven(arrivals: Sequence[Arrival], steps: Sequence[Step], given: Any) -> list[list[Output]]:
    if not isinstance(given, Sequence) or len(given) != len(arrivals):
        raise UsageError(
            f"a function over a batch gives a list with one entry for each of its {len(arrivals)} records, in their "
            "order: None, an output, or several"
        )
    return [
        list(driven(arrival, step, as_values(each))) for arrival, step, each in zip(arrivals, steps, given, strict=True)
    ]


def span_of(arrivals: Sequence[Arrival]) -> str:
    """Where a batch lies, for messages."""
    first, last = arrivals[0].record.coordinate, arrivals[-1].record.coordinate
    return str(first) if len(arrivals) == 1 else f"{first} to {last.offset}"


def check_alike(together: object, apart: object, where: str) -> None:
    """Raises UsageError where a batch gave something else than its two halves."""
    if together != apart:
        raise UsageError(
            f"what becomes of a record depends on the records beside it: the batch {where} gave other outputs than its "
            "two halves. Batches are cut wherever they come; gather records by window or aggregate"
        )


def told(outputs: Sequence[Output]) -> list[object]:
    """What is compared of outputs; as text, because no NaN equals another."""
    return [(repr(each.value), each.descent) for each in outputs]
