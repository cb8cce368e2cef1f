"""Avro's shapes as Arrow's types, and plain values as Arrow holds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import pyarrow as pa

from mesh.contract.shape import Array, Enum, Fixed, Logical, Map, Primitive, Record, Shape, Union
from mesh.errors import UsageError
from mesh.judge.logical import decimal_of

Convert = Callable[[Any], Any]
Leaf = Callable[[Logical], Convert | None]

_PRIMITIVES: Final = {
    "null": pa.null(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "bytes": pa.binary(),
    "string": pa.string(),
}
_UTC: Final = "UTC"
_LOGICAL: Final = {
    "date": pa.date32(),
    "time-millis": pa.time32("ms"),
    "time-micros": pa.time64("us"),
    "timestamp-millis": pa.timestamp("ms", _UTC),
    "timestamp-micros": pa.timestamp("us", _UTC),
    "timestamp-nanos": pa.timestamp("ns", _UTC),
    "local-timestamp-millis": pa.timestamp("ms"),
    "local-timestamp-micros": pa.timestamp("us"),
    "local-timestamp-nanos": pa.timestamp("ns"),
}
_MOST_DIGITS: Final = 76
_NARROW_DIGITS: Final = 38


def arrow_type(shape: Shape, path: str) -> Any:
    """The type of a field; raises UsageError for unions of several types and decimals beyond Arrow's."""
    match shape:
        case Record(fields=fields):
            found = pa.struct([pa.field(each.name, arrow_type(each.type, f"{path}.{each.name}")) for each in fields])
        case Array(items=items):
            found = pa.list_(arrow_type(items, f"{path}[]"))
        case Map(values=values):
            found = pa.map_(pa.string(), arrow_type(values, f"{path}{{}}"))
        case Union():
            found = arrow_type(branch_of(shape, path), path)
        case Primitive() | Fixed():
            found = _of_logical(shape, path) if shape.logical is not None else _stored(shape)
        case Enum():
            found = pa.string()
    return found


def branch_of(shape: Union, path: str) -> Shape:
    """What a union holds beside null; raises UsageError where that is several types."""
    others = [each for each in shape.branches if each.kind != "null"]
    if len(others) > 1:
        raise UsageError(f"{path} is a union of several types, which is no Arrow column; take its product with batch")
    return others[0] if others else Primitive("null")


def _converting(shape: Shape, leaf: Leaf) -> Convert | None:
    """What turns a value into one that Arrow takes for its type; None where it is one. ``leaf`` says it of scalars."""
    match shape:
        case Record(fields=fields):
            parts = {each.name: found for each in fields if (found := _converting(each.type, leaf)) is not None}
            return _over(lambda value: value | {name: part(value[name]) for name, part in parts.items()}, parts)
        case Array(items=items):
            item = _converting(items, leaf)
            return _over(lambda value: [item(each) for each in value] if item else value, item)
        case Map(values=values):
            entry = _converting(values, leaf)
            return _over(lambda value: {key: entry(each) if entry else each for key, each in value.items()}, entry)
        case Union():
            return _converting(branch_of(shape, ""), leaf)
        case Primitive(logical=Logical() as logical) | Fixed(logical=Logical() as logical):
            found = leaf(logical)
            return _over(found, found) if found is not None else None
    return None


def _of_plain(logical: Logical) -> Convert | None:
    """Arrow takes plain values as they are, decimals excepted."""
    return (lambda value: decimal_of(value, logical.scale)) if logical.name == "decimal" else None


def _of_people(logical: Logical) -> Convert | None:
    """Arrow takes Python's own types, UUIDs excepted."""
    return str if logical.name == "uuid" else None


def array_of(values: Sequence[Any], shape: Shape, kind: Any) -> Any:
    """Plain values, None for null, as an Arrow array."""
    return _array(values, _converting(shape, _of_plain), kind)


def array_of_people(values: Sequence[Any], shape: Shape, kind: Any) -> Any:
    """Values of Python's own types, as records have them, as an Arrow array."""
    return _array(values, _converting(shape, _of_people), kind)


def _array(values: Sequence[Any], convert: Convert | None, kind: Any) -> Any:
    return pa.array(values if convert is None else [convert(each) for each in values], kind)


def _over(convert: Convert, needed: object) -> Convert | None:
    return (lambda value: None if value is None else convert(value)) if needed else None


def _stored(shape: Primitive | Fixed) -> Any:
    return pa.binary(shape.size) if isinstance(shape, Fixed) else _PRIMITIVES[shape.kind]


def _of_logical(shape: Primitive | Fixed, path: str) -> Any:
    logical = shape.logical
    if logical is None or logical.name != "decimal":
        return _LOGICAL.get(str(logical)) or _stored(shape)
    if logical.precision > _MOST_DIGITS:
        raise UsageError(f"{path} is a decimal of {logical.precision} digits; Arrow holds {_MOST_DIGITS}")
    narrow = logical.precision <= _NARROW_DIGITS
    return (pa.decimal128 if narrow else pa.decimal256)(logical.precision, logical.scale)
