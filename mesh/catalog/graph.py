"""The graph of a whole mesh, gathered from the catalogs, the audit logs and the lineage of all its clusters."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from mesh.access import ADMIN
from mesh.catalog.catalog import Catalog
from mesh.catalog.history import declarations, declared
from mesh.contract import Contract
from mesh.errors import LineageBroken, NotAuthorised
from mesh.kafka import Admin, Connection, LogReader
from mesh.lineage.graph import Declaration, Graph, graph_at
from mesh.lineage.graph.reading import Recent, recent
from mesh.lineage.openlineage import Naming
from mesh.settings import Settings
from mesh.types import ProductName

logger = logging.getLogger(__name__)


def known_graph(settings: Settings, at: int | None = None, principal: str | None = None) -> Graph:
    """The graph as it stood at ``at``, epoch milliseconds; by default as it is.

    What the principal (the configured one, else the administrator) may not read is left out of the present graph: rates
    and what only records tell. The past needs the audit log, so it raises NotAuthorised for all but the platform.
    """
    moment = int(time.time() * 1000) if at is None else at
    told, found = list[Declaration](), Recent()
    for connection in _connections(settings, principal):
        here = _told(connection, at)
        told += here
        _gather(connection, here, moment, found)
    return graph_at(moment, told, found.activities, found.consumptions, found.topics)


def known_contracts(
    settings: Settings, at: int | None = None, principal: str | None = None
) -> dict[ProductName, Contract]:
    """The contract in force of every product, of its newest major; raises as ``known_graph`` does."""
    told = [each for connection in _connections(settings, principal) for each in _told(connection, at)]
    return contracts_at(told, at)


def naming_of(settings: Settings, principal: str | None = None) -> Callable[[str], Naming]:
    """What each domain's cluster is called in OpenLineage; asks every cluster for its id."""
    ids: dict[str, str] = {}
    for connection in _connections(settings, principal):
        with Admin(connection) as admin:
            ids[connection.bootstrap] = admin.cluster_id()
    return naming_by(settings, ids)


def naming_by(settings: Settings, ids: Mapping[str, str]) -> Callable[[str], Naming]:
    """The same by the ids that are known, by bootstrap servers; the other names are those of the first cluster."""
    found = {
        each: Naming.of(each.bootstrap, ids.get(each.bootstrap, ""), settings.lineage.aliases if first else ())
        for each, first in ((cluster, cluster == settings.home) for cluster in settings.clusters.values())
    }
    return lambda domain: found[settings.cluster_of(domain)]


def _told(connection: Connection, at: int | None) -> list[Declaration]:
    with Catalog(connection) as catalog:
        catalog.refresh(relist=True)
        entries = list(catalog.entries().values())
    if at is not None:
        return declarations(connection, entries)
    return [each for each in map(declared, entries) if each is not None]


def contracts_at(told: list[Declaration], at: int | None) -> dict[ProductName, Contract]:
    """The contract that was in force of every product, of its newest major; ``at`` None means the last told."""
    latest: dict[str, Declaration] = {}
    for each in sorted(told, key=lambda each: each.at):
        if at is None or each.at <= at:
            latest[each.topic] = each
    live = (each.contract for each in latest.values() if not each.retired)
    return {each.product: each for each in sorted(live, key=lambda each: each.major)}


def _connections(settings: Settings, principal: str | None) -> list[Connection]:
    acting = principal or settings.principal or ADMIN
    return [Connection.to(settings, each, acting) for each in settings.clusters.values()]


def _gather(connection: Connection, told: list[Declaration], at: int, found: Recent) -> None:
    """What was recorded of each product; one whose lineage is not ours to read is passed over."""
    families = {each.topic: each.contract.topics for each in told}
    with Admin(connection) as admin, LogReader(connection) as reader:
        for family in families.values():
            try:
                recent([family], at, reader, admin, found)
            except NotAuthorised:
                continue
            except LineageBroken as error:
                logger.warning("what was recorded of %s is left out: %s", family.public, error)
