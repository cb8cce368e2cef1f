"""The outputs of a pipeline from its whole input at once: quadratic, without state, heaps or snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from tests.support.pipelines import EVENTS, RATES, START, Case, Event, Made


@dataclass(slots=True)
class Expected:
    """What must come out: outputs in order for each partition, and what became of each record."""

    outputs: dict[int, list[Made]] = field(default_factory=dict)
    filtered: set[tuple[int, int]] = field(default_factory=set)
    late: set[tuple[int, int]] = field(default_factory=set)
    parked: set[tuple[int, int]] = field(default_factory=set)

    def all(self) -> list[Made]:
        """The outputs of all partitions."""
        return [made for partition in sorted(self.outputs) for made in self.outputs[partition]]


def expected(case: Case) -> Expected:
    """Work it out partition by partition."""
    found = Expected()
    for partition in range(case.partitions):
        log = case.log(partition)
        aside = {at for at, event in enumerate(log) if _fails(case, event)}
        # What is parked counts for nothing: neither as a record nor for how far event time has come.
        rest = [Event(partition, "", None, 0) if at in aside else event for at, event in enumerate(log)]
        worker = _WORKERS.get(case.kind, _fixed)
        found.outputs[partition] = list(worker(case, partition, rest, found))
        found.parked |= {(partition, at) for at in aside}
    found.filtered -= found.parked
    return found


def _fails(case: Case, event: Event) -> bool:
    """Whether the function that takes it raises, or makes something that is not of the schema."""
    if case.kind in ("tumbling", "hopping", "session"):
        return event.amount in case.breaks and event.time is not None
    if case.kind in ("running", "pairs"):
        refused = event.amount in case.refused and event.amount % 2 == 0 and case.kind == "running"
        return bool(event.key) and (event.amount in case.breaks or refused)
    made = event.key and event.amount > 0 and (event.time is not None or case.kind == "columns")
    return event.amount in case.breaks or bool(made and event.amount in case.refused)


def _marks(case: Case, log: list[Event]) -> list[float]:
    """The watermark after each record."""
    times = [event.time for event in log]
    return [
        max((time for time in times[: at + 1] if time is not None), default=float("-inf")) - case.lateness
        for at in range(len(log))
    ]


def _useful(partition: int, log: list[Event], found: Expected) -> list[int]:
    found.filtered |= {(partition, at) for at, event in enumerate(log) if not event.key or event.time is None}
    return [at for at, event in enumerate(log) if event.key and event.time is not None]


def _total(key: str, start: int, end: int, log: list[Event], members: list[int]) -> dict[str, Any]:
    at, until = (START + timedelta(seconds=each) for each in (start, end))
    total = sum(log[member].amount for member in members)
    return {"key": key, "at": at, "until": until, "total": total, "count": len(members)}


def _made(value: dict[str, Any], partition: int, members: Any, driving: int, previous: Made | None = None) -> Made:
    parents = frozenset((EVENTS, partition, member) for member in members)
    chain = 0 if previous is None else previous.chain + 1
    return Made(tuple(sorted(value.items())), parents, (EVENTS, partition, driving), previous, chain)


def _windows_of(case: Case, time: int) -> list[tuple[int, int]]:
    """Every window that holds a time; they begin at multiples of the hop since the Unix epoch."""
    hop, epoch = case.hop if case.kind == "hopping" else case.size, int(START.timestamp())
    starts = (start for start in range(time - case.size + 1, time + 1) if (epoch + start) % hop == 0)
    return [(start, start + case.size) for start in starts if start <= time < start + case.size]


def _fixed(case: Case, partition: int, log: list[Event], found: Expected) -> Iterator[Made]:
    marks, useful = _marks(case, log), _useful(partition, log, found)
    last: dict[tuple[str, int, int], Made] = {}
    members: dict[tuple[str, int, int], list[int]] = {}
    for at, event in enumerate(log):
        mark, before = marks[at], marks[at - 1] if at else float("-inf")
        for end, start, key in sorted((end, start, key) for key, start, end in members):
            if before < end <= mark:
                value = _total(key, start, end, log, members[key, start, end])
                last[key, start, end] = _made(value, partition, members[key, start, end], at)
                yield last[key, start, end]
        if at not in useful or event.time is None:
            continue
        alive = [each for each in _windows_of(case, event.time) if each[1] + case.retention > mark]
        if not alive:
            found.late.add((partition, at))
        for start, end in alive:
            name = event.key, start, end
            members.setdefault(name, []).append(at)
            if end <= mark:
                value = _total(event.key, start, end, log, members[name])
                last[name] = _made(value, partition, members[name], at, last.get(name))
                yield last[name]


@dataclass(slots=True)
class _Session:
    members: list[int]
    last: Made | None = None


def _sessions(case: Case, partition: int, log: list[Event], found: Expected) -> Iterator[Made]:
    marks, useful = _marks(case, log), _useful(partition, log, found)
    sessions: dict[str, list[_Session]] = {}
    gap = case.size

    def start(session: _Session) -> int:
        return min(log[member].time or 0 for member in session.members)

    def end(session: _Session) -> int:
        return max(log[member].time or 0 for member in session.members) + gap

    def emit(key: str, session: _Session, driving: int) -> Made:
        value = _total(key, start(session), end(session), log, session.members)
        session.last = _made(value, partition, session.members, driving, session.last)
        return session.last

    for at, event in enumerate(log):
        mark, before = marks[at], marks[at - 1] if at else float("-inf")
        every = [(end(each), start(each), key, each) for key, kept in sessions.items() for each in kept]
        for until, _, key, session in sorted(every, key=lambda each: each[:3]):
            if before < until <= mark:
                yield emit(key, session, at)
        for kept in sessions.values():
            kept[:] = [each for each in kept if end(each) + case.retention > mark]
        if at not in useful or event.time is None:
            continue
        kept = sessions.setdefault(event.key, [])
        near = [each for each in kept if start(each) - gap < event.time < end(each)]
        near.sort(key=start)
        if not near and event.time + gap + case.retention <= mark:
            found.late.add((partition, at))
            continue
        told = [each for each in near if each.last is not None]
        merged = [*told[:1], *(each for each in near if each.last is None)]
        joined = _Session(sorted([at, *(member for each in merged for member in each.members)]))
        joined.last = told[0].last if told else None
        kept[:] = [each for each in kept if each not in merged] + [joined]
        if end(joined) <= mark:
            yield emit(event.key, joined, at)


def _running(case: Case, partition: int, log: list[Event], found: Expected) -> Iterator[Made]:
    found.filtered |= {(partition, at) for at, event in enumerate(log) if not event.key}
    last: dict[str, tuple[int, Made | None]] = {}
    for at, event in enumerate(log):
        if not event.key or event.amount % 2:
            continue
        mine = [number for number in range(at + 1) if log[number].key == event.key]
        since, previous = last.get(event.key, (-1, None))
        value = {"key": event.key, "total": sum(log[each].amount for each in mine), "count": len(mine)}
        made = _made(value, partition, [each for each in mine if each > since], at, previous)
        last[event.key] = at, made
        yield made


def _pairs(case: Case, partition: int, log: list[Event], found: Expected) -> Iterator[Made]:
    found.filtered |= {(partition, at) for at, event in enumerate(log) if not event.key}
    for at, event in enumerate(log):
        before = [number for number in range(at) if log[number].key == event.key]
        if event.key and before:
            value = {"key": event.key, "total": event.amount + log[before[-1]].amount, "count": 2}
            yield _made(value, partition, [before[-1], at], at)


def _asof(case: Case, partition: int, log: list[Event], found: Expected) -> Iterator[Made]:
    for at, event in enumerate(log):
        if event.time is None or not event.key or event.amount <= 0:
            found.filtered.add((partition, at))
            continue
        row = _row_asof(case, event.key, event.time)
        total = -1 if row is None else row[2].amount
        parents = frozenset({(EVENTS, partition, at)} | ({(RATES, *row[:2])} if row else set()))
        for number in range(event.amount):
            value = {"key": event.key, "total": total, "count": number}
            yield Made(tuple(sorted(value.items())), parents, (EVENTS, partition, at))


def _row_asof(case: Case, key: str, time: int) -> tuple[int, int, Event] | None:
    """The latest row that had come by then: a row behind its partition counts from where its partition was."""
    best: tuple[int, int, int] | None = None
    for partition in range(case.partitions):
        log = [rate for rate in case.rates if rate.partition == partition]
        for offset, rate in enumerate(log):
            reached = max((each.time or 0 for each in log[: offset + 1]), default=0)
            if rate.key == key and reached <= time:
                found = rate.time or 0, partition, offset
                best = found if best is None else max(best, found)
    if best is None:
        return None
    _, partition, offset = best
    return partition, offset, [rate for rate in case.rates if rate.partition == partition][offset]


def _doubled(case: Case, partition: int, log: list[Event], found: Expected) -> Iterator[Made]:
    for at, event in enumerate(log):
        if not event.key or event.amount <= 0:
            found.filtered.add((partition, at))
            continue
        for number in range(event.amount):
            yield _made({"key": event.key, "total": 2 * event.amount, "count": number}, partition, [at], at)


_WORKERS: Final = {
    "running": _running,
    "pairs": _pairs,
    "asof": _asof,
    "batch": _asof,
    "columns": _doubled,
    "priced": _asof,
    "session": _sessions,
}
