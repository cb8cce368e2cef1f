"""What a function over columns gave, as a table, and which record each of its rows was made from."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from mesh.errors import UsageError
from mesh.stream.columnar.reading import ROW

Made: TypeAlias = tuple[list[int], Any]
"""For each output the row it was made from, ascending; and a table of the outputs, None where there are none."""


def rows_of(given: Any, count: int) -> Made:
    """The outputs of a batch of ``count`` rows; raises UsageError where their rows cannot be told."""
    if given is None:
        return [], None
    if not isinstance(given, pa.RecordBatch | pa.Table):
        raise UsageError(f"a function over columns gives a RecordBatch, a Table or None, not {type(given).__name__}")
    rows = _numbers(given, count)
    if rows is not None:
        order = np.argsort(rows, kind="stable") if (np.diff(rows) < 0).any() else None
        given = given.drop_columns([ROW])
        if order is not None:
            rows, given = rows[order], given.take(pa.array(order))
    return (list(range(count)) if rows is None else rows.tolist()), given


def row_numbers(batch: Any, count: int) -> list[int]:
    """Which of ``count`` rows those of a batch are; raises UsageError where that cannot be told."""
    rows = _numbers(batch, count)
    return list(range(count)) if rows is None else rows.tolist()


def _numbers(given: Any, count: int) -> Any:
    """The rows that outputs say they were made from; None where each is that of its own place."""
    if ROW not in given.schema.names:
        if given.num_rows != count:
            raise UsageError(
                f"it gives {given.num_rows} rows for {count} and does not say which record each was made from; keep "
                f"the column {ROW!r}, as filter() and take() do, or give as many rows in the same order"
            )
        return None
    column = given.column(ROW)
    if column.null_count or not pa.types.is_integer(column.type):
        raise UsageError(f"the column {ROW!r} says which row each output was made from: whole numbers, none null")
    rows = column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy()
    if len(rows) and not (rows.min() >= 0 and rows.max() < count):
        raise UsageError(f"the column {ROW!r} names rows that were not given; the batch has {count}")
    return rows.astype(np.int64)
