"""``mesh quarantine list|show|stats|export``: what is in the quarantine, why, and how it stands."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any

import typer

from mesh.cli.console import emit, emit_json, emit_table, note, told
from mesh.cli.quarantine.choosing import Words, choose
from mesh.cli.quarantine.desk import Desk, at_desk, content, moment_text
from mesh.errors import NotFound
from mesh.gate.quarantine import Held, State

Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
Reveal = Annotated[bool, typer.Option("--reveal", help="Show classified values too.")]

_SHOWN = 20


@told
def list_(
    selection: Words,
    limit: Annotated[int, typer.Option(min=1, help="The most records to show.")] = _SHOWN,
    as_json: Json = False,
) -> None:
    """The selected records, one a line."""
    chosen = choose(selection)
    with at_desk(chosen.product) as desk:
        found = desk.log.records(chosen.selection)
        some = list(islice(found, limit))
        more = sum(1 for _ in found)
        if as_json:
            emit_json([content(desk, held) for held in some])
        else:
            emit_table(
                ("record", "state", "arrived", "key", "clauses", "attempt", "by"), (_line(desk, h) for h in some)
            )
    note(f"{len(some) + more:,} record(s)" + (f", {more:,} not shown: --limit {len(some) + more}" if more else ""))


def _line(desk: Desk, held: Held) -> tuple[object, ...]:
    record, standing = held.record, held.standing
    key = desk.log.contents.key(record)
    text = key if isinstance(key, str) or key is None else json.dumps(key, ensure_ascii=False)
    clauses = " ".join(record.clauses)
    state = f"{standing.state} ({standing.note.partition(':')[0]})" if standing.note else str(standing.state)
    state += f", holds {held.behind:,}" if held.behind is not None else ""
    return record.coordinate, state, moment_text(record.arrived), text, clauses, record.verdict.attempt, standing.actor


@told
def show(selection: Words, reveal: Reveal = False, as_json: Json = False) -> None:
    """Everything about the selected records: what they break and where, what is in them, whom to ask."""
    chosen = choose(selection)
    with at_desk(chosen.product, reveal=reveal) as desk:
        found = list(islice(desk.log.records(chosen.selection), _SHOWN + 1))
        if not found:
            raise NotFound("quarantined record", " ".join(selection), "mesh quarantine list shows what is there")
        if as_json:
            more = [{"because": desk.explained(held), "ask": desk.contacts} for held in found[:_SHOWN]]
            emit_json([content(desk, held) | each for held, each in zip(found, more, strict=False)])
            return
        for held in found[:_SHOWN]:
            emit_table(("fact", "value"), _facts(desk, held))
    if len(found) > _SHOWN:
        note(f"only the first {_SHOWN} are shown; choose fewer, or use mesh quarantine export")


def _facts(desk: Desk, held: Held) -> Iterator[tuple[str, object]]:
    record, verdict = held.record, held.record.verdict
    yield "record", record.coordinate
    yield from _standing_facts(held)
    for finding in verdict.findings:
        yield "finding", f"{finding.clause} at {finding.path or 'the record'}: {finding.reason}"
    if verdict.omitted:
        yield "finding", f"and {verdict.omitted} more"
    for because in desk.explained(held):
        yield "because", because
    yield "key", json.dumps(desk.log.contents.key(record), ensure_ascii=False)
    yield "value", _value_text(desk, held)
    yield "came from", f"{verdict.coordinate}, arrived {moment_text(record.arrived)}"
    yield "judged by", f"{verdict.basis.contract_id} {verdict.basis.contract_version}, attempt {verdict.attempt}"
    yield "ask", ", ".join(desk.contacts)


def _standing_facts(held: Held) -> Iterator[tuple[str, object]]:
    standing = held.standing
    yield "state", f"{standing.state}" + (f", {standing.note}" if standing.note else "")
    if held.behind is not None:
        yield "holds", f"its key: {held.behind:,} later record(s) wait for it (mesh quarantine parked)"
    if standing.command is not None:
        yield "by", f"{standing.actor}: {standing.reason or 'no reason given'}"
        yield "command", standing.command
    if standing.patch:
        yield "patch", standing.patch
    if standing.settled is not None:
        yield "now at", standing.settled


def _value_text(desk: Desk, held: Held) -> str:
    value = desk.log.contents.value(held.record)
    if value is not None:
        return json.dumps(value, ensure_ascii=False)
    if held.record.value is None:
        return "null"
    shown = desk.log.contents.bytes_of(held.record)
    size = f"{len(held.record.value)} bytes that are no record of the product"
    return f"{size}: {shown}" if shown is not None else f"{size}, not shown: they could hold classified values"


@told
def stats(selection: Words, as_json: Json = False) -> None:
    """How many records each clause, contract version and state has."""
    chosen = choose(selection)
    counts: Counter[tuple[str, str, str]] = Counter()
    total: Counter[State] = Counter()
    with at_desk(chosen.product) as desk:
        for held in desk.log.records(chosen.selection):
            total[held.standing.state] += 1
            version = held.record.verdict.basis.contract_version
            counts.update((clause, version, str(held.standing.state)) for clause in held.record.clauses)
    rows = [(*group, count) for group, count in counts.most_common()]
    if as_json:
        emit_json({"records": {str(state): total[state] for state in State}, "by_clause": [_row(row) for row in rows]})
    else:
        emit_table(("clause", "contract", "state", "records"), rows)
    note(", ".join(f"{total[state]:,} {state}" for state in State))


def _row(row: tuple[str, str, str, int]) -> dict[str, Any]:
    return dict(zip(("clause", "contract_version", "state", "records"), row, strict=True))


@told
def export(selection: Words, reveal: Reveal = False) -> None:
    """The selected records as NDJSON, to be edited and given to ``mesh quarantine replay --from``."""
    chosen = choose(selection)
    count = 0
    with at_desk(chosen.product, reveal=reveal) as desk:
        for held in desk.log.records(chosen.selection):
            emit(json.dumps(content(desk, held), ensure_ascii=False))
            count += 1
    note(f"{count:,} record(s)")
