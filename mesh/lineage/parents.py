"""The parents of a derived record: which records of which partitions it was made from, as a value and as bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import field
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID

from mesh.errors import LineageBroken
from mesh.lineage.offsets import OffsetSet
from mesh.lineage.reference import Reference
from mesh.lineage.varint import VarintReader, pack
from mesh.types import light

_WHAT = "a parent set"
_ID = 16


class Lot(NamedTuple):
    """The parents that lie in one partition of one topic."""

    topic_id: UUID
    partition: int
    offsets: OffsetSet

    def encode(self) -> bytes:
        """Topic id, partition, length, then the offsets in the shorter of their two forms."""
        offsets = self.offsets.encode()
        return self.topic_id.bytes + pack((self.partition, len(offsets))) + offsets


@light
class ParentSet:
    """Parents by (topic id, partition), ascending; equal sets have equal bytes, so digests decide equality."""

    lots: tuple[Lot, ...] = ()
    _encoded: bytes | None = field(default=None, init=False, repr=False, compare=False)
    """Made when it is first asked for: a record's identity, its header and where it goes all ask."""

    @classmethod
    def of(cls, parents: Iterable[Reference]) -> ParentSet:
        """Take parents in any order; one named twice counts once."""
        places: dict[tuple[UUID, int], list[int]] = {}
        for topic_id, partition, offset in parents:
            places.setdefault((topic_id, partition), []).append(offset)
        lots = [Lot(*place, OffsetSet.of(sorted(set(offsets)))) for place, offsets in places.items()]
        return cls(tuple(sorted(lots, key=_place) if len(lots) > 1 else lots))

    @classmethod
    def of_one(cls, parent: Reference) -> ParentSet:
        """The set of one parent."""
        return cls((Lot(parent.topic_id, parent.partition, OffsetSet(((parent.offset, 1),))),))

    def __or__(self, other: ParentSet) -> ParentSet:
        return ParentSet.of_lots((*self.lots, *other.lots))

    @classmethod
    def of_lots(cls, lots: Iterable[Lot]) -> ParentSet:
        """Join lots in any order; those of one partition become one."""
        joined: dict[tuple[UUID, int], OffsetSet] = {}
        for lot in lots:
            place = lot.topic_id, lot.partition
            joined[place] = joined[place] | lot.offsets if place in joined else lot.offsets
        return cls(tuple(Lot(*place, offsets) for place, offsets in sorted(joined.items(), key=lambda each: each[0])))

    def __len__(self) -> int:
        return sum(len(lot.offsets) for lot in self.lots)

    def __iter__(self) -> Iterator[Reference]:
        return (Reference(lot.topic_id, lot.partition, offset) for lot in self.lots for offset in lot.offsets)

    def __contains__(self, parent: object) -> bool:
        if not isinstance(parent, Reference):
            return False
        place = parent.topic_id, parent.partition
        return any((lot.topic_id, lot.partition) == place and parent.offset in lot.offsets for lot in self.lots)

    @property
    def topic_ids(self) -> frozenset[UUID]:
        """The topics that parents lie in."""
        return frozenset(lot.topic_id for lot in self.lots)

    def encode(self) -> bytes:
        """The lots one after the other: contiguous parents cost the same for any number, sparse ones a byte each."""
        encoded = self._encoded
        if encoded is None:
            encoded = b"".join([lot.encode() for lot in self.lots])
            object.__setattr__(self, "_encoded", encoded)
        return encoded

    @classmethod
    def decode(cls, content: bytes) -> ParentSet:
        """Read what ``encode`` wrote; raises LineageBroken for other bytes, also for lots out of order."""
        reader = VarintReader(content, _WHAT)
        lots: list[Lot] = []
        while not reader.exhausted:
            lots.append(_lot(reader))
        places = [(lot.topic_id, lot.partition) for lot in lots]
        if any(low >= high for low, high in pairwise(places)):
            raise LineageBroken(_WHAT, "its partitions do not ascend")
        return cls(tuple(lots))

    def digest(self) -> bytes:
        """SHA-256 of the encoded set, 32 bytes."""
        return hashlib.sha256(self.encode()).digest()


def places_in(content: bytes) -> Iterator[tuple[UUID, int]]:
    """Topic id and partition of the lots of an encoded set, without unpacking their offsets.

    Raises LineageBroken for bytes whose lots do not fit together; the offsets may still be damaged.
    """
    reader = VarintReader(content, _WHAT)
    while not reader.exhausted:
        yield UUID(bytes=reader.raw(_ID)), reader.integer()
        reader.raw(reader.integer())


def _place(lot: Lot) -> tuple[UUID, int]:
    return lot.topic_id, lot.partition


def _lot(reader: VarintReader) -> Lot:
    topic_id, partition = UUID(bytes=reader.raw(_ID)), reader.integer()
    offsets = OffsetSet.decode(reader.raw(reader.integer()))
    if not offsets:
        raise LineageBroken(_WHAT, "a partition is named without an offset")
    return Lot(topic_id, partition, offsets)
