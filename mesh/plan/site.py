"""One cluster with everything that is needed to look at it and to change it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from mesh.access import ADMIN
from mesh.catalog import Catalog
from mesh.contract import Contract
from mesh.kafka import Admin, Connection
from mesh.registry import RegistryClient
from mesh.settings import Cluster, Settings


@dataclass(frozen=True, slots=True)
class Site:
    """Connections of the principal that plans or applies; a context manager that gives them back."""

    settings: Settings
    cluster: Cluster
    connection: Connection
    admin: Admin
    registry: RegistryClient
    catalog: Catalog

    @classmethod
    def open(cls, settings: Settings, domain: str, principal: str | None = None) -> Site:
        """The cluster ``domain`` lives on, as ``principal``: by default the configured one, else the administrator.

        Raises SettingsError when the cluster or the principal's secret is missing.
        """
        cluster = settings.cluster_of(domain)
        connection = Connection.of(settings, principal or settings.principal or ADMIN, domain)
        registry = RegistryClient(cluster.registry, connection.principal, connection.password)
        return cls(settings, cluster, connection, Admin(connection), registry, Catalog(connection))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self.catalog.close()
        self.registry.close()

    @property
    def scram(self) -> bool:
        """Whether principals of this cluster log in with credentials that the broker keeps."""
        return self.cluster.security_protocol.startswith("SASL") and self.cluster.sasl_mechanism.startswith("SCRAM")


def by_cluster(settings: Settings, contracts: Iterable[Contract]) -> list[tuple[Contract, ...]]:
    """The contracts of each cluster that has some, in the order of the settings; raises SettingsError."""
    found: dict[Cluster, list[Contract]] = {cluster: [] for cluster in settings.clusters.values()}
    for contract in contracts:
        found[settings.cluster_of(contract.product.domain)].append(contract)
    return [tuple(members) for members in found.values() if members]
