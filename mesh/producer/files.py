"""Records in files: CSV and NDJSON, typed by a contract, with the place of every record and of every bad line."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, TextIO, TypeAlias, cast
from zipfile import BadZipFile, ZipFile

from mesh.contract import Contract
from mesh.contract.shape import Record, shape_of
from mesh.errors import NotFound, UsageError
from mesh.producer.reading import NULLS, Misread, Read, cell_reader, json_reader
from mesh.types import Finding

MISREAD_CLAUSE = "line.misread"
"""The clause of a finding about a line that is no record."""

# A cell as long as the largest record; the csv module's own 128 KiB would refuse what the mesh takes.
_LONGEST_CELL = 20_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """A record of a file. ``number`` counts records from 1; ``line`` is where it ends in the file, from 1."""

    number: int
    line: int
    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line that is no record of the contract, and why."""

    number: int
    line: int
    finding: Finding


def csv_rows(source: Iterable[str], contract: Contract) -> Iterator[Row | BadRow]:
    """The rows of a CSV with a header of field names, each cell typed by its field.

    Empty cells and ``NA`` are null; times are ISO 8601, UTC where they name no zone; records, arrays and maps are JSON.
    Raises UsageError for a header that is missing or names what is not a field.
    """
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(source, strict=True)
    names = next(reader, None)
    if not names:
        raise UsageError("the CSV is empty; its first line names the fields")
    columns = _columns(names, contract)
    number = 0
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            number += 1
            yield _bad(number, reader.line_num, "", f"is not CSV: {error}")
            continue
        if cells is None:
            return
        if cells:
            number += 1
            yield _row(number, reader.line_num, names, columns, cells)


def _columns(names: Sequence[str], contract: Contract) -> list[Read | None]:
    shape = shape_of(contract.value_schema)
    types = {part.name: part.type for part in shape.fields} if isinstance(shape, Record) else {}
    unknown = [name for name in names if name not in types]
    if unknown or len(set(names)) < len(names):
        told = f"has no field {', '.join(unknown)}" if unknown else "would get a field twice"
        raise UsageError(f"the CSV does not fit: {contract.product} {told}; its fields are {', '.join(types)}")
    readers = [cell_reader(types[name]) for name in names]
    return [None if read is str else read for read in readers]


def _row(
    number: int, line: int, names: Sequence[str], columns: Sequence[Read | None], cells: Sequence[str]
) -> Row | BadRow:
    try:
        record = {
            name: None if cell in NULLS else cell if read is None else read(cell)
            for name, read, cell in zip(names, columns, cells, strict=True)
        }
    except ValueError:
        return _misread(number, line, names, columns, cells)
    return Row(number, line, record)


def _misread(
    number: int, line: int, names: Sequence[str], columns: Sequence[Read | None], cells: Sequence[str]
) -> BadRow:
    if len(cells) != len(names):
        return _bad(number, line, "", f"has {len(cells)} cells, the header {len(names)}")
    for name, read, cell in zip(names, columns, cells, strict=True):
        if read is not None and cell not in NULLS:
            try:
                read(cell)
            except ValueError as error:
                return _bad(number, line, _path(name, error), str(error))
    raise AssertionError("a row was refused, but every cell of it reads")


def ndjson_rows(source: Iterable[str], contract: Contract) -> Iterator[Row | BadRow]:
    """One JSON object a line. Times may be ISO 8601 or numbers, bytes are base64, decimals are texts or numbers."""
    read = json_reader(shape_of(contract.value_schema))
    number = 0
    for line, text in enumerate(source, 1):
        if text.strip():
            number += 1
            yield _json_row(number, line, text, read)


def _json_row(number: int, line: int, text: str, read: Read | None) -> Row | BadRow:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return _bad(number, line, "", "is not JSON")
    if not isinstance(value, dict):
        return _bad(number, line, "", "is not a JSON object")
    try:
        return Row(number, line, read(value) if read else value)
    except ValueError as error:
        return _bad(number, line, _path("", error), str(error))


def _path(name: str, error: ValueError) -> str:
    below = error.path if isinstance(error, Misread) else ""
    return ".".join(part for part in (name, below) if part)


def _bad(number: int, line: int, path: str, reason: str) -> BadRow:
    return BadRow(number, line, Finding(MISREAD_CLAUSE, path, reason))


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """A text file, plain, gzipped, or the only member of a ZIP archive; ``-`` is standard input.

    What is not UTF-8 is kept apart from all text, so that only the records it is in are refused. Raises NotFound and
    UsageError.
    """
    try:
        with _opened(path) as raw:
            text = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="")
            try:
                yield text
            finally:
                text.detach()  # or it would close standard input
    except FileNotFoundError:
        raise NotFound("file", str(path)) from None
    except (IsADirectoryError, PermissionError, BadZipFile, gzip.BadGzipFile) as error:
        raise UsageError(f"cannot read {path}: {error}") from None


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    if str(path) == "-":
        yield sys.stdin.buffer
    elif path.suffix == ".zip":
        with ZipFile(path) as archive, archive.open(_only_member(path, archive.namelist())) as member:
            yield member
    elif path.suffix == ".gz":
        with gzip.open(path) as unpacked:
            yield cast("IO[bytes]", unpacked)
    else:
        with path.open("rb") as plain:
            yield plain


def _only_member(path: Path, names: Sequence[str]) -> str:
    if len(names) != 1:
        raise UsageError(f"{path} holds {len(names)} files; unpack it and name the one to publish")
    return names[0]


def count_lines(path: Path) -> int:
    """How many lines a file has, for a progress bar: quoted line breaks of a CSV count too."""
    with open_text(path) as lines:
        return sum(1 for _ in lines)


Reader: TypeAlias = Callable[[Iterable[str], Contract], Iterator[Row | BadRow]]

READERS: Final[Mapping[str, Reader]] = {"csv": csv_rows, "ndjson": ndjson_rows}
"""The formats by name."""
