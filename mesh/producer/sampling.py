"""Records of a file for which there is no contract yet: a table's cells as texts, NDJSON as JSON has it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from operator import itemgetter
from random import Random
from typing import Any, TypeVar

from mesh.errors import UsageError
from mesh.producer.reading import NULLS

T = TypeVar("T")

# A cell as long as the largest record; the csv module's own 128 KiB would refuse what the mesh takes.
_LONGEST_CELL = 20_000_000


def sample_csv(source: Iterable[str], count: int) -> list[dict[str, Any]]:
    """``count`` rows from all over a table, in order, under a header of names; empty cells and ``NA`` are null.

    Raises UsageError, naming the line, for a table that no contract could be read from.
    """
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(source, strict=True)
    try:
        names = next(reader, None)
        if not names:
            raise UsageError("the CSV is empty; its first line names the fields")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UsageError(f"the CSV names {', '.join(twice)} twice; give each column a name of its own")
        chosen = _spread(((reader.line_num, cells) for cells in reader if cells), count)
    except csv.Error as error:
        raise UsageError(f"line {reader.line_num} is not CSV: {error}") from None
    return [_row(line, names, cells) for line, cells in chosen]


def _row(line: int, names: list[str], cells: list[str]) -> dict[str, Any]:
    if len(cells) != len(names):
        raise UsageError(f"line {line} has {len(cells)} cells, the header {len(names)}")
    return {name: None if cell in NULLS else _utf8(cell, line) for name, cell in zip(names, cells, strict=True)}


def sample_ndjson(source: Iterable[str], count: int) -> list[dict[str, Any]]:
    """``count`` objects, one a line, from all over a file, in order; raises UsageError, naming the line."""
    lines = ((line, text) for line, text in enumerate(source, 1) if text.strip())
    return [_object(line, text) for line, text in _spread(lines, count)]


def _object(line: int, text: str) -> dict[str, Any]:
    try:
        value = json.loads(_utf8(text, line))
    except (ValueError, RecursionError):
        raise UsageError(f"line {line} is not JSON") from None
    if not isinstance(value, dict):
        raise UsageError(f"line {line} is not a JSON object")
    return value


def _spread(lines: Iterable[tuple[int, T]], count: int) -> list[tuple[int, T]]:
    """So many lines, each as likely as any other (Vitter's algorithm R), and the same ones every time."""
    kept: list[tuple[int, T]] = []
    chance = Random(0)  # noqa: S311  (no secret)
    for number, line in enumerate(lines):
        if number < count:
            kept.append(line)
        elif (place := chance.randrange(number + 1)) < count:
            kept[place] = line
    return sorted(kept, key=itemgetter(0))


def _utf8(text: str, line: int) -> str:
    """The text; what was not UTF-8 came in as halves of surrogate pairs."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError(f"line {line} is not UTF-8 text") from None
    return text
