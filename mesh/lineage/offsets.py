"""Sets of offsets as ascending runs: small in a manifest, quick to rank, to select from and to subtract."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from itertools import accumulate
from operator import itemgetter

from mesh.errors import LineageBroken, UsageError
from mesh.lineage.varint import VarintReader, pack
from mesh.types import light

_RUNS = b"\x00"
_SINGLES = b"\x01"
_START = itemgetter(0)

Run = tuple[int, int]
"""First offset and how many follow each other from there."""


@light
class OffsetSet:
    """Offsets of one partition, ascending. Equal sets have equal runs, because adjacent runs are always joined."""

    runs: tuple[Run, ...] = ()
    _below: tuple[int, ...] = field(init=False, repr=False, compare=False)
    """How many members come before each run, and at last how many there are: ranks by bisection."""

    def __post_init__(self) -> None:
        runs = self.runs
        # Most sets are one run, and lineage is read a million of them at a time.
        below = (0, runs[0][1]) if len(runs) == 1 else tuple(accumulate((count for _, count in runs), initial=0))
        object.__setattr__(self, "_below", below)

    @classmethod
    def of(cls, offsets: Sequence[int]) -> OffsetSet:
        """Take ascending, distinct offsets; raises UsageError when they do not ascend."""
        if not offsets:
            return cls()
        if len(offsets) == 1:
            return cls(((offsets[0], 1),))
        if offsets[-1] - offsets[0] + 1 == len(offsets) and _ascend(offsets):
            return cls(((offsets[0], len(offsets)),))
        return cls.of_runs((offset, 1) for offset in offsets)

    @classmethod
    def of_runs(cls, runs: Iterable[Run]) -> OffsetSet:
        """Take ascending runs that do not overlap; raises UsageError for others."""
        joined: list[Run] = []
        end = 0
        for start, count in runs:
            if start < end or count < 1:
                raise UsageError(f"offsets must ascend and not repeat, but {start} comes after {end - 1}")
            if joined and start == end:
                joined[-1] = (joined[-1][0], joined[-1][1] + count)
            else:
                joined.append((start, count))
            end = start + count
        return cls(tuple(joined))

    @classmethod
    def union(cls, sets: Iterable[OffsetSet]) -> OffsetSet:
        """All members of many sets, at the cost of one sorting."""
        joined: list[Run] = []
        for start, count in sorted(run for each in sets for run in each.runs):
            if joined and start <= sum(joined[-1]):
                joined[-1] = (joined[-1][0], max(start + count, sum(joined[-1])) - joined[-1][0])
            else:
                joined.append((start, count))
        return cls(tuple(joined))

    @classmethod
    def between(cls, start: int, end: int) -> OffsetSet:
        """Every offset of ``[start, end)``."""
        return cls(((start, end - start),)) if end > start else cls()

    def __len__(self) -> int:
        return self._below[-1]

    def __bool__(self) -> bool:
        return bool(self.runs)

    def __iter__(self) -> Iterator[int]:
        return (offset for start, count in self.runs for offset in range(start, start + count))

    def __contains__(self, offset: object) -> bool:
        run = self._run_at(offset) if isinstance(offset, int) else None
        return run is not None and isinstance(offset, int) and offset < run[0] + run[1]

    def _run_at(self, offset: int) -> Run | None:
        at = bisect_right(self.runs, offset, key=_START)
        return self.runs[at - 1] if at else None

    @property
    def end(self) -> int:
        """One past the last offset; 0 for the empty set."""
        return sum(self.runs[-1]) if self.runs else 0

    def rank(self, offset: int) -> int:
        """How many members are smaller than ``offset``."""
        at = bisect_right(self.runs, offset, key=_START)
        if not at:
            return 0
        start, count = self.runs[at - 1]
        return self._below[at - 1] + min(count, offset - start)

    def nth(self, index: int) -> int:
        """The member with ``index`` smaller members; raises LineageBroken beyond the set."""
        if not 0 <= index < self._below[-1]:
            raise LineageBroken(f"offset number {index}", f"the set holds only {len(self)}")
        at = bisect_right(self._below, index) - 1
        return self.runs[at][0] + index - self._below[at]

    def __or__(self, other: OffsetSet) -> OffsetSet:
        return OffsetSet.union((self, other))

    def __sub__(self, other: OffsetSet) -> OffsetSet:
        return OffsetSet(tuple(_subtract(self.runs, other.runs)))

    def __and__(self, other: OffsetSet) -> OffsetSet:
        return self - (self - other)

    def encode(self) -> bytes:
        """One form byte, then varints: ``0`` gap and length less one of each run, ``1`` gaps of single offsets.

        A gap counts from the end of the member before it (from 0 for the first). The shorter form is taken; the empty
        set is no bytes at all.
        """
        if not self.runs:
            return b""
        if len(self.runs) == 1:  # most sets of parents are
            ((start, count),) = self.runs
            return _SINGLES + pack((start,)) if count == 1 else _RUNS + pack((start, count - 1))
        gaps, end = [], 0
        for start, count in self.runs:
            gaps += [start - end, count - 1]
            end = start + count
        if len(self) < 2 * len(self.runs):
            return _SINGLES + pack(_single_gaps(self))
        return _RUNS + pack(gaps)

    @classmethod
    def decode(cls, content: bytes) -> OffsetSet:
        """Read what ``encode`` wrote; raises LineageBroken for anything else."""
        if not content:
            return cls()
        reader, form = VarintReader(content[1:], "an offset list"), content[:1]
        if form not in (_RUNS, _SINGLES):
            raise LineageBroken("an offset list", f"its form {form.hex()} is unknown; update the mesh")
        runs: list[Run] = []
        end = 0
        while not reader.exhausted:
            start = end + reader.integer()
            count = reader.integer() + 1 if form == _RUNS else 1
            runs.append((start, count))
            end = start + count
        return cls.of_runs(runs)


EMPTY = OffsetSet()


def _ascend(offsets: Sequence[int]) -> bool:
    if isinstance(offsets, range):
        return offsets.step > 0
    return all(map(int.__lt__, offsets, offsets[1:]))


def _single_gaps(offsets: Iterable[int]) -> list[int]:
    gaps, end = [], 0
    for offset in offsets:
        gaps.append(offset - end)
        end = offset + 1
    return gaps


def _subtract(runs: Sequence[Run], taken: Sequence[Run]) -> Iterator[Run]:
    at = 0
    for start, count in runs:
        begin, end = start, start + count
        while at < len(taken) and sum(taken[at]) <= begin:
            at += 1
        look = at
        while look < len(taken) and taken[look][0] < end:
            if taken[look][0] > begin:
                yield begin, taken[look][0] - begin
            begin = sum(taken[look])
            look += 1
        if begin < end:
            yield begin, end - begin
