"""The compiled encoder says what the exact one says, or nothing."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.contract.avro import AvroSchema
from mesh.contract.shape import Array, Enum, Fixed, Map, Primitive, Record, Shape, Union, shape_of
from mesh.errors import EncodingRefused
from mesh.judge import RowCodec
from mesh.producer.compiled import UNUSUAL, compile_encoder, varint

GOLDEN = Path(__file__).parent.parent / "contract" / "golden"

SCHEMA: AvroSchema = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "i", "type": "int"},
        {"name": "l", "type": ["null", "long"], "default": None},
        {"name": "f", "type": "float"},
        {"name": "d", "type": ["double", "null"], "default": 1.0},
        {"name": "s", "type": "string"},
        {"name": "b", "type": ["null", "bytes"], "default": None},
        {"name": "t", "type": "boolean"},
        {"name": "ms", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "us", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}], "default": None},
        {"name": "wall", "type": ["null", {"type": "long", "logicalType": "local-timestamp-millis"}], "default": None},
        {"name": "day", "type": ["null", {"type": "int", "logicalType": "date"}], "default": None},
        {"name": "money", "type": {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}},
        {"name": "id", "type": ["null", {"type": "string", "logicalType": "uuid"}], "default": None},
        {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"]}, "default": "A"},
        {"name": "x", "type": {"type": "fixed", "name": "X", "size": 2}},
        {"name": "items", "type": {"type": "array", "items": ["null", "int"]}},
        {"name": "map", "type": ["null", {"type": "map", "values": "string"}], "default": None},
        {
            "name": "inner",
            "type": [
                "null",
                {
                    "type": "record",
                    "name": "Inner",
                    "fields": [{"name": "a", "type": "int"}, {"name": "n", "type": "null"}],
                },
            ],
            "default": None,
        },
    ],
}

# Right ones, borderline ones and wrong ones for every type.
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([-8193, -8192, 8191, 8192, -(2**31), 2**31 - 1, 2**31, -(2**63), 2**63 - 1, 2**63, 2**53 + 1]),
    st.floats(),
    st.sampled_from([3.4028234663852886e38, 3.4028235e38, 1e300]),
    st.text(max_size=5),
    st.sampled_from(["A", "B", "\ud800", "é" * 5000]),
    st.binary(max_size=3),
    st.datetimes(),
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))])),
    st.dates(),
    st.decimals(),
    st.uuids(),
    st.lists(st.none() | st.integers(-5, 5) | st.booleans(), max_size=3),
    st.dictionaries(st.text(max_size=2), st.text(max_size=2) | st.integers(), max_size=2),
    st.fixed_dictionaries({"a": st.integers(-5, 5)}, optional={"n": st.none(), "z": st.none()}),
)


def right(shape: Shape) -> st.SearchStrategy[Any]:
    """Values that a shape holds."""
    match shape:
        case Record():
            found = st.fixed_dictionaries({part.name: right(part.type) for part in shape.fields})
        case Union():
            return st.one_of(*map(right, shape.branches))
        case Array():
            return st.lists(right(shape.items), max_size=3)
        case Map():
            found = st.dictionaries(st.text(max_size=3), right(shape.values), max_size=3)
        case Enum():
            return st.sampled_from(shape.symbols)
        case Fixed() | Primitive():
            return PLAIN[shape.kind]
    return found


PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "fixed": st.binary(min_size=2, max_size=2),
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32),
    "double": st.floats() | st.integers(-(2**53), 2**53),
    "bytes": st.binary(max_size=4),
    "string": st.text(max_size=20),
}
RECORDS = right(shape_of(SCHEMA))
ENCODE, EXACT = compile_encoder(shape_of(SCHEMA)), RowCodec(SCHEMA)
FIELDS = [part["name"] for part in SCHEMA["fields"]] if isinstance(SCHEMA, dict) else []


def exact(record: object) -> bytes | None:
    try:
        return EXACT.encode(record)
    except EncodingRefused:
        return None


def compiled(record: object) -> bytes | None:
    assert ENCODE is not None
    try:
        return ENCODE(record)
    except UNUSUAL:
        return None


@given(RECORDS)
def test_what_is_of_the_schema_comes_out_as_the_same_bytes(record: dict[str, Any]) -> None:
    expected = exact(record)
    assert compiled(record) == (expected if math.isfinite(record["f"]) else None)


@given(RECORDS, st.sampled_from([*FIELDS, "unknown"]), VALUES)
def test_nothing_is_taken_that_the_exact_encoder_refuses(record: dict[str, Any], name: str, value: object) -> None:
    changed = record | {name: value}
    assert compiled(changed) in (exact(changed), None)


@given(RECORDS, st.lists(st.sampled_from(FIELDS), min_size=1, max_size=3))
def test_absent_fields_are_what_the_exact_encoder_makes_of_them(record: dict[str, Any], absent: list[str]) -> None:
    for name in absent:
        record.pop(name, None)
    assert compiled(record) in (exact(record), None)


@given(st.integers(-(2**63), 2**63 - 1))
def test_numbers_are_as_the_exact_encoder_writes_them(number: int) -> None:
    assert varint(number) == RowCodec("long").encode(number)


def test_the_usual_record_does_not_need_the_exact_encoder() -> None:
    record = {
        **dict.fromkeys(FIELDS),
        "i": 1,
        "f": 0.5,
        "d": 2,
        "s": "text",
        "t": True,
        "ms": datetime(2013, 1, 1, 10, tzinfo=UTC),
        "us": datetime(2013, 1, 1, tzinfo=UTC),
        "money": Decimal("-12.34"),
        "day": date(2013, 1, 31),
        "wall": datetime(2013, 1, 31, 10),
        "id": UUID(int=1),
        "e": "B",
        "x": b"ab",
        "items": [1, None],
        "map": {"a": "b"},
        "inner": {"a": 1, "n": None},
    }
    assert compiled(record) == exact(record) is not None
    del record["l"], record["map"]
    assert compiled(record) == exact(record) is not None


@pytest.mark.parametrize("record", [None, [], "text", {}, {"i": 1}])
def test_what_is_no_record_at_all_is_left_to_the_exact_encoder(record: object) -> None:
    assert compiled(record) is None


@pytest.mark.parametrize("name", ["operations.flights", "weather.observations", "fleet.aircraft"])
def test_the_demos_schemas_are_compiled(name: str) -> None:
    for part in ("key", "value"):
        schema = json.loads((GOLDEN / f"{name}.{part}.avsc").read_text("utf-8"))
        assert compile_encoder(shape_of(schema)) is not None


def test_a_union_of_several_types_is_left_to_the_exact_encoder() -> None:
    assert compile_encoder(shape_of(["null", "int", "string"])) is None
