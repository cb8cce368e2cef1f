"""Records whose handling fails: what is parked, what always stops the processor, and what is said of it."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any, cast

import pyarrow as pa
import pytest

from mesh.errors import EncodingRefused, UsageError
from mesh.producer.encoding import RecordEncoder
from mesh.stream import Fate, Outcome, Place, ProcessingFailed, Processor, Step, Task
from mesh.stream.arrival import Encoded
from mesh.stream.batches import Bulk, Made, Stretch
from mesh.stream.parking import Notices, reason_of
from mesh.stream.task import WindowFailed
from mesh.types import SchemaId
from tests.support.derived import derived
from tests.support.pipeline_run import IDS, arrival, engine_of, stretch
from tests.support.pipelines import EVENTS, Case, Event

CASE = Case("running", ())
PLACE = Place(EVENTS, 0)
SECOND = timedelta(seconds=1)


class Ids:
    """A registry that knows every schema as number one."""

    def lookup(self, subject: str, schema: str) -> SchemaId | None:
        return SchemaId(1)


def parking() -> Processor:
    return Processor("shop.totals", on_error="park")


def task_of(made: Processor) -> Task:
    """Its task on partition 0, which encodes by the contract."""
    contract = derived("shop.totals", [EVENTS])
    return engine_of(CASE, made, encoded_by=(contract, RecordEncoder(contract, Ids()))).task(PLACE)


def give(task: Task, *amounts: int, first: int = 0) -> list[Outcome]:
    return [
        task.apply(arrival(EVENTS, 0, first + at, Event(0, "a", first + at, amount)))
        for at, amount in enumerate(amounts)
    ]


def total(value: Any) -> dict[str, Any]:
    return {"key": "a", "total": value, "count": 1}


def test_an_output_that_is_not_of_the_schema_parks_its_record_and_leaves_no_other_output() -> None:
    made = parking()
    made.each(EVENTS)(lambda record, step: [total(1), total("text" if record.value["amount"] else 1)])
    first, second = give(task_of(made), 7, 0)
    assert (first.fate, first.outputs) == (Fate.PARKED, ())
    assert "an output is not of its schema: total is of type str" in first.failure
    assert [type(each.value) for each in second.outputs] == [Encoded, Encoded]


def running(state: list[int], record: Any) -> tuple[list[int], dict[str, Any]]:
    state.append(record.value["amount"])
    return state, total(sum(state) if state[-1] >= 0 else "text")


def test_a_state_stays_as_it_was_where_its_output_is_refused() -> None:
    made = parking()
    made.aggregate(EVENTS, key=lambda record: "a", start=list)(running)
    task = task_of(made)
    assert [each.fate for each in give(task, -1)] == [Fate.PARKED]
    assert list(task.changes()) == [], "the record that failed was the first of its key"
    outcomes = give(task, 5, -2, 6, first=1)
    assert [each.fate for each in outcomes] == [Fate.USED, Fate.PARKED, Fate.USED]
    (last,) = outcomes[-1].outputs
    assert {at for _, _, at in places(last.descent.parents)} == {3}
    assert [b'"state":[5,6]' in value for _, value in task.changes() if value is not None] == [True]


def places(parents: Any) -> list[tuple[Any, int, int]]:
    return [(each.topic_id, each.partition, each.offset) for each in parents]


def test_a_window_that_fails_stops_and_a_key_that_fails_moves_no_time() -> None:
    made = parking()

    def key(record: Any) -> str:
        assert record.value["amount"] != 13
        return str(record.value["key"])

    def close(name: str, window: Any, records: list[Any]) -> dict[str, Any]:
        raise EncodingRefused("total", "is wrong")

    made.window(EVENTS, key=key, size=2 * SECOND)(close)
    task = task_of(made)
    assert [each.fate for each in give(task, 1, 13)] == [Fate.USED, Fate.PARKED]
    assert [each.fate for each in give(task, 13, first=2)] == [Fate.PARKED], "it would have closed the window"
    with pytest.raises(WindowFailed, match="close failed on the window"):
        give(task, 1, first=3)


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda state, record, step: total(1), r"step\.derive"),
        (lambda state, record, step: "text", "an output is a mapping"),
    ],
)
def test_a_program_that_is_wrong_itself_stops(function: Any, told: str) -> None:
    made = parking()
    made.join(EVENTS, key=lambda record: 1)(function)
    with pytest.raises(UsageError, match=told):
        give(task_of(made), 1)


def test_a_step_is_over_with_the_record_that_failed() -> None:
    made, kept = parking(), list[Step]()

    @made.each(EVENTS)
    def keeping(record: Any, step: Step) -> None:
        kept.append(step)
        raise KeyError

    assert give(task_of(made), 1)[0].fate is Fate.PARKED
    with pytest.raises(UsageError, match="is over"):
        kept[0].derive(kept[0].record)


def all_of(task: Bulk[Any], given: Stretch) -> Made:
    """As the loop gives a stretch: again from where the task stopped."""
    done, outputs, parked = 0, list[Any](), dict[int, str]()
    while done < len(given.messages):
        made = task.apply_all(Stretch(IDS[EVENTS], given.messages[done:], given.read))
        outputs += made.outputs
        parked |= made.parked
        done += made.taken
    return Made(done, outputs, (), parked)


EVENTS_64 = [Event(0, "a", at, at) for at in range(64)]


def test_only_the_record_that_fails_is_parked_and_found_in_few_calls() -> None:
    made, sizes = parking(), list[int]()

    @made.batch(EVENTS, size=64)
    def function(records: Any, steps: Any) -> list[dict[str, Any]]:
        sizes.append(len(records))
        return [total(100 // (21 - record.value["amount"])) for record in records]

    done = all_of(cast("Bulk[Any]", task_of(made)), stretch(EVENTS_64, 40))
    assert [each.driving.offset for each in done.outputs] == [40 + at for at in range(64) if at != 21]
    assert list(done.parked) == [61]
    assert "ZeroDivisionError" in done.parked[61]
    assert sum(sizes) <= 64 * 4 + 64, "each of the halves, and the first batch that went well again in halves"


def test_a_table_with_a_wrong_row_parks_the_record_of_that_row() -> None:
    made = parking()

    @made.columns(EVENTS)
    def function(batch: Any) -> Any:
        totals = [None if each == 21 else each for each in batch["amount"].to_pylist()]
        return pa.table({"key": batch["key"], "total": pa.array(totals, pa.int64()), "count": totals})

    done = all_of(cast("Bulk[Any]", task_of(made)), stretch(EVENTS_64))
    assert ([each.driving.offset for each in done.outputs], list(done.parked)) == ([*range(21), *range(22, 64)], [21])


@pytest.mark.parametrize("few", [3, 5])
def test_a_batch_whose_halves_fail_stops_instead_of_parking_sound_records(few: int) -> None:
    made = parking()

    @made.batch(EVENTS)
    def function(records: Any, steps: Any) -> list[dict[str, Any]]:
        if len(records) <= few:
            raise ValueError("too few")
        return [total(1)] * len(records)

    with pytest.raises(UsageError, match="depends on the records beside it"):
        all_of(cast("Bulk[Any]", task_of(made)), stretch(EVENTS_64[: 2 * few]))


def test_a_kind_of_failure_is_said_at_once_and_then_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    notices = Notices("shop.totals", lambda: now[0])
    with caplog.at_level(logging.WARNING, "mesh.stream.parking"):
        for at in range(130):
            now[0] = float(at)
            notices.tell(f"t/0/{at}", "f raised KeyError")
        notices.tell("t/0/130", "f raised ValueError")
    assert caplog.messages == [
        "shop.totals parks t/0/0: f raised KeyError",
        "shop.totals parks t/0/60 and others, 60 in all: f raised KeyError",
        "shop.totals parks t/0/120 and others, 60 in all: f raised KeyError",
        "shop.totals parks t/0/130: f raised ValueError",
    ]


def test_what_is_said_of_a_record_holds_nothing_of_it(caplog: pytest.LogCaptureFixture) -> None:
    made = parking()

    @made.each(EVENTS)
    def priced(record: Any, step: Step) -> dict[str, Any]:
        if record.value["amount"] == 4711:
            return total(1) | {"secret 4711": 1}
        raise ValueError(f"a secret {record.value['amount']}")

    outcomes = give(task_of(made), 4712, 4711)
    said = " ".join([*(each.failure for each in outcomes), *caplog.messages])
    assert "priced raised ValueError at" in said
    assert "a field is not a field of the schema" in said
    assert "471" not in said


def test_of_a_path_only_the_field_is_told() -> None:
    told = [reason_of(EncodingRefused(path, "is wrong")) for path in ("names.Ada", "names[3].x", "")]
    start = "an output is not of its schema: "
    assert told == [f"{start}names is wrong", f"{start}names is wrong", f"{start}a field is wrong"]


def test_a_record_that_gets_no_new_key_is_parked_where_it_was_read() -> None:
    made = parking()

    def key(record: Any) -> int:
        return 1 // int(record.value["amount"])

    made.aggregate(EVENTS, key=key)(lambda state, record: (state, None))
    task = engine_of(CASE, made, repartition=True).task(PLACE)
    assert [(each.fate, each.routed is None) for each in give(task, 0, 1)] == [(Fate.PARKED, True), (Fate.USED, False)]


def test_without_parking_an_error_stops_and_an_unknown_choice_is_refused() -> None:
    made = Processor("shop.totals")
    made.each(EVENTS)(lambda record, step: 1 // 0)
    with pytest.raises(ProcessingFailed):
        give(task_of(made), 1)
    with pytest.raises(UsageError, match="choose one of halt, park"):
        Processor("shop.totals", on_error=cast(Any, "skip"))
