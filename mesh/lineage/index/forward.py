"""The file as the index that a walk forward may use: it saves reading every manifest, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mesh.errors import NotFound
from mesh.lineage.impact import Consumer
from mesh.lineage.index.lookup import Lookup
from mesh.lineage.parents import ParentSet
from mesh.types import TopicPartition


class StoredIndex:
    """A ``mesh.lineage.impact.ForwardIndex`` over a collector's file."""

    def __init__(self, path: Path) -> None:
        self._lookup = Lookup(path)

    def children(self, consumer: Consumer, parents: ParentSet) -> Iterable[tuple[int, int]] | None:
        """Partition and public offset of what was made from these; None where manifests are not in the file."""
        try:
            if self._lookup.damaged(consumer.holding.family.lineage):
                return None
            if not all(self._complete(consumer, number) for number in range(consumer.holding.inventory.partitions)):
                return None
            return self._lookup.made_from(parents, consumer.holding.topic_id)
        except NotFound:
            return None

    def _complete(self, consumer: Consumer, partition: int) -> bool:
        place = TopicPartition(consumer.holding.family.lineage, partition)
        read, end = self._lookup.next_offset(*_parts(place)), consumer.holding.log(partition).end
        # Behind the last record there is its transaction's marker, which is no manifest.
        return read >= end or next(iter(consumer.holding.site.reader.read(place, read, end)), None) is None


def _parts(place: TopicPartition) -> tuple[str, int]:
    return place.topic, place.partition
