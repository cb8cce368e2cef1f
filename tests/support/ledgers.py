"""A whole lineage in memory: products, small gates that write true manifests, processors that name their parents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from uuid import UUID

from mesh.errors import NotAuthorised
from mesh.kafka import TopicState
from mesh.lineage import (
    PARENTS_HEADER,
    VERDICT_HEADER,
    Basis,
    ColumnHead,
    Deposit,
    Descent,
    DescentsColumn,
    OffsetSet,
    ParentSet,
    PartitionChain,
    PartitionTransaction,
    Progress,
    RecordDigest,
    Reference,
    SchemaSeen,
    Span,
    TopicIds,
    VerdictHeader,
    encode_deposit,
    encode_descents,
    encode_manifest,
    encode_progress,
    encode_verdict_header,
)
from mesh.types import Coordinate, Finding, Headers, ProductName, ProductTopics, SchemaId, TopicPartition

FINDING = Finding("number.odd", "number", "is odd")
SCHEMA = SchemaSeen(SchemaId(3), "fe" * 32)
START = 1_700_000_000_000


@dataclass(frozen=True)
class Record:
    """A record of an in-memory log, as the client's own looks."""

    where: TopicPartition
    at: int
    content: tuple[bytes | None, bytes | None]
    told: Headers = ()
    when: int = START

    def topic(self) -> str:
        return self.where.topic

    def partition(self) -> int:
        return self.where.partition

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes | None:
        return self.content[0]

    def value(self) -> bytes | None:
        return self.content[1]

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return list(self.told) or None

    def timestamp(self) -> tuple[int, int]:
        return 2, self.when


def nothing(_record: Record) -> bool:
    """No record at all."""
    return False


@dataclass
class Logs:
    """Partitions by topic, with what a cluster tells of them: a ``Reader`` and a ``Listing`` in one."""

    name: str = "cluster"
    states: dict[str, TopicState] = field(default_factory=dict)
    records: dict[TopicPartition, dict[int, Record]] = field(default_factory=dict)
    aborted: dict[TopicPartition, dict[int, Record]] = field(default_factory=dict)
    begins: dict[TopicPartition, int] = field(default_factory=dict)
    ends: dict[TopicPartition, int] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    reads: int = 0

    def cluster_id(self) -> str:
        return self.name

    def topic_names(self) -> list[str]:
        return sorted(self.states)

    def topic_ids(self, names: Iterable[str]) -> dict[str, UUID]:
        return {name: self.states[name].topic_id for name in names if name in self.states}

    def topics(self, names: Iterable[str]) -> Mapping[str, TopicState]:
        wanted = list(names)
        for name in wanted:
            self._check(name)
        return {name: self.states[name] for name in wanted if name in self.states}

    def _check(self, topic: str) -> None:
        if topic in self.denied:
            raise NotAuthorised("auditor", f"read {topic}", "TOPIC_AUTHORIZATION_FAILED")

    def bounds(self, partition: TopicPartition) -> tuple[int, int]:
        self._check(partition.topic)
        return self.begins.get(partition, 0), self.ends.get(partition, 0)

    def read(self, partition: TopicPartition, start: int, end: int) -> Iterator[Record]:
        self._check(partition.topic)
        self.reads += 1
        kept = self.records.get(partition, {})
        return iter([kept[at] for at in sorted(kept) if start <= at < end])

    def fetch(self, partition: TopicPartition, offset: int) -> Record | None:
        return next(self.read(partition, offset, offset + 1), None)

    @property
    def raw(self) -> Logs:
        """The same with what was aborted."""
        places = self.records.keys() | self.aborted.keys()
        both = {place: self.records.get(place, {}) | self.aborted.get(place, {}) for place in places}
        return replace(self, records=both)

    def create(self, topic: str, topic_id: UUID, partitions: int, config: Mapping[str, str] | None = None) -> None:
        self.states[topic] = TopicState(topic, topic_id, partitions, 1, config or {})

    def write(self, where: TopicPartition, key: bytes | None, value: bytes | None, headers: Headers = ()) -> int:
        at = self.ends.get(where, 0)
        self.records.setdefault(where, {})[at] = Record(where, at, (key, value), headers)
        self.ends[where] = at + 1
        return at

    def skip(self, where: TopicPartition, offsets: int = 1) -> None:
        """Leave holes, as markers do."""
        self.ends[where] = self.ends.get(where, 0) + offsets

    def expire(self, where: TopicPartition, before: int | None = None) -> None:
        """Retention takes what lies before, by default everything."""
        begin = self.ends.get(where, 0) if before is None else before
        self.begins[where] = begin
        self.records[where] = {at: each for at, each in self.records.get(where, {}).items() if at >= begin}


@dataclass
class Made:
    """One product of a ledger."""

    topics: ProductTopics
    ids: TopicIds
    partitions: int
    processor: str | None
    chains: dict[int, PartitionChain] = field(default_factory=dict)
    parked: dict[int, list[Record]] = field(default_factory=dict)
    read: dict[int, int] = field(default_factory=dict)


def odd(record: Record) -> bool:
    """The rule of the small gates: values that end with an exclamation mark are refused."""
    return (record.value() or b"").endswith(b"!")


class Ledger:
    """Products on one cluster. ``publish`` and ``derive`` write to an ingress, ``gate`` passes what waits there."""

    def __init__(self, logs: Logs | None = None, numbers: Iterator[int] | None = None) -> None:
        self.logs = logs or Logs()
        self.products: dict[str, Made] = {}
        self._numbers = numbers or count(1)

    def product(self, name: str, partitions: int = 1, processor: str | None = None) -> Made:
        """A new product; derived where a processor makes it."""
        topics = ProductTopics(ProductName.parse(name), 1)
        ids = [UUID(int=next(self._numbers)) for _ in range(6)]
        named = (topics.ingress, topics.public, topics.quarantine, topics.lineage, topics.parents, topics.changelog)
        for topic, topic_id in zip(named if processor else named[:4], ids, strict=False):
            self.logs.create(topic, topic_id, partitions)
        self.products[name] = Made(topics, TopicIds(*ids[:3]), partitions, processor)
        return self.products[name]

    def publish(self, name: str, *values: bytes, partition: int = 0, key: bytes | None = b"k") -> list[int]:
        """Write to the ingress, each with an origin; gives the ingress offsets."""
        where = TopicPartition(self.products[name].topics.ingress, partition)
        stem = f"{name}.csv#".encode()
        return [self.logs.write(where, key, value, [("mesh-origin", stem + value)]) for value in values]

    def derive(self, name: str, descent: Descent, value: bytes = b"d", partition: int = 0) -> None:
        """A processor writes one output."""
        if not descent.fits:
            descent = self._deposit(name, descent)
        where = TopicPartition(self.products[name].topics.ingress, partition)
        self.logs.write(where, b"k", value, [(PARENTS_HEADER, descent.encode())])

    def _deposit(self, name: str, descent: Descent) -> Descent:
        topics = self.products[name].topics
        assert descent.parents is not None
        where = TopicPartition(topics.parents, descent.driving.partition % self.products[name].partitions)
        at = self.logs.write(where, b"set", encode_deposit(descent.parents))
        return descent.deposited(Reference(self.logs.states[topics.parents].topic_id, where.partition, at))

    def progress(self, name: str, progress: Progress) -> None:
        """A processor commits."""
        made = self.products[name]
        where = TopicPartition(made.topics.parents, progress.partition % made.partitions)
        self.logs.write(where, b"progress", encode_progress(progress))
        self.logs.skip(where)

    def one(self, name: str, *, of: Sequence[Reference], partition: int = 0) -> Reference:
        """Derive one record of these parents, the first of them driving, and pass it."""
        self.derive(name, Descent(of[0], parents=ParentSet.of(of)), partition=partition)
        return self.gate(name, partition)[-1]

    def source(self, name: str, *values: bytes, partition: int = 0) -> list[Reference]:
        """Publish and pass records of a source."""
        self.publish(name, *values, partition=partition)
        return self.gate(name, partition)

    def gate(
        self,
        name: str,
        partition: int = 0,
        *,
        park: Callable[[Record], bool] = nothing,
        repeat: Callable[[Record], bool] = nothing,
        release: bool = False,
    ) -> list[Reference]:
        """One transaction over everything that waits; gives the public records it wrote.

        With ``release`` what was parked before goes first.
        """
        made = self.products[name]
        waiting = self._waiting(made, partition)
        freed = made.parked.pop(partition, []) if release else []
        parked, repeated = ([record for record in waiting if take(record)] for take in (park, repeat))
        refused = [record for record in waiting if odd(record) and record not in (*parked, *repeated)]
        passed = [*freed, *(record for record in waiting if record not in (*parked, *repeated, *refused))]
        made.parked.setdefault(partition, []).extend(parked)
        spans = self._forward(made, partition, passed), self._quarantine(made, partition, refused)
        chain = made.chains.setdefault(
            partition, PartitionChain.start(name, self.logs.name, partition, made.ids, made.read.get(partition, 0))
        )
        ingress = TopicPartition(made.topics.ingress, partition)
        manifest = chain.extend(
            PartitionTransaction(
                ingress_to=self.logs.ends.get(ingress, 0),
                delivered=OffsetSet.of([record.offset() for record in waiting]),
                refused=OffsetSet.of([record.offset() for record in refused]),
                parked=OffsetSet.of([record.offset() for record in parked]),
                repeated=OffsetSet.of([record.offset() for record in repeated]),
                released=OffsetSet.of([record.offset() for record in freed]),
                public=spans[0],
                quarantine=spans[1],
                schemas=(SCHEMA,),
                sha256_in=_digest(waiting),
                sha256_out=_digest(passed),
                basis=Basis(f"urn:{name}", "1.0.0", "ab" * 32, "mesh-test"),
                gate="_mesh.gate.test.0",
                created_at=START + chain.sequence * 1000,
                origins=[dict(record.headers() or ()).get("mesh-origin") for record in waiting],
                parents=self._column(made, passed),
            )
        )
        payload = encode_manifest(manifest, SchemaId(7))
        lineage = TopicPartition(made.topics.lineage, partition)
        at = self.logs.write(lineage, None, payload)
        self._mark(made, partition)
        made.chains[partition] = PartitionChain.resume(manifest, payload, at)
        made.read[partition] = manifest.ingress_to
        base = manifest.public.base
        return [Reference(made.ids.public, partition, offset) for offset in range(base, base + len(passed))]

    def _waiting(self, made: Made, partition: int) -> list[Record]:
        where = TopicPartition(made.topics.ingress, partition)
        return list(self.logs.read(where, made.read.get(partition, 0), self.logs.ends.get(where, 0)))

    def _forward(self, made: Made, partition: int, records: Sequence[Record]) -> Span | None:
        where = TopicPartition(made.topics.public, partition)
        at = [self.logs.write(where, *record.content, record.told) for record in records]
        return Span(at[0], len(at)) if at else None

    def _quarantine(self, made: Made, partition: int, records: Sequence[Record]) -> Span | None:
        where = TopicPartition(made.topics.quarantine, partition)
        at = [
            self.logs.write(where, *record.content, [*record.told, (VERDICT_HEADER, _verdict(made, record))])
            for record in records
        ]
        return Span(at[0], len(at)) if at else None

    def _column(self, made: Made, passed: Sequence[Record]) -> bytes:
        if made.processor is None:
            return b""
        headers = [dict(record.headers() or ())[PARENTS_HEADER] or b"" for record in passed]
        return encode_descents(DescentsColumn(ColumnHead(made.processor), tuple(map(Descent.decode, headers))))

    def _mark(self, made: Made, partition: int) -> None:
        for topic in (made.topics.public, made.topics.quarantine, made.topics.lineage):
            if self.logs.ends.get(TopicPartition(topic, partition)):
                self.logs.skip(TopicPartition(topic, partition))


def _digest(records: Sequence[Record]) -> bytes:
    digest = RecordDigest()
    for record in records:
        digest.add(record.key(), record.value(), record.headers() or [])
    return digest.digest()


def _verdict(made: Made, record: Record) -> bytes:
    return encode_verdict_header(
        VerdictHeader(
            product=str(made.topics.product),
            coordinate=Coordinate(record.topic(), record.partition(), record.offset()),
            findings=(FINDING,),
            basis=Basis("urn:test", "1.0.0", "ab" * 32, "mesh-test"),
            schema_id=SchemaId(3),
        )
    )


__all__ = ["FINDING", "SCHEMA", "START", "Deposit", "Ledger", "Logs", "Made", "Record", "odd"]
