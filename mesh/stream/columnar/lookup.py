"""Rows of other products beside the records of a batch, and which of them each record's outputs are made from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import pyarrow as pa

from mesh.consumer.record import Record
from mesh.contract import Contract
from mesh.contract import shape as avro
from mesh.errors import UsageError
from mesh.lineage import ParentSet, Reference
from mesh.stream.arrival import reference_of
from mesh.stream.columnar.making import row_numbers
from mesh.stream.columnar.types import array_of_people, arrow_type
from mesh.stream.tables import Tables


class LookedUp:
    """A product whose rows are given as columns: those of its contract's fields."""

    def __init__(self, contract: Contract) -> None:
        """Raises UsageError where a field has no form in Arrow."""
        shape = avro.shape_of(contract.value_schema)
        if not isinstance(shape, avro.Record):
            raise UsageError(f"{contract.product} has no record for a value, so it has no columns")
        self._shapes = {each.name: each.type for each in shape.fields}
        self._schema = pa.schema([pa.field(name, arrow_type(each, name)) for name, each in self._shapes.items()])
        self.key_fields = contract.key_fields
        self._of_key = [_as_key(self._shapes.get(name)) for name in contract.key_fields]

    def keys(self, columns: Sequence[Any]) -> list[Any]:
        """A key for each row, as the product's own records have it."""
        parts = [each.to_pylist() for each in columns]
        if len(parts) == len(self._of_key):
            parts = [each if of is None else [*map(of, each)] for of, each in zip(self._of_key, parts, strict=True)]
        return parts[0] if len(parts) == 1 else list(zip(*parts, strict=True))

    def batch(self, found: Sequence[Record | None]) -> Any:
        """A row for each record, with nulls where there is none; equal rows are converted once."""
        numbers: dict[int, int] = {}
        distinct: list[dict[str, Any]] = []
        places: list[int | None] = []
        for each in found:
            if each is None or each.value is None:
                places.append(None)
                continue
            number = numbers.setdefault(id(each), len(distinct))
            if number == len(distinct):
                distinct.append(each.value)
            places.append(number)
        arrays = [
            array_of_people([row.get(name) for row in distinct], shape, self._schema.field(name).type)
            for name, shape in self._shapes.items()
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema).take(pa.array(places, pa.int64()))


def _as_key(shape: avro.Shape | None) -> Callable[[Any], Any] | None:
    """What a column's value is in a key; None where it is the same: Arrow has texts for UUIDs."""
    if isinstance(shape, avro.Primitive) and shape.logical is not None and shape.logical.name == "uuid":
        return _uuid
    return None


def _uuid(text: Any) -> Any:
    try:
        return UUID(text) if isinstance(text, str) else text
    except ValueError:
        return text


class ColumnStep:
    """One call of a function over columns. What is looked up becomes a parent of the outputs of its row.

    It ends with the call: used afterwards it raises UsageError.
    """

    def __init__(self, count: int, tables: Tables, products: Mapping[str, LookedUp]) -> None:
        self._count, self._tables, self._products = count, tables, products
        self._found: defaultdict[int, list[Reference]] = defaultdict(list)
        self._over = False

    def lookup(self, product: str, batch: Any, *on: str, asof: str | None = None) -> Any:
        """The rows of an input that is looked up, one beside each row of ``batch``, with nulls where there is none.

        ``batch`` is the one that the function was given, or what it made of that and has the column ``mesh-row``. Its
        columns ``on`` hold the fields of the key in their order; without them those that are called like them. With
        ``asof``, a column of times, the latest row of that time or earlier, as ``step.lookup`` of a single record
        finds it; a row without a time finds nothing. Raises UsageError for what is no input and no column.
        """
        if self._over:
            raise UsageError("the call of this step is over: what it finds now could not be told as a parent")
        table, columns = self._tables[product], self._products[product]
        rows = row_numbers(batch, self._count)
        keys = columns.keys([_column(batch, name) for name in on or columns.key_fields])
        if asof is None:
            found = [table.find(key) for key in keys]
        else:
            times = _column(batch, asof).to_pylist()
            found = [None if time is None else table.find(key, time) for key, time in zip(keys, times, strict=True)]
        self._note(rows, found)
        return columns.batch(found)

    def _note(self, rows: Sequence[int], found: Sequence[Record | None]) -> None:
        for row, record in zip(rows, found, strict=True):
            if record is not None:
                self._found[row].append(reference_of(record.coordinate))

    def parents(self, row: int, driving: Reference) -> ParentSet | None:
        """What outputs of a row are made from; None where that is its own record alone."""
        found = self._found.get(row)
        return None if found is None else ParentSet.of([driving, *found])

    def close(self) -> None:
        """The call has returned."""
        self._over = True


def _column(batch: Any, name: str) -> Any:
    if name not in batch.schema.names:
        raise UsageError(f"the batch has no column {name!r} to look up by; it has {', '.join(batch.schema.names)}")
    return batch.column(name)
