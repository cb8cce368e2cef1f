"""Finding the manifest of an offset: a lineage partition is its own index, because all three offset keys only grow."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

from mesh.lineage.manifest import Manifest, Place, Span
from mesh.lineage.offsets import OffsetSet

Entry = tuple[int, Manifest]
"""A manifest with its offset in the lineage partition."""

Read = Callable[[int, int], Sequence[Entry]]
"""Every manifest with ``start <= lineage offset < end``, ascending; markers and aborted ones are simply not there."""

_Key = tuple[int, int]

CHUNK = 64
"""Lineage offsets per read: about what one fetch brings anyway."""

# Guesses beat halving where records come evenly; after a straight look and a few bad ones halving bounds the reads.
_GUESSES = 2


class PartitionIndex:
    """Searches one lineage partition between two offsets; it remembers its reads, so keep it for few questions."""

    def __init__(self, read: Read, begin: int, end: int) -> None:
        self._read, self._begin, self._end = read, begin, end
        self._remembered: dict[tuple[int, int], Sequence[Entry]] = {}

    def first(self) -> Entry | None:
        """The oldest manifest kept."""
        entries = self._from(self._begin, self._end)
        return entries[0] if entries else None

    def last(self) -> Entry | None:
        """The newest manifest."""
        return self.before(self._end)

    def before(self, at: int) -> Entry | None:
        """The newest manifest at a lineage offset smaller than ``at``."""
        end, size = at, CHUNK
        while end > self._begin:
            start = max(self._begin, end - size)
            if entries := self._chunk(start, end):
                return entries[-1]
            end, size = start, size * 2
        return None

    def since(self, moment: int) -> int:
        """The lineage offset from which on manifests are of that time or later (epoch ms), as the gates' clocks go."""
        low, high = self._begin, self._end
        while low < high:
            middle = (low + high) // 2
            entries = self._from(middle, high)
            if entries and entries[0][1].created_at < moment:
                low = entries[0][0] + 1
            else:
                high = middle
        return low

    def find(self, place: Place, offset: int, topic_id: UUID | None = None) -> Entry | None:
        """The manifest that covers ``offset`` of the topic at ``place``; None when there is none.

        Newer epochs are asked first, so that of an offset read twice the last reading answers. With ``topic_id`` only
        epochs of that incarnation of the topic count.
        """
        newest = self.last()
        epoch, end = (newest[1].epoch, self._end) if newest else (0, self._begin)
        while True:
            hit = self._floor(place, (epoch, offset), end)
            if hit is not None and _covers(hit[1], place, offset, topic_id):
                return hit
            if hit is not None and hit[1].epoch == epoch:
                hit = self._floor(place, (epoch, -1), hit[0])
            if hit is None:
                return None
            epoch, end = hit[1].epoch, hit[0] + 1

    def covering(self, place: Place, offsets: OffsetSet, topic_id: UUID) -> Iterator[tuple[Entry | None, OffsetSet]]:
        """Every manifest that covers some of the offsets, with those it covers; None with those that none covers.

        Offsets that lie close to each other cost one search together.
        """
        ahead: Sequence[Entry] = ()
        while offsets:
            wanted = offsets.runs[0][0]
            hit = _within(ahead, place, wanted, topic_id)
            if hit is None and ahead:
                ahead = self._after(ahead[-1][0])
                hit = _within(ahead, place, wanted, topic_id)
            hit = hit or self.find(place, wanted, topic_id)
            span = hit[1].span(place) if hit is not None else self._uncovered(place, wanted, topic_id)
            found = offsets & OffsetSet.between(span.base, span.end)
            yield hit, found
            offsets -= found
            if hit is not None and offsets and not ahead:
                ahead = self._after(hit[0])

    def _after(self, at: int) -> Sequence[Entry]:
        return self._from(at + 1, min(at + 1 + CHUNK, self._end))

    def _uncovered(self, place: Place, wanted: int, topic_id: UUID) -> Span:
        """From an offset without a manifest to the first that may have one: whatever has expired is passed at once."""
        oldest = self.first()
        base = oldest[1].span(place).base if oldest is not None and oldest[1].topics.of(place) == topic_id else 0
        return Span(wanted, max(1, base - wanted))

    def first_where(self, holds: Callable[[Manifest], bool]) -> Entry | None:
        """The first manifest of which something is true that stays true in all later ones; None when there is none."""
        low, high = self._begin, self._end
        best: Entry | None = None
        while low < high:
            middle = (low + high) // 2
            entries = self._from(middle, high)
            position = bisect_left(entries, True, key=lambda entry: holds(entry[1]))
            if entries and position == len(entries):
                low = entries[-1][0] + 1
            elif position > 0:
                return entries[position]
            else:
                best, high = entries[0] if entries else best, middle
        return best

    def _floor(self, place: Place, wanted: _Key, end: int) -> Entry | None:
        """The last manifest before lineage offset ``end`` whose (epoch, base) is not greater than ``wanted``."""
        low, high = self._begin, end
        ceiling = self.before(end)
        if ceiling is None or _key(ceiling[1], place) <= wanted:
            return ceiling
        if (straight := self._straight(place, wanted, ceiling)) is not None:
            return straight
        best = self.first()
        if best is None or best[0] >= end or _key(best[1], place) > wanted:
            return None
        guesses = _GUESSES
        while low < high:
            at = _guess(place, wanted, best, ceiling) if guesses > 0 else (low + high) // 2
            guesses -= 1
            at = min(max(at - CHUNK // 2, low), high - 1)
            entries = self._from(at, high)
            position = _rank(entries, place, wanted)
            if position == 0:
                high, ceiling = at, entries[0] if entries else ceiling
                continue
            best, low = entries[position - 1], entries[position - 1][0] + 1
            if position < len(entries) or wanted[1] in best[1].span(place):
                return best
        return best

    def _straight(self, place: Place, wanted: _Key, ceiling: Entry) -> Entry | None:
        """The floor, if it lies where it would in a log that grew evenly from nothing: mostly the only look needed."""
        epoch, top = _key(ceiling[1], place)
        if wanted[0] != epoch or top <= 0 or wanted[1] < 0:
            return None
        at = self._begin + (ceiling[0] - self._begin) * wanted[1] // top - CHUNK // 2
        at = max(self._begin, at)
        entries = self._chunk(at, min(at + CHUNK, ceiling[0] + 1))
        position = _rank(entries, place, wanted)
        hit = entries[position - 1] if position else None
        sure = hit is not None and (position < len(entries) or wanted[1] in hit[1].span(place))
        return hit if sure else None

    def _from(self, start: int, end: int) -> Sequence[Entry]:
        """The first chunk at or after ``start`` that holds anything."""
        size = CHUNK
        while start < end:
            if entries := self._chunk(start, min(start + size, end)):
                return entries
            start, size = start + size, size * 2
        return ()

    def _chunk(self, start: int, end: int) -> Sequence[Entry]:
        if (start, end) not in self._remembered:
            self._remembered[start, end] = self._read(start, end)
        return self._remembered[start, end]


def _key(manifest: Manifest, place: Place) -> _Key:
    return manifest.epoch, manifest.span(place).base


def _covers(manifest: Manifest, place: Place, offset: int, topic_id: UUID | None) -> bool:
    return offset in manifest.span(place) and topic_id in (None, manifest.topics.of(place))


def _rank(entries: Sequence[Entry], place: Place, wanted: _Key) -> int:
    """How many of the entries do not come after the wanted key; looks at few, for each look may decode one."""
    return bisect_right(entries, wanted, key=lambda entry: _key(entry[1], place))


def _within(entries: Sequence[Entry], place: Place, offset: int, topic_id: UUID) -> Entry | None:
    """The entry that covers an offset in the epoch of the first one."""
    position = _rank(entries, place, (entries[0][1].epoch, offset)) if entries else 0
    hit = entries[position - 1] if position else None
    return hit if hit is not None and _covers(hit[1], place, offset, topic_id) else None


def _guess(place: Place, wanted: _Key, low: Entry, high: Entry) -> int:
    """Where the wanted key lies if offsets grow evenly between two known manifests; the middle across epochs."""
    bottom, top = _key(low[1], place), _key(high[1], place)
    if not bottom[0] == wanted[0] == top[0] or top[1] <= bottom[1]:
        return (low[0] + high[0]) // 2
    share = (wanted[1] - bottom[1]) / (top[1] - bottom[1])
    return low[0] + int((high[0] - low[0]) * share)
