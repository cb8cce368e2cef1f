"""The collector of one cluster: what it reads from, the file it writes, the events it sends."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from mesh.access import LINEAGE
from mesh.catalog import Catalog, declaration_of, declared
from mesh.catalog.graph import naming_by
from mesh.errors import RetriableError
from mesh.inquiry.abroad import Abroad
from mesh.kafka import Admin, Connection, LogReader, LogTail
from mesh.lineage.graph import Declaration
from mesh.lineage.index import Collector, Sources, Store
from mesh.lineage.index.emission import Emission
from mesh.lineage.openlineage import Runs
from mesh.lineage.openlineage.runs import GRACE_MS
from mesh.lineage.openlineage.sinks import Outboxes
from mesh.settings import Settings

logger = logging.getLogger(__name__)

_TICK_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 1.0
"""Before the next attempt when the broker was away: the collector ends only when it is told to."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collector did: records of Kafka read, edges indexed, parent sets gone, records set aside, events sent."""

    records: int = 0
    edges: int = 0
    missing: int = 0
    damaged: int = 0
    events: int = 0


@dataclass(frozen=True, slots=True)
class Collecting:
    """How to collect: until ``stopping()``, or ``until_end`` until everything that is there now is in the file."""

    path: Path
    stopping: Callable[[], bool] = lambda: False
    until_end: bool = False


def collect(settings: Settings, how: Collecting, console: TextIO, principal: str | None = None) -> Collected:
    """Fold the lineage of the first cluster into a file and send events of it where the settings say.

    It goes on where the file stopped. A broker that is away is waited for, unless ``until_end``. Raises SettingsError,
    NotAuthorised.
    """
    connection = Connection.of(settings, principal or settings.principal or LINEAGE)
    with ExitStack() as stack:
        work = _Work(settings, connection, how, console, stack)
        while not how.stopping():
            try:
                if work.turn(how.until_end):
                    break
            except RetriableError as error:
                if how.until_end:
                    raise
                logger.warning("the collector waits: %s", error)
                time.sleep(_PAUSE_SECONDS)
        return work.collected


class _Work:
    """One collector at work."""

    def __init__(
        self, settings: Settings, connection: Connection, how: Collecting, console: TextIO, stack: ExitStack
    ) -> None:
        self._admin = stack.enter_context(Admin(connection))
        self._reader = stack.enter_context(LogReader(connection))
        self._catalog = stack.enter_context(Catalog(connection))
        store = stack.enter_context(Store(how.path))
        self._outboxes = Outboxes.of(settings, connection, console)
        stack.callback(self._outboxes.close)
        self._abroad = stack.enter_context(Abroad(settings, connection.principal))
        names = naming_by(settings, {connection.bootstrap: self._admin.cluster_id()})
        self._emission = Emission(Runs(names), store, self._outboxes.send)
        sources = Sources(
            self._admin, self._reader, lambda starts: LogTail(connection, starts), declaration_of, self._present
        )
        self._collector = Collector(store, sources, self._emission)
        stack.callback(self._collector.close)
        self._records = self._events = 0
        self._ticked = 0.0
        self._rewound = self._through = False

    @property
    def collected(self) -> Collected:
        found = self._collector
        return Collected(self._records, found.edges, found.missing, found.damaged, self._events)

    def turn(self, until_end: bool) -> bool:
        """Fold what has come, and send what is due; whether that is all, ``until_end``."""
        if not self._rewound:
            self._collector.relist()
            self._emission.rewind(self._reader, self._collector.positions)
            self._rewound = True
        for each in self._abroad.news():
            self._emission.declare(each)
        folded = self._collector.step()
        self._records += folded
        if folded and not self._through:
            return False
        self._through = self._through or self._caught_up()
        if self._through:
            self._tick(idle=not folded)
        return until_end and not folded and self._caught_up()

    def _tick(self, *, idle: bool) -> None:
        """Send what is due, unless the fold is behind the clock: minutes would be told in part."""
        clock, now = time.monotonic(), int(time.time() * 1000)
        if clock - self._ticked >= _TICK_SECONDS and (idle or self._collector.newest > now - GRACE_MS):
            self._ticked = clock
            self._events += self._emission.tick(now)

    def _caught_up(self) -> bool:
        """Whether nothing but markers lies behind what was folded."""
        return all(
            next(iter(self._reader.read(place, at, self._reader.bounds(place)[1])), None) is None
            for place, at in self._collector.positions.items()
        )

    def _present(self) -> Iterable[Declaration]:
        self._catalog.refresh(relist=True)
        return [each for each in map(declared, self._catalog.entries().values()) if each is not None]
