"""``mesh publish``: records from a file or standard input to a product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mesh.cli.console import note, progress, told
from mesh.connection import Mesh
from mesh.errors import Broken, ContractViolation
from mesh.producer import READERS, BadRow, Publisher, Row, count_lines, open_text

_STDIN = Path("-")


class Format(StrEnum):
    """How records are written in the file."""

    NDJSON = "ndjson"
    CSV = "csv"


@told
def publish(
    product: Annotated[str, typer.Argument(help="<domain>.<product>.")],
    file: Annotated[Path, typer.Argument(help="A file, also .gz or .zip; - is standard input.")] = _STDIN,
    format_: Annotated[Format | None, typer.Option("--format", help="Else by the file's name; NDJSON.")] = None,
    as_: Annotated[str | None, typer.Option("--as", help="Principal; else the configured one or the domain.")] = None,
    no_check: Annotated[bool, typer.Option("--no-check", help="Leave the verdict to the gate alone.")] = False,
    origin: Annotated[bool, typer.Option(help="Say in each record which file and line it came from.")] = True,
) -> None:
    """Publish the records of a file; lines that are no records of the contract are reported and not sent."""
    with Mesh.connect() as mesh, mesh.producer(product, check=not no_check, principal=as_) as publisher:
        run = _Run(publisher, "stdin" if file == _STDIN else file.name, origin)
        total = None if file == _STDIN else count_lines(file)
        with progress(product, total) as advance, open_text(file) as source:
            rows = READERS[format_ or _format_of(file)](source, publisher.contract)
            for row in rows:
                run.take(row)
                advance(row.line - run.line)
                run.line = row.line
    run.conclude()


def _format_of(file: Path) -> Format:
    return Format.CSV if ".csv" in file.suffixes else Format.NDJSON


@dataclass(slots=True)
class _Run:
    """One file on its way."""

    publisher: Publisher
    name: str
    with_origin: bool
    line: int = 0
    refused: int = 0

    def take(self, row: Row | BadRow) -> None:
        """Send a record, or say why not."""
        if isinstance(row, BadRow):
            self._refuse(row.line, [row.finding])
            return
        try:
            self.publisher.publish(row.record, origin=f"{self.name}#{row.line}" if self.with_origin else None)
        except ContractViolation as violation:
            self._refuse(row.line, violation.findings)

    def _refuse(self, line: int, findings: Sequence[Broken]) -> None:
        self.refused += 1
        for finding in findings:
            note(f"{self.name}:{line}: {finding.path or 'the record'}: {finding.reason} ({finding.clause})")

    def conclude(self) -> None:
        """The summary; exit code 3 when a line was refused."""
        sent, product = self.publisher.published, self.publisher.product
        note(f"published {sent:,} of {sent + self.refused:,} records to {product}, refused {self.refused:,}")
        if self.refused:
            raise typer.Exit(ContractViolation.exit_code)
