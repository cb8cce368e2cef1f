"""What a processor declares: how the records of each input become outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from inspect import Parameter, signature
from typing import Any, Literal

from mesh.consumer.record import Record
from mesh.errors import UsageError
from mesh.stream.arrival import Value
from mesh.stream.step import Step
from mesh.stream.times import duration_ms, moment

OnError = Literal["halt", "park"]
"""What a record does whose handling fails: it stops the processor, or is set aside."""

KeyOf = Callable[[Record], Any]
Made = Any
"""None, a record, or several; typed loosely because users' functions give any of them."""


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A stretch of event time, ``start <= t < end``, in UTC. A session ends its gap after its last record."""

    start: datetime
    end: datetime

    @classmethod
    def of_ms(cls, start: int, end: int) -> Window:
        """From epoch milliseconds."""
        return cls(moment(start), moment(end))


@dataclass(frozen=True, slots=True)
class Each:
    """Every record by itself: nothing, one output, or several."""

    products: tuple[str, ...]
    function: Callable[[Record, Step], Made]


@dataclass(frozen=True, slots=True)
class Batched:
    """Records of at most ``size`` at once, each by itself: a result for every one."""

    products: tuple[str, ...]
    function: Callable[[Sequence[Record], Sequence[Step]], Sequence[Made]]
    size: int


@dataclass(frozen=True, slots=True)
class Columnar:
    """The same as Arrow columns: ``function(batch)`` or ``function(batch, step)`` gives a batch, a table or None."""

    products: tuple[str, ...]
    function: Callable[..., Any]
    size: int

    @property
    def looks(self) -> bool:
        """Whether the function takes a step, to look up other products."""
        kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
        wanted = [each for each in signature(self.function).parameters.values() if each.kind in kinds]
        return len([each for each in wanted if each.default is Parameter.empty]) > 1


@dataclass(frozen=True, slots=True)
class Shape:
    """How windows lie in event time, in milliseconds: ``size`` and ``hop`` of fixed ones, or the ``gap`` of sessions.

    ``lateness`` is how far records may come out of order before their window closes, ``retention`` how long after its
    end a closed window is kept, so that late records make revisions of it.
    """

    size: int | None
    hop: int | None
    gap: int | None
    lateness: int
    retention: int

    @classmethod
    def of(
        cls,
        size: timedelta | None,
        hop: timedelta | None,
        gap: timedelta | None,
        lateness: timedelta,
        retention: timedelta | None,
    ) -> Shape:
        """From durations; raises UsageError where they make no windows."""
        if (size is None) == (gap is None) or (hop is not None and size is None):
            raise UsageError("a window has a size (and perhaps a hop), or a gap for sessions")
        length = size if size is not None else gap or timedelta()
        span = duration_ms(length, "the size or gap", positive=True)
        step = None if hop is None else duration_ms(hop, "the hop", positive=True)
        if step is not None and step > span:
            raise UsageError(f"a hop of {hop} leaves records between windows of {size}; it must not be longer")
        kept = span if retention is None else duration_ms(retention, "the retention")
        late = duration_ms(lateness, "the lateness")
        if size is None:
            return cls(None, None, span, late, kept)
        return cls(span, step or span, None, late, kept)

    def windows(self, time: int) -> list[tuple[int, int]]:
        """The fixed windows that a time falls into, earliest first."""
        size, hop = self.size or 0, self.hop or 1
        first = ((time - size) // hop + 1) * hop
        return [(start, start + size) for start in range(first, time + 1, hop)]


@dataclass(frozen=True, slots=True)
class Windowed:
    """Records of one input gathered by key and window; one output, or none, for each."""

    product: str
    key: KeyOf
    shape: Shape
    function: Callable[[Any, Window, list[Record]], Value | None]

    @property
    def products(self) -> tuple[str, ...]:
        """The only one."""
        return (self.product,)


@dataclass(frozen=True, slots=True)
class Aggregated:
    """A running state per key: each record folds into it, and may give an output that continues the last."""

    products: tuple[str, ...]
    key: KeyOf
    start: Callable[[], Any]
    function: Callable[[Any, Record], tuple[Any, Value | None]]


@dataclass(frozen=True, slots=True)
class Joined:
    """A free state per key; outputs name their parents by ``step.derive``."""

    products: tuple[str, ...]
    key: KeyOf
    start: Callable[[], Any]
    function: Callable[[Any, Record, Step], Made]


Single = Each | Batched | Columnar
"""Functions that keep nothing from one record to the next."""

Handler = Single | Windowed | Aggregated | Joined


@dataclass(frozen=True, slots=True)
class TableDeclared:
    """How an input is looked up, where its contract's key and order are not enough.

    ``patience`` is how long, by the wall clock, a record waits for a table that has nothing more to give; None is for
    ever.
    """

    product: str
    key: KeyOf | None = None
    lateness: timedelta = timedelta()
    patience: timedelta | None = timedelta(seconds=60)
