"""What the gate has to be given: the contracts in force and the schemas registered for a subject."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from mesh.contract import Contract
from mesh.errors import RegistryUnreachable
from mesh.types import SchemaId, Topic


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
