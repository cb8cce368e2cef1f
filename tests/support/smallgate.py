"""A gate of a few lines on a real broker: manifests as true as the real one's, or as false as a test wants them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mesh.kafka import Connection, LogReader, Message
from mesh.kafka.transaction import TransactionalProducer
from mesh.lineage import (
    Basis,
    OffsetSet,
    PartitionChain,
    PartitionTransaction,
    RecordDigest,
    SchemaSeen,
    Span,
    VerdictHeader,
    encode_manifest,
    encode_verdict_header,
)
from mesh.types import Coordinate, Finding, ProductTopics, SchemaId, TopicPartition

BASIS = Basis("urn:flights", "1.0.0", "ab" * 32, "0.1.0")
PARTITION = 1
FINDING = Finding("number.odd", "number", "is a multiple of five")
SCHEMA = SchemaSeen(SchemaId(3), "fe" * 32)


@dataclass
class SmallGate:
    """Reads what is in the ingress, refuses every fifth record, and commits outputs with their manifest."""

    connection: Connection
    topics: ProductTopics
    chain: PartitionChain
    offsets: dict[str, list[int]] = field(default_factory=dict)

    def run(self, end: int, *, commit: bool = True, withhold: int | None = None, alter: int | None = None) -> None:
        """One transaction up to ``end``; a record may be withheld, or altered, though the manifest speaks of it."""
        with LogReader(self.connection) as reader:
            place = TopicPartition(self.topics.ingress, PARTITION)
            records = list(reader.read(place, self.chain.ingress_next, end))
        producer = TransactionalProducer(self.connection, f"{self.topics.public}.test-gate")
        producer.begin()
        self.offsets = {self.topics.public: [], self.topics.quarantine: []}
        refused = [record for record in records if record.offset() % 5 == 0]
        digests = RecordDigest(), RecordDigest()
        for record in records:
            digests[0].add(record.key(), record.value(), record.headers() or ())
            if record.offset() != withhold:
                value = b"another" if record.offset() == alter else record.value()
                self._forward(producer, record, value, digests[1], refused=record in refused)
        producer.flush()
        if withhold is not None:
            self.offsets[self.topics.public].append(self.offsets[self.topics.public][-1] + 1)
        manifest = self.chain.extend(self._transaction(records, refused, digests, end))
        payload = encode_manifest(manifest, SchemaId(9))
        producer.produce(self.topics.lineage, PARTITION, None, payload, None)
        producer.flush()
        if commit:
            producer.commit()
            self.chain = PartitionChain.resume(manifest, payload)
        else:
            producer.abort()

    def _forward(
        self,
        producer: TransactionalProducer,
        record: Message,
        value: bytes | None,
        out: RecordDigest,
        *,
        refused: bool,
    ) -> None:
        headers = list(record.headers() or ())
        topic = self.topics.quarantine if refused else self.topics.public
        if refused:
            headers.append(("mesh-verdict", self._verdict(record.offset())))
        else:
            out.add(record.key(), record.value(), headers)
        stamp = record.timestamp()[1]
        producer.produce(topic, PARTITION, record.key(), value, headers, stamp, self._reported)

    def _reported(self, error: object, message: Any) -> None:
        assert error is None
        self.offsets[message.topic()].append(message.offset())

    def _verdict(self, offset: int) -> bytes:
        return encode_verdict_header(
            VerdictHeader(
                product=str(self.topics.product),
                coordinate=Coordinate(self.topics.ingress, PARTITION, offset),
                findings=(FINDING,),
                basis=BASIS,
                schema_id=SchemaId(3),
            )
        )

    def _transaction(
        self, records: Sequence[Message], refused: Sequence[Message], digests: tuple[RecordDigest, ...], end: int
    ) -> PartitionTransaction:
        return PartitionTransaction(
            ingress_to=end,
            delivered=OffsetSet.of([record.offset() for record in records]),
            refused=OffsetSet.of([record.offset() for record in refused]),
            public=_span(self.offsets[self.topics.public]),
            quarantine=_span(self.offsets[self.topics.quarantine]),
            schemas=(SCHEMA,),
            sha256_in=digests[0].digest(),
            sha256_out=digests[1].digest(),
            origins=[dict(record.headers() or ()).get("mesh-origin") for record in records],
            clause_counts={FINDING.clause: len(refused)},
            basis=BASIS,
            gate=f"{self.topics.public}.test-gate",
            created_at=1_700_000_000_000,
        )


def _span(offsets: Sequence[int]) -> Span | None:
    assert list(offsets) == list(range(offsets[0], offsets[0] + len(offsets))) if offsets else True
    return Span(offsets[0], len(offsets)) if offsets else None
