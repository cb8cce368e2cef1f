"""``mesh trace``: where a record came from, and who let it pass."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer

from mesh.cli.ancestry import dot, tree
from mesh.cli.console import emit, emit_json, emit_table, told
from mesh.errors import UsageError
from mesh.inquiry import Inquiry
from mesh.lineage import Graph, Move, Parking, Presence, Reach, RecordFacts, Trace
from mesh.lineage.ancestry import DEEP, SHOWN
from mesh.settings import Settings
from mesh.types import Coordinate

Row = tuple[str, str]


@told
def trace(
    record: Annotated[str, typer.Argument(help="<topic>/<partition>/<offset>: public, quarantine or ingress.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    as_dot: Annotated[bool, typer.Option("--dot", help="Print the ancestry as a graph for Graphviz.")] = False,
    depth: Annotated[int, typer.Option(min=0, help="Hops to follow.")] = DEEP,
    most: Annotated[int, typer.Option("--parents", min=1, help="Parents to follow of each partition.")] = SHOWN,
    everything: Annotated[bool, typer.Option("--all", help="Follow all parents.")] = False,
) -> None:
    """Follow a record back to its ingress coordinate, its origin and, if it is derived, to what it was made from."""
    with Inquiry(Settings.load()) as inquiry:
        found = inquiry.trace(Coordinate.parse(record))
        behind = inquiry.behind(found, Reach(depth, None if everything else most))
    if as_json:
        emit_json(found.as_json() | {"ancestry": behind.as_json() if behind is not None else None})
    elif as_dot:
        _draw(behind, record)
    else:
        emit_table(("fact", "value"), rows(found))
        if behind is not None and behind.root.making is not None:
            emit("")
            for line in tree(behind):
                emit(line)


def _draw(behind: Graph | None, record: str) -> None:
    if behind is None:
        raise UsageError(f"{record} never came to be a public record; there is no graph to draw")
    for line in dot(behind):
        emit(line)


def rows(found: Trace) -> Iterator[Row]:
    """A trace as facts and values for people, from the record back to its origin."""
    fate, basis, manifest = found.fate, found.basis, found.manifest
    yield "record", str(found.asked)
    yield from _record_rows(found.record)
    yield "disposition", str(fate.disposition) + (" (a stub: its bytes could not be kept)" if fate.stub else "")
    if fate.settled is not None:
        yield "went to", str(fate.settled)
    yield from _finding_rows(found)
    if found.waited is not None:
        yield from _parking_rows(found.waited)
    yield from _move_rows(found)
    yield "came from", str(fate.ingress)
    yield "origin", f"{found.origin} (as the publisher wrote it)" if found.origin is not None else "none written"
    yield "schema", _schema_text(found)
    yield "contract", f"{basis.contract_id} {basis.contract_version}"
    yield "rule set", basis.rule_set
    yield "gate", f"{manifest.gate}, build {basis.build}"
    yield "transaction", f"epoch {manifest.epoch}, sequence {manifest.sequence}, {_moment(manifest.created_at)}"
    yield "manifest", f"{manifest.coordinate}, chain: {manifest.link}"
    for topic in found.replaced:
        yield "re-created", f"{topic}: coordinates above lead to a topic that is gone"


def _record_rows(facts: RecordFacts) -> Iterator[Row]:
    if facts.presence is not Presence.READABLE:
        yield "content", str(facts.presence)
        return
    yield "key", f"{facts.key_size} bytes, SHA-256 {facts.key_sha256}" if facts.key_sha256 is not None else "null"
    yield "value", f"{facts.value_size} bytes"
    if facts.timestamp is not None:
        yield "written", _moment(facts.timestamp)


def _finding_rows(found: Trace) -> Iterator[Row]:
    if found.fate.findings is None:
        yield "finding", "unknown, the quarantined record can no longer be read"
    for finding in found.fate.findings or ():
        yield "finding", f"{finding.clause} at {finding.path or 'the record'}: {finding.reason}"


def _parking_rows(waited: Parking) -> Iterator[Row]:
    """A record that waited for an earlier one of its key."""
    yield "parked", f"behind a refused record of its key, when it was read ({waited.parked or 'its manifest is gone'})"
    if waited.released is None:
        yield "released", "not yet: the record that holds its key is open (mesh quarantine list ... state=open)"
    else:
        yield "released", f"{waited.disposition}, now {waited.settled} ({waited.released})"


def _move_rows(found: Trace) -> Iterator[Row]:
    if found.replayed is not None:
        yield "replayed from", str(found.replayed.quarantined)
        yield from _command_rows(found.replayed)
    if found.later is not None:
        outcome = f"{found.later.result}" + (f", now {found.later.settled}" if found.later.settled else "")
        yield "later", outcome
        yield from _command_rows(found.later)


def _command_rows(move: Move) -> Iterator[Row]:
    yield "command", f"{move.command} by {move.actor}: {move.reason or 'no reason given'}"
    if move.patch:
        yield "patch", move.patch


def _schema_text(found: Trace) -> str:
    if found.schema.schema_id is None:
        return "unknown"
    return f"id {found.schema.schema_id}, fingerprint {found.schema.fingerprint or 'not registered for the product'}"


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
