"""Windows over a repartitioned log: pure functions of that log, whatever order its sources were read in."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.errors import LineageBroken
from mesh.stream import Arrival, Engine, Fate, Output, Place, Processor, Punctuation
from mesh.stream.emission import BY_KEY
from mesh.stream.pane import StoredMessage
from mesh.stream.rekeying import RekeyedReader, punctuation, rekeyed
from tests.support.pipeline_run import IDS, NAMES, arrival, as_made, decode_of, engine_of
from tests.support.pipelines import EVENTS, Case, Event, Made

SIZE = 10
SOURCES = 3


def engine(case: Case, processor: Processor) -> Engine:
    """The processor with a repartitioned log."""
    return engine_of(case, processor, repartition=True)


def totals() -> Processor:
    """Sums per key and window."""
    made = Processor("shop.totals")

    span = timedelta(seconds=SIZE)

    @made.window(EVENTS, key=lambda record: str(record.value and record.value["key"]), size=span, retention=span * 6)
    def total(key: str, window: Any, records: list[Any]) -> dict[str, Any]:
        return {"key": key, "at": window.start, "total": sum(record.value["amount"] for record in records)}

    return made


def interleaved(logs: list[list[Event]], dice: random.Random) -> list[tuple[int, int, Event | None]]:
    """Source, offset and event in some order that keeps each source's; None is punctuation after that offset."""
    at, log = [0] * len(logs), list[tuple[int, int, Event | None]]()
    while any(at[source] < len(logs[source]) for source in range(len(logs))):
        source = dice.choice([each for each in range(len(logs)) if at[each] < len(logs[each])])
        log.append((source, at[source], logs[source][at[source]]))
        at[source] += 1
        if dice.random() < 0.3:
            log.append((source, at[source] - 1, None))
    return log


def run(logs: list[list[Event]], dice: random.Random) -> tuple[list[Made], set[Fate]]:
    """One partition of the log, in some order, to its end."""
    case = Case("tumbling", tuple(event for log in logs for event in log), partitions=SOURCES)
    task = engine(case, totals()).task(Place("", 0, repartitioned=True))
    outputs, fates = list[Output](), set[Fate]()
    for offset, (source, at, event) in enumerate(interleaved(logs, dice)):
        original = arrival(EVENTS, source, at, event or logs[source][at])
        if event is None:
            seen = max(each.time or 0 for each in logs[source][: at + 1])
            told = Punctuation(
                EVENTS, source, (original.time or 0) + 1000 * (seen - (logs[source][at].time or 0)), offset
            )
            outcome = task.punctuate(told)
        else:
            outcome = task.apply(Arrival.of(original.record, original.key, original.value, offset))
            fates.add(outcome.fate)
        outputs += outcome.outputs
    outputs += task.finish().outputs
    return list(as_made(outputs)), fates


LOGS = st.lists(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 6), st.integers(1, 9)), max_size=12),
    min_size=SOURCES,
    max_size=SOURCES,
)


@given(steps=LOGS, seed=st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_no_order_of_reading_makes_records_late_or_windows_twice(
    steps: list[list[tuple[str, int, int]]], seed: int
) -> None:
    logs = [in_order(source, each) for source, each in enumerate(steps)]
    made, fates = run(logs, random.Random(seed))
    wanted: defaultdict[tuple[str, int], set[tuple[str, int, int]]] = defaultdict(set)
    for source, log in enumerate(logs):
        for offset, event in enumerate(log):
            wanted[event.key, window_of(event)].add((EVENTS, source, offset))
    assert sorted(sorted(each.parents) for each in made) == sorted(sorted(each) for each in wanted.values())
    assert Fate.LATE not in fates
    assert all(each.chain == 0 for each in made)


def in_order(source: int, steps: list[tuple[str, int, int]]) -> list[Event]:
    """A source whose times never go back; sources are skewed by the length of their steps."""
    clock, log = 0, []
    for key, step, amount in steps:
        clock += step * (source + 1)
        log.append(Event(source, key, clock, amount))
    return log


def window_of(event: Event) -> int:
    """Which window it falls into; START is at a multiple of ten seconds."""
    return (event.time or 0) // SIZE


def test_an_idle_source_holds_nothing_back_until_its_next_record() -> None:
    case = Case("tumbling", (), partitions=2)
    task = engine(case, totals()).task(Place("", 0, repartitioned=True))

    def apply(source: int, number: int, time: int, offset: int) -> Any:
        original = arrival(EVENTS, source, number, Event(source, "a", time, 1))
        return task.apply(Arrival.of(original.record, original.key, original.value, offset))

    assert not apply(0, 0, 5, 0).outputs
    assert not apply(0, 1, 50, 1).outputs  # the other source may still bring something
    outcome = task.punctuate(Punctuation(EVENTS, 1, None, 2))
    assert [each.value["total"] for each in outcome.outputs] == [1]  # type: ignore[index, call-overload]
    late = apply(1, 0, 6, 3)  # it was idle, and comes back late: a revision of what was closed without it
    assert (late.fate, len(late.outputs)) == (Fate.USED, 1)
    assert late.outputs[0].descent.previous is not None


def test_a_record_keeps_its_coordinate_key_value_and_headers_through_the_log() -> None:
    original = arrival(EVENTS, 1, 7, Event(1, "a", 5, 3))
    sent = rekeyed("shop.totals.v1.repartition", original, b'"new"')
    assert (sent.partition, sent.key) == (BY_KEY, b'"new"')
    message = StoredMessage(sent.topic, 2, 9, sent.key, sent.value, list(sent.headers), 49)
    back = reader().read(message)
    assert isinstance(back, Arrival)
    assert (back.reference, back.key, back.value, back.offset) == (original.reference, original.key, original.value, 9)
    assert back.record == original.record


@pytest.mark.parametrize("time", [None, 17])
def test_punctuation_comes_back_as_it_was(time: int | None) -> None:
    last = arrival(EVENTS, 1, 7, Event(1, "a", 5, 3)).reference
    sent = punctuation("shop.totals.v1.repartition", 0, (EVENTS, 1), time, last)
    message = StoredMessage(sent.topic, 0, 4, None, None, list(sent.headers), 0)
    assert reader().read(message) == Punctuation(EVENTS, 1, time, 4, last)


@pytest.mark.parametrize(
    "headers", [[], [("x", b"")], [("mesh-source", b""), ("mesh-key", None)], [("mesh-punctuation", b"7")]]
)
def test_what_no_processor_wrote_is_refused(headers: list[tuple[str, bytes | None]]) -> None:
    with pytest.raises(LineageBroken):
        reader().read(StoredMessage("t", 0, 0, None, None, headers, 0))


def reader() -> RekeyedReader:
    """Reads entries of events."""
    return RekeyedReader({IDS[EVENTS]: (f"{EVENTS}.v1", decode_of(EVENTS))})


def test_the_names_of_outputs_are_written_out() -> None:
    made = Processor("shop.totals")
    made.aggregate(EVENTS, key=lambda record: 1, start=int)(lambda state, record: (state + 1, {"n": state}))
    task = engine(Case("running", (), partitions=2), made).task(Place("", 0, repartitioned=True))
    original = arrival(EVENTS, 1, 0, Event(1, "a", 5, 3))
    (output,) = task.apply(Arrival.of(original.record, original.key, original.value, 4)).outputs
    assert output.descent.slot is not None
    named = output.descent.identity(NAMES.processor, NAMES.output).slot
    assert named == output.descent.slot
