"""What the collector of one cluster has to know of the others: the contracts of inputs over there."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

from mesh.catalog import Catalog
from mesh.errors import MeshError
from mesh.gate.following import Following
from mesh.kafka import Connection
from mesh.lineage.graph import Declaration
from mesh.settings import Settings
from mesh.types import Topic

logger = logging.getLogger(__name__)

# A contract changes seldom, and an event of the minute before may still tell the former one.
_LOOK_SECONDS: Final = 5.0


class Abroad:
    """Follows the catalogs of all clusters but the first, in threads: one that is away holds nothing up."""

    def __init__(self, settings: Settings, principal: str) -> None:
        others = [each for each in settings.clusters.values() if each != settings.home]
        self._connections = [Connection.to(settings, each, principal) for each in others]
        self._stack = ExitStack()
        self._followed: list[tuple[Connection, Following]] = []
        self._told: dict[Topic, str] = {}
        self._silent: set[str] = set()

    def __enter__(self) -> Self:
        for each in self._connections:
            # Never closed: a thread that still waits for an answer in the end would be left with a client that is gone.
            self._followed.append((each, self._stack.enter_context(Following(Catalog(each), _LOOK_SECONDS))))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def news(self) -> Iterator[Declaration]:
        """The contracts that were not told yet as they are now."""
        for connection, following in self._followed:
            try:
                following.refresh()
                self._silent.discard(connection.bootstrap)
            except MeshError as error:
                if connection.bootstrap not in self._silent:
                    self._silent.add(connection.bootstrap)
                    logger.warning("contracts of %s are told as they were: %s", connection.bootstrap, error)
            for topic, contract in following.live().items():
                if self._told.get(topic) != contract.digest:
                    self._told[topic] = contract.digest
                    yield Declaration(int(time.time() * 1000), contract)
