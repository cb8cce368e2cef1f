"""The descents of the records a manifest passed, as one column of it, so that parents outlive the records."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, pairwise
from typing import Final, TypeVar
from uuid import UUID

from mesh.errors import LineageBroken, UsageError
from mesh.lineage.descent import Deposit, Descent, Identity
from mesh.lineage.manifest import Manifest
from mesh.lineage.offsets import OffsetSet, Run
from mesh.lineage.origins import inflate
from mesh.lineage.parents import Lot, ParentSet
from mesh.lineage.reference import Reference
from mesh.lineage.varint import VarintReader, pack, unzigzag, zigzag

MAX_UNPACKED: Final = 64 * 1024 * 1024
"""Bytes a column may unpack to; beyond it a forged one would balloon its reader."""

MAX_RECORDS: Final = 1_000_000
"""Records a column may speak of, for the same reason; no transaction holds nearly as many."""

_WHAT = "a parents column"
_FORM = b"\x01"
_LATE = 1
_SLOT, _PREVIOUS, _DEPOSIT, _MORE = 1, 2, 4, 8
_ID, _DIGEST = 16, 32

T = TypeVar("T")

_Place = tuple[UUID, int]


@dataclass(frozen=True, slots=True)
class ColumnHead:
    """What a column says of all its records together.

    ``late`` says that one of them came at or below the high-water mark of what drove it, so that a search by marks
    does not find it; ``late_before`` is the lineage offset of the newest earlier manifest of which that is true (-1:
    none), so that these manifests form a list of their own. A manifest without a processor only carries that list on:
    its contract said nothing of a derivation.
    """

    processor: str
    late: bool = False
    late_before: int = -1


_NO_HEAD: Final = ColumnHead("")


@dataclass(frozen=True, slots=True)
class DescentsColumn:
    """The descents of the records that one manifest passed, in public order."""

    head: ColumnHead
    descents: Sequence[Descent] = ()


def descent_of(manifest: Manifest, public_offset: int) -> Descent | None:
    """Where the record at a public offset comes from; None for a product of source.

    Raises LineageBroken outside the manifest's span and for a damaged column.
    """
    if public_offset not in manifest.public:
        span = manifest.public
        raise LineageBroken(f"offset {public_offset}", f"its manifest covers {span.base} to {span.end} only")
    column = column_of(manifest)
    if column is None:
        return None
    descents = column.descents
    if len(descents) != manifest.public.count:
        raise LineageBroken(_WHAT, f"it tells of {len(descents)} records, its manifest of {manifest.public.count}")
    return descents[public_offset - manifest.public.base]


def column_of(manifest: Manifest) -> DescentsColumn | None:
    """What a manifest tells of the descents of its records; None for a product of source. Raises LineageBroken."""
    return decode_descents(manifest.parents) if head_of(manifest).processor else None


def head_of(manifest: Manifest) -> ColumnHead:
    """The head of a manifest's parents column, also where it has none."""
    return decode_head(manifest.parents) if manifest.parents else _NO_HEAD


def encode_descents(column: DescentsColumn) -> bytes:
    """Pack the descents of records in public order; never more bytes than their headers and some 100 have together.

    The byte 1; flags (1: late), ``late_before + 1``, length and bytes of the processor's name; then zlib over varints:
    numbers of records, topics and places; topic ids; places as (topic, partition), ascending; runs of kinds (flags 1:
    slot, 2: previous, 4: deposit, 8: parents are not just the driving record) and of driving places; per record the
    difference of its driving offset to the one before it of that place, and its index; slots; previous identities;
    deposits (places, differences, counts, then SHA-256 each); of inline parents the numbers of lots, then lot by lot
    place, difference (to the driving offset in its place, else to the lot before it of that place) and the offsets.
    """
    head, descents = column.head, column.descents
    name = head.processor.encode()
    front = _FORM + pack([head.late * _LATE, head.late_before + 1, len(name)]) + name
    places = sorted({place for descent in descents for place in _places(descent)})
    topics = sorted({topic_id for topic_id, _ in places})
    known = {topic_id: at for at, topic_id in enumerate(topics)}
    plain = [pack([len(descents), len(topics), len(places)]), *(topic_id.bytes for topic_id in topics)]
    plain.append(pack([each for topic_id, partition in places for each in (known[topic_id], partition)]))
    plain.extend(_columns(descents, {place: at for at, place in enumerate(places)}))
    return front + zlib.compress(b"".join(plain))


def decode_head(column: bytes) -> ColumnHead:
    """The head alone, without unpacking; raises LineageBroken for what is no column."""
    return _head(VarintReader(column, _WHAT))


def decode_descents(column: bytes) -> DescentsColumn:
    """Read what ``encode_descents`` wrote; raises LineageBroken for anything else."""
    reader = VarintReader(column, _WHAT)
    head = _head(reader)
    inner = VarintReader(inflate(reader.rest(), MAX_UNPACKED, _WHAT), _WHAT)
    try:
        descents = _Decoding(inner).descents()
    except (IndexError, UsageError):
        raise LineageBroken(_WHAT, "it refers to what it does not hold") from None
    if not inner.exhausted:
        raise LineageBroken(_WHAT, "bytes are left over")
    return DescentsColumn(head, descents)


def _head(reader: VarintReader) -> ColumnHead:
    if (form := reader.raw(1)) != _FORM:
        raise LineageBroken(_WHAT, f"its form {form.hex()} is unknown; update the mesh")
    flags, before = reader.integer(), reader.integer() - 1
    try:
        name = reader.raw(reader.integer()).decode()
    except UnicodeDecodeError:
        raise LineageBroken(_WHAT, "the processor's name is not text") from None
    return ColumnHead(name, bool(flags & _LATE), before)


def _place(reference: Reference) -> _Place:
    return reference.topic_id, reference.partition


def _places(descent: Descent) -> Iterator[_Place]:
    yield descent.driving.topic_id, descent.driving.partition
    if descent.deposit is not None:
        yield _place(descent.deposit.at)
    elif descent.parents is not None:
        for lot in descent.parents.lots:
            yield lot.topic_id, lot.partition


def _kind(descent: Descent) -> int:
    kind = (descent.slot is not None) * _SLOT | (descent.previous is not None) * _PREVIOUS
    if descent.deposit is not None:
        return kind | _DEPOSIT
    return kind if descent.drives_alone else kind | _MORE


def _columns(descents: Sequence[Descent], places: dict[_Place, int]) -> Iterator[bytes]:
    kinds = list(map(_kind, descents))
    yield _runs(kinds)
    driving = [places[_place(descent.driving)] for descent in descents]
    yield _runs(driving)
    yield pack(_differences(driving, [descent.driving.offset for descent in descents]))
    yield pack([descent.index for descent in descents])
    if not any(kinds):
        return
    yield b"".join(descent.slot for descent in descents if descent.slot is not None)
    before = (descent.previous for descent in descents if descent.previous is not None)
    yield b"".join(each.slot + each.digest for each in before)
    deposits = [descent.deposit for descent in descents if descent.deposit is not None]
    lying = [places[_place(deposit.at)] for deposit in deposits]
    yield pack(lying) + pack(_differences(lying, [deposit.at.offset for deposit in deposits]))
    yield pack([deposit.count for deposit in deposits]) + b"".join(deposit.sha256 for deposit in deposits)
    yield pack(list(chain.from_iterable(_lots(descents, kinds, places))))


def _lots(descents: Sequence[Descent], kinds: Sequence[int], places: dict[_Place, int]) -> Iterator[list[int]]:
    several = [descent for descent, kind in zip(descents, kinds, strict=True) if kind & _MORE]
    yield [len(descent.parents.lots) for descent in several if descent.parents is not None]
    last: dict[int, int] = {}
    for descent in several:
        driving = places[_place(descent.driving)]
        for lot in descent.parents.lots if descent.parents is not None else ():
            place = places[lot.topic_id, lot.partition]
            start = lot.offsets.runs[0][0]
            base = descent.driving.offset if place == driving else last.get(place, 0)
            last[place] = start
            yield [place, zigzag(start - base), *_offsets(lot.offsets)]


def _offsets(offsets: OffsetSet) -> list[int]:
    """A set without its start: twice the number of members, and gaps; or twice that of runs and one, and the runs."""
    if len(offsets) < 2 * len(offsets.runs):
        members = list(offsets)
        return [2 * len(members), *(high - low - 1 for low, high in pairwise(members))]
    shape, end = [2 * len(offsets.runs) + 1], offsets.runs[0][0]
    for start, count in offsets.runs:
        shape += [start - end, count - 1]
        end = start + count
    del shape[1]
    return shape


def _differences(places: Sequence[int], offsets: Sequence[int]) -> list[int]:
    last: dict[int, int] = {}
    found: list[int] = []
    for place, offset in zip(places, offsets, strict=True):
        found.append(zigzag(offset - last.get(place, 0)))
        last[place] = offset
    return found


def _runs(values: Sequence[int]) -> bytes:
    runs = ((value, sum(1 for _ in same)) for value, same in groupby(values))
    return pack(list(chain.from_iterable(runs)))


class _Decoding:
    """Reads the columns one after the other, in the order in which they were written."""

    def __init__(self, reader: VarintReader) -> None:
        self._reader = reader
        self._total, topics, places = (self._bounded() for _ in range(3))
        ids = [UUID(bytes=reader.raw(_ID)) for _ in range(topics)]
        self._places = [(ids[reader.integer()], reader.integer()) for _ in range(places)]

    def descents(self) -> list[Descent]:
        kinds, driving = self._runs(), self._runs()
        drivers = self._references(driving)
        indexes = [self._reader.integer() for _ in range(self._total)]
        if not any(kinds):
            found = map(_alone, drivers, indexes)
            return list(found)
        slots = self._each(kinds, _SLOT, lambda: self._reader.raw(_ID))
        previous = self._each(kinds, _PREVIOUS, lambda: Identity(self._reader.raw(_ID), self._reader.raw(_ID)))
        deposits = self._deposits(sum(bool(kind & _DEPOSIT) for kind in kinds))
        lots = self._parents([row for row, kind in enumerate(kinds) if kind & _MORE], drivers, driving)
        descents: list[Descent] = []
        for row, kind in enumerate(kinds):
            deposit = next(deposits) if kind & _DEPOSIT else None
            parents = lots.get(row) if kind & _MORE else ParentSet.of_one(drivers[row]) if deposit is None else None
            descents.append(Descent(drivers[row], indexes[row], parents, deposit, slots[row], previous[row]))
        return descents

    def _bounded(self) -> int:
        number = self._reader.integer()
        if number > MAX_RECORDS:
            raise LineageBroken(_WHAT, f"it claims {number} records")
        return number

    def _runs(self) -> list[int]:
        values: list[int] = []
        while len(values) < self._total:
            value, length = self._reader.integer(), self._reader.integer()
            if not 0 < length <= self._total - len(values):
                raise LineageBroken(_WHAT, "its runs do not add up")
            values.extend([value] * length)
        return values

    def _references(self, places: Sequence[int]) -> list[Reference]:
        last: dict[int, int] = {}
        found: list[Reference] = []
        for place in places:
            last[place] = last.get(place, 0) + unzigzag(self._reader.integer())
            if last[place] < 0:
                raise LineageBroken(_WHAT, "an offset is negative")
            found.append(Reference(*self._places[place], last[place]))
        return found

    def _each(self, kinds: Sequence[int], flag: int, read: Callable[[], T]) -> list[T | None]:
        return [read() if kind & flag else None for kind in kinds]

    def _deposits(self, number: int) -> Iterator[Deposit]:
        at = self._references([self._reader.integer() for _ in range(number)])
        counts = [self._reader.integer() for _ in range(number)]
        digests = [self._reader.raw(_DIGEST) for _ in range(number)]
        return map(Deposit, at, counts, digests)

    def _parents(
        self, rows: Sequence[int], drivers: Sequence[Reference], driving: Sequence[int]
    ) -> dict[int, ParentSet]:
        numbers = [self._bounded() for _ in rows]
        last: dict[int, int] = {}
        found: dict[int, ParentSet] = {}
        for row, number in zip(rows, numbers, strict=True):
            lots: list[Lot] = []
            for _ in range(number):
                place, difference = self._reader.integer(), unzigzag(self._reader.integer())
                base = drivers[row].offset if place == driving[row] else last.get(place, 0)
                last[place] = base + difference
                lots.append(Lot(*self._places[place], OffsetSet.of_runs(self._offsets(last[place]))))
            found[row] = ParentSet(tuple(lots))
        return found

    def _offsets(self, start: int) -> Iterator[Run]:
        shape = self._reader.integer()
        number, in_runs = shape >> 1, shape & 1
        for at in range(number):
            begin = start + (self._reader.integer() if at else 0)
            count = self._reader.integer() + 1 if in_runs else 1
            yield begin, count
            start = begin + count


def _alone(driving: Reference, index: int) -> Descent:
    return Descent(driving, index, ParentSet.of_one(driving))
