"""A lineage partition in memory, for tests of what is read from one without a broker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

from mesh.gate.passage import Passage
from mesh.kafka import LogReader, Message
from mesh.lineage import Basis, OffsetSet, PartitionChain, PartitionTransaction, Span, TopicIds, encode_manifest
from mesh.types import SchemaId, TopicPartition

TOPICS = TopicIds(UUID(int=1), UUID(int=2), UUID(int=3))
BASIS = Basis("urn:delays", "1.0.0", "ab" * 32, "0.1.0+test")
PROCESSOR = "punctuality.delays"


@dataclass
class Held:
    """A record as a reader gives it."""

    at: int
    payload: bytes

    def offset(self) -> int:
        return self.at

    def value(self) -> bytes:
        return self.payload


@dataclass
class MemoryLineage:
    """Commits what passages let pass; reads as ``LogReader`` does. ``gap`` offsets are lost to markers each time."""

    chain: PartitionChain = field(
        default_factory=lambda: PartitionChain.start(PROCESSOR, "cluster", 0, TOPICS, ingress_from=0)
    )
    begin: int = 0
    end: int = 0
    gap: int = 1
    held: list[Held] = field(default_factory=list)
    reads: int = 0

    @property
    def reader(self) -> LogReader:
        """For whoever asks for the real one."""
        return cast("LogReader", self)

    def commit(self, passage: Passage) -> None:
        """One transaction whose records are exactly those of the passage."""
        count, first = len(passage.descents), self.chain.ingress_next
        transaction = PartitionTransaction(
            ingress_to=first + count,
            delivered=OffsetSet.between(first, first + count),
            public=Span(self.chain.public_next, count) if count else None,
            high_water=passage.high_water,
            parents=passage.column(),
            basis=BASIS,
            gate="_mesh.gate.test.0",
            created_at=1,
        )
        manifest = self.chain.extend(transaction)
        payload = encode_manifest(manifest, SchemaId(7))
        self.held.append(Held(self.end, payload))
        self.chain = PartitionChain.resume(manifest, payload, self.end)
        self.end += 1 + self.gap

    def expire(self, manifests: int) -> None:
        """The oldest are gone."""
        self.held = self.held[manifests:]
        self.begin = self.held[0].at if self.held else self.end

    def bounds(self, partition: TopicPartition) -> tuple[int, int]:
        return self.begin, self.end

    def read(self, partition: TopicPartition, start: int, end: int, seconds: float = 0) -> Iterator[Message]:
        self.reads += 1
        return (cast("Any", each) for each in self.held if start <= each.at < end)

    def fetch(self, partition: TopicPartition, offset: int) -> Message | None:
        return next(self.read(partition, offset, offset + 1), None)
