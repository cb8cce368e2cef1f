"""Whole batches at once: bodies of one schema to NumPy columns, clauses to masks over them, exact on every record."""

from mesh.judge.columns.arrays import Unsupported
from mesh.judge.columns.sift import ColumnSift, compile_columns

__all__ = ["ColumnSift", "Unsupported", "compile_columns"]
