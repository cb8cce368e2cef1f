"""``mesh reconcile``: does a product add up, and if not, where."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import typer

from mesh.cli.console import emit, emit_json, emit_table, note, progress, told
from mesh.cli.quarantine.choosing import moment
from mesh.errors import UsageError
from mesh.inquiry import Inquiry
from mesh.lineage.balance import Balance
from mesh.lineage.reconcile import Window
from mesh.settings import Settings
from mesh.types import ProductName

GATE = ("partition", "read", "released", "passed", "refused", "parked", "repeated", "pending", "expired", "adds up")
HOPS = ("input", "in", "used", "filtered", "late", "parked", "pending", "before", "outputs", "adds up")
_TIME = "ISO 8601, or an age such as 90m, 12h or 7d"


@told
def reconcile(
    product: Annotated[str, typer.Argument(help="<domain>.<product>")],
    since: Annotated[str | None, typer.Option(help=f"Transactions from then on: {_TIME}.")] = None,
    until: Annotated[str | None, typer.Option(help="Transactions before then.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Hold every record of a product against the manifests of its gate; exit code 1 when something does not add up."""
    name, window = ProductName.parse(product), Window.between(_moment("since", since), _moment("until", until))
    with Inquiry(Settings.load()) as inquiry, progress(f"records of {name}", inquiry.size(name)) as advance:
        balance = inquiry.reconcile(name, window, advance)
    if as_json:
        emit_json(balance.as_json())
    else:
        _show(balance)
    for closed, reason in balance.closed.items():
        note(f"not looked into: {closed}: {reason}")
    if not balance.adds_up:
        note(f"{name} does not add up: {len(balance.mismatches)} places are named above")
        raise typer.Exit(1)


def _moment(name: str, text: str | None) -> datetime | None:
    try:
        return moment(text) if text is not None else None
    except ValueError:
        raise UsageError(f"--{name} {text} cannot be read; write {_TIME}") from None


def _show(balance: Balance) -> None:
    emit_table(GATE, gate_rows(balance))
    if balance.hops:
        emit("")
        emit_table(HOPS, hop_rows(balance))
    for each in balance.mismatches:
        emit(str(each))


def gate_rows(balance: Balance) -> Iterator[tuple[object, ...]]:
    """A line for each partition of the gate."""
    for each in balance.gate:
        counts = (each.read, each.released, each.passed, each.refused, each.parked, each.repeated, each.pending)
        yield (f"{each.product}/{each.partition}", *counts, each.expired, _word(each.adds_up))


def hop_rows(balance: Balance) -> Iterator[tuple[object, ...]]:
    """A line for each partition of each input."""
    for each in balance.hops:
        counts = (each.input, each.used, each.filtered, each.late, each.parked, each.pending, each.before)
        yield (f"{each.source}/{each.partition}", *counts, each.outputs, _word(each.adds_up))


def _word(adds_up: bool) -> str:
    return "yes" if adds_up else "NO"
