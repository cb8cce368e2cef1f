"""One manifest held against the records it speaks of: are they there, are they the same bytes, are there others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from mesh.errors import LineageBroken
from mesh.kafka.message import Message
from mesh.lineage.balance import Fault, Mismatch, spread
from mesh.lineage.digest import RecordDigest
from mesh.lineage.manifest import Manifest, Place
from mesh.lineage.offsets import OffsetSet
from mesh.lineage.verdict_header import VERDICT_HEADER, last_verdict
from mesh.types import Headers, Reaction

Log = Mapping[int, Message]


@dataclass(frozen=True, slots=True)
class Shelf:
    """The records of one topic that may be looked at: those at ``begin`` and later, if its incarnation is the same."""

    topic: str
    begin: int
    records: Log
    same: bool = True
    compacts: bool = False

    def kept(self, offset: int) -> bool:
        """Whether a record at the offset should still be there."""
        return self.same and offset >= self.begin and not (self.compacts and offset not in self.records)


Shelves = Mapping[Place, Shelf]


class Evidence:
    """A manifest, and the records around it."""

    def __init__(self, manifest: Manifest, shelves: Shelves) -> None:
        self.manifest, self._shelves = manifest, shelves

    def count(self, place: Place) -> int:
        """How many records lie, or lay, where the manifest says that it wrote them."""
        shelf, span = self._shelves[place], self.manifest.span(place)
        return sum(1 for offset in range(span.base, span.end) if not shelf.kept(offset) or offset in shelf.records)

    def expired(self) -> int:
        """How many of the records it wrote cannot be looked at any more."""
        spans = ((self._shelves[place], self.manifest.span(place)) for place in (Place.PUBLIC, Place.QUARANTINE))
        return sum(not shelf.kept(offset) for shelf, span in spans for offset in range(span.base, span.end))

    def mismatches(self) -> Iterator[Mismatch]:
        """All that is wrong with them."""
        yield from self._missing()
        yield from self._unread()
        yield from self._altered()

    def _claimed(self, place: Place) -> Iterable[int]:
        span = self.manifest.span(place)
        return self.manifest.delivered if place is Place.INGRESS else range(span.base, span.end)

    def _missing(self) -> Iterator[Mismatch]:
        for place, shelf in self._shelves.items():
            gone = [at for at in self._claimed(place) if shelf.kept(at) and at not in shelf.records]
            if place is Place.INGRESS:
                # What could not be fetched then cannot be fetched now.
                gone = [at for at in gone if at not in self.manifest.stubs]
            yield from self._told(Fault.MISSING, shelf, gone, "a manifest accounts for it, and nothing is there")

    def _unread(self) -> Iterator[Mismatch]:
        shelf, span = self._shelves[Place.INGRESS], self.manifest.span(Place.INGRESS)
        if shelf.same:
            left = OffsetSet.between(span.base, span.end) - self.manifest.delivered
            odd = [at for at in left if at in shelf.records]
            yield from self._told(Fault.UNREAD, shelf, odd, "the gate went past it without a word")

    def _altered(self) -> Iterator[Mismatch]:
        """Bytes that changed; one record where another copy tells which, else the range that was digested."""
        read, written = self._read_changed(), self._written_changed()
        odd = {place: self._odd(place) for place in (Place.PUBLIC, Place.QUARANTINE)}
        reason = "it is not the record that was read"
        if read and not written:
            # The copies agree with what the manifest digested, so it is the original that changed.
            sources = sorted(source for pairs in odd.values() for _, source in pairs)
            reason = "it is not the record any more that was read"
            yield from self._told(Fault.ALTERED, self._shelves[Place.INGRESS], sources, reason)
        else:
            for place, pairs in odd.items():
                yield from self._told(Fault.ALTERED, self._shelves[place], [at for at, _ in pairs], reason)
        if read and not any(odd.values()):
            yield self._range(Place.INGRESS, "the bytes read")
        if written and not odd[Place.PUBLIC]:
            yield self._range(Place.PUBLIC, "the bytes written")

    def _odd(self, place: Place) -> list[tuple[int, int]]:
        """Copies that differ from their originals, with these."""
        shelf, ingress = self._shelves[place], self._shelves[Place.INGRESS]
        pairs = self._pairs(place)
        return [(at, source) for at, source in pairs if self._differs(place, shelf.records.get(at), ingress, source)]

    def _pairs(self, place: Place) -> Iterator[tuple[int, int]]:
        span = self.manifest.span(place)
        sources = self.manifest.passed if place is Place.PUBLIC else self.manifest.refused
        return zip(range(span.base, span.end), sources, strict=False)

    def _differs(self, place: Place, copy: Message | None, ingress: Shelf, source: int) -> bool:
        original = ingress.records.get(source) if ingress.same else None
        if copy is None or original is None or source in self.manifest.stubs:
            return False
        settlement = self.manifest.settlement(source)
        patched = settlement is not None and bool(settlement.patch)
        headers = copy.headers() or []
        own = _unmarked(headers, source) if place is Place.PUBLIC else _unrefused(headers, source)
        same = (copy.key(), copy.timestamp()[1]) == (original.key(), original.timestamp()[1])
        return not same or own != (original.headers() or []) or (not patched and copy.value() != original.value())

    def _read_changed(self) -> bool:
        shelf, read = self._shelves[Place.INGRESS], self.manifest.delivered - self.manifest.stubs
        return _whole(shelf, read) and _digest(shelf, read) != self.manifest.sha256_in

    def _written_changed(self) -> bool:
        shelf, span = self._shelves[Place.PUBLIC], self.manifest.public
        written = OffsetSet.between(span.base, span.end)
        return _whole(shelf, written) and _digest(shelf, written) != self.manifest.sha256_out

    def _range(self, place: Place, what: str) -> Mismatch:
        span, topic = self.manifest.span(place), self._shelves[place].topic
        reason = f"the digest over {what} does not hold"
        return Mismatch(Fault.ALTERED, topic, self.manifest.partition, span.base, span.end, reason)

    def _told(self, fault: Fault, shelf: Shelf, offsets: list[int], reason: str) -> list[Mismatch]:
        return spread(fault, (shelf.topic, self.manifest.partition), offsets, reason)


def _whole(shelf: Shelf, offsets: OffsetSet) -> bool:
    return shelf.same and all(offset in shelf.records for offset in offsets)


def _digest(shelf: Shelf, offsets: OffsetSet) -> bytes:
    digest = RecordDigest()
    for offset in offsets:
        record = shelf.records[offset]
        digest.add(record.key(), record.value(), record.headers() or ())
    return digest.digest()


def _unmarked(headers: Headers, ingress: int) -> Headers:
    """The publisher's own headers; a mark of the gate is taken off only if it is one, of this record."""
    verdict = _verdict(headers, ingress)
    return headers[:-1] if verdict == {Reaction.MARK} else headers


def _unrefused(headers: Headers, ingress: int) -> Headers | None:
    """The publisher's own headers; None where the last one is not the verdict on this record."""
    return headers[:-1] if _verdict(headers, ingress) is not None else None


def _verdict(headers: Headers, ingress: int) -> set[Reaction] | None:
    if not headers or headers[-1][0] != VERDICT_HEADER:
        return None
    try:
        verdict = last_verdict(headers)
    except LineageBroken:
        return None
    if verdict is None or verdict.coordinate.offset != ingress:
        return None
    return {finding.reaction for finding in verdict.findings}
