"""The clusters of a configuration, connected to when they are first asked."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property

from mesh.catalog import Catalog
from mesh.kafka import Admin, Connection, LogReader


class ReachedSite:
    """A cluster of the configuration, connected to when it is first asked."""

    def __init__(self, connection: Connection, stack: ExitStack) -> None:
        self._connection, self._stack = connection, stack

    @cached_property
    def cluster(self) -> Admin:
        """What is there."""
        return self._stack.enter_context(Admin(self._connection))

    def catalog(self) -> Catalog:
        """The contracts in force there, as they are now."""
        self._catalog.refresh(relist=True)
        return self._catalog

    @cached_property
    def _catalog(self) -> Catalog:
        return self._stack.enter_context(Catalog(self._connection))

    @cached_property
    def reader(self) -> LogReader:
        """Committed records."""
        return self._stack.enter_context(LogReader(self._connection))

    @cached_property
    def raw(self) -> LogReader:
        """Aborted ones, too."""
        return self._stack.enter_context(LogReader(self._connection, committed=False))
