"""``mesh contract sample``: records that keep a contract, or break one clause of it, ready to be published."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from mesh.cli.console import emit, emit_json, note, told
from mesh.contract import Contract
from mesh.contract.sample import Sample, Sampler, Unreached, as_json
from mesh.errors import ContractInvalid, UsageError
from mesh.testing.judging import OfflineJudge


@told
def sample(
    file: Annotated[Path, typer.Argument(help="An ODCS document.")],
    number: Annotated[
        int, typer.Argument(metavar="N", min=1, help="How many records; of each clause, where asked.")
    ] = 10,
    breaking: Annotated[
        str | None, typer.Option(metavar="CLAUSE", help="Records that break this clause alone.")
    ] = None,
    breaking_each: Annotated[bool, typer.Option("--breaking-each", help="Records for every clause in turn.")] = False,
    seed: Annotated[int, typer.Option(help="The same seed gives the same records.")] = 0,
    as_document: Annotated[bool, typer.Option("--json", help="One document with the clauses each breaks.")] = False,
) -> None:
    """Print records of a contract as NDJSON that mesh publish takes; exit 3 when none was found for a clause."""
    if breaking is not None and breaking_each:
        raise UsageError("--breaking names one clause, --breaking-each takes them all; give one of them")
    contract = Contract.read(file)
    sampler = Sampler(contract, OfflineJudge(contract).broken, seed)
    clauses = sampler.clauses if breaking_each else [breaking]
    found = [(clause, each) for clause in clauses for each in _samples(sampler, clause, number)]
    if as_document:
        emit_json(
            {"product": str(contract.product), "samples": [_row(sampler, clause, each) for clause, each in found]}
        )
    for clause, each in found:
        _tell(sampler, clause, each, silent=as_document)
    if any(isinstance(each, Unreached) for _, each in found) and not breaking_each:
        raise typer.Exit(ContractInvalid.exit_code)


def _samples(sampler: Sampler, clause: str | None, number: int) -> Iterator[Sample | Unreached]:
    for _ in range(number):
        found = sampler.satisfying() if clause is None else sampler.breaking(clause)
        yield found
        if isinstance(found, Unreached):
            return


def _row(sampler: Sampler, clause: str | None, found: Sample | Unreached) -> dict[str, Any]:
    asked = {"breaking": clause} if clause else {}
    if isinstance(found, Unreached):
        return {**asked, "unreached": found.why}
    record = as_json(sampler.shape, found.record)
    return {**asked, "record": record, "breaks": sorted(found.breaks), **({"note": found.note} if found.note else {})}


def _tell(sampler: Sampler, clause: str | None, found: Sample | Unreached, *, silent: bool) -> None:
    told_of = f"{clause}: " if clause else ""
    if isinstance(found, Unreached):
        note(f"{told_of}{found.why}")
        return
    if found.note:
        note(f"{told_of}{found.note}")
    if not silent:
        emit(json.dumps(as_json(sampler.shape, found.record), ensure_ascii=False))
