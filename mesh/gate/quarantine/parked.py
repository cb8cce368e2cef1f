"""Looking at what waits for a held key, from outside: read from the product's topic of state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mesh.errors import NotFound
from mesh.gate.holds import NOBODY, name_of
from mesh.gate.parking import ParkedRecord, kept
from mesh.kafka import Admin, LogReader, Message
from mesh.types import Coordinate, ProductTopics, TopicPartition

_ALL = 1 << 62


@dataclass(frozen=True, slots=True)
class Waiting:
    """A parked record: where it lies in the ingress, and the ingress offset of the refused record it waits for.

    ``behind`` is None while the records of a key whose holder is settled are on their way.
    """

    coordinate: Coordinate
    record: ParkedRecord
    behind: int | None


@dataclass(frozen=True, slots=True)
class ParkedLog:
    """What waits in one partition, in the order of the ingress, and how many wait for each refused record.

    ``holders`` counts by the ingress offset of the record that holds the key; one that nobody waits for counts 0.
    """

    waiting: tuple[Waiting, ...] = ()
    holders: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def read(cls, admin: Admin, reader: LogReader, topics: ProductTopics, partition: int) -> ParkedLog:
        """What waits now; nothing where the product has no topic of state. Raises NotAuthorised."""
        states = admin.topics([topics.state, topics.ingress])
        if topics.state not in states:
            return cls()
        if topics.ingress not in states:
            raise NotFound("topic", topics.ingress, "is the contract applied? (mesh plan)")
        entries = list(reader.read(TopicPartition(topics.state, partition), 0, _ALL))
        found = kept(entries, states[topics.ingress].topic_id, _ALL)
        wanted = {parked.at for hold in found.held.values() for parked in hold.waiting}
        holders = {name: hold.holder for name, hold in found.held.items()}
        counts = {hold.holder: len(hold.waiting) for hold in found.held.values() if hold.holder != NOBODY}
        waiting = (_waiting(each, topics, partition, holders) for each in entries if each.offset() in wanted)
        ordered = sorted((each for each in waiting if each is not None), key=lambda each: each.record.ingress)
        return cls(tuple(ordered), counts)


def _waiting(entry: Message, topics: ProductTopics, partition: int, holders: Mapping[bytes, int]) -> Waiting | None:
    record = ParkedRecord.of(entry)
    if record is None:
        return None
    holder = holders.get(name_of(record.key), NOBODY)
    place = Coordinate(topics.ingress, partition, record.ingress)
    return Waiting(place, record, None if holder == NOBODY else holder)
