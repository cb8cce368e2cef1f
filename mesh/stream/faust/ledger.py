"""Which input records are being processed, which are done, and how far each partition may therefore be committed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mesh.lineage import Reference
from mesh.stream import Fate
from mesh.stream.binding import Tally
from mesh.types import TopicPartition


@dataclass(slots=True, eq=False)
class Entry:
    """One input record while it is processed.

    ``driving`` is the public record, also where this one came through the topic of records keyed anew. ``base`` keeps
    the numbers of outputs apart that one public record has at several places of a program.
    """

    driving: Reference
    offset: int
    message: Any = None
    base: int = 0
    numbered: int = 0
    outputs: int = 0
    used: bool = False
    """It went into a state, into the topic of records keyed anew, or somebody named it as a parent."""
    fate: Fate | None = None
    """What the mesh's own engine said of it; a Faust program shows it by what it sends, unless it fails."""
    failure: str = ""
    """Of a parked one, which kind."""
    silent: bool = False
    """It has no line of its own: its fate is told where it arrives keyed anew, or was told before; or it is none."""
    done: bool = False

    def number(self) -> int:
        """The next number for what it makes."""
        self.numbered += 1
        return self.base + self.numbered - 1

    @property
    def filtered(self) -> bool:
        """It is done and nothing came of it."""
        if self.fate is not None:
            return self.fate is Fate.FILTERED
        return not (self.outputs or self.used)

    @property
    def late(self) -> bool:
        """It came too late for its window."""
        return self.fate is Fate.LATE

    @property
    def parked(self) -> bool:
        """Its handling failed, and it was set aside."""
        return self.fate is Fate.PARKED

    def park(self, failure: str) -> None:
        """Set it aside."""
        self.fate, self.failure, self.done = Fate.PARKED, failure, True


@dataclass(frozen=True, slots=True)
class Observed:
    """Records of one partition that are done, by what became of them, and how many outputs they made."""

    delivered: list[int] = field(default_factory=list)
    filtered: list[int] = field(default_factory=list)
    late: list[int] = field(default_factory=list)
    parked: dict[int, str] = field(default_factory=dict)
    """With the kind of failure of each."""
    outputs: int = 0

    @classmethod
    def of(cls, entries: Collection[Entry]) -> Observed:
        """Of records in the order of their offsets, which are those of the public ones."""
        told = [each for each in entries if not each.silent]
        filtered = [each.driving.offset for each in told if each.filtered]
        late = [each.driving.offset for each in told if each.late]
        parked = {each.driving.offset: each.failure for each in told if each.parked}
        outputs = sum(each.outputs for each in entries)
        return cls([each.driving.offset for each in told], filtered, late, parked, outputs)

    def add_to(self, tally: Tally) -> None:
        """Count what is committed."""
        tally.records += len(self.delivered)
        tally.outputs += self.outputs
        tally.filtered += len(self.filtered)
        tally.late += len(self.late)
        tally.parked += len(self.parked)


@dataclass(slots=True)
class _Part:
    entries: dict[int, Entry] = field(default_factory=dict)
    """In the order of their offsets: records are taken from one queue a partition."""
    floor: int | None = None


class Ledger:
    """The records of the partitions held.

    Faust's own list of acknowledged offsets is not used: it commits past records that are still being processed, and
    takes records for done whose processing was cancelled or skipped at a rebalance.
    """

    def __init__(self) -> None:
        self._parts: dict[TopicPartition, _Part] = {}

    def take(self, place: TopicPartition, entry: Entry) -> None:
        """A record begins to be processed."""
        self._parts.setdefault(place, _Part()).entries[entry.offset] = entry

    def find(self, place: TopicPartition, offset: int) -> Entry | None:
        """The record at an offset, until it is committed."""
        part = self._parts.get(place)
        return part.entries.get(offset) if part is not None else None

    def committable(self) -> dict[TopicPartition, int]:
        """The next offset of each partition that has got further: that of its first record that is not done."""
        found: dict[TopicPartition, int] = {}
        for place, part in self._parts.items():
            position = _position(part)
            if position is not None:
                found[place] = position
        return found

    def below(self, place: TopicPartition, position: int) -> tuple[int, list[Entry]]:
        """Where the range ``[start, position)`` begins that a commit is about, and the records in it."""
        part = self._parts[place]
        entries = [entry for offset, entry in part.entries.items() if offset < position]
        start = part.floor if part.floor is not None else min((each.offset for each in entries), default=position)
        return start, entries

    def committed(self, positions: Mapping[TopicPartition, int]) -> None:
        """These positions are the group's now."""
        for place, position in positions.items():
            part = self._parts.get(place)
            if part is not None:
                part.entries = {offset: entry for offset, entry in part.entries.items() if offset >= position}
                part.floor = position

    def release(self, places: Iterable[TopicPartition]) -> None:
        """Somebody else's, or to be read again: what is still being processed counts for nothing."""
        for place in places:
            self._parts.pop(place, None)

    @property
    def idle(self) -> bool:
        """Whether nothing waits for a commit."""
        return not any(part.entries for part in self._parts.values())


def _position(part: _Part) -> int | None:
    last = None
    for offset, entry in part.entries.items():
        if not entry.done:
            return offset if last is not None else None
        last = offset
    return None if last is None else last + 1
