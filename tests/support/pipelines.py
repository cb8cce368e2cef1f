"""Generated pipelines and what must come out of them, worked out the slow and simple way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TypeVar

from hypothesis import strategies as st

from mesh.stream import Processor, Window

EVENTS, RATES = "shop.events", "shop.rates"
KEYS: Final = ("a", "b", "c")
START: Final = datetime(2013, 1, 1, tzinfo=UTC)
Kind = Literal["tumbling", "hopping", "session", "running", "pairs", "asof", "batch", "columns", "priced"]
KINDS: Final[tuple[Kind, ...]] = (
    "tumbling",
    "hopping",
    "session",
    "running",
    "pairs",
    "asof",
    "batch",
    "columns",
    "priced",
)
LOOKING: Final[tuple[Kind, ...]] = ("asof", "batch", "priced")
"""Those that look up rates."""
BULK: Final[tuple[Kind, ...]] = ("batch", "columns", "priced")
"""Those that take many records at once."""


@dataclass(frozen=True, slots=True)
class Event:
    """A record to be: ``time`` in seconds after START; None has no event time. A falsy key is filtered."""

    partition: int
    key: str
    time: int | None
    amount: int

    def value(self) -> dict[str, Any]:
        """Its fields."""
        at = None if self.time is None else START + timedelta(seconds=self.time)
        return {"key": self.key, "amount": self.amount, "at": at}


@dataclass(frozen=True, slots=True)
class Case:
    """A pipeline with its input: the log of every partition, and the rates that an as-of lookup finds, in seconds."""

    kind: Kind
    events: tuple[Event, ...]
    rates: tuple[Event, ...] = ()
    partitions: int = 2
    size: int = 10
    hop: int = 5
    lateness: int = 0
    retention: int = 10
    breaks: tuple[int, ...] = ()
    """Amounts for which a function raises; such records are parked."""
    refused: tuple[int, ...] = ()
    """Amounts whose output is not of the schema, where a record alone makes one."""

    def log(self, partition: int) -> list[Event]:
        """The events of a partition in order; their position is their offset."""
        return [event for event in self.events if event.partition == partition]


@dataclass(frozen=True, slots=True)
class Made:
    """An output, told by what must be the same however often and wherever it is made."""

    value: tuple[tuple[str, Any], ...]
    parents: frozenset[tuple[str, int, int]]
    driving: tuple[str, int, int]
    previous: Made | None = field(default=None, compare=False)
    chain: int = 0
    """How many outputs it continues or supersedes, one after the other."""


@st.composite
def cases(draw: st.DrawFn, kinds: tuple[Kind, ...] = KINDS, longest: int = 30) -> Case:
    """Pipelines with late, skewed, equal and missing times."""
    events, clock = [], 0
    for _ in range(draw(st.integers(0, longest))):
        clock += draw(st.sampled_from([0, 1, 1, 2, 4, 9, 25]))
        late = draw(st.sampled_from([0, 0, 0, 1, 3, 7, 12, 18, 40]))
        time = draw(st.sampled_from([clock - late] * 12 + [None]))
        key = draw(st.sampled_from([*KEYS, *KEYS, ""]))
        events.append(Event(draw(st.integers(0, 1)), key, time, draw(st.integers(-5, 5))))
    rates = [
        Event(draw(st.integers(0, 1)), draw(st.sampled_from(KEYS)), draw(st.integers(-5, clock + 5)), number)
        for number in range(draw(st.integers(0, 8)))
    ]
    size = draw(st.integers(1, 15))
    return Case(
        draw(st.sampled_from(kinds)),
        tuple(events),
        tuple(rates),
        size=size,
        hop=draw(st.integers(1, size)),
        lateness=draw(st.sampled_from([0, 0, 3, 8])),
        retention=draw(st.sampled_from([0, 5, 10, 30])),
        breaks=draw(st.sampled_from([(), (), (3,), (-1, 2), tuple(range(-5, 6))])),
    )


Declared = TypeVar("Declared", bound=Processor)


def processor_of(case: Case, product: str = "shop.totals", events: str = EVENTS, rates: str = RATES) -> Processor:
    """The pipeline as a user writes it."""
    return declare(Processor(product, on_error="park" if case.breaks or case.refused else "halt"), case, events, rates)


def declare(made: Declared, case: Case, events: str = EVENTS, rates: str = RATES) -> Declared:
    """Give a processor the function of a pipeline."""
    shape: dict[str, Any] = {"lateness": _seconds(case.lateness), "retention": _seconds(case.retention)}
    if case.kind in ("tumbling", "hopping"):
        hop = {"hop": _seconds(case.hop)} if case.kind == "hopping" else {}
        made.window(events, key=_breaking_key(case), size=_seconds(case.size), **hop, **shape)(_total)
    elif case.kind == "session":
        made.window(events, key=_breaking_key(case), gap=_seconds(case.size), **shape)(_total)
    elif case.kind == "running":
        made.aggregate(events, key=_key, start=lambda: [0, 0])(_running(case))
    elif case.kind == "pairs":
        made.join(events, key=_key)(_pairs(case))
    elif case.kind in ("columns", "priced"):
        # Only here: every worker of a test is a process, and Arrow takes it a quarter of a second.
        from tests.support.columns_pipeline import doubled, priced  # noqa: PLC0415

        if case.kind == "priced":
            made.table(rates, key=_key)
        made.columns(events, size=case.size)(doubled(case) if case.kind == "columns" else priced(case, rates))
    else:
        made.table(rates, key=_key)
        at_rate = _asof(case, rates)
        if case.kind == "asof":
            made.each(events)(at_rate)
        else:
            together = lambda records, steps: [at_rate(*each) for each in zip(records, steps, strict=True)]  # noqa: E731
            made.batch(events, size=case.size)(together)
    return made


def _seconds(count: int) -> timedelta:
    return timedelta(seconds=count)


def _key(record: Any) -> str | None:
    return record.value["key"] or None


def _total(key: str, window: Window, records: list[Any]) -> dict[str, Any]:
    amounts = [record.value["amount"] for record in records]
    return {"key": key, "at": window.start, "until": window.end, "total": sum(amounts), "count": len(amounts)}


def _check(case: Case, record: Any) -> None:
    if record.value["amount"] in case.breaks:
        raise ValueError(f"a secret {record.value['amount']}")


def _breaking_key(case: Case) -> Any:
    def key(record: Any) -> str | None:
        _check(case, record)
        return _key(record)

    return key


def _running(case: Case) -> Any:
    def running(state: list[int], record: Any) -> tuple[list[int], dict[str, Any] | None]:
        """Changes its state in place, as users do, and fails when it has; odd amounts give no output."""
        state[0] += record.value["amount"]
        state[1] += 1
        _check(case, record)
        if record.value["amount"] % 2:
            return state, None
        total = "none" if record.value["amount"] in case.refused else state[0]
        return state, {"key": record.value["key"], "total": total, "count": state[1]}

    return running


def _pairs(case: Case) -> Any:
    def pairs(state: dict[str, Any], record: Any, step: Any) -> Iterator[dict[str, Any]]:
        """Each record with the one before it of its key; it fails when its output is made and its state has changed."""
        if "last" in state:
            step.derive(record, state["last"])
            amounts = record.value["amount"], state["amount"]
            yield {"key": record.value["key"], "total": sum(amounts), "count": 2}
        state |= {"last": record.coordinate, "amount": record.value["amount"]}
        _check(case, record)

    return pairs


def _asof(case: Case, rates: str) -> Any:
    def priced(record: Any, step: Any) -> list[dict[str, Any]] | None:
        """As many outputs as the amount, at the rate of the event's time."""
        value = record.value
        _check(case, record)
        if value["at"] is None or not value["key"] or value["amount"] < 0:
            return None
        rate = step.lookup(rates, value["key"], asof=value["at"])
        total = -1 if rate is None else rate.value["amount"]
        made = [{"key": value["key"], "total": total, "count": number} for number in range(value["amount"])]
        return [*made, {"key": value["key"], "total": "none"}] if value["amount"] in case.refused else made

    return priced
