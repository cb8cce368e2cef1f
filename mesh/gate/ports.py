"""What the gate has to be given: contracts in force, schemas of a subject, and what lies on other clusters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol
from uuid import UUID

from mesh.contract import Contract
from mesh.errors import RegistryUnreachable
from mesh.types import ProductName, SchemaId, Topic


class ContractSource(Protocol):
    """The contracts that have been applied; the catalog is one."""

    def refresh(self) -> int:
        """Take in what has changed; asked once a second. Raises RetriableError when it cannot be known."""

    def live(self) -> Mapping[Topic, Contract]:
        """Every contract in force, by public topic."""


class Remembered(dict[SchemaId, int]):
    """Ids of a subject that are known although the registry is away: one that is not among them may be registered."""

    def __init__(self, ids: Mapping[SchemaId, int], away: RegistryUnreachable) -> None:
        super().__init__(ids)
        self.away = away
        """What to raise where another id decides."""


class SchemaSource(Protocol):
    """The registry, as far as the gate needs it."""

    def ids(self, subject: str) -> Mapping[SchemaId, int]:
        """The ids registered under a subject, with their versions; fresh at every call. Empty for no such subject.

        All of them, unless they are Remembered.
        """

    def schema(self, schema_id: SchemaId) -> str:
        """The text of a schema; ids are immutable, so it may be cached for ever."""


class Neighbours(Protocol):
    """The other clusters of the mesh, as far as the parents of a derived product may lie there."""

    def elsewhere(self, product: ProductName) -> bool:
        """Whether a product lives on another cluster than the gate; raises SettingsError where that is not said."""

    def topics(self, product: ProductName) -> Mapping[UUID, int]:
        """The ids of a product's public topics on its cluster, of every major, with their numbers of partitions.

        Raises MeshError; may be asked by any thread.
        """
