"""Avro as the specification has it, for tests: schemas and values to draw, and a slow strict reader of its own."""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import strategies as st

Schema = Any

NAMES = ("alpha", "beta", "gamma", "delta")
SYMBOLS = ["A", "B", "C"]
TEXT = st.text(max_size=8)
FLOATS = st.floats(width=32, allow_nan=False)
PRIMITIVES: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(1 << 31), (1 << 31) - 1) | st.integers(-200, 200),
    "long": st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-200, 200),
    "float": FLOATS,
    "double": st.floats(allow_nan=False),
    "bytes": st.binary(max_size=8),
    "string": TEXT,
}


@st.composite
def schemas(draw: st.DrawFn, depth: int = 3, name: str = "R") -> Schema:
    """A schema whose named types are all different; the outermost is a record that takes at least a byte."""
    fields = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    first, *others = (
        {"name": field, "type": _type(draw, depth - 1, f"{name}_{field}", sized=number == 0)}
        for number, field in enumerate(fields)
    )
    return {"type": "record", "name": name, "fields": [first, *others]}


def _type(draw: st.DrawFn, depth: int, name: str, *, sized: bool) -> Schema:  # noqa: PLR0911  (one for each type)
    """``sized``: neither null nor a union. Items of arrays are, because the lint refuses those that take no byte."""
    kinds = ["primitive", "enum", "fixed"] + (["array", "map", "record"] if depth > 0 else [])
    kind = draw(st.sampled_from(kinds if sized else ["null", "nullable", "null last", "wide", *kinds]))
    match kind:
        case "enum":
            return {"type": "enum", "name": name, "symbols": SYMBOLS}
        case "fixed":
            return {"type": "fixed", "name": name, "size": 3}
        case "array" | "map":
            inner = _type(draw, depth - 1, f"{name}x", sized=True)
            return {"type": kind, "items" if kind == "array" else "values": inner}
        case "record":
            return draw(schemas(depth, f"{name}r"))
        case "nullable" | "null last":
            branches = ["null", _type(draw, depth - 1, f"{name}x", sized=True)]
            return branches if kind == "nullable" else branches[::-1]
        case "wide":
            return ["null", "string", "long", "boolean"]
    return "null" if kind == "null" else draw(st.sampled_from(sorted(set(PRIMITIVES) - {"null"})))


def values(schema: Schema) -> st.SearchStrategy[Any]:  # noqa: PLR0911  (one for each type of Avro)
    """Values of a schema as plain Python."""
    if isinstance(schema, str):
        return PRIMITIVES[schema]
    if isinstance(schema, list):
        return st.one_of([values(branch) for branch in schema])
    match schema["type"]:
        case "record":
            return st.fixed_dictionaries({field["name"]: values(field["type"]) for field in schema["fields"]})
        case "array":
            return st.lists(values(schema["items"]), max_size=4)
        case "map":
            return st.dictionaries(TEXT, values(schema["values"]), max_size=3)
        case "enum":
            return st.sampled_from(schema["symbols"])
        case "fixed":
            return st.binary(min_size=schema["size"], max_size=schema["size"])
    raise AssertionError(schema)


class Bad(Exception):
    """Not the encoding of a value."""


def read(schema: Schema, body: bytes) -> Any:
    """The value of a body; raises Bad unless every byte has the one meaning the specification gives it."""
    value, at = _read(schema, body, 0)
    _want(at == len(body))
    return value


def _want(good: bool) -> None:
    if not good:
        raise Bad


def _take(body: bytes, at: int, size: int) -> tuple[bytes, int]:
    _want(0 <= size <= len(body) - at)
    return body[at : at + size], at + size


def _whole(body: bytes, at: int, bits: int = 64) -> tuple[int, int]:
    end = at
    while end < len(body) and body[end] & 0x80:
        end += 1
    _want(end < len(body))
    groups = [byte & 0x7F for byte in body[at : end + 1]]
    raw = sum(group << 7 * place for place, group in enumerate(groups))
    number = raw // 2 if raw % 2 == 0 else -(raw + 1) // 2
    _want(raw < 1 << 64 and (len(groups) == 1 or groups[-1] != 0))
    _want(-(1 << (bits - 1)) <= number < 1 << (bits - 1))
    return number, end + 1


def _read(schema: Schema, body: bytes, at: int) -> tuple[Any, int]:  # noqa: PLR0911  (as above)
    if isinstance(schema, str):
        return _primitive(schema, body, at)
    if isinstance(schema, list):
        index, at = _whole(body, at, 32)
        _want(0 <= index < len(schema))
        return _read(schema[index], body, at)
    match schema["type"]:
        case "record":
            record = {}
            for field in schema["fields"]:
                record[field["name"]], at = _read(field["type"], body, at)
            return record, at
        case "array":
            items, at = _blocks(schema["items"], body, at)
            return items, at
        case "map":
            pairs, at = _blocks({"type": "record", "fields": _pair(schema["values"])}, body, at)
            _want(len({pair["key"] for pair in pairs}) == len(pairs))
            return {pair["key"]: pair["value"] for pair in pairs}, at
        case "enum":
            index, at = _whole(body, at, 32)
            _want(0 <= index < len(schema["symbols"]))
            return schema["symbols"][index], at
        case "fixed":
            return _take(body, at, schema["size"])
    return _read(schema["type"], body, at)


def _pair(schema: Schema) -> list[Schema]:
    return [{"name": "key", "type": "string"}, {"name": "value", "type": schema}]


def _blocks(schema: Schema, body: bytes, at: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    while True:
        count, at = _whole(body, at)
        if count == 0:
            return items, at
        end = None
        if count < 0:
            size, at = _whole(body, at)
            end = at + size
        _want(abs(count) <= len(body) - at)
        for _ in range(abs(count)):
            item, at = _read(schema, body, at)
            items.append(item)
        _want(end is None or at == end)


def _primitive(kind: str, body: bytes, at: int) -> tuple[Any, int]:
    match kind:
        case "null":
            return None, at
        case "boolean":
            raw, at = _take(body, at, 1)
            _want(raw in (b"\0", b"\1"))
            return raw == b"\1", at
        case "int" | "long":
            return _whole(body, at, 32 if kind == "int" else 64)
        case "float" | "double":
            raw, at = _take(body, at, 4 if kind == "float" else 8)
            return struct.unpack("<f" if kind == "float" else "<d", raw)[0], at
    size, at = _whole(body, at)
    raw, at = _take(body, at, size)
    if kind == "bytes":
        return raw, at
    try:
        return raw.decode("utf-8"), at
    except UnicodeDecodeError:
        raise Bad from None
