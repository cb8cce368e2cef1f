"""Follows lineage, parents and audit topics and folds them into the file; goes on where it stopped."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Protocol
from uuid import UUID

from mesh.errors import LineageBroken, UsageError
from mesh.kafka.message import Message
from mesh.lineage.descents_column import column_of
from mesh.lineage.encoding import decode_manifest
from mesh.lineage.graph.facts import Declaration, activity_of, consumption_of
from mesh.lineage.index.edges import EdgeReader
from mesh.lineage.index.emission import Emission
from mesh.lineage.index.store import Edge, Store
from mesh.lineage.log import Reader
from mesh.lineage.manifest import Manifest
from mesh.lineage.progress import Progress, decode_parents_record
from mesh.types import ProductTopics, TopicPartition

logger = logging.getLogger(__name__)

AUDIT: Final = "_mesh.audit"
_KINDS: Final = (".lineage", ".parents")
_MINUTE_MS: Final = 60_000
_LISTING_SECONDS: Final = 5.0
_MOST_EDGES: Final = 200_000
"""Edges held in memory before they are written: a batch of millions would swell the process."""


class Cluster(Protocol):
    """What is on the cluster; ``mesh.kafka.Admin`` is one."""

    def topic_names(self) -> Sequence[str]:
        """Every topic that may be described."""

    def topic_ids(self, names: Iterable[str]) -> Mapping[str, UUID]:
        """The ids of those that exist and may be described."""

    def partition_counts(self, names: Iterable[str]) -> Mapping[str, int]:
        """How many partitions each of them has."""


class Tail(Protocol):
    """Partitions followed from a start; ``mesh.kafka.LogTail`` is one."""

    def poll(self, seconds: float) -> list[Message]:
        """The records that arrived, waiting up to ``seconds`` for the first ones."""

    def close(self) -> None:
        """Give the connection back."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What a collector reads from.

    ``declares`` reads a record of the audit log, ``present`` gives what the catalog holds: the beginning of what is
    known where contracts are older than the audit log's documents.
    """

    cluster: Cluster
    reader: Reader
    follow: Callable[[Mapping[TopicPartition, int]], Tail]
    declares: Callable[[bytes | None], Declaration | None]
    present: Callable[[], Iterable[Declaration]]


class Collector:
    """One fold of one cluster into one file; ``emission`` is told the same."""

    def __init__(self, store: Store, sources: Sources, emission: Emission | None = None) -> None:
        self._store, self._sources, self._emission = store, sources, emission
        self._tail: Tail | None = None
        self._ids: Mapping[str, UUID] = {}
        self._listed = float("-inf")
        self._positions: dict[TopicPartition, int] = {}
        self._reading = EdgeReader(store, sources.reader)
        self.edges = 0
        """Edges folded since the start."""
        self.damaged = 0
        """Records that could not be read."""
        self._told_damaged: set[str] = set()
        self.newest = 0
        """When the newest record of the last batch was written, epoch milliseconds."""

    @property
    def missing(self) -> int:
        """Parent sets that could no longer be read; of these records only what drove them is indexed."""
        return self._reading.missing

    @property
    def positions(self) -> Mapping[TopicPartition, int]:
        """The next offset of every partition that is followed."""
        return dict(self._positions)

    def close(self) -> None:
        """Give the connection back."""
        if self._tail is not None:
            self._tail.close()
            self._tail = None

    def step(self, seconds: float = 0.5) -> int:
        """Fold what has arrived, waiting up to ``seconds``; gives how many records that were."""
        self.relist()
        messages = self._tail.poll(seconds) if self._tail is not None else []
        self.fold(messages)
        self.newest = max((each.timestamp()[1] for each in messages), default=self.newest)
        return len(messages)

    def lag(self) -> int:
        """How many offsets of the followed partitions were not read yet; markers count until a record follows."""
        return sum(max(0, self._sources.reader.bounds(place)[1] - at) for place, at in self._positions.items())

    def fold(self, messages: Sequence[Message]) -> None:
        """Fold records of the followed topics: with their offsets they get into the file, or nothing of them does."""
        ordered = sorted(messages, key=lambda each: (each.topic(), each.partition(), each.offset()))
        before = dict(self._positions)
        try:
            with self._store.batch():
                edges: list[Edge] = []
                for (topic, partition), same in groupby(ordered, key=lambda each: (each.topic(), each.partition())):
                    self._partition(TopicPartition(topic, partition), same, edges)
                self._link(edges)
                moved = {at: next_ for at, next_ in self._positions.items() if before.get(at) != next_}
                self._store.advance(moved, self._ids)
        except BaseException:
            self._positions = before
            raise

    def _partition(self, place: TopicPartition, messages: Iterable[Message], edges: list[Edge]) -> None:
        for message in messages:
            if message.offset() < self._positions.get(place, 0):
                continue
            edges.extend(self._told(place, message))
            self._positions[place] = message.offset() + 1
            if len(edges) >= _MOST_EDGES:
                self._link(edges)

    def _link(self, edges: list[Edge]) -> None:
        # In order of parents, each place of the file grows at its end.
        edges.sort()
        self._store.link(edges)
        self.edges += len(edges)
        edges.clear()

    def _told(self, place: TopicPartition, message: Message) -> Iterable[Edge]:
        """What one record tells; one that cannot be read is set aside, since other products' lineage must go on."""
        try:
            return self._read(place.topic, message.value())
        except (LineageBroken, UsageError, OverflowError) as error:
            self.damaged += 1
            self._store.set_aside(place, message.offset(), str(error))
            if place.topic not in self._told_damaged:
                self._told_damaged.add(place.topic)
                logger.warning("%s/%d cannot be read and is set aside: %s", place, message.offset(), error)
            return ()

    def _read(self, topic: str, payload: bytes | None) -> Iterable[Edge]:
        if topic == AUDIT:
            self._declare(self._sources.declares(payload))
        elif topic.endswith(".lineage"):
            return self._manifest(topic, decode_manifest(payload or b""))
        elif isinstance(record := decode_parents_record(payload or b""), Progress):
            self._progress(topic, record)
        return ()

    def _declare(self, declaration: Declaration | None) -> None:
        if declaration is None:
            return
        contract = declaration.contract
        self._store.declare(declaration.at, declaration.topic, contract.digest, contract.document.dump())
        if self._emission is not None:
            self._emission.declare(declaration)

    def _progress(self, topic: str, progress: Progress) -> None:
        self._store.consume(progress.created_at // _MINUTE_MS, consumption_of(topic, progress))
        if self._emission is not None:
            self._emission.progress(topic, progress)

    def _manifest(self, topic: str, manifest: Manifest) -> Iterable[Edge]:
        family = ProductTopics.of_any(topic)
        column = column_of(manifest)
        # Read before anything of the manifest is counted: a damaged set must not leave half of it behind.
        edges = list(self._reading.edges(family, manifest, column.descents)) if column is not None else []
        self._store.name(manifest.topics.public, family.public)
        self._store.act(manifest.created_at // _MINUTE_MS, activity_of(topic, manifest, column))
        if self._emission is not None:
            self._emission.manifest(topic, manifest)
        return edges

    def relist(self) -> None:
        """Look now and then for new topics, and for those that are gone or were made again."""
        now = time.monotonic()
        if now - self._listed < _LISTING_SECONDS:
            return
        first, self._listed = not self._ids, now
        self._ids = self._sources.cluster.topic_ids(
            [name for name in self._sources.cluster.topic_names() if _followed(name)]
        )
        kept = self._store.positions()
        gone = {place.topic for place, (topic_id, _) in kept.items() if self._ids.get(place.topic) != topic_id}
        if gone:
            self._forget(gone)
            kept = self._store.positions()
        counts = self._sources.cluster.partition_counts(self._ids)
        places = sorted(TopicPartition(name, number) for name in counts for number in range(counts[name]))
        if places != sorted(self._positions) or gone:
            self._positions = {place: kept[place][1] if place in kept else 0 for place in places}
            self.close()
            self._tail = self._sources.follow(self._positions) if places else None
        if first or gone:
            with self._store.batch():
                for declaration in self._sources.present():
                    self._declare(declaration)

    def _forget(self, gone: Iterable[str]) -> None:
        """Drop what topics told that are gone: a new file would not hold it either."""
        with self._store.batch():
            if AUDIT in gone:
                self._store.forget_declarations(AUDIT)
            for family in {ProductTopics.of_any(each) for each in gone if each != AUDIT}:
                self._store.forget(family.public, (family.lineage, family.parents))


def _followed(name: str) -> bool:
    if name == AUDIT:
        return True
    try:
        return name.endswith(_KINDS) and ProductTopics.of_any(name).public != name
    except UsageError:
        return False
