"""Tables of outputs as the keys and values that go to the ingress."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from mesh.contract import Contract
from mesh.contract.shape import Record, Shape, shape_of
from mesh.judge.columns.arrays import Ints, Octets
from mesh.judge.frame import prefix
from mesh.producer.encoding import RecordEncoder
from mesh.stream.arrival import Encoded
from mesh.stream.columnar.parts import Part, Unusual, nothing, part_of

_LEFT: Final = (Unusual, pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError)


class TableEncoder:
    """Encodes whole columns where they are of the schema as they are.

    Everything else goes through ``RecordEncoder`` row by row, which stays the one authority for what a record may hold.
    """

    def __init__(self, contract: Contract, rows: RecordEncoder) -> None:
        self._rows = rows
        self._value = _Framed(prefix(rows.value_id), _fields(shape_of(contract.value_schema)))
        self._key: _Framed | None = None
        if rows.key_id is not None:
            shape = shape_of(contract.key_schema)
            single = {contract.key_fields[0]: shape} if len(contract.key_fields) == 1 else _fields(shape)
            self._key = _Framed(prefix(rows.key_id), single)

    def encode(self, table: Any) -> list[Encoded]:
        """Every row; raises EncodingRefused for one that is not of the schema."""
        try:
            return self._columns(table)
        except _LEFT:
            return [Encoded(self._rows.key_of(row), self._rows.value(row)) for row in plain_rows(table)]

    def _columns(self, table: Any) -> list[Encoded]:
        names = table.schema.names
        if len(set(names)) < len(names) or not self._value.shapes.keys() >= set(names):
            raise Unusual
        columns = {name: _whole(table.column(name)) for name in names}
        values = self._value.encode(columns, table.num_rows)
        keys = [None] * len(values) if self._key is None else self._key.encode(columns, table.num_rows)
        return list(map(Encoded, keys, values))


class _Framed:
    """Encodes records of these fields behind the id of their schema."""

    def __init__(self, head: bytes, shapes: Mapping[str, Shape]) -> None:
        self._head, self.shapes = np.frombuffer(head, np.uint8), shapes

    def encode(self, columns: Mapping[str, Any], count: int) -> Sequence[bytes]:
        """One payload for each row."""
        parts = [_part(shape, columns.get(name), count) for name, shape in self.shapes.items()]
        ends: Ints = np.sum([each.sizes for each in parts] + [np.full(count, len(self._head))], axis=0).cumsum()
        starts = np.concatenate([[0], ends[:-1]]) if count else ends
        buffer: Octets = np.zeros(int(ends[-1]) if count else 0, np.uint8)
        for number, octet in enumerate(self._head):
            buffer[starts + number] = octet
        at = starts + len(self._head)
        for part in parts:
            part.write(buffer, at)
            at = at + part.sizes
        raw = buffer.tobytes()
        return [raw[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]


def plain_rows(table: Any) -> list[dict[str, Any]]:
    """The rows of a table as Python's own values."""
    names = table.schema.names
    columns = [table.column(name).to_pylist(maps_as_pydicts="strict") for name in names]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _fields(shape: Shape) -> dict[str, Shape]:
    assert isinstance(shape, Record)  # noqa: S101  (what a contract makes of values, and of keys of several fields)
    return {each.name: each.type for each in shape.fields}


def _part(shape: Shape, column: Any, count: int) -> Part:
    return nothing(count, shape) if column is None else part_of(shape, column)


def _whole(column: Any) -> Any:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
