"""``mesh impact``: what was made from a record, and whether more can still follow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from mesh.cli.console import emit, emit_json, emit_table, progress, told
from mesh.cli.quarantine.choosing import span
from mesh.errors import UsageError
from mesh.inquiry import Inquiry
from mesh.lineage.effect import Effect, Impact
from mesh.settings import Settings
from mesh.types import Coordinate

SHOWN = 20
_EFFECTS = ("record", "made by", "contract", "passed")
_OUTLOOK = ("product", "input", "concerned", "unread", "watermark", "state")


@told
def impact(
    record: Annotated[str, typer.Argument(help="<topic>/<partition>/<offset> of a record that passed.")],
    horizon: Annotated[
        str | None, typer.Option(help="How long windows stay open after a record's event time: 90m, 12h, 7d.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help=f"List all records, not the first {SHOWN}.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Follow a record forward to everything made from it, directly or not, and say whether more can follow."""
    with Inquiry(Settings.load()) as inquiry, progress("manifests", None) as advance:
        found = inquiry.impact(Coordinate.parse(record), _horizon(horizon), advance)
    if as_json:
        emit_json(found.as_json())
    else:
        _show(found, None if everything else SHOWN)


def _horizon(text: str | None) -> timedelta | None:
    try:
        return span(text) if text is not None else None
    except ValueError:
        raise UsageError(f"--horizon {text} cannot be read; write 90m, 12h or 7d") from None


def _show(found: Impact, most: int | None) -> None:
    emit_table(_EFFECTS, effect_rows(found, most))
    left = len(found.effects) - len(found.effects[:most])
    if left:
        emit(f"{left:,} more of {len(found.effects):,} (--all)")
    if found.outlooks:
        emit("")
        emit_table(_OUTLOOK, outlook_rows(found))
    emit("")
    for name, reason in found.closed.items():
        emit(f"not looked into: {name}: {reason}")
    emit(f"{len(found.effects):,} records were made from {found.asked.at}; {verdict(found)}")


def verdict(found: Impact) -> str:
    """In words whether it is all."""
    if found.final:
        return "final: nothing more can follow"
    return "live: more can follow" if not found.closed else "live, as far as is known: not all could be looked into"


def effect_rows(found: Impact, most: int | None) -> Iterator[tuple[str, ...]]:
    """A line for each record that was made from it."""
    for each in found.effects[:most]:
        yield str(each.at), each.processor or "", f"{each.basis.contract_id} {each.basis.contract_version}", _when(each)


def _when(effect: Effect) -> str:
    return _moment(effect.created_at)


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


def outlook_rows(found: Impact) -> Iterator[tuple[object, ...]]:
    """A line for each product and partition that may still make more."""
    for each in found.outlooks:
        mark = _moment(each.watermark) if each.watermark is not None else "none"
        state = f"{'final' if each.final else 'live'}: {each.reason}"
        yield each.product, f"{each.source}/{each.partition}", each.concerned, each.unread, mark, state
