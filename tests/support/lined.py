"""Records of lineage and parents topics held in memory, for folds that are given messages and need no broker."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from mesh.kafka import Message
from mesh.lineage import (
    Descent,
    Manifest,
    ParentSet,
    Progress,
    Reference,
    encode_deposit,
    encode_manifest,
    encode_progress,
)
from mesh.lineage.descents_column import ColumnHead, DescentsColumn, encode_descents
from mesh.lineage.graph import Declaration
from mesh.lineage.index import Collector, Lookup, Sources, Store
from mesh.types import SchemaId, TopicPartition
from tests.support.transactions import manifest, topic_id


@dataclass(frozen=True)
class Held:
    """One record."""

    place: TopicPartition
    at: int
    content: bytes
    moment: int = 0

    def topic(self) -> str:
        return self.place.topic

    def partition(self) -> int:
        return self.place.partition

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes | None:
        return None

    def value(self) -> bytes | None:
        return self.content

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 1, self.moment


@dataclass
class Lines:
    """Partitions in memory, and everything a collector asks of a cluster; ``ids`` may be changed by a test."""

    records: dict[TopicPartition, list[Held]] = field(default_factory=dict)
    declared: list[Declaration] = field(default_factory=list)
    ids: dict[str, UUID] = field(default_factory=dict)

    def write(self, topic: str, content: bytes, moment: int = 0, partition: int = 0) -> int:
        """Append a record; every second offset is a transaction's marker. Gives its offset."""
        place = TopicPartition(topic, partition)
        lying = self.records.setdefault(place, [])
        self.ids.setdefault(topic, topic_id(topic))
        lying.append(Held(place, 2 * len(lying), content, moment))
        return lying[-1].at

    def manifest(self, topic: str, told: Manifest) -> None:
        self.write(f"{topic}.lineage", encode_manifest(told, SchemaId(9)), told.created_at, told.partition)

    def progress(self, topic: str, told: Progress) -> None:
        self.write(f"{topic}.parents", encode_progress(told), told.created_at)

    def derived(self, topic: str, descents: Sequence[Descent], base: int, at: int) -> None:
        """A transaction that passed these records from public offset ``base``."""
        column = encode_descents(DescentsColumn(ColumnHead("p"), descents))
        self.manifest(topic, manifest(topic, base, len(descents), at, parents=column))

    def deposit(self, topic: str, parents: ParentSet) -> Reference:
        """Put a set into the topic of parents."""
        return Reference(topic_id(f"{topic}.parents"), 0, self.write(f"{topic}.parents", encode_deposit(parents)))

    def messages(self) -> list[Message]:
        """Everything, partition by partition."""
        return [each for lying in self.records.values() for each in lying]

    def topic_names(self) -> list[str]:
        return sorted(self.ids)

    def topic_ids(self, names: Iterable[str]) -> Mapping[str, UUID]:
        return {name: self.ids[name] for name in names}

    def partition_counts(self, names: Iterable[str]) -> Mapping[str, int]:
        counts = {name: [place.partition for place in self.records if place.topic == name] for name in names}
        return {name: max(numbers, default=0) + 1 for name, numbers in counts.items()}

    def bounds(self, partition: TopicPartition) -> tuple[int, int]:
        return 0, 2 * len(self.records.get(partition, []))

    def read(self, partition: TopicPartition, start: int, end: int) -> Iterator[Message]:
        return iter([each for each in self.records.get(partition, []) if start <= each.at < end])

    def fetch(self, partition: TopicPartition, offset: int) -> Message | None:
        return next(self.read(partition, offset, offset + 1), None)

    def offset_at(self, partition: TopicPartition, timestamp_ms: int) -> int:
        lying = self.records.get(partition, [])
        return next((each.at for each in lying if each.moment >= timestamp_ms), 2 * len(lying))

    def sources(self) -> Sources:
        return Sources(self, self, lambda starts: _Once(self, dict(starts)), lambda _: None, lambda: self.declared)


class _Once:
    """Everything that lies there from the starts on, once."""

    def __init__(self, lines: Lines, starts: dict[TopicPartition, int]) -> None:
        self._lines, self._starts = lines, starts

    def poll(self, seconds: float) -> list[Message]:
        del seconds
        starts, self._starts = self._starts, dict.fromkeys(self._starts, 1 << 60)
        return [each for place, at in starts.items() for each in self._lines.read(place, at, 1 << 60)]

    def close(self) -> None:
        """Nothing is held."""


def collected(lines: Lines, path: Path) -> Lookup:
    """Fold everything into a file, and close it."""
    with Store(path) as store:
        collector = Collector(store, lines.sources())
        while collector.step(0):
            pass
        collector.close()
    return Lookup(path)


def drawn(seed: int, records: int = 300) -> tuple[Lines, dict[Reference, set[Reference]]]:
    """A product made from two others at random, with every kind of parent set; and the parents of each record."""
    random_, lines = random.Random(seed), Lines()
    truth: dict[Reference, set[Reference]] = {}
    sources = [topic_id("s.a.v1"), topic_id("s.b.v1")]
    base = 0
    while base < records:
        descents: list[Descent] = []
        for _ in range(random_.randint(1, 20)):
            count = random_.choice([1, 1, 2, 5, 400])
            parents = {
                Reference(random_.choice(sources), random_.randint(0, 2), random_.randint(0, 900)) for _ in range(count)
            }
            descent = Descent(min(parents), parents=ParentSet.of(parents))
            if not descent.fits:
                descent = descent.deposited(lines.deposit("d.c.v1", ParentSet.of(parents)))
            truth[Reference(topic_id("d.c.v1"), 0, base + len(descents))] = parents
            descents.append(descent)
        lines.derived("d.c.v1", descents, base, 1_000 + base)
        base += len(descents)
    return lines, truth


def told(path: Path) -> str:
    """Everything a file holds, without the numbers that it gave itself."""
    lookup = Lookup(path)
    with lookup._opened() as base:
        tables = {
            name: sorted(map(str, base.execute(f"SELECT * FROM {name}").fetchall()))  # noqa: S608
            for name in ("activity", "sources", "consumption", "declarations", "topics", "positions")
        }
        tables["edges"] = sorted(
            map(
                str,
                base.execute(
                    "SELECT p.topic_id, p.partition, parent_offset, c.topic_id, c.partition, child_offset FROM edges "
                    "JOIN places p ON p.id = parent JOIN places c ON c.id = child"
                ).fetchall(),
            )
        )
    return json.dumps(tables)
