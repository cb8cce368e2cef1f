"""Lookups over columns: the rows beside a batch, what they are found by, and whose parents they become."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import wraps
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
import yaml

from mesh.consumer.record import Record
from mesh.contract import Contract
from mesh.errors import UsageError
from mesh.lineage import ParentSet, Reference
from mesh.stream import Processor
from mesh.stream.columnar.lookup import ColumnStep, LookedUp
from mesh.stream.tables import Table, Tables, Waiting
from mesh.types import Coordinate, ProductName
from tests.support.contracts import Draft

PLANES, TOPIC = "fleet.planes", UUID(int=7)
AT = datetime(2013, 1, 1, tzinfo=UTC)
FIELDS: list[dict[str, Any]] = [
    {"name": "tail", "logicalType": "string", "required": True, "primaryKey": True, "primaryKeyPosition": 1},
    {"name": "built", "logicalType": "date"},
    {"name": "price", "logicalType": "number", "physicalType": "bytes/decimal(9,2)"},
    {"name": "serial", "logicalType": "string", "physicalType": "string/uuid"},
    {"name": "names", "logicalType": "array", "items": {"logicalType": "string"}},
    {"name": "at", "logicalType": "timestamp", "physicalType": "long/timestamp-millis"},
]


def contract(*fields: Mapping[str, Any]) -> Contract:
    """A product of these fields."""
    document = yaml.safe_load(Draft(product=PLANES).text)
    (schema,) = document["schema"]
    schema |= {"properties": [dict(each) for each in fields], "quality": []}
    return Contract.parse(yaml.safe_dump(document))


PLANE = {"built": date(1999, 5, 1), "price": Decimal("12.50"), "serial": UUID(int=5), "names": ["a"], "at": AT}


def row(offset: int, tail: Any, /, **fields: Any) -> Record:
    value = {"tail": tail, **PLANE, **fields}
    place = Coordinate(f"{PLANES}.v1", 0, offset, TOPIC, "here")
    return Record(value, tail, ProductName.parse(PLANES), place, value["at"], (), None, 0)


def step(*rows: Record, count: int = 4, made: Contract | None = None, complete: bool = True) -> ColumnStep:
    """Of a call with so many records, over a table of these rows."""
    table = Table(PLANES, 1, lambda record: record.key)
    for each in rows:
        table.take(each)
    if complete:
        table.grant()
    return ColumnStep(count, Tables([table]), {PLANES: LookedUp(made or contract(*FIELDS))})


def batch(**columns: Any) -> Any:
    count = len(next(iter(columns.values())))
    return pa.RecordBatch.from_pydict({"mesh-row": pa.array(range(count), pa.int32()), **columns})


def driving(at: int) -> Reference:
    return Reference(UUID(int=1), 2, at)


def test_a_row_lies_beside_each_row_and_nulls_where_there_is_none() -> None:
    found = step(row(0, "N1"), row(1, "N2", built=None)).lookup(PLANES, batch(tail=["N2", "N9", None, "N1"]))
    told = PLANE | {"serial": str(UUID(int=5))}
    assert found.to_pylist() == [
        {"tail": "N2", **told, "built": None},
        dict.fromkeys(["tail", *told]),
        dict.fromkeys(["tail", *told]),
        {"tail": "N1", **told},
    ]


def test_what_was_found_becomes_a_parent_of_its_row_alone() -> None:
    made = step(row(0, "N1"), row(1, "N2"), count=3)
    given = batch(tail=["N2", "N9", "N1"])
    made.lookup(PLANES, given)
    kept = given.filter(pa.array([False, False, True]))
    made.lookup(PLANES, kept.append_column("other", pa.array(["N2"])), "other")
    assert made.parents(0, driving(10)) == ParentSet.of([driving(10), Reference(TOPIC, 0, 1)])
    assert made.parents(1, driving(11)) is None
    assert made.parents(2, driving(12)) == ParentSet.of([driving(12), Reference(TOPIC, 0, 0), Reference(TOPIC, 0, 1)])


def test_rows_are_those_of_the_time_of_each_row() -> None:
    made = step(row(0, "N1"), row(1, "N1", at=AT + timedelta(hours=2), names=["b"]))
    times = pa.array([AT + timedelta(hours=each) for each in (-1, 1, 3)] + [None], pa.timestamp("ms", "UTC"))
    found = made.lookup(PLANES, batch(tail=["N1"] * 4, when=times), asof="when")
    assert found["names"].to_pylist() == [None, ["a"], ["b"], None]
    assert [made.parents(at, driving(at)) is None for at in range(4)] == [True, False, False, True]


def test_a_time_that_the_table_has_not_come_to_is_waited_for() -> None:
    times = pa.array([AT + timedelta(days=1)], pa.timestamp("ms", "UTC"))
    with pytest.raises(Waiting):
        step(row(0, "N1"), complete=False).lookup(PLANES, batch(tail=["N1"], when=times), asof="when")


def test_keys_of_several_fields_and_keys_that_are_uuids_are_found() -> None:
    two = [
        {**FIELDS[0], "physicalType": "string/uuid"},
        {**FIELDS[5], "required": True, "primaryKey": True, "primaryKeyPosition": 2},
    ]
    keyed = row(0, UUID(int=3))
    value = {"tail": UUID(int=3), "at": AT}
    keyed = Record(value, (UUID(int=3), AT), keyed.product, keyed.coordinate, AT, (), None, 0)
    times = pa.array([AT, AT, AT + timedelta(1)], pa.timestamp("ms", "UTC"))
    tails = [str(UUID(int=3)), "no uuid", str(UUID(int=3))]
    found = step(keyed, count=3, made=contract(*two)).lookup(PLANES, batch(tail=tails, at=times))
    assert found.to_pylist() == [
        {"tail": str(UUID(int=3)), "at": AT},
        {"tail": None, "at": None},
        {"tail": None, "at": None},
    ]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda made: made.lookup(PLANES, batch(other=["N1"] * 4)), "no column 'tail' to look up by; it has mesh-row"),
        (lambda made: made.lookup(PLANES, batch(tail=["N1"] * 4), asof="when"), "no column 'when'"),
        (lambda made: made.lookup("fleet.crews", batch(tail=["N1"] * 4)), "fleet.crews cannot be looked up"),
        (lambda made: made.lookup(PLANES, pa.table({"tail": ["N1"]})), "does not say which record"),
    ],
)
def test_what_cannot_be_looked_up_is_refused_by_name(call: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        call(step(row(0, "N1")))


def test_a_step_is_over_with_its_call() -> None:
    made = step(row(0, "N1"))
    made.close()
    with pytest.raises(UsageError, match="is over"):
        made.lookup(PLANES, batch(tail=["N1"] * 4))


def test_a_function_is_given_a_step_if_it_takes_one() -> None:
    made = Processor("shop.totals")
    made.columns("shop.one")(lambda batch: batch)
    made.columns("shop.two")(lambda batch, size=3: batch)
    made.columns("shop.three")(lambda batch, step: batch)
    made.columns("shop.four")(wraps(lambda batch, step: batch)(lambda *given: given[0]))
    assert [each.looks for each in made.handlers] == [False, False, True, True]  # type: ignore[union-attr]
