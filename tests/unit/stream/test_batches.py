"""Functions over many records at once: every record by itself, wherever a batch is cut."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.errors import UsageError
from mesh.stream import Place, ProcessingFailed, Processor, Tables, Waiting
from mesh.stream.batches import Bulk, Made
from mesh.stream.tables import Table
from tests.support.pipeline_oracle import expected
from tests.support.pipeline_run import Told, as_made, engine_of, stretch
from tests.support.pipelines import BULK, EVENTS, RATES, Case, Event, Kind, cases

TEN = Case("columns", tuple(Event(0, "ab"[at % 2], at, at % 4) for at in range(10)))


def bulk(processor: Processor, case: Case = TEN, tables: Tables | None = None) -> Bulk[Any]:
    """The task of a processor on partition 0."""
    return cast("Bulk[Any]", engine_of(case, processor, tables).task(Place(EVENTS, 0)))


def over_columns(function: Any) -> Bulk[Any]:
    made = Processor("shop.totals")
    made.columns(EVENTS)(function)
    return bulk(made)


def over_records(function: Any, tables: Tables | None = None) -> Bulk[Any]:
    made = Processor("shop.totals")
    made.batch(EVENTS)(function)
    return bulk(made, tables=tables)


def values(made: Made) -> list[tuple[int, dict[str, Any]]]:
    """Each output with the offset of the record that it was made from."""
    return [(each.driving.offset, dict(cast(Any, each.value))) for each in made.outputs]


@pytest.mark.parametrize("kind", BULK)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_batches_cut_anywhere_give_what_the_oracle_says(kind: Kind, data: st.DataObject) -> None:
    case = data.draw(cases((kind,)))
    told, wanted = Told(), expected(case)
    for partition in range(case.partitions):
        task = cast("Bulk[Any]", engine_of(case).task(Place(EVENTS, partition)))
        log, at, outputs = case.log(partition), 0, told.outputs.setdefault(partition, [])
        while at < len(log):
            size = data.draw(st.integers(1, 9))
            made = task.apply_all(stretch(log[at : at + size], at, partition))
            outputs += made.outputs
            told.filtered |= {(partition, offset) for offset in made.filtered}
            told.parked |= {(partition, offset) for offset in made.parked}
            at += made.taken
    assert (told.made(), told.filtered, told.parked) == (wanted.all(), wanted.filtered, wanted.parked)


def test_several_outputs_of_one_record_are_told_apart() -> None:
    task = over_columns(lambda batch: batch.filter(pc.equal(batch["key"], "a")).take(pa.array([0, 0])))
    made = list(as_made(task.apply_all(stretch(TEN.events[:1])).outputs))
    assert [each.driving for each in made] == [(EVENTS, 0, 0)] * 2


def test_outputs_leave_in_the_order_of_their_records() -> None:
    task = over_columns(lambda batch: batch.select(["mesh-row", "amount"]).take(pa.array(range(len(batch))[::-1])))
    assert [at for at, _ in values(task.apply_all(stretch(TEN.events, 40)))] == list(range(40, 50))


def test_without_the_column_of_rows_each_output_is_of_the_record_in_its_place() -> None:
    task = over_columns(lambda batch: pa.table({"total": pc.multiply(batch["amount"], 2)}))
    assert values(task.apply_all(stretch(TEN.events[:3], 5))) == [(5 + at, {"total": 2 * at}) for at in range(3)]


REFUSED: list[tuple[Any, str]] = [
    (lambda batch: batch.select(["key"]).slice(1), "keep the column 'mesh-row'"),
    (lambda batch: [], "gives a RecordBatch, a Table or None, not list"),
    (lambda batch: pa.table({"mesh-row": [99]}), "names rows that were not given"),
    (lambda batch: pa.table({"mesh-row": pa.array([None], pa.int32())}), "whole numbers, none null"),
    (lambda batch: pa.table({"mesh-row": ["one"]}), "whole numbers, none null"),
    (lambda batch: batch.append_column("n", pa.array(np.full(len(batch), len(batch)))), "depends on the records"),
]


@pytest.mark.parametrize(("function", "told"), REFUSED, ids=[told for _, told in REFUSED])
def test_columns_whose_records_cannot_be_told_are_refused(function: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        over_columns(function).apply_all(stretch(TEN.events))


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda records, steps: [], "one entry for each of its 10 records"),
        (lambda records, steps: None, "one entry for each of its 10 records"),
        (lambda records, steps: [{"n": len(records)}] * len(records), "depends on the records beside it"),
        (lambda records, steps: [1] * len(records), "an output is a mapping"),
    ],
)
def test_batches_whose_records_cannot_be_told_are_refused(function: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        over_records(function).apply_all(stretch(TEN.events))


def test_a_step_is_over_with_its_batch() -> None:
    kept: list[Any] = []

    def keeping(records: Any, steps: Any) -> list[None]:
        kept.extend(steps)
        return [None] * len(steps)

    over_records(keeping).apply_all(stretch(TEN.events[:2]))
    with pytest.raises(UsageError, match="is over"):
        kept[0].lookup(RATES, "a")


@pytest.mark.parametrize("over", [over_columns, over_records])
def test_an_error_in_a_function_names_the_batch_and_none_of_its_values(over: Any) -> None:
    def broken(*_: Any) -> None:
        raise ValueError("a secret value")

    with pytest.raises(ProcessingFailed) as caught:
        over(broken).apply_all(stretch(TEN.events, 30))
    assert "30 to 39: ValueError" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_lookup_that_waits_leaves_nothing_behind() -> None:
    table = Table(RATES, 1, lambda each: each.value["key"])  # type: ignore[index]
    asof = datetime(2013, 1, 1, tzinfo=UTC)
    task = over_records(lambda records, steps: [each.lookup(RATES, "a", asof=asof) for each in steps], Tables([table]))
    with pytest.raises(Waiting):
        task.apply_all(stretch(TEN.events))


def test_a_batch_needs_a_size() -> None:
    with pytest.raises(UsageError, match="a size of one or more"):
        Processor("shop.totals").batch(EVENTS, size=0)(lambda records, steps: [])
