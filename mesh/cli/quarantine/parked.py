"""``mesh quarantine parked``: which records wait for an earlier one of their key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any

import typer

from mesh.cli.console import emit_json, emit_table, note, told
from mesh.cli.quarantine.desk import Desk, at_desk, moment_text
from mesh.gate.quarantine import Waiting
from mesh.types import ProductName

_SHOWN = 20


@told
def parked(
    product: Annotated[str, typer.Argument(help="<domain>.<product>.")],
    limit: Annotated[int, typer.Option(min=1, help="The most records to show.")] = _SHOWN,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Records that wait for a refused one of their key; they go on in order when it is replayed or discarded."""
    with at_desk(ProductName.parse(product)) as desk:
        found = desk.log.parked()
        rows = list(_rows(desk, islice(found, limit)))
        more = sum(1 for _ in found)
    columns = ("record", "arrived", "key", "behind")
    if as_json:
        emit_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        emit_table(columns, ((*row[:2], _text(row[2]), row[3] or "on their way") for row in rows))
    note(f"{len(rows) + more:,} record(s)" + (f", {more:,} not shown: --limit {len(rows) + more}" if more else ""))


def _rows(desk: Desk, found: Iterator[Waiting]) -> Iterator[tuple[str, str, Any, str | None]]:
    topics = desk.contract.topics
    for each in found:
        place = each.coordinate
        behind = f"{topics.ingress}/{place.partition}/{each.behind}" if each.behind is not None else None
        yield str(place), moment_text(each.record.arrived), desk.log.contents.key_of(each.record.key), behind


def _text(key: Any) -> str | None:
    return key if isinstance(key, str) or key is None else json.dumps(key, ensure_ascii=False)
