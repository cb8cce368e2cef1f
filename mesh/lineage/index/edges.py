"""From the parents column of a manifest to edges; parent sets that lie in the topic of parents are read there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from uuid import UUID

from mesh.errors import LineageBroken
from mesh.lineage.descent import Descent
from mesh.lineage.index.store import Edge, Store
from mesh.lineage.log import Reader
from mesh.lineage.manifest import Manifest
from mesh.lineage.parents import ParentSet
from mesh.lineage.progress import decode_parents_record
from mesh.types import ProductTopics, TopicPartition

MAX_PARENTS: Final = 1_000_000
"""Of one record. A range costs its writer a few bytes and the index an edge for each offset, so it has to end."""
_LARGEST: Final = (1 << 63) - 1


class EdgeReader:
    """Turns descents into edges between places of one file."""

    def __init__(self, store: Store, reader: Reader) -> None:
        self._store, self._reader = store, reader
        self.missing = 0
        """Parent sets that no longer lay in their topic; of these records only what drove them is indexed."""

    def edges(self, family: ProductTopics, manifest: Manifest, descents: Sequence[Descent]) -> Iterator[Edge]:
        """An edge for each parent of each record that the manifest passed."""
        child = self._store.place(manifest.topics.public, manifest.partition)
        known: dict[tuple[UUID, int], int] = {}
        elsewhere = self._deposits(family, descents)
        for row, descent in enumerate(descents):
            offset = manifest.public.base + row
            parents = descent.parents if descent.parents is not None else elsewhere[row]
            _check(parents)
            for lot in parents.lots:
                at = lot.topic_id, lot.partition
                parent = known.get(at)
                if parent is None:
                    parent = known[at] = self._store.place(*at)
                for start, count in lot.offsets.runs:
                    for each in range(start, start + count):
                        yield parent, each, child, offset

    def _deposits(self, family: ProductTopics, descents: Sequence[Descent]) -> dict[int, ParentSet]:
        """The sets that are not inline, by row; each partition of the topic of parents is read once."""
        wanted: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        for row, descent in enumerate(descents):
            if descent.deposit is not None:
                wanted[descent.deposit.at.partition][descent.deposit.at.offset].append(row)
        found: dict[int, ParentSet] = {}
        for partition, rows in wanted.items():
            found |= dict(self._lying(TopicPartition(family.parents, partition), rows, descents))
        for row in (row for rows in wanted.values() for several in rows.values() for row in several):
            if row not in found:
                self.missing += 1
                found[row] = ParentSet.of([descents[row].driving])
        return found

    def _lying(
        self, place: TopicPartition, rows: dict[int, list[int]], descents: Sequence[Descent]
    ) -> Iterable[tuple[int, ParentSet]]:
        for message in self._reader.read(place, min(rows), max(rows) + 1):
            several = rows.get(message.offset(), [])
            record = decode_parents_record(message.value() or b"") if several else None
            for row in several:
                # A topic that was made again holds another set there.
                if isinstance(record, ParentSet) and record.digest() == descents[row].sha256:
                    yield row, record


def _check(parents: ParentSet) -> None:
    """Refuse a forged set before it is unrolled; most have one run, which costs no more than a comparison."""
    lots = parents.lots
    if len(lots) == 1 and len(lots[0].offsets.runs) == 1:
        start, count = lots[0].offsets.runs[0]
        sound = count <= MAX_PARENTS and start + count <= _LARGEST
    else:
        sound = len(parents) <= MAX_PARENTS and all(lot.offsets.end <= _LARGEST for lot in lots)
    if not sound:
        raise LineageBroken("a parent set", "it names too many parents, or offsets that cannot be")
