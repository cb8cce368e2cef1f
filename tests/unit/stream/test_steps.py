"""What a step captures as parents, and where it refuses because it cannot."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from mesh.errors import UsageError
from mesh.stream import Arrival, Place, ProcessingFailed, Processor, Step
from tests.support.pipeline_run import arrival, as_made, engine_of
from tests.support.pipelines import EVENTS, RATES, START, Case, Event

CASE = Case("asof", (Event(0, "a", 10, 1),), rates=(Event(0, "a", 5, 7), Event(1, "b", 5, 9)))


def event(offset: int = 0, **changes: Any) -> Arrival:
    """An input record."""
    fields: dict[str, Any] = {"partition": 0, "key": "a", "time": 10, "amount": 1} | changes
    return arrival(EVENTS, 0, offset, Event(**fields))


def outputs(processor: Processor, *arrivals: Arrival) -> list[Any]:
    """What a processor makes of records of partition 0."""
    task = engine_of(CASE, processor).task(Place(EVENTS, 0))
    return list(as_made(output for each in arrivals for output in task.apply(each).outputs))


def test_what_is_looked_up_is_a_parent_of_the_outputs_after_it() -> None:
    made = Processor("shop.totals")

    @made.each(EVENTS)
    def twice(record: Any, step: Step) -> Any:
        yield {"n": 1}
        step.lookup(RATES, "b")
        yield {"n": 2}

    first, second = outputs(made, event())
    assert first.parents == {(EVENTS, 0, 0)}
    assert second.parents == {(EVENTS, 0, 0), (RATES, 1, 0)}


def test_derive_replaces_what_was_captured() -> None:
    made = Processor("shop.totals")

    @made.each(EVENTS)
    def derived(record: Any, step: Step) -> dict[str, int]:
        step.lookup(RATES, "a")
        found = step.lookup(RATES, "b")
        assert found is not None
        step.derive(found)
        return {"n": 1}

    assert outputs(made, event())[0].parents == {(RATES, 1, 0)}


def test_an_output_out_of_a_functions_own_state_needs_derive() -> None:
    made = Processor("shop.totals")
    made.join(EVENTS, key=lambda record: "one")(lambda state, record, step: {"n": 1})
    with pytest.raises(UsageError, match=r"name them before it is returned: step\.derive"):
        outputs(made, event())


def test_a_step_that_outlives_its_record_refuses_and_names_derive() -> None:
    made, kept = Processor("shop.totals"), list[Step]()
    made.each(EVENTS)(lambda record, step: kept.append(step))
    outputs(made, event())
    with pytest.raises(UsageError, match=r"is over: .*step\.derive"):
        kept[0].lookup(RATES, "a")
    with pytest.raises(UsageError, match="is over"):
        kept[0].derive(event().record)


def test_only_inputs_can_be_looked_up() -> None:
    made = Processor("shop.totals")
    made.each(EVENTS)(lambda record, step: step.lookup("shop.secrets", "a"))
    with pytest.raises(UsageError, match=r"shop\.secrets cannot be looked up"):
        outputs(made, event())


def test_a_function_that_raises_is_named_with_its_record_and_without_its_data() -> None:
    made = Processor("shop.totals")

    @made.each(EVENTS)
    def broken(record: Any, step: Step) -> None:
        raise ValueError("the secret is 4711")

    with pytest.raises(ProcessingFailed, match=r"broken failed on shop\.events\.v1/0/0: ValueError at .*test_steps"):
        outputs(made, event())
    try:
        outputs(made, event())
    except ProcessingFailed as error:
        assert "4711" not in str(error)


@pytest.mark.parametrize("wrong", [7, "text", [["nested"]]])
def test_an_output_that_is_no_record_is_refused(wrong: object) -> None:
    made = Processor("shop.totals")
    made.each(EVENTS)(lambda record, step: wrong)
    with pytest.raises(UsageError, match="an output is a mapping or a model"):
        outputs(made, event())


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ({}, "a window has a size"),
        ({"size": timedelta(hours=1), "gap": timedelta(hours=1)}, "a window has a size"),
        ({"gap": timedelta(hours=1), "hop": timedelta(hours=1)}, "a window has a size"),
        ({"size": timedelta()}, "must be positive"),
        ({"size": timedelta(hours=1), "hop": timedelta(hours=2)}, "leaves records between windows"),
        ({"size": timedelta(hours=1), "lateness": timedelta(-1)}, "must be zero or more"),
    ],
)
def test_windows_that_are_none_are_refused(shape: dict[str, timedelta], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        Processor("shop.totals").window(EVENTS, key=lambda record: 1, **shape)


def test_an_input_is_given_to_one_function_and_must_be_declared() -> None:
    made = Processor("shop.totals")
    made.each(EVENTS)(lambda record, step: None)
    with pytest.raises(UsageError, match="given to two functions"):
        made.each(EVENTS)
    other = Processor("shop.totals")
    other.each("shop.secrets")(lambda record, step: None)
    with pytest.raises(UsageError, match=r"shop\.secrets is no input"):
        engine_of(CASE, other)
    with pytest.raises(UsageError, match="has no function"):
        engine_of(CASE, Processor("shop.totals"))


def test_one_state_over_two_inputs_needs_a_repartitioned_log() -> None:
    made = Processor("shop.totals")
    made.join(EVENTS, RATES, key=lambda record: 1)(lambda state, record, step: None)
    with pytest.raises(UsageError, match="repartition: true"):
        engine_of(CASE, made)


def test_the_hour_begins_where_the_clock_says() -> None:
    made, seen = Processor("shop.totals"), list[Any]()
    made.window(EVENTS, key=lambda record: 1, size=timedelta(hours=1))(lambda key, window, records: seen.append(window))
    outputs(made, event(0, time=90 * 60), event(1, time=180 * 60))
    assert [(each.start, each.end) for each in seen] == [(START + timedelta(hours=1), START + timedelta(hours=2))]
