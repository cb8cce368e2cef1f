"""``mesh contract check``: documents against the standard, the lint and their own rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mesh.cli.console import emit, emit_json, note, stderr, told
from mesh.contract import Contract
from mesh.errors import ContractInvalid, NotFound

SUFFIX = ".odcs.yaml"


@told
def check(
    paths: Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER...", help="ODCS documents, or folders of them.")],
    json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Check documents against the standard, the Avro lint and their own rules; exit 3 if anything is wrong."""
    files = [file for path in paths for file in _documents(path)]
    problems = {str(file): _problems(file) for file in files}
    found = [problem for of_file in problems.values() for problem in of_file]
    if json:
        documents = [{"file": file, "valid": not of_file, "problems": of_file} for file, of_file in problems.items()]
        emit_json({"valid": not found, "documents": documents})
    else:
        for problem in found:
            emit(problem)
    if found:
        bad = sum(bool(of_file) for of_file in problems.values())
        stderr().print(f"{len(found)} problem(s) in {bad} of {len(files)} contract(s)", markup=False, style="red")
        raise typer.Exit(ContractInvalid.exit_code)
    note(f"{len(files)} contract(s) checked, nothing wrong")


def _documents(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(path.rglob(f"*{SUFFIX}"))
    if not files:
        raise NotFound("contract", str(path), f"documents end in {SUFFIX}")
    return files


def _problems(file: Path) -> list[str]:
    try:
        Contract.read(file)
    except ContractInvalid as error:
        return list(error.problems)
    return []
