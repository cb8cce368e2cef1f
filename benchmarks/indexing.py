"""What the lineage index costs: edges a second from manifests to the file, and bytes for each, on one core."""

from __future__ import annotations

import sqlite3
import tempfile
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from benchmarks.harness import Benchmark, Comparison, Reading, Variant, clocked, in_turns, publish
from mesh.kafka import Message
from mesh.lineage import Basis, Descent, Manifest, OffsetSet, ParentSet, Reference, Span, TopicIds, encode_manifest
from mesh.lineage.descents_column import ColumnHead, DescentsColumn, decode_descents, encode_descents
from mesh.lineage.encoding import decode_manifest
from mesh.lineage.index import Collector, Sources, Store
from mesh.types import SchemaId, TopicPartition

LINEAGE: Final = "bench.derived.v1.lineage"
_PASSED: Final = 2_000
"""Records of one transaction: what a gate under load commits."""
_BATCH: Final = 32
"""Manifests that arrive together."""
_IDS: Final = TopicIds(*(UUID(int=number) for number in (1, 2, 3)))
_SOURCES: Final = (UUID(int=11), UUID(int=12))
FLOOR: Final = 100_000
"""Edges for each second of CPU time that this version has to keep."""

Shape = Callable[[int], ParentSet]


def one(number: int) -> ParentSet:
    """One record from one: a map or a filter."""
    return ParentSet.of([Reference(_SOURCES[0], number % 4, number // 4)])


def joined(number: int) -> ParentSet:
    """A record and what two look-ups gave."""
    others = (Reference(_SOURCES[1], each, (number * 7 + each) % 10_000) for each in range(2))
    return one(number) | ParentSet.of(others)


def window(number: int) -> ParentSet:
    """A window of 100 records that follow each other."""
    start = number * 100
    return ParentSet.of([Reference(_SOURCES[0], number % 4, start + each) for each in range(100)])


SHAPES: Final[Mapping[str, tuple[Shape, int]]] = {"maps": (one, 1), "joins": (joined, 3), "windows": (window, 100)}


@dataclass(frozen=True, slots=True)
class Lying:
    """A manifest where it lies."""

    at: int
    payload: bytes

    def topic(self) -> str:
        return LINEAGE

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes | None:
        return None

    def value(self) -> bytes | None:
        return self.payload

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 1, 0


class Topic:
    """The lineage topic, for a collector that is handed its records."""

    def topic_names(self) -> Sequence[str]:
        return [LINEAGE]

    def topic_ids(self, names: Iterable[str]) -> Mapping[str, UUID]:
        return dict.fromkeys(names, UUID(int=9))

    def partition_counts(self, names: Iterable[str]) -> Mapping[str, int]:
        return dict.fromkeys(names, 1)

    def bounds(self, _: TopicPartition) -> tuple[int, int]:
        return 0, 0

    def read(self, _: TopicPartition, __: int, ___: int) -> Iterator[Message]:
        return iter(())

    def fetch(self, _: TopicPartition, __: int) -> Message | None:
        return None

    def poll(self, _: float) -> list[Message]:
        return []

    def close(self) -> None:
        """Nothing is held."""


def manifests(shape: Shape, records: int) -> list[Message]:
    """The manifests of so many derived records."""
    found: list[Message] = []
    for base in range(0, records, _PASSED):
        sets = [shape(number) for number in range(base, min(base + _PASSED, records))]
        descents = [Descent(next(iter(each)), parents=each) for each in sets]
        column = encode_descents(DescentsColumn(ColumnHead("bench.derived"), descents))
        found.append(Lying(2 * len(found), encode_manifest(_manifest(base, len(sets), column), SchemaId(1))))
    return found


def _manifest(base: int, count: int, column: bytes) -> Manifest:
    return Manifest(
        product="bench.derived",
        cluster_id="bench",
        partition=0,
        epoch=0,
        sequence=base // _PASSED,
        previous=b"",
        topics=_IDS,
        ingress_from=base,
        ingress_to=base + count,
        delivered=OffsetSet.between(base, base + count),
        public=Span(base, count),
        quarantine=Span(0, 0),
        sha256_in=bytes(32),
        sha256_out=bytes(32),
        basis=Basis("urn:bench", "1.0.0", "ab" * 32, "bench"),
        clause_counts={},
        parents=column,
        created_at=1_700_000_000_000 + base,
        gate="_mesh.gate.bench.0",
    )


def _batches(messages: Sequence[Message]) -> Iterator[list[Message]]:
    rest = iter(messages)
    while batch := list(islice(rest, _BATCH)):
        yield batch


def folded(messages: Sequence[Message], path: Path) -> int:
    """Our fold: from payloads to edges in the file, positions with them. Gives the edges."""
    topic = Topic()
    with Store(path) as store:
        collector = Collector(store, Sources(topic, topic, lambda _: topic, lambda _: None, lambda: ()))
        collector.relist()
        for batch in _batches(messages):
            collector.fold(batch)
        return collector.edges


def tabled(messages: Sequence[Message], path: Path) -> int:
    """What one writes first: a table of topic ids and offsets with an index for each direction."""
    base = sqlite3.connect(path)
    base.execute("CREATE TABLE edges (parent_topic, parent_partition, parent_offset, topic, partition, child_offset)")
    base.execute("CREATE INDEX forth ON edges (parent_topic, parent_partition, parent_offset)")
    base.execute("CREATE INDEX back ON edges (topic, partition, child_offset)")
    edges = 0
    for message in messages:
        rows = list(_rows(decode_manifest(message.value() or b"")))
        base.executemany("INSERT INTO edges VALUES (?, ?, ?, ?, ?, ?)", rows)
        base.commit()
        edges += len(rows)
    base.close()
    return edges


def _rows(manifest: Manifest) -> Iterator[tuple[object, ...]]:
    child = str(manifest.topics.public), manifest.partition
    for offset, descent in enumerate(decode_descents(manifest.parents).descents, manifest.public.base):
        for each in descent.parents or ():
            yield str(each.topic_id), each.partition, each.offset, *child, offset


def bytes_per_edge(fold: Callable[[Sequence[Message], Path], int], messages: Sequence[Message]) -> float:
    """The size of the file when it is closed, for each edge in it."""
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder:
        path = Path(folder) / "index.db"
        edges = fold(messages, path)
        return round(path.stat().st_size / edges, 1)


def run(edges: int, rounds: int) -> tuple[dict[str, list[Reading]], dict[str, Any]]:
    """Fold about ``edges`` edges of each shape, ours and the table in turns; readings and bytes for an edge."""
    written = {name: manifests(shape, max(_PASSED, edges // parents)) for name, (shape, parents) in SHAPES.items()}
    variants = [
        Variant(f"{way}: {name}", partial(_clocked, fold, messages))
        for name, messages in written.items()
        for way, fold in (("index", folded), ("table", tabled))
    ]
    sizes = {
        f"{way}: {name}": bytes_per_edge(fold, messages)
        for name, messages in written.items()
        for way, fold in (("index", folded), ("table", tabled))
    }
    readings = in_turns(variants, rounds)
    rates = {name: sorted(each.cpu_rate for each in taken)[len(taken) // 2] for name, taken in readings.items()}
    told = {name: f"{rate:,.0f}" for name, rate in rates.items()}
    kept = {name: rate >= FLOOR for name, rate in rates.items() if name.startswith("index")}
    facts = {"edges per CPU second": told, "bytes per edge": sizes, f"at least {FLOOR:,}": kept}
    return readings, facts


def _clocked(fold: Callable[[Sequence[Message], Path], int], messages: Sequence[Message]) -> Reading:
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder:
        return clocked(lambda: fold(messages, Path(folder) / "index.db"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as ``python -m benchmarks.indexing``."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--edges", type=int, default=400_000, help="edges of each shape")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    readings, facts = run(options.edges, options.rounds)
    comparisons = [Comparison(f"{name}: index / table", f"index: {name}", f"table: {name}", "cpu") for name in SHAPES]
    notes = (
        "from the payloads of manifests, in memory, to a file: Kafka is not part of it",
        "an edge is a record here",
    )
    publish(Benchmark("indexing", "the forward index of lineage", comparisons, notes=notes, facts=facts), readings)
    for title, told in facts.items():
        print(f"{title}: {told}")


if __name__ == "__main__":
    main()
