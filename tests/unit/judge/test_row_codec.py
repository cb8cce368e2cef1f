"""Records to bodies and back: strict about what goes in, plain or Python's own types on the way out."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesh.errors import ContractInvalid, EncodingRefused, MalformedBody
from mesh.judge.rows import Resolution, RowCodec
from tests.support import avro_oracle as oracle

INNER = {"type": "record", "name": "Inner", "fields": [{"name": "x", "type": "int"}]}
SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "id", "type": "int"},
        {"name": "big", "type": "long", "default": 7},
        {"name": "f", "type": ["null", "float"], "default": None},
        {"name": "d", "type": ["null", "double"], "default": None},
        {"name": "s", "type": ["null", "string"], "default": None},
        {"name": "b", "type": ["null", "boolean"], "default": None},
        {"name": "raw", "type": ["null", "bytes"], "default": None},
        {"name": "fix", "type": ["null", {"type": "fixed", "name": "F", "size": 2}], "default": None},
        {"name": "e", "type": ["null", {"type": "enum", "name": "E", "symbols": ["A", "B"]}], "default": None},
        {"name": "l", "type": ["null", {"type": "array", "items": INNER}], "default": None},
        {"name": "m", "type": ["null", {"type": "map", "values": "int"}], "default": None},
        {"name": "wide", "type": ["null", "double", "long", "string"], "default": None},
    ],
}
CODEC = RowCodec(SCHEMA)
EMPTY = {"id": 1, "big": 7, **dict.fromkeys(["f", "d", "s", "b", "raw", "fix", "e", "l", "m", "wide"])}


def around(record: dict[str, Any]) -> Any:
    return CODEC.decode(CODEC.encode(record))


def test_fields_with_a_default_may_be_left_out() -> None:
    assert around({"id": 1}) == EMPTY


@pytest.mark.parametrize(
    ("change", "path", "reason"),
    [
        ({"id": None}, "id", "is null, the schema wants a whole number (int)"),
        ({"id": True}, "id", "is of type bool, the schema wants a whole number (int)"),
        ({"id": 1.0}, "id", "is of type float, the schema wants a whole number (int)"),
        ({"id": "1"}, "id", "is of type str, the schema wants a whole number (int)"),
        ({"id": 1 << 31}, "id", "does not fit 32 bits"),
        ({"big": -(1 << 63) - 1}, "big", "does not fit 64 bits"),
        ({"big": None}, "big", "is null, the schema wants a whole number (long)"),
        ({"f": 1e39}, "f", "does not fit 32 bits"),
        ({"d": "1"}, "d", "is of type str, the schema wants a number"),
        ({"d": False}, "d", "is of type bool, the schema wants a number"),
        ({"d": (1 << 53) + 1}, "d", "is of type int, the schema wants a number that a double holds"),
        ({"s": 5}, "s", "is of type int, the schema wants a text"),
        ({"s": b"x"}, "s", "is of type bytes, the schema wants a text"),
        ({"s": "\ud800"}, "s", "holds half of a surrogate pair, which has no UTF-8"),
        ({"b": 1}, "b", "is of type int, the schema wants a boolean"),
        ({"b": "false"}, "b", "is of type str, the schema wants a boolean"),
        ({"raw": "x"}, "raw", "is of type str, the schema wants bytes"),
        ({"fix": b"x"}, "fix", "is of type bytes, the schema wants 2 bytes"),
        ({"e": "C"}, "e", "is none of the 2 symbols of enum E"),
        ({"e": 0}, "e", "is of type int, the schema wants enum E"),
        ({"l": [{"x": 1}, {"x": "1"}]}, "l[1].x", "is of type str, the schema wants a whole number (int)"),
        ({"l": [{}]}, "l[0].x", "is missing"),
        ({"l": {"x": 1}}, "l", "is of type dict, the schema wants an array"),
        ({"l": "ab"}, "l", "is of type str, the schema wants an array"),
        ({"m": {"k": 1.5}}, "m['k']", "is of type float, the schema wants a whole number (int)"),
        ({"m": {1: 1}}, "m[1]", "is of type int, the schema wants a text"),
        ({"m": [1]}, "m", "is of type list, the schema wants a map"),
        ({"wide": True}, "wide", "is of type bool, the schema wants union of null, double, long, string"),
        ({"more": 1}, "more", "is not a field of the schema"),
        ({7: 1}, "7", "is not a field of the schema"),
    ],
)
def test_what_is_not_of_the_schema_is_refused_with_its_path(change: dict[str, Any], path: str, reason: str) -> None:
    with pytest.raises(EncodingRefused) as refused:
        CODEC.encode({"id": 1} | change)
    assert (refused.value.path, refused.value.reason) == (path, reason)


def test_a_missing_field_and_no_record_at_all() -> None:
    with pytest.raises(EncodingRefused, match=r"^id is missing$"):
        CODEC.encode({})
    with pytest.raises(EncodingRefused, match=r"^the record is of type list, the schema wants record R$"):
        CODEC.encode([])


def test_whole_numbers_are_numbers_and_keep_their_kind_in_wide_unions() -> None:
    assert around({"id": 1, "d": 3, "f": 2})["d"] == 3.0
    assert isinstance(around({"id": 1, "wide": 3})["wide"], int)
    assert isinstance(around({"id": 1, "wide": 3.0})["wide"], float)
    assert around({"id": 1, "wide": "3"})["wide"] == "3"


def test_not_a_number_and_infinities_are_doubles() -> None:
    assert str(around({"id": 1, "d": float("nan"), "f": float("inf")})["d"]) == "nan"
    assert around({"id": 1, "f": float("-inf")})["f"] == float("-inf")


LOGICAL: dict[str, Any] = {
    "type": "record",
    "name": "L",
    "fields": [
        {"name": "millis", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "micros", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]},
        {"name": "local", "type": {"type": "long", "logicalType": "local-timestamp-millis"}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "clock", "type": {"type": "array", "items": {"type": "int", "logicalType": "time-millis"}}},
        {"name": "sharp", "type": {"type": "map", "values": {"type": "long", "logicalType": "time-micros"}}},
        {"name": "money", "type": {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}},
        {
            "name": "cents",
            "type": {"type": "fixed", "name": "C", "size": 2, "logicalType": "decimal", "precision": 4, "scale": 2},
        },
        {"name": "uuid", "type": {"type": "string", "logicalType": "uuid"}},
    ],
}
PLAIN = {
    "millis": 1357034400123,
    "micros": -1,
    "local": 1357034400000,
    "day": 15706,
    "clock": [1, 86_399_999],
    "sharp": {"a": 1},
    "money": b"\xcf\xc7",
    "cents": b"\x00\x7b",
    "uuid": "12345678-1234-5678-1234-567812345678",
}
PEOPLE = {
    "millis": datetime(2013, 1, 1, 10, 0, 0, 123_000, tzinfo=UTC),
    "micros": datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    "local": datetime(2013, 1, 1, 10),
    "day": date(2013, 1, 1),
    "clock": [time(microsecond=1000), time(23, 59, 59, 999_000)],
    "sharp": {"a": time(microsecond=1)},
    "money": Decimal("-123.45"),
    "cents": Decimal("1.23"),
    "uuid": UUID("12345678-1234-5678-1234-567812345678"),
}


def test_logical_types_are_plain_unless_asked_for() -> None:
    body = RowCodec(LOGICAL).encode(PLAIN)
    assert RowCodec(LOGICAL).decode(body) == PLAIN
    assert RowCodec(LOGICAL, logical=True).decode(body) == PEOPLE
    assert RowCodec(LOGICAL).encode(PEOPLE) == body


def test_nanoseconds_take_a_datetime_and_stay_numbers() -> None:
    fine: Any = {"type": "long", "logicalType": "timestamp-nanos"}
    codec = RowCodec(fine, logical=True)
    moment = datetime(2013, 1, 1, 10, 0, 0, 123_456, tzinfo=UTC)
    assert codec.decode(codec.encode(moment)) == 1357034400123456000
    for number in (1357034400123456789, 1000):
        assert codec.decode(codec.encode(number)) == number
    with pytest.raises(EncodingRefused, match="has no time zone"):
        codec.encode(datetime(2013, 1, 1))


def test_other_time_zones_are_the_same_instant() -> None:
    there = datetime(2013, 1, 1, 5, 0, 0, 123_000, tzinfo=timezone(timedelta(hours=-5)))
    assert RowCodec(LOGICAL).encode(PLAIN | {"millis": there}) == RowCodec(LOGICAL).encode(PLAIN)


def test_what_python_cannot_hold_stays_as_it_is() -> None:
    codec = RowCodec(LOGICAL, logical=True)
    odd = PLAIN | {"millis": 1 << 60, "day": 1 << 30, "clock": [-1], "uuid": "nobody", "micros": None}
    decoded = codec.decode(codec.encode(odd))
    assert decoded == PEOPLE | {"millis": 1 << 60, "day": 1 << 30, "clock": [-1], "uuid": "nobody", "micros": None}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"millis": datetime(2013, 1, 1)}, "millis has no time zone"),
        ({"local": datetime(2013, 1, 1, tzinfo=UTC)}, "local has a time zone, the field is local time"),
        ({"millis": datetime(2013, 1, 1, microsecond=1, tzinfo=UTC)}, "millis is finer than the unit of the field"),
        ({"millis": date(2013, 1, 1)}, "millis is of type date, the schema wants a whole number"),
        ({"day": datetime(2013, 1, 1, tzinfo=UTC)}, "day is of type datetime, the schema wants a whole number"),
        ({"clock": [time(microsecond=1)]}, r"clock\[0\] is finer than the unit of the field"),
        ({"money": Decimal("1.234")}, r"money does not fit decimal\(6,2\)"),
        ({"money": Decimal(12345)}, r"money does not fit decimal\(6,2\)"),
        ({"money": Decimal("NaN")}, "money is not a finite number"),
        ({"money": 5}, "money is of type int, the schema wants bytes"),
        ({"cents": Decimal("1e9")}, r"cents does not fit decimal\(4,2\)"),
    ],
)
def test_python_types_that_do_not_fit(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(EncodingRefused, match=f"^{reason}"):
        RowCodec(LOGICAL).encode(PLAIN | change)


def test_decimals_keep_their_digits() -> None:
    codec = RowCodec(LOGICAL, logical=True)
    for text in ("0", "0.01", "-0.01", "9999.99", "-9999.99", "1E+2", "1.10", "-1.28", "1.27"):
        decoded: Any = codec.decode(codec.encode(PLAIN | {"money": Decimal(text)}))
        assert decoded["money"] == Decimal(text)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_every_shape_comes_back(data: st.DataObject) -> None:
    schema = data.draw(oracle.schemas())
    value = data.draw(oracle.values(schema))
    codec = RowCodec(schema)
    body = codec.encode(value)
    assert codec.decode(body) == value
    assert repr(oracle.read(schema, body)) == repr(codec.decode(body))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_values_of_another_schema_are_refused_or_the_same_value(data: st.DataObject) -> None:
    schema, other = data.draw(oracle.schemas()), data.draw(oracle.schemas())
    value = data.draw(oracle.values(other))
    codec = RowCodec(schema)
    try:
        body = codec.encode(value)
    except EncodingRefused:
        return
    assert codec.decode(body) == value


def test_recursive_schemas_are_refused() -> None:
    with pytest.raises(ContractInvalid):
        RowCodec({"type": "record", "name": "L", "fields": [{"name": "next", "type": ["null", "L"]}]})
    with pytest.raises(ContractInvalid):
        RowCodec("nonsense")


OLD = {"type": "record", "name": "R", "fields": [{"name": "id", "type": "int"}, {"name": "gone", "type": "string"}]}


def test_another_version_is_read_as_the_contracts() -> None:
    resolution = Resolution(OLD, SCHEMA)
    assert resolution.decode(RowCodec(OLD).encode({"id": 1, "gone": "x"})) == EMPTY


def test_what_another_version_lacks_is_null_even_if_required() -> None:
    reader = {
        "type": "record",
        "name": "R",
        "fields": [{"name": "id", "type": "long"}, {"name": "new", "type": "string"}, {"name": "in", "type": INNER}],
    }
    body = RowCodec(OLD).encode({"id": 1, "gone": "x"})
    assert Resolution(OLD, reader).decode(body) == {"id": 1, "new": None, "in": None}


@pytest.mark.parametrize("body", [b"", b"\x02\x02", b"\x82\x00\x00", b"\x02\x00\x00"])
def test_another_version_is_read_as_exactly(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        Resolution(OLD, SCHEMA).decode(body)


def test_a_version_that_cannot_be_resolved_is_malformed() -> None:
    reader = json.loads(json.dumps(OLD).replace('"int"', '"string"'))
    with pytest.raises(MalformedBody, match="cannot be read by the schema of the contract"):
        Resolution(OLD, reader).decode(RowCodec(OLD).encode({"id": 1, "gone": ""}))
