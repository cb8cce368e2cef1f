"""Defaults that are bytes are bytes, written and read, wherever in a schema they stand."""

from __future__ import annotations

from typing import Any

import pytest

from mesh.judge.rows import Resolution, RowCodec

FIXED = {"type": "fixed", "name": "F", "size": 2}
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}
INNER = {"type": "record", "name": "N", "fields": [{"name": "x", "type": "bytes", "default": "z"}]}


def record(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}, *fields]}


@pytest.mark.parametrize(
    ("kind", "default", "value"),
    [
        ("bytes", "\u00ff\u0000", b"\xff\x00"),
        (FIXED, "ab", b"ab"),
        (DECIMAL, "\u0001", b"\x01"),
        (INNER, {"x": "q"}, {"x": b"q"}),
        ([FIXED, "null"], "ab", b"ab"),
        (["null", "bytes"], None, None),
        ({"type": "array", "items": "bytes"}, ["a", "b"], [b"a", b"b"]),
        ({"type": "map", "values": ["null", "bytes"]}, {"k": "v", "n": None}, {"k": b"v", "n": None}),
        ("string", "text", "text"),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "B", "B"),
    ],
)
def test_a_default_is_the_value_it_stands_for(kind: Any, default: object, value: object) -> None:
    reader, writer = record({"name": "b", "type": kind, "default": default}), record()
    codec = RowCodec(reader)
    assert codec.decode(codec.encode({"a": 1})) == {"a": 1, "b": value}
    assert Resolution(writer, reader).decode(RowCodec(writer).encode({"a": 1})) == {"a": 1, "b": value}


def test_a_named_type_is_known_by_its_name() -> None:
    schema = record({"name": "f", "type": FIXED}, {"name": "g", "type": "F", "default": "xy"})
    codec = RowCodec(schema)
    assert codec.decode(codec.encode({"a": 1, "f": b"12"})) == {"a": 1, "f": b"12", "g": b"xy"}
