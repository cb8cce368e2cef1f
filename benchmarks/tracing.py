"""Tracing latency by depth and by number of manifests, on manifests written straight to the lineage topics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

from benchmarks.harness import Comparison, Reading, Variant, clocked
from mesh.kafka import Admin, Connection, LogReader, Producer
from mesh.lineage import (
    Atlas,
    Basis,
    ColumnHead,
    Descent,
    DescentsColumn,
    OffsetSet,
    PartitionChain,
    PartitionTransaction,
    Reach,
    Reference,
    Span,
    TopicIds,
    ancestry,
    encode_descents,
    encode_manifest,
)
from mesh.types import ProductName, ProductTopics, SchemaId

DEPTHS: Final = (1, 3, 10)
"""Hops from the record asked about to its source row."""

_BASIS: Final = Basis("urn:bench", "1.0.0", "ab" * 32, "mesh-bench")
_SEEN: Final = 20
"""Records traced in each round, spread over the log."""


@dataclass(frozen=True, slots=True)
class Chained:
    """Products, each made record by record from the one before it; the first one is a source."""

    topics: tuple[ProductTopics, ...]
    ids: tuple[TopicIds, ...]
    manifests: int


def chained(connection: Connection, name: str, hops: int, manifests: int) -> Chained:
    """Write so many manifests of one record each for every product of a chain of ``hops``."""
    topics = tuple(ProductTopics(ProductName(name, f"hop-{number}"), 1) for number in range(hops + 1))
    with Admin(connection) as admin:
        for each in topics:
            for topic in (each.ingress, each.public, each.quarantine, each.lineage, each.parents):
                admin.create_topic(topic, 1, {})
        ids = tuple(_ids(admin, each) for each in topics)
        cluster = admin.cluster_id()
    for number, each in enumerate(topics):
        parent = ids[number - 1].public if number else None
        _write(connection, each, _manifests(cluster, each, ids[number], parent, manifests))
    return Chained(topics, ids, manifests)


def _ids(admin: Admin, topics: ProductTopics) -> TopicIds:
    found: dict[str, UUID] = {}
    while len(found) < 3:
        found = admin.topic_ids([topics.ingress, topics.public, topics.quarantine])
    return TopicIds(found[topics.ingress], found[topics.public], found[topics.quarantine])


def _manifests(cluster: str, topics: ProductTopics, ids: TopicIds, parent: UUID | None, number: int) -> Iterator[bytes]:
    chain = PartitionChain.start(str(topics.product), cluster, 0, ids, 0)
    for offset in range(number):
        manifest = chain.extend(_transaction(offset, parent, topics))
        payload = encode_manifest(manifest, SchemaId(1))
        yield payload
        chain = PartitionChain.resume(manifest, payload)


def _transaction(offset: int, parent: UUID | None, topics: ProductTopics) -> PartitionTransaction:
    parents = b""
    if parent is not None:
        descents = (Descent.of_one(Reference(parent, 0, offset)),)
        parents = encode_descents(DescentsColumn(ColumnHead(str(topics.product)), descents))
    return PartitionTransaction(
        ingress_to=offset + 1,
        delivered=OffsetSet(((offset, 1),)),
        basis=_BASIS,
        gate="_mesh.gate.bench.0",
        created_at=1_700_000_000_000 + offset,
        public=Span(offset, 1),
        origins=() if parent is not None else (b"bench.csv#%d" % offset,),
        parents=parents,
    )


def _write(connection: Connection, topics: ProductTopics, payloads: Iterator[bytes]) -> None:
    with Producer(connection) as producer:
        for number, payload in enumerate(payloads):
            producer.produce(topics.lineage, key=None, value=payload, partition=0)
            if number % 10_000 == 0:
                producer.flush(120)
        producer.flush(120)


def traced(connection: Connection, chain: Chained, depth: int) -> int:
    """Trace records all over the log, each as a question of its own over connections that are open."""
    place, last = chain.ids[depth].public, chain.manifests - 1
    with Admin(connection) as admin, LogReader(connection) as reader:
        for number in range(_SEEN):
            asked = Reference(place, 0, number * last // _SEEN)
            graph = ancestry(asked, Atlas.of_one(admin, reader), Reach(most=None))
            source = next(each for each in graph.stations.values() if each.making is None)
            if source.origin != f"bench.csv#{asked.offset}":
                raise AssertionError(f"{asked} was traced to {source.origin}")
    return _SEEN


def variants(connection: Connection, sizes: dict[str, Chained]) -> list[Variant]:
    """One hop back over logs of every size, and every depth that the longest chain has."""
    found = [Variant(_size(name), _clocked(connection, chain, 0)) for name, chain in sizes.items()]
    longest = max(sizes.values(), key=lambda chain: len(chain.topics))
    deep = [depth for depth in DEPTHS if depth < len(longest.topics)]
    return found + [Variant(_depth(depth), _clocked(connection, longest, depth)) for depth in deep]


def _clocked(connection: Connection, chain: Chained, depth: int) -> partial[Reading]:
    return partial(clocked, partial(traced, connection, chain, depth))


def _size(name: str) -> str:
    return f"source row among {name} manifests"


def _depth(depth: int) -> str:
    return f"{depth} hop{'s' if depth > 1 else ''} back"


def comparisons(names: list[str]) -> list[Comparison]:
    """How little the number of manifests costs."""
    return [Comparison(f"{each} / {names[0]} manifests", _size(each), _size(names[0])) for each in names[1:]]
