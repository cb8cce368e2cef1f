"""What became of the records that a commit is about, by the partition of the input that they came from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from uuid import UUID

from mesh.stream.faust.ledger import Entry, Ledger, Observed
from mesh.stream.faust.wiring import Wiring
from mesh.types import TopicPartition


@dataclass(frozen=True, slots=True)
class Account:
    """Records of one input partition, and the range of it that is told of."""

    topic_id: UUID
    partition: int
    span: tuple[int, int]
    seen: Observed


def accounts(wiring: Wiring, place: TopicPartition, position: int, ledger: Ledger) -> Iterator[Account]:
    """Of a log up to a position: its own records; of the topic of records keyed anew those of each source.

    Records that another function takes are told of there, so a range is then that of the records told of.
    """
    start, entries = ledger.below(place, position)
    topic_id = wiring.topic_ids.get(place.topic)
    if topic_id is not None and not any(each.silent for each in entries):
        yield Account(topic_id, place.partition, (start, position), Observed.of(entries))
        return
    outputs = sum(each.outputs for each in entries)
    for source, found in _by_source(entries).items():
        seen = replace(Observed.of(found), outputs=outputs)
        yield Account(*source, (min(seen.delivered), max(seen.delivered) + 1), seen)
        outputs = 0


def _by_source(entries: Collection[Entry]) -> dict[tuple[UUID, int], list[Entry]]:
    """In the order of their offsets. What a Faust program keys anew has been told of where it was read."""
    found: defaultdict[tuple[UUID, int], list[Entry]] = defaultdict(list)
    for each in entries:
        if not each.silent and not each.base:
            found[each.driving.topic_id, each.driving.partition].append(each)
    return {source: sorted(each, key=lambda entry: entry.driving.offset) for source, each in found.items()}
