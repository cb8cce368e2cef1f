"""How the gate stands with every product, for `mesh gate status` and `mesh status`."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from mesh.catalog import Catalog
from mesh.cli.console import emit_table, note
from mesh.errors import NotFound
from mesh.gate import GateView, Limits, Standing
from mesh.gate.run import WallClock
from mesh.kafka import Admin, Connection, LogReader
from mesh.types import ProductName

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

    def __init__(self, admin: Admin, reader: LogReader, catalog: Catalog) -> None:
        self._catalog, self._view = catalog, GateView(admin, reader, WallClock())

    def look(self, products: Collection[ProductName], limits: Limits) -> list[Standing]:
        """The partitions of some products, of all where none is named; raises NotFound for one never applied."""
        self._catalog.refresh(relist=True)
        contracts = list(self._catalog.live().values())
        known = {contract.product for contract in contracts}
        for product in products:
            if product not in known:
                raise NotFound("product", str(product), "is its contract applied? (mesh apply)")
        return self._view.look([each for each in contracts if not products or each.product in products], limits)


@contextmanager
def watching(connection: Connection) -> Iterator[Watch]:
    """A watch on one cluster, as one principal."""
    with Admin(connection) as admin, LogReader(connection) as reader, Catalog(connection) as catalog:
        yield Watch(admin, reader, catalog)


def healthy(found: Sequence[Standing]) -> bool:
    """Whether every partition runs or is idle."""
    return all(each.healthy for each in found)


def as_json(found: Sequence[Standing], limits: Limits) -> dict[str, Any]:
    """One look, for machines."""
    return {
        "at": datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds"),
        "healthy": healthy(found),
        "window_seconds": limits.window,
        "partitions": [each.as_json() for each in found],
    }


def show(found: Sequence[Standing]) -> None:
    """One look, for people: the table, then what is wrong."""
    emit_table(COLUMNS, map(_row, found))
    for each in found:
        if not each.healthy:
            note(f"{each.topic}/{each.partition} is {each.state}: {each.reason}")


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
