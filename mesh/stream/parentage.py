"""Parent sets of many records, quicker than one reference at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from uuid import UUID

from mesh.lineage import Lot, OffsetSet, ParentSet, Reference


def parents_of(references: Iterable[Reference]) -> ParentSet:
    """The set of these references; each is named once."""
    places: defaultdict[tuple[UUID, int], list[int]] = defaultdict(list)
    for each in references:
        places[each.topic_id, each.partition].append(each.offset)
    lots = (Lot(*place, OffsetSet.of(sorted(set(offsets)))) for place, offsets in sorted(places.items(), key=_place))
    return ParentSet(tuple(lots))


def single(reference: Reference) -> ParentSet:
    """The set of one reference."""
    return ParentSet((Lot(reference.topic_id, reference.partition, OffsetSet(((reference.offset, 1),))),))


def _place(entry: tuple[tuple[UUID, int], list[int]]) -> tuple[UUID, int]:
    return entry[0]
