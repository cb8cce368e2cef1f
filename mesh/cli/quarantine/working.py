"""``mesh quarantine replay|discard``: what the gate is to do about refused records."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from mesh.cli.console import emit_json, emit_table, note, told
from mesh.cli.quarantine.choosing import Chosen, Words, choose
from mesh.cli.quarantine.correcting import Corrections, Setting, edited_records
from mesh.cli.quarantine.desk import Desk, at_desk
from mesh.errors import ContractViolation, EncodingRefused, MalformedBody, NotFound, UsageError
from mesh.gate.product import GatedProduct
from mesh.gate.quarantine import Command, Held, Patch, State, Trial, Verb, order, outcomes

Reason = Annotated[str, typer.Option(help="Why; it is kept with the record, in lineage and in the audit log.")]
Rate = Annotated[float | None, typer.Option(min=0.01, help="The most commands a second.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]

_PATIENCE_SECONDS = 60.0
_MISFITS = (UsageError, EncodingRefused, MalformedBody, NotFound)


@dataclass(frozen=True, slots=True)
class Intent:
    """What is to be done about one record, or why it cannot be."""

    held: Held
    patch: Patch | None = None
    problem: str = ""


@told
def replay(
    selection: Words,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="path=value, or path:=expression in CEL over message; may be repeated."),
    ] = None,
    from_: Annotated[Path | None, typer.Option("--from", help="An export with corrected values (NDJSON).")] = None,
    reason: Reason = "",
    rate: Rate = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Have the gate judge open records again, corrected or as they are; each that passes goes to the public topic."""
    chosen = choose(selection, (State.OPEN,))
    edited = edited_records(from_) if from_ is not None else {}
    with at_desk(chosen.product) as desk:
        corrections = Corrections(desk, [Setting.parse(text) for text in set_ or ()], edited)
        intents = [_intent(corrections, held) for held in _open(desk, chosen) if not edited or _is_in(held, edited)]
        if dry_run:
            _try(desk, intents, as_json)
        else:
            _do(desk, intents, _Order(Verb.REPLAY, reason, rate, yes, as_json))


@told
def discard(selection: Words, reason: Reason, rate: Rate = None, dry_run: DryRun = False, yes: Yes = False) -> None:
    """Close open records for good, with a reason; they stay readable as long as the quarantine keeps them."""
    chosen = choose(selection, (State.OPEN,))
    with at_desk(chosen.product) as desk:
        intents = [Intent(held) for held in _open(desk, chosen)]
        if dry_run:
            emit_table(("record", "would be"), ((each.held.record.coordinate, "discarded") for each in intents))
            note(f"{len(intents):,} record(s) would be discarded; nothing was done")
        else:
            _do(desk, intents, _Order(Verb.DISCARD, reason, rate, yes, as_json=False))


def _open(desk: Desk, chosen: Chosen) -> list[Held]:
    if set(chosen.selection.states) != {State.OPEN}:
        raise UsageError("only open records can be settled; leave state= out")
    found = list(desk.log.records(replace(chosen.selection, states=(State.OPEN,))))
    if not found:
        raise NotFound("open record", "in this selection", "mesh quarantine list shows what is there")
    return found


def _is_in(held: Held, edited: Any) -> bool:
    return held.record.coordinate in edited


def _intent(corrections: Corrections, held: Held) -> Intent:
    try:
        return Intent(held, corrections.patch(held))
    except _MISFITS as error:
        return Intent(held, problem=str(error))


def _try(desk: Desk, intents: Sequence[Intent], as_json: bool) -> None:
    trial = Trial(GatedProduct(desk.contract, desk.registry))
    rows = [(each.held.record.coordinate, *_verdict(trial, each)) for each in intents]
    columns = ("record", "would be", "why")
    if as_json:
        emit_json([dict(zip(columns, map(str, row), strict=True)) for row in rows])
    else:
        emit_table(columns, rows)
    counts = Counter(row[1] for row in rows)
    note(f"by {desk.contract}: {counts['passed']:,} of {len(rows):,} would pass; nothing was done")
    if counts["passed"] < len(rows):
        raise typer.Exit(ContractViolation.exit_code)


def _verdict(trial: Trial, intent: Intent) -> tuple[str, str]:
    if intent.problem:
        return "left alone", intent.problem
    if intent.held.record.stub:
        return "left alone", "its bytes could not be kept"
    try:
        findings = trial.findings(intent.held.record, intent.patch)
    except _MISFITS as error:
        return "left alone", str(error)
    why = "; ".join(f"{finding.clause} at {finding.path or 'the record'}: {finding.reason}" for finding in findings)
    return ("refused again", why) if findings else ("passed", "")


@dataclass(frozen=True, slots=True)
class _Order:
    verb: Verb
    reason: str
    rate: float | None
    yes: bool
    as_json: bool


def _do(desk: Desk, intents: Sequence[Intent], what: _Order) -> None:
    for each in intents:
        if each.problem:
            note(f"{each.held.record.coordinate} is left alone: {each.problem}")
    able = [each for each in intents if not each.problem]
    if not able:
        raise typer.Exit(ContractViolation.exit_code)
    _confirm(f"{what.verb} {len(able):,} record(s) of {desk.contract.product}", what.yes)
    at = int(time.time() * 1000)
    commands = [
        Command(
            verb=what.verb,
            coordinate=each.held.record.coordinate,
            actor=desk.actor,
            reason=what.reason,
            at=at,
            patch=each.patch,
        )
        for each in able
    ]
    topics = desk.contract.topics
    ordered = order(desk.connection, desk.reader, topics, commands, what.rate)
    columns = ("record", "result", "now at", "reason")
    rows = [
        (f"{topics.quarantine}/{partition}/{each.quarantined}", str(each.result), place or "-", each.reason)
        for partition, each, place in outcomes(desk.reader, topics, ordered, _PATIENCE_SECONDS)
    ]
    if what.as_json:
        emit_json([dict(zip(columns, map(str, row), strict=True)) for row in rows])
    else:
        emit_table(columns, rows)
    _conclude(Counter(row[1] for row in rows), len(intents) - len(able))


def _confirm(what: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"to {what}, say --yes")
    typer.confirm(what + "?", abort=True, err=True)


def _conclude(counts: Counter[str], left: int) -> None:
    words = {"passed": "passed", "refused": "refused again", "discarded": "discarded", "void": "not changed"}
    told = [f"{counts[result]:,} {word}" for result, word in words.items() if counts[result]]
    note(", ".join([*told, *([f"{left:,} left alone"] if left else [])]))
    if counts["refused"] or counts["void"] or left:
        raise typer.Exit(ContractViolation.exit_code)
