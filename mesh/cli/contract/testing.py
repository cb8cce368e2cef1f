"""``mesh contract test``: every contract proved by its golden and by generated records, without broker or network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mesh.cli.console import emit, emit_json, note, stderr, told
from mesh.cli.contract.documents import documents_at
from mesh.cli.contract.junit import write_junit
from mesh.errors import ContractInvalid
from mesh.testing.cases import Outcome, Status, run_cases
from mesh.testing.evolution import Previous
from mesh.testing.junit import junit as report

_HERE = [Path("contracts")]


@told
def test(
    paths: Annotated[list[Path] | None, typer.Argument(metavar="[FILE|FOLDER]...", help="Else contracts/.")] = None,
    against: Annotated[str | None, typer.Option(metavar="REV", help="Last version: revision or file.")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write JUnit XML.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed draws the same records.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Prove contracts offline: golden records, generated ones for every clause, the last version; exit 3 on failure."""
    documents = [file for path in paths or _HERE for file in documents_at(path)]
    outcomes = list(run_cases(documents, Previous(against) if against else None, seed))
    if junit:
        write_junit(junit, report(outcomes))
    failed = [outcome for outcome in outcomes if outcome.status is Status.FAILED]
    if json:
        emit_json({"passed": not failed, "cases": [_row(outcome) for outcome in outcomes]})
    else:
        _tell(outcomes, failed)
    if failed:
        stderr().print(_summary(documents, outcomes), markup=False, style="red")
        raise typer.Exit(ContractInvalid.exit_code)
    note(_summary(documents, outcomes))


def _tell(outcomes: Sequence[Outcome], failed: Sequence[Outcome]) -> None:
    for outcome in failed:
        emit(f"{outcome.case.file}:{outcome.case.line}: {outcome.case.group}: {outcome.case.name}")
        for line in outcome.text.splitlines():
            emit(f"    {line}")
    for outcome in outcomes:
        if outcome.status is Status.SKIPPED:
            note(f"not proved: {outcome.case.file.name}: {outcome.case.name}: {outcome.text}")


def _row(outcome: Outcome) -> dict[str, Any]:
    case = outcome.case
    place = {"file": str(case.file), "line": case.line, "group": case.group, "name": case.name}
    return {**place, "status": str(outcome.status), "text": outcome.text}


def _summary(documents: Sequence[Path], outcomes: Sequence[Outcome]) -> str:
    counts = {status: sum(outcome.status is status for outcome in outcomes) for status in Status}
    told_of = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    return f"{len(documents)} contract(s), {len(outcomes)} cases: {told_of}"
