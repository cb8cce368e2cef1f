"""Every record of one key, wherever in a product it lies now: found by reading, with a bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mesh.errors import NotAuthorised
from mesh.judge.frame import fault, unframe
from mesh.kafka.message import Message
from mesh.lineage.atlas import Holding
from mesh.lineage.manifest import Manifest, Place
from mesh.types import Coordinate, TopicPartition

MOST = 100_000
"""Offsets read of each partition, the newest ones, unless more are asked for."""

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class KeySearch:
    """Where records of the key were found: ingress coordinates, ascending. ``whole`` says that nothing was left out."""

    found: tuple[Coordinate, ...]
    looked: int
    whole: bool
    denied: tuple[str, ...] = ()


def search_key(holding: Holding, body: bytes, most: int = MOST, advance: Advance = lambda _: None) -> KeySearch:
    """Look for an encoded key, without its frame: keys are the same under whichever schema id they were written.

    The ingress is read, and the outputs for what the ingress no longer holds. Topics that may not be read are named.
    """
    search = _Search(holding, body, most, advance)
    for partition in range(holding.inventory.partitions):
        for place in Place:
            search.through(place, partition)
    return KeySearch(tuple(sorted(search.found)), search.looked, search.whole, tuple(sorted(search.denied)))


@dataclass
class _Search:
    holding: Holding
    body: bytes
    most: int
    advance: Advance
    found: set[Coordinate] = field(default_factory=set)
    looked: int = 0
    whole: bool = True
    denied: set[str] = field(default_factory=set)

    def through(self, place: Place, partition: int) -> None:
        """Read one partition of one of the topics."""
        where = TopicPartition(self.holding.inventory.names[place], partition)
        try:
            hits = list(self._hits(where))
        except NotAuthorised:
            self.denied.add(where.topic)
            return
        self.found |= {at for offset in hits if (at := self._ingress(place, where, offset)) is not None}

    def _hits(self, where: TopicPartition) -> Iterator[int]:
        begin, end = self.holding.site.reader.bounds(where)
        start = max(begin, end - self.most)
        self.whole &= start == begin
        for record in self.holding.site.reader.read(where, start, end):
            self.looked += 1
            self.advance(1)
            if _key(record) == self.body:
                yield record.offset()

    def _ingress(self, place: Place, where: TopicPartition, offset: int) -> Coordinate | None:
        inventory, state = self.holding.inventory, self.holding.inventory.present(place)
        if place is Place.INGRESS:
            topic_id = state.topic_id if state is not None else None
            return Coordinate(where.topic, where.partition, offset, topic_id, inventory.cluster_id)
        hit = self.holding.log(where.partition).index.find(place, offset, state.topic_id if state is not None else None)
        return inventory.coordinate(Place.INGRESS, _back(hit[1], place, offset), hit[1]) if hit is not None else None


def _back(manifest: Manifest, place: Place, offset: int) -> int:
    if place is Place.PUBLIC:
        return manifest.public_to_ingress(offset)
    return manifest.quarantine_to_ingress(offset)


def _key(record: Message) -> bytes | None:
    key = record.key()
    return unframe(key)[1] if key is not None and fault(key) is None else None
