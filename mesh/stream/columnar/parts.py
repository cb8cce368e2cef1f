"""Arrow columns as the bytes of Avro, whole columns at once: how many bytes each row takes, then the bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mesh.contract.shape import Enum, Primitive, Shape, Union
from mesh.judge.columns.arrays import Ints, Octets, Words

_MORE: Final = 128
_BITS: Final = 7
_INT: Final = 1 << 31
_LARGEST_FLOAT: Final = 3.4028234663852886e38
_UNITS: Final = {"millis": "ms", "micros": "us", "nanos": "ns"}


class Unusual(Exception):
    """A column that is left to the encoder of rows, which converts it or says what is wrong with it."""


class Part(NamedTuple):
    """``sizes`` are the bytes of each row; ``write`` puts them into a buffer at the places of the rows."""

    sizes: Ints
    write: Callable[[Octets, Ints], None]


def part_of(shape: Shape, column: Any) -> Part:
    """A field of every row; raises Unusual, ArrowInvalid or ArrowNotImplementedError for what only rows can do."""
    if not isinstance(shape, Union):
        if column.null_count:
            raise Unusual
        return _value(shape, column)
    nulls = [number for number, branch in enumerate(shape.branches) if branch.kind == "null"]
    if len(shape.branches) != 2 or len(nulls) != 1:
        raise Unusual
    return _optional(shape.branches[1 - nulls[0]], column, null=2 * nulls[0])


def nothing(count: int, shape: Shape) -> Part:
    """A field that a table does not have; raises Unusual where that is not null."""
    if not isinstance(shape, Union) or shape.branches[0].kind != "null":
        raise Unusual

    def write(buffer: Octets, at: Ints) -> None:
        buffer[at] = 0

    return Part(np.ones(count, np.int64), write)


def _optional(shape: Shape, column: Any, null: int) -> Part:
    there = column.is_valid().to_numpy(zero_copy_only=False)
    inner = _value(shape, column.drop_null())
    sizes = np.ones(len(there), np.int64)
    sizes[there] += inner.sizes

    def write(buffer: Octets, at: Ints) -> None:
        buffer[at] = np.where(there, 2 - null, null)
        inner.write(buffer, at[there] + 1)

    return Part(sizes, write)


def _value(shape: Shape, column: Any) -> Part:
    if isinstance(shape, Enum):
        return _numbers(_whole(pc.index_in(column, pa.array(shape.symbols)), _INT))
    if not isinstance(shape, Primitive):
        raise Unusual
    if shape.logical is not None:
        return _numbers(_moments(str(shape.logical), column))
    if shape.kind in ("int", "long"):
        return _numbers(_whole(column, _INT if shape.kind == "int" else 0))
    if shape.kind == "string":
        return _texts(column)
    return _flat(shape.kind, column)


def _whole(column: Any, limit: int) -> Ints:
    if column.null_count or not pa.types.is_integer(column.type):
        raise Unusual
    values: Ints = column.cast(pa.int64()).to_numpy()
    if limit and len(values) and not (-limit <= values.min() and values.max() < limit):
        raise Unusual
    return values


def _moments(logical: str, column: Any) -> Ints:
    """Numbers as they are; times in the unit of the field, which must hold them exactly."""
    if logical == "date" and column.type == pa.date32():
        return _whole(column.view(pa.int32()), _INT)
    kind, _, unit = logical.rpartition("-")
    if unit not in _UNITS or kind not in ("timestamp", "local-timestamp"):
        raise Unusual
    if pa.types.is_integer(column.type):
        return _whole(column, 0)
    if not pa.types.is_timestamp(column.type) or (column.type.tz is None) == (kind == "timestamp"):
        raise Unusual
    return _whole(column.cast(pa.timestamp(_UNITS[unit], column.type.tz)).view(pa.int64()), 0)


def _flat(kind: str, column: Any) -> Part:
    """Of so many bytes each: doubles, floats, booleans."""
    if kind == "boolean":
        if not pa.types.is_boolean(column.type):
            raise Unusual
        return _fixed(column.to_numpy(zero_copy_only=False).astype(np.uint8).reshape(-1, 1))
    if kind not in ("float", "double") or column.type not in (pa.float32(), pa.float64()):
        raise Unusual
    values = column.to_numpy()
    if kind == "float" and not (np.abs(values) <= _LARGEST_FLOAT).all():
        raise Unusual
    return _fixed(values.astype("<f4" if kind == "float" else "<f8").view(np.uint8).reshape(len(values), -1))


def _fixed(octets: Octets) -> Part:
    rows, size = octets.shape

    def write(buffer: Octets, at: Ints) -> None:
        for number in range(size):
            buffer[at + number] = octets[:, number]

    return Part(np.full(rows, size, np.int64), write)


def _numbers(values: Ints) -> Part:
    """Zigzag varints in their shortest form."""
    raw: Words = ((values << 1) ^ (values >> 63)).view(np.uint64)
    sizes, most = np.ones(len(raw), np.int64), int(raw.max(initial=0))
    steps = [_BITS * number for number in range(1, 10) if most >> _BITS * number]
    for step in steps:
        sizes += raw >= np.uint64(1 << step)

    def write(buffer: Octets, at: Ints) -> None:
        for number, step in enumerate([0, *steps]):
            rows = slice(None) if number == 0 else np.flatnonzero(sizes > number)
            octets = (raw[rows] >> np.uint64(step)).astype(np.uint8) & np.uint8(_MORE - 1)
            octets |= (sizes[rows] > number + 1).view(np.uint8) << np.uint8(_BITS)
            buffer[at[rows] + number] = octets

    return Part(sizes, write)


def _texts(column: Any) -> Part:
    column = _as_strings(column)
    _, offsets, content = column.buffers()
    ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1].astype(np.int64)
    lengths = np.diff(ends)
    octets = np.frombuffer(content or b"", np.uint8)[ends[0] : ends[-1]]
    head = _numbers(lengths)

    def write(buffer: Octets, at: Ints) -> None:
        head.write(buffer, at)
        # For each byte its place: where its text begins in the buffer, less what lies before that text here.
        buffer[(at + head.sizes - (ends[:-1] - ends[0])).repeat(lengths) + np.arange(len(octets))] = octets

    return Part(head.sizes + lengths, write)


def _as_strings(column: Any) -> Any:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if kind not in (pa.string(), pa.large_string(), pa.string_view()):
        raise Unusual
    return column if column.type == pa.string() else column.cast(pa.string())
