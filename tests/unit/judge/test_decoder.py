"""Bodies are decoded exactly: what the specification calls a value is one, all else is malformed, with a reason."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Callable
from typing import Any

import fastavro
import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from mesh.contract.shape import shape_of
from mesh.errors import ContractInvalid, MalformedBody
from mesh.judge.decoder import Decoder
from mesh.judge.logical import for_people
from tests.support import avro_oracle as oracle

LONG_LIST = {"type": "array", "items": "long"}
LONG_MAP = {"type": "map", "values": "long"}
MILLIS = shape_of({"type": "long", "logicalType": "timestamp-millis"})
ENUM = {"type": "enum", "name": "E", "symbols": ["A", "B"]}


def decode(schema: object, body: bytes) -> object:
    return Decoder(shape_of(schema)).decode(body)


@pytest.mark.parametrize(
    ("schema", "body", "reason"),
    [
        ("long", b"", "it ends too early"),
        ("long", b"\x80", "it ends too early"),
        ("long", b"\x82\x00", "a number is padded"),
        ("long", b"\x80\x80\x00", "a number is padded"),
        ("long", b"\xff" * 9 + b"\x02", "a number is longer than 64 bits"),
        ("long", b"\xff" * 10 + b"\x01", "a number is longer than 64 bits"),
        ("long", b"\x80" * 30 + b"\x01", "a number is longer than 64 bits"),
        ("int", b"\x80\x80\x80\x80\x10", "an int does not fit 32 bits"),
        ("int", b"\x81\x80\x80\x80\x10", "an int does not fit 32 bits"),
        ("int", b"\x02\x00", "1 bytes are left over"),
        ("boolean", b"\x02", "a boolean is neither 0 nor 1"),
        ("boolean", b"\xff", "a boolean is neither 0 nor 1"),
        ("null", b"\x00", "1 bytes are left over"),
        ("float", b"\0\0\0", "it ends too early"),
        ("double", b"\0" * 7, "it ends too early"),
        ("string", b"\x06ab", "it ends too early"),
        ("string", b"\x80\x02" + b"a" * 127, "it ends too early: a length points behind its end"),
        ("string", b"\x01", "a length is negative"),
        ("string", b"\x81\x01", "a length is negative"),
        ("string", b"\x80\xc0\xca\xf3\x84\xa3\x02", "it ends too early: a length points behind its end"),
        ("string", b"\x04\xc3\x28", "a text is not UTF-8"),
        ("string", b"\x06\xed\xa0\x80", "a text is not UTF-8"),
        ("bytes", b"\x03abc", "a length is negative"),
        ({"type": "fixed", "name": "F", "size": 3}, b"ab", "it ends too early"),
        (["null", "long"], b"\x01", "a union index names no branch"),
        (["null", "long"], b"\x04", "a union index names no branch"),
        (["null", "long"], b"\x82\x00\x02", "a union index names no branch"),
        (ENUM, b"\x01", "an enum index names no symbol"),
        (ENUM, b"\x04", "an enum index names no symbol"),
        (ENUM, b"\x82\x00", "a number is padded"),
        (LONG_LIST, b"\x02\x02", "it ends too early"),
        (
            LONG_LIST,
            b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\x02\x00",
            "a block claims more items than bytes are left",
        ),
        (LONG_LIST, b"\x03\x02\x02\x02\x00", "the size of a block is not true"),
        (LONG_LIST, b"\x01\x04\x02\x00", "the size of a block is not true"),
        (LONG_LIST, b"\x01\x01\x02\x00", "the size of a block is negative or points behind the end"),
        (LONG_LIST, b"\x01\x7e\x02\x00", "the size of a block is negative or points behind the end"),
        (LONG_MAP, b"\x04\x02a\x02\x02a\x04\x00", "a map has a key twice"),
        (LONG_MAP, b"\x02\x02\xff\x02\x00", "a text is not UTF-8"),
    ],
)
def test_malformed_with_a_reason(schema: object, body: bytes, reason: str) -> None:
    with pytest.raises(MalformedBody, match=f"^{reason}") as refused:
        decode(schema, body)
    assert repr(body) not in str(refused.value)


@pytest.mark.parametrize(
    ("schema", "body", "value"),
    [
        ("long", b"\xff" * 9 + b"\x01", -(1 << 63)),
        ("long", b"\xfe" + b"\xff" * 8 + b"\x01", (1 << 63) - 1),
        ("int", b"\xff\xff\xff\xff\x0f", -(1 << 31)),
        ("int", b"\x80\x01", 64),
        ("int", b"\xff\x7f", -8192),
        ("string", b"\x00", ""),
        ("string", b"\x80\x02" + b"a" * 128, "a" * 128),
        (["null", "long"], b"\x00", None),
        (["long", "null"], b"\x00\x03", -2),
        (LONG_LIST, b"\x00", []),
        (LONG_LIST, b"\x02\x02\x02\x04\x00", [1, 2]),
        (LONG_LIST, b"\x03\x04\x02\x04\x00", [1, 2]),
        (LONG_MAP, b"\x01\x06\x02a\x02\x02\x02b\x04\x00", {"a": 1, "b": 2}),
    ],
)
def test_values(schema: object, body: bytes, value: object) -> None:
    assert decode(schema, body) == value


def test_every_nan_is_taken() -> None:
    for bits in (0x7FF8000000000000, 0x7FF0000000000001, 0xFFFFFFFFFFFFFFFF):
        assert math.isnan(decode("double", struct.pack("<Q", bits)))  # type: ignore[arg-type]  # it is a float


def test_wide_unions_and_enums_have_longer_indexes() -> None:
    records = [{"type": "record", "name": f"R{n}", "fields": [{"name": "x", "type": "long"}]} for n in range(70)]
    assert decode(records, b"\x8a\x01\x06") == {"x": 3}
    symbols = [f"S{n}" for n in range(70)]
    assert decode({"type": "enum", "name": "E", "symbols": symbols}, b"\x8a\x01") == "S69"


def test_names_from_a_schema_are_only_ever_texts() -> None:
    schema = {
        "type": "record",
        "name": "R",
        "fields": [{"name": "class", "type": "long"}, {"name": "b", "type": "long"}],
    }
    assert decode(schema, b"\x02\x04") == {"class": 1, "b": 2}


def test_a_recursive_schema_is_refused() -> None:
    schema = {"type": "record", "name": "L", "fields": [{"name": "next", "type": ["null", "L"]}]}
    with pytest.raises(ContractInvalid, match="recursive"):
        decode(schema, b"\x00")


def test_what_the_lint_allows_to_nest_compiles() -> None:
    schema: Any = "long"
    for _ in range(60):
        schema = (
            ["null", {"type": "array", "items": schema}]
            if isinstance(schema, str)
            else {"type": "array", "items": schema}
        )
    assert decode(schema, b"\x00") == []


def _written(schema: Any, value: object) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


def _by_oracle(schema: Any, body: bytes) -> tuple[bool, object]:
    try:
        return True, oracle.read(schema, body)
    except oracle.Bad:
        return False, None


MEANT = {
    "long": ("timestamp-millis", "timestamp-micros", "time-micros"),
    "int": ("date", "time-millis"),
    "string": ("uuid",),
}


def meant(data: st.DataObject, schema: Any) -> Any:
    """The same schema with logical types in it."""
    if isinstance(schema, list):
        return [meant(data, branch) for branch in schema]
    if isinstance(schema, str):
        names = MEANT.get(schema)
        return schema if names is None else {"type": schema, "logicalType": data.draw(st.sampled_from(names))}
    changed = {name: meant(data, schema[name]) for name in ("items", "values") if name in schema}
    if "fields" in schema:
        changed["fields"] = [part | {"type": meant(data, part["type"])} for part in schema["fields"]]
    return schema | changed


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_values_for_people_are_those_of_the_plain_ones(data: st.DataObject) -> None:
    schema = data.draw(oracle.schemas())
    body = bytearray(_written(schema, data.draw(oracle.values(schema))))
    if body and data.draw(st.booleans()):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    shape = shape_of(meant(data, schema))
    convert = for_people(shape) or (lambda value: value)
    plain = _told(Decoder(shape), bytes(body), convert)
    assert _told(Decoder(shape, logical=True), bytes(body), lambda value: value) == plain


def _told(decoder: Decoder, body: bytes, convert: Callable[[Any], object]) -> str:
    try:
        return repr(convert(decoder.decode(body)))
    except MalformedBody as error:
        return str(error)


@pytest.mark.parametrize("bits", [7, 14, 34, 35, 41, 42, 48, 63])
def test_times_in_milliseconds_are_read_like_other_numbers(bits: int) -> None:
    for number in (sign * (1 << bits - 1) + step for sign in (1, -1) for step in (-1, 0, 1)):
        body = _written("long", number)
        cases = [body, body[:-1], body + b"\0", body[:-1] + bytes((body[-1] | 0x80, 0)), b"\xff" * 5 + body]
        for case in cases:
            assert _told(Decoder(MILLIS), case, repr) == _told(Decoder(shape_of("long")), case, repr)


def _agree(schema: Any, body: bytes) -> bool:
    good, value = _by_oracle(schema, body)
    decoder = Decoder(shape_of(schema))
    if not good:
        with pytest.raises(MalformedBody):
            decoder.decode(body)
    else:
        assert repr(decoder.decode(body)) == repr(value)  # by text, in which NaN is equal to NaN and 0.0 is not -0.0
    return good


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_what_fastavro_writes_is_read_back(data: st.DataObject) -> None:
    schema = data.draw(oracle.schemas())
    value = data.draw(oracle.values(schema))
    body = _written(schema, value)
    assert Decoder(shape_of(schema)).decode(body) == value
    assert _agree(schema, body)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_mutated_bodies_are_values_or_malformed_as_the_specification_says(data: st.DataObject) -> None:
    schema = data.draw(oracle.schemas())
    body = bytearray(_written(schema, data.draw(oracle.values(schema))))
    assume(body)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(len(body) - 1, 0)))
        match data.draw(st.sampled_from(["set", "insert", "delete", "pad", "cut"])):
            case "set" if body:
                body[at] = data.draw(st.integers(0, 255))
            case "insert":
                body.insert(at, data.draw(st.sampled_from([0, 1, 2, 3, 0x7F, 0x80, 0xFF])))
            case "delete" if body:
                del body[at]
            case "pad" if body and body[at] < 0x80:
                body[at : at + 1] = bytes([body[at] | 0x80, 0])
            case "cut":
                del body[at:]
    event(f"accepted: {_agree(schema, bytes(body))}")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(oracle.schemas(), st.binary(max_size=40))
def test_random_bodies_are_values_or_malformed_as_the_specification_says(schema: Any, body: bytes) -> None:
    event(f"accepted: {_agree(schema, body)}")
