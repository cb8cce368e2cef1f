"""How the gate stands with every product, for `mesh gate status` and `mesh status`."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from mesh.catalog import Catalog
from mesh.cli.console import emit_table, note
from mesh.errors import NotFound
from mesh.gate import Breach, GateView, Limits, Look, RowMeter, SchemaSource, SetBreach, Standing
from mesh.gate.rows import MOST
from mesh.gate.run import WallClock
from mesh.kafka import Admin, Connection, LogReader
from mesh.telemetry import BREACHES, CAUSE, CLAUSE, PRODUCT, Telemetry
from mesh.types import ProductName

logger = logging.getLogger(__name__)

COLUMNS = (
    "product",
    "partition",
    "state",
    "lag",
    "waits s",
    "records/s",
    "accepted",
    "refused",
    "by clause",
    "contract",
    "build",
)


class Watch:
    """Looks again and again over the same connections."""

    def __init__(self, admin: Admin, reader: LogReader, catalog: Catalog, rows: RowMeter | None) -> None:
        self._catalog, self._view = catalog, GateView(admin, reader, WallClock(), rows)

    def look(self, products: Collection[ProductName], limits: Limits) -> Look:
        """The partitions of some products, of all where none is named; raises NotFound for one never applied."""
        self._catalog.refresh(relist=True)
        contracts = list(self._catalog.live().values())
        known = {contract.product for contract in contracts}
        for product in products:
            if product not in known:
                raise NotFound("product", str(product), "is its contract applied? (mesh apply)")
        return self._view.look([each for each in contracts if not products or each.product in products], limits)


@contextmanager
def watching(connection: Connection, registry: SchemaSource, rows: int = MOST) -> Iterator[Watch]:
    """A watch on one cluster, as one principal; rules over many records look at ``rows`` of them, or at none."""
    with Admin(connection) as admin, LogReader(connection) as reader, Catalog(connection) as catalog:
        yield Watch(admin, reader, catalog, RowMeter(reader, registry, rows) if rows else None)


class Breaches:
    """Tells every breach once, when it begins: a line of the log and a metric."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._lasting: set[tuple[str, int | None, str]] = set()

    def tell(self, found: Look) -> None:
        """Compare with the look before."""
        for each in found.breaches:
            if each.where not in self._lasting:
                logger.error("%s", each, extra={"event": each.as_event()})
                self._telemetry.add(BREACHES, 1, _attributes(each))
        self._lasting = {each.where for each in found.breaches}


def _attributes(breach: Breach | SetBreach) -> dict[str, str | int]:
    return {PRODUCT: breach.product, CLAUSE: breach.clause, CAUSE: str(breach.cause)}


def as_json(found: Look, limits: Limits) -> dict[str, Any]:
    """One look, for machines."""
    return {
        "at": datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds"),
        "healthy": found.healthy,
        "window_seconds": limits.window,
        "partitions": [each.as_json() for each in found.partitions],
        "breaches": [each.as_event() for each in found.breaches],
        "rules": [each.as_json() for each in found.measured],
        "unread": dict(found.unread),
    }


def show(found: Look) -> None:
    """One look, for people: the table, then what is wrong."""
    emit_table(COLUMNS, map(_row, found.partitions))
    for each in found.partitions:
        if not each.healthy:
            note(f"{each.topic}/{each.partition} is {each.state}: {each.reason}")
        if each.keys_held:
            where = f"{each.topic}/{each.partition}"
            note(f"{where} holds {each.keys_held:,} key(s), {each.records_parked:,} record(s) wait for them")
    for breach in found.breaches:
        note(str(breach))
    for topic, reason in found.unread.items():
        note(f"the rules over many records of {topic} are not measured: {reason}")


def _row(each: Standing) -> tuple[object, ...]:
    clauses = ", ".join(f"{clause} {count:,}" for clause, count in each.clauses.items()) or "-"
    waits = "?" if each.lag_seconds == float("inf") else f"{each.lag_seconds:,.1f}"
    return (
        each.topic,
        each.partition,
        each.state,
        f"{each.lag:,}",
        waits,
        f"{each.rate:,.1f}",
        f"{each.accepted:,}",
        f"{each.refused:,}",
        clauses,
        each.contract,
        each.build or "-",
    )
