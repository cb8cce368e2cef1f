"""The tables' own readers: all partitions of every product that is looked up, from the beginning, as they grow."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping

from mesh.kafka import Admin, Connection, LogTail, Message
from mesh.stream.binding import Binding
from mesh.stream.declared import TableDeclared
from mesh.stream.tables import Table, Tables, Waiting
from mesh.types import TopicPartition

logger = logging.getLogger(__name__)

_TICK_SECONDS = 0.05


class Lookups:
    """Keeps tables up to date. A table that gave nothing for its patience, while somebody waits, counts as complete."""

    def __init__(self, binding: Binding, tables: Tables, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tables: dict[str, Table] = {binding.inputs[each.product].topic: each for each in tables}
        self._readers = {topic: binding.reader(table.product) for topic, table in self._tables.items()}
        self._patience = {table.product: _patience(binding, table.product) for table in self._tables.values()}
        self._fed = dict.fromkeys(self._patience, clock())
        self._waiting: dict[str, float] = {}
        self._fixed = False
        self._ends: dict[TopicPartition, int] = {}
        self._tails = [self._following(*each) for each in self._by_cluster(binding).items()]

    def _by_cluster(self, binding: Binding) -> Mapping[Connection, list[TopicPartition]]:
        found: defaultdict[Connection, list[TopicPartition]] = defaultdict(list)
        for table in self._tables.values():
            bound = binding.inputs[table.product]
            found[bound.connection] += bound.places()
        return found

    def _following(self, connection: Connection, places: list[TopicPartition]) -> LogTail:
        with Admin(connection) as admin:
            starts = admin.beginnings(places)
            self._ends |= admin.ends(places, committed=True)
        return LogTail(connection, starts)

    def load(self, stopping: Callable[[], bool], *, fixed: bool) -> None:
        """Read every table up to where it ended when this began; ``fixed``: and take it as complete as it is."""
        began = self._clock()
        while not stopping() and self._behind():
            self.refresh(_TICK_SECONDS)
        if self._tables:
            rows = ", ".join(f"{table.product}: {len(table)}" for table in self._tables.values())
            logger.info("tables read in %.1f s (rows %s)", self._clock() - began, rows)
        if fixed:
            self._fixed = True
            for table in self._tables.values():
                table.grant()

    def _behind(self) -> bool:
        return any(at < self._ends[place] for tail in self._tails for place, at in tail.positions.items())

    def refresh(self, seconds: float = 0.0) -> None:
        """Take the rows that have come."""
        if self._fixed:
            return
        for tail in self._tails:
            for message in tail.poll(seconds / len(self._tails)):
                self._take(message)

    def _take(self, message: Message) -> None:
        table = self._tables[message.topic()]
        table.take(self._readers[message.topic()].read(message))
        self._fed[table.product] = self._clock()
        self._waiting.pop(table.product, None)

    def awaits(self, waiting: Waiting) -> bool:
        """Whether a lookup that had to wait can be asked again now."""
        self.refresh()
        table = next(table for table in self._tables.values() if table.product == waiting.product)
        if table.is_known(waiting.asof):
            return True
        patience, now = self._patience[waiting.product], self._clock()
        since = max(self._waiting.setdefault(waiting.product, now), self._fed[waiting.product])
        if patience is None or now - since < patience:
            return False
        logger.warning(
            "%s gave nothing for %.0f s and is taken as complete; rows that come late will not be found again",
            waiting.product,
            patience,
        )
        table.grant()
        return True

    def close(self) -> None:
        """Give the connections back."""
        for tail in self._tails:
            tail.close()


def _patience(binding: Binding, product: str) -> float | None:
    declared = binding.processor.tables.get(product, TableDeclared(product))
    return None if declared.patience is None else declared.patience.total_seconds()
