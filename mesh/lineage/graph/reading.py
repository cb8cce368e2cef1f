"""What gates and processors did shortly before an instant, read from Kafka: a few manifests, however long the log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from mesh.kafka.message import Message
from mesh.lineage.descents_column import column_of
from mesh.lineage.encoding import decode_manifest
from mesh.lineage.graph.facts import Activity, Consumption, activity_of, consumption_of
from mesh.lineage.graph.topology import SPAN_MS
from mesh.lineage.inventory import ClusterView
from mesh.lineage.progress import Progress, decode_parents_record
from mesh.types import ProductTopics, Topic, TopicPartition

_BEFORE = 16
"""Offsets read before the minute, so that a product that was idle in it still shows what it did last: a transaction
takes two offsets, its record and its marker."""


class TimedReader(Protocol):
    """Committed records by offset and by time; ``mesh.kafka.log.LogReader`` is one."""

    def bounds(self, partition: TopicPartition) -> tuple[int, int]:
        """The first offset held and the offset after the last readable one."""

    def read(self, partition: TopicPartition, start: int, end: int) -> Iterator[Message]:
        """Every readable record with ``start <= offset < end``, ascending."""

    def offset_at(self, partition: TopicPartition, timestamp_ms: int) -> int:
        """The offset of the first record of that time or later; the end where there is none."""


@dataclass(slots=True)
class Recent:
    """What was done in the minute before an instant, and last before that."""

    activities: list[Activity] = field(default_factory=list)
    consumptions: list[Consumption] = field(default_factory=list)
    topics: dict[UUID, Topic] = field(default_factory=dict)


def recent(
    families: Iterable[ProductTopics], at: int, reader: TimedReader, cluster: ClusterView, found: Recent
) -> None:
    """Add what gates and processors of these products did before ``at``, epoch milliseconds.

    Raises NotAuthorised where the lineage of one may not be read, LineageBroken for what is no manifest.
    """
    known = list(families)
    states = cluster.topics([name for each in known for name in (each.public, each.lineage, each.parents)])
    for family in known:
        public = states.get(family.public)
        if public is not None:
            found.topics.setdefault(public.topic_id, family.public)
        for name, take in ((family.lineage, _manifest), (family.parents, _commit)):
            state = states.get(name)
            for number in range(state.partitions if state else 0):
                for message in _window(reader, TopicPartition(name, number), at):
                    take(found, name, message.value() or b"")


def _window(reader: TimedReader, partition: TopicPartition, at: int) -> Iterator[Message]:
    begin = max(0, reader.offset_at(partition, at - SPAN_MS) - _BEFORE)
    return reader.read(partition, begin, reader.offset_at(partition, at + 1))


def _manifest(found: Recent, name: Topic, payload: bytes) -> None:
    manifest = decode_manifest(payload)
    found.topics.setdefault(manifest.topics.public, ProductTopics.of_any(name).public)
    column = column_of(manifest)
    found.activities.append(activity_of(name, manifest, column))


def _commit(found: Recent, name: Topic, payload: bytes) -> None:
    record = decode_parents_record(payload)
    if isinstance(record, Progress):
        found.consumptions.append(consumption_of(name, record))
