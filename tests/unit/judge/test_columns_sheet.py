"""What a decoder may not accept, each in the middle of good records: only that record fails, and rows agree."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from mesh.contract.shape import Record, shape_of
from mesh.errors import MalformedBody
from mesh.judge import RowCodec
from mesh.judge.columns.arrays import Unsupported
from mesh.judge.columns.column import Real, Text, Whole
from mesh.judge.columns.cursor import Cursor
from mesh.judge.columns.layout import Layout
from mesh.judge.columns.wire import Wire
from tests.support.fuzzing import varint

Schema = Any
INT, LONG, TEXT, BYTES = "int", "long", "string", "bytes"
ENUM = {"type": "enum", "name": "E", "symbols": ["A", "B", "C"]}
FIXED = {"type": "fixed", "name": "F", "size": 3}
NESTED = {"type": "record", "name": "N", "fields": [{"name": "x", "type": "int"}, {"name": "y", "type": "string"}]}

INTS, TEXTS = {"type": "array", "items": "int"}, {"type": "array", "items": "string"}
MAP = {"type": "map", "values": "int"}
WIDE = ["null", "int", "string"]
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}

SHEET: list[tuple[str, Schema, bytes]] = [
    ("empty", INT, b""),
    ("trailing byte", INT, b"\x02\x00"),
    ("trailing bytes after text", TEXT, b"\x02ab"),
    ("number cut", LONG, b"\x80"),
    ("number padded to two", INT, b"\x82\x00"),
    ("number padded to three", INT, b"\x82\x80\x00"),
    ("zero padded", INT, b"\x80\x00"),
    ("number padded to eight", LONG, b"\x82" + b"\x80" * 6 + b"\x00"),
    ("number padded to nine", LONG, b"\x82" + b"\x80" * 7 + b"\x00"),
    ("number padded to ten", LONG, b"\x82" + b"\x80" * 8 + b"\x00"),
    ("number padded to thirty", LONG, b"\x82" + b"\x80" * 28 + b"\x00"),
    ("number of 65 bits", LONG, b"\xff" * 9 + b"\x02"),
    ("number of 70 bits", LONG, b"\xff" * 9 + b"\x7f"),
    ("number of eleven bytes", LONG, b"\xff" * 10 + b"\x01"),
    ("int of 33 bits", INT, b"\x80\x80\x80\x80\x10"),
    ("int of 33 bits, negative", INT, b"\x81\x80\x80\x80\x10"),
    ("int of 64 bits", INT, b"\xff" * 9 + b"\x01"),
    ("boolean 2", "boolean", b"\x02"),
    ("boolean 7", "boolean", b"\x07"),
    ("boolean 255", "boolean", b"\xff"),
    ("union index too large", ["null", INT], b"\x04\x02"),
    ("union index negative", ["null", INT], b"\x01\x02"),
    ("union index -2", ["null", INT], b"\x03\x02"),
    ("union index padded", ["null", INT], b"\x80\x00"),
    ("union of null last, index too large", [INT, "null"], b"\x04"),
    ("enum index -1", ENUM, b"\x01"),
    ("enum index too large", ENUM, b"\x06"),
    ("enum index huge", ENUM, b"\xfe\xff\xff\xff\x0f"),
    ("enum index padded", ENUM, b"\x82\x00"),
    ("length negative", TEXT, b"\x01"),
    ("length -64", BYTES, b"\x7fab"),
    ("length too large by one", TEXT, b"\x06ab"),
    ("length 10^12", TEXT, b"\x80\xc0\xd7\xc0\xe9:ab"),
    ("length 2^63-1", BYTES, b"\xfe" + b"\xff" * 8 + b"\x01"),
    ("length -2^63", TEXT, b"\xff" * 9 + b"\x01"),
    ("length padded", TEXT, b"\x82\x00a"),
    ("UTF-8 lone continuation", TEXT, b"\x02\x80"),
    ("UTF-8 overlong", TEXT, b"\x04\xc0\xaf"),
    ("UTF-8 surrogate", TEXT, b"\x06\xed\xa0\x80"),
    ("UTF-8 cut", TEXT, b"\x04\xe2\x82"),
    ("UTF-8 broken behind the first word", TEXT, b"\x14abcdefgh\xffj"),
    ("UTF-8 broken behind ten words", TEXT, b"\xc8\x01" + b"a" * 99 + b"\xff"),
    ("double cut", "double", b"\x00" * 7),
    ("float cut", "float", b"\x00" * 3),
    ("fixed cut", FIXED, b"ab"),
    ("fixed too long", FIXED, b"abcd"),
    ("nested cut", NESTED, b"\x02"),
    ("nested union", ["null", NESTED], b"\x02\x02\x04a"),
    ("everything high", NESTED, b"\xff" * 40),
    ("block cut", INTS, b"\x06\x02\x02"),
    ("block without an end", INTS, b"\x02\x02"),
    ("block larger than the rest", INTS, varint(100) + b"\x02\x00"),
    ("block of 2^62", INTS, varint(1 << 62) + b"\x02\x00"),
    ("block of -2^63", INTS, varint(-(1 << 63)) + varint(1) + b"\x02"),
    ("block count padded", INTS, b"\x82\x00\x02\x00"),
    ("end of blocks padded", INTS, b"\x80\x00"),
    ("sized block too short", INTS, b"\x03\x02\x02\x02\x00"),
    ("sized block too long", INTS, b"\x03\x06\x02\x02\x00"),
    ("sized block of negative size", INTS, b"\x01\x03\x02\x00"),
    ("sized block that ends at the start of the batch", INTS, b"\x01\x09\x02\x00"),
    ("item out of range", INTS, b"\x04\x02\x80\x80\x80\x80\x10\x00"),
    ("second item is no text", TEXTS, b"\x04\x02a\x02\xff\x00"),
    ("items behind the end", TEXTS, varint(2990) + varint(2985) + b"a" * 2985 + bytes(10)),
    ("a key twice", MAP, b"\x04\x02a\x02\x02a\x04\x00"),
    ("a key that is no text", MAP, b"\x02\x02\xff\x02\x00"),
    ("wide union, index too large", WIDE, b"\x06"),
    ("wide union, index negative", WIDE, b"\x01"),
    ("wide union, index padded", WIDE, b"\x82\x00\x02"),
    ("decimal of five digits", DECIMAL, b"\x04\x30\x39"),
    ("decimal of five digits, negative", DECIMAL, b"\x04\xd8\xf0"),
    ("decimal cut", DECIMAL, b"\x06\x01"),
]

EXACT: list[tuple[str, Schema, Any]] = [
    *(
        ("int", INT, value)
        for value in (0, -1, 1, 63, 64, -64, -65, 8191, 8192, -8193, 1 << 20, (1 << 31) - 1, -1 << 31)
    ),
    *(("long", LONG, s * (1 << b) + d) for b in range(7, 63, 7) for s in (1, -1) for d in (-1, 0, 1)),
    *(("long end", LONG, value) for value in ((1 << 63) - 1, -(1 << 63), (1 << 62), -(1 << 62) - 1)),
    *(("double", "double", value) for value in (0.0, -0.0, 1.5, 5e-324, 1.7e308, float("inf"), float("-inf"))),
    *(("float", "float", value) for value in (0.0, -0.0, 1.5, 1e-45, 3e38, float("inf"))),
    *(("text", TEXT, "aé空😀"[: n % 5] * n) for n in range(12)),
    *(("long text", TEXT, "x" * n + end) for n in (6, 7, 8, 9, 63, 64, 65, 500) for end in ("", "é")),
]


def layout(schema: Schema) -> tuple[Layout, Schema]:
    """The columns of a record of three fields: a text, one of this schema, an int."""
    fields = [{"name": "a", "type": "string"}, {"name": "f", "type": schema}, {"name": "z", "type": "int"}]
    record = {"type": "record", "name": "R", "fields": fields}
    shape = shape_of(record)
    assert isinstance(shape, Record)
    return Layout.of(shape, ()), record


def read(found: Layout, bodies: list[bytes]) -> Cursor:
    cursor = Cursor(Wire(bodies, found.room), 0, len(found.slots))
    found.read(cursor)
    return cursor


def good(schema: Schema) -> Any:
    kind = schema if isinstance(schema, str) else schema[0] if isinstance(schema, list) else schema["type"]
    plain = {"int": 5, "long": 1 << 40, "string": "good", "bytes": b"g", "double": 1.5, "float": 1.5, "boolean": True}
    whole = plain | {"null": None, "enum": "B", "fixed": b"abc", "record": {"x": 1, "y": "in"}, "array": [], "map": {}}
    return whole[kind]


@pytest.mark.parametrize("where", ["last", "middle", "alone"])
@pytest.mark.parametrize(("name", "schema", "raw"), SHEET, ids=[name for name, _, _ in SHEET])
def test_sheet(name: str, schema: Schema, raw: bytes, where: str) -> None:
    found, record = layout(schema)
    codec = RowCodec(record)
    fine = codec.encode({"a": "ok", "f": good(schema), "z": 7})
    # The last field is cut off with the broken one at the end of a record, else it follows as if nothing were wrong.
    for bad in (b"\x04ok" + raw, b"\x04ok" + raw + b"\x0e"):
        bodies = {"last": [fine, fine, bad], "middle": [fine, bad, fine], "alone": [bad]}[where]
        clean = read(found, bodies).done().tolist()
        assert clean == [_decodes(codec, body) for body in bodies]
        assert all(clean[row] for row, body in enumerate(bodies) if body is fine)
    assert not _decodes(codec, bad) or name.startswith("trailing")


def _decodes(codec: RowCodec, body: bytes) -> bool:
    try:
        codec.decode(body)
    except MalformedBody:
        return False
    return True


@pytest.mark.parametrize("nullable", [False, True])
@pytest.mark.parametrize(("name", "schema", "value"), EXACT)
def test_values(name: str, schema: Schema, value: Any, nullable: bool) -> None:
    found, record = layout(["null", schema] if nullable else schema)
    codec = RowCodec(record)
    others = [None] if nullable else [good(schema)]
    cursor = read(found, [codec.encode({"a": "", "f": each, "z": -1}) for each in [*others, value, *others, value]])
    assert cursor.done().all()
    column: Any = cursor.columns[found.slots["f"].number]
    assert column.live is None or column.live.tolist() == [False, True, False, True]
    for row in (1, 3):
        match column:
            case Whole():
                assert int(column.values[row]) == value
            case Real():
                want = struct.unpack("<f", struct.pack("<f", value))[0] if schema == "float" else value
                assert column.values[row].tobytes() == np.float64(want).tobytes()
            case Text():
                assert (column.at(row), int(column.lengths[row])) == (value, len(value))
            case _:
                pytest.fail(f"no column of {name}")


def test_one_broken_text_among_long_ones() -> None:
    found, record = layout("string")
    codec = RowCodec(record)
    texts = ["", "short", "n" * 9, "é" * 40, "a" * 1000, "😀" * 300]
    bodies = [codec.encode({"a": text, "f": text[::-1], "z": 0}) for text in texts]
    for row, body in enumerate(bodies[1:], 1):
        at = len(body) - 2
        broken = body[:at] + b"\xff" + body[at + 1 :]
        clean = read(found, [*bodies[:row], broken, *bodies[row + 1 :]]).done()
        assert np.flatnonzero(~clean).tolist() == [row]


def test_a_character_that_goes_on_in_the_next_record() -> None:
    found, _ = layout("string")
    bodies = [b"\x00\x02\xc3\x00", b"\x00\x02\xa9\x00", b"\x00\x04\xc3\xa9\x00"]
    assert read(found, bodies).done().tolist() == [False, False, True]


def test_items_behind_the_end_of_every_record() -> None:
    found, _ = layout(TEXTS)
    body = b"\x00" + varint(2990) + varint(2985) + b"a" * 2985 + bytes(10)
    assert not read(found, [body] * 40).done().any()


@pytest.mark.parametrize("size", [1, 7, 8, 9, 31, 32, 33, 41, 70, 128, 129, 191, 192, 193, 250, 700])
@pytest.mark.parametrize("shift", range(0, 8, 3))
def test_a_broken_byte_anywhere(size: int, shift: int) -> None:
    found, _ = layout("string")
    first = varint(shift) + b"b" * shift
    fine = first + varint(size) + b"a" * size + b"\x00"
    bodies = [first + varint(size) + b"a" * at + b"\xff" + b"a" * (size - at - 1) + b"\x00" for at in range(size)]
    assert np.flatnonzero(read(found, [fine, *bodies, fine]).done()).tolist() == [0, size + 1]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "fixed", "name": "D", "size": 9, "logicalType": "decimal", "precision": 4, "scale": 2},
        ["null", *({"type": "fixed", "name": f"F{size}", "size": size} for size in range(1, 65))],
    ],
)
def test_rows_only(schema: Schema) -> None:
    with pytest.raises(Unsupported):
        layout(schema)


def test_nothing() -> None:
    found, _ = layout("double")
    assert read(found, []).done().tolist() == []
