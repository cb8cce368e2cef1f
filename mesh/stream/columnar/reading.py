"""Bodies of one schema as a record batch: flat fields without a Python object for each, all others by the rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from mesh.contract import AvroSchema
from mesh.contract.shape import Record, RecordField
from mesh.errors import UsageError
from mesh.judge.columns.arrays import Bools, Ints, Unsupported, flip
from mesh.judge.columns.column import Column, Real, Symbol, Text, Truth, Whole
from mesh.judge.columns.cursor import Cursor
from mesh.judge.columns.layout import Layout
from mesh.judge.columns.wire import Wire
from mesh.judge.frame import PREFIX
from mesh.judge.rows import RowCodec
from mesh.stream.columnar.types import array_of, arrow_type

ROW: Final = "mesh-row"
"""The column that says which row each is; no field of Avro can have this name."""

_FLAT: Final = ("int", "long", "float", "double", "boolean", "string", "enum")


class ArrowReader:
    """Reads framed bodies of one schema; raises UsageError for a schema that has no form in Arrow."""

    def __init__(self, schema: AvroSchema) -> None:
        self._rows = RowCodec(schema)
        shape = self._rows.shape
        if not isinstance(shape, Record):
            raise UsageError("columns are those of a record, and this schema is none; take its product with batch")
        self._fields = shape.fields
        self._types = {each.name: arrow_type(each.type, each.name) for each in shape.fields}
        self._layout = _layout(shape)
        self.schema = pa.schema([pa.field(ROW, pa.int32()), *(pa.field(*each) for each in self._types.items())])

    def read(self, payloads: Sequence[bytes]) -> Any:
        """One row for each payload; raises MalformedBody."""
        columns = self._columns(payloads)
        rows = (
            None if columns is not None and not self._deep else [self._rows.decode(each[PREFIX:]) for each in payloads]
        )
        arrays = [self._array(each, columns, rows) for each in self._fields]
        return pa.RecordBatch.from_arrays([numbered(len(payloads)), *arrays], schema=self.schema)

    def retracted(self, keys: Sequence[dict[str, Any]]) -> Any:
        """Rows of records without a value: the fields of their keys, as plain values, and nulls."""
        arrays = [
            array_of([key.get(each.name) for key in keys], each.type, self._types[each.name]) for each in self._fields
        ]
        return pa.RecordBatch.from_arrays([numbered(len(keys)), *arrays], schema=self.schema)

    @property
    def _deep(self) -> bool:
        """Whether a field needs the rows."""
        return any(not self._flat(each) for each in self._fields)

    def _flat(self, field: RecordField) -> bool:
        slot = self._layout.slots[field.name] if self._layout is not None else None
        return slot is not None and slot.shape.kind in _FLAT and slot.logical != "decimal"

    def _columns(self, payloads: Sequence[bytes]) -> list[Column] | None:
        """All columns; None where only the rows can tell them, or that a body is malformed."""
        if self._layout is None:
            return None
        cursor = Cursor(Wire(payloads, self._layout.room), PREFIX, len(self._layout.slots))
        self._layout.read(cursor)
        return cursor.columns if cursor.done().all() else None

    def _array(self, field: RecordField, columns: list[Column] | None, rows: Sequence[Any] | None) -> Any:
        kind = self._types[field.name]
        if columns is None or self._layout is None or not self._flat(field):
            return array_of([each[field.name] for each in rows or ()], field.type, kind)
        return _filled(columns[self._layout.slots[field.name].number], kind)


def numbered(count: int) -> Any:
    """Row numbers."""
    return pa.array(np.arange(count, dtype=np.int32))


def _layout(shape: Record) -> Layout | None:
    try:
        return Layout.of(shape, ())
    except Unsupported:
        return None


def _filled(column: Column, kind: Any) -> Any:
    null = None if column.live is None else flip(column.live)
    match column:
        case Text():
            return _texts(column, null)
        case Symbol():
            indexes = np.clip(column.values, 0, len(column.symbols) - 1).astype(np.int32)
            return pa.DictionaryArray.from_arrays(pa.array(indexes, mask=null), list(column.symbols)).cast(pa.string())
        case Whole():
            return _numbers(column.values, null, kind)
        case Real():
            return pa.array(column.values.astype(np.float32 if kind == pa.float32() else np.float64), mask=null)
        case Truth():
            return pa.array(column.values, mask=null)
    raise TypeError(type(column).__name__)


def _numbers(values: Ints, null: Bools | None, kind: Any) -> Any:
    wide = kind.bit_width == 64
    plain = pa.array(values if wide else values.astype(np.int32), pa.int64() if wide else pa.int32(), mask=null)
    return plain if kind == plain.type else plain.view(kind)


def _texts(column: Text, null: Bools | None) -> Any:
    sizes: Ints = column.sizes if column.live is None else np.where(column.live, column.sizes, 0)
    ends: Ints = sizes.cumsum()
    total = int(ends[-1]) if len(ends) else 0
    # For each byte of the result its place in the wire: a text's place, less what lies before it in the result.
    ahead: Ints = column.starts - ends + sizes
    places = ahead.repeat(sizes) + np.arange(total)
    offsets = np.zeros(len(ends) + 1, np.int32)
    offsets[1:] = ends
    content = pa.py_buffer(column.wire.octets.take(places).tobytes())
    valid = None if null is None else pa.array(flip(null)).buffers()[1]
    return pa.StringArray.from_buffers(len(sizes), pa.py_buffer(offsets), content, valid)
