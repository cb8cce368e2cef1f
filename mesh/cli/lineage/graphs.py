"""``mesh lineage graph``, ``columns`` and ``export``: what is made from what, as tables, JSON and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from mesh.catalog.graph import known_contracts, known_graph, naming_of
from mesh.cli.console import emit, emit_json, emit_table, note, told
from mesh.errors import UsageError
from mesh.lineage.graph import ColumnEdge, Graph, as_dot, as_mermaid, column_sources, column_uses
from mesh.lineage.openlineage import declared_events
from mesh.settings import Settings
from mesh.types import ProductName

Config = Annotated[Path | None, typer.Option(help="mesh.yaml; else the usual places")]
AsOf = Annotated[
    str | None,
    typer.Option("--as-of", metavar="TIME", help="As it was then: 2026-03-01T12:00:00Z. Needs the audit log."),
]
Principal = Annotated[str | None, typer.Option("--as", metavar="PRINCIPAL", help="By default the configured one.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


class Format(StrEnum):
    """What the graph is written as."""

    OPENLINEAGE = "openlineage"
    MERMAID = "mermaid"
    DOT = "dot"


@told
def graph(
    product: Annotated[str | None, typer.Argument(metavar="[PRODUCT]", help="Only what leads to it and on.")] = None,
    as_of: AsOf = None,
    principal: Principal = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Which processor makes which product from which, in which versions, owned by whom, at what rate."""
    found = _graph(Settings.load(config), as_of, principal, product)
    if json:
        emit_json(found.as_json())
        return
    emit_table(("product", "contract", "judged by", "owner", "records/s", "refused/s", "known"), _products(found))
    if found.hops:
        emit("")
        emit_table(("from", "contract", "processor", "to", "contract", "records/s", "known"), _hops(found))


@told
def columns(
    column: Annotated[str, typer.Argument(metavar="PRODUCT.FIELD", help="As in punctuality.delays.minutes.")],
    forward: Annotated[bool, typer.Option("--forward", help="What it feeds, in place of what feeds it.")] = False,
    as_of: AsOf = None,
    principal: Principal = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Which fields feed a field, hop by hop back to the sources, and how."""
    name, path = _column(column)
    known = known_contracts(Settings.load(config), _moment(as_of), principal)
    found = (column_uses if forward else column_sources)(known, name, path)
    if json:
        emit_json([each.as_json() for each in found])
        return
    emit_table(("hop", "field", "fed by", "how", "masked", "processor", "description"), map(_column_row, found))
    if not found:
        note(f"no contract says that anything {'is fed by' if forward else 'feeds'} {column}")


@told
def export(
    kind: Annotated[Format, typer.Option("--format", help="What to write it as.")] = Format.MERMAID,
    product: Annotated[str | None, typer.Option(help="Only what leads to it and on.")] = None,
    as_of: AsOf = None,
    principal: Principal = None,
    config: Config = None,
) -> None:
    """Write the graph for other tools: Mermaid, DOT, or OpenLineage job events, one a line."""
    settings = Settings.load(config)
    found = _graph(settings, as_of, principal, product)
    if kind is Format.OPENLINEAGE:
        shown = {each.product for each in found.products}
        contracts = known_contracts(settings, _moment(as_of), principal)
        kept = (each for name, each in contracts.items() if name in shown)
        for event in declared_events(kept, naming_of(settings, principal), found.at):
            emit(dumps(event, ensure_ascii=False))
        return
    emit((as_dot if kind is Format.DOT else as_mermaid)(found).rstrip())


def _graph(settings: Settings, as_of: str | None, principal: str | None, product: str | None) -> Graph:
    found = known_graph(settings, _moment(as_of), principal)
    return found.around(ProductName.parse(product)) if product else found


def _moment(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a time; write 2026-03-01T12:00:00Z") from None
    # A time without a zone would mean something else on every machine.
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _column(text: str) -> tuple[ProductName, str]:
    parts = text.split(".", 2)
    if len(parts) < 3:
        raise UsageError(f"{text!r} is not a field of a product; write <domain>.<product>.<field>")
    return ProductName.parse(".".join(parts[:2])), parts[2]


def _products(found: Graph) -> Iterator[tuple[object, ...]]:
    for each in found.products:
        rates = f"{each.rate:,.1f}", f"{each.refused_rate:,.1f}"
        yield each.topic, each.version, each.judged_by or "-", each.owner or "-", *rates, each.grade


def _hops(found: Graph) -> Iterator[tuple[object, ...]]:
    for each in found.hops:
        ends = each.source, each.source_version, each.processor, each.target, each.target_version
        yield *ends, f"{each.rate:,.1f}", each.grade


def _column_row(each: ColumnEdge) -> tuple[object, ...]:
    output = f"{each.product}.{each.path}" if each.path else f"{each.product} (whole records)"
    how = f"{each.source.kind} {each.source.subtype}"
    masked = "yes" if each.masked else "no"
    return each.depth, output, str(each.source), how, masked, each.processor, each.source.description or "-"
