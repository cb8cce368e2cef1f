"""One cursor per record: each step reads a field of the whole batch and moves all cursors behind it.

A cursor that runs off its record reads the neighbour's bytes: it only ever moves forward, so it ends behind the end of
its record, and that is what the last comparison sees. Lengths of more than a byte are checked before they move a
cursor, so none ever runs further than the numbers and short texts of one record are long; the wire has that much room.
"""

from __future__ import annotations

from copy import copy
from typing import Final

import numpy as np

from mesh.judge.columns import varints
from mesh.judge.columns.arrays import Bools, Doubles, Ints, Octets, flip
from mesh.judge.columns.column import Blob, Column, Text, text_of
from mesh.judge.columns.wire import Wire

_LOWEST: Final = -(1 << 31)
_HIGHEST: Final = (1 << 31) - 1


class Cursor:
    """Where the reading of each record stands, and which records are malformed already."""

    __slots__ = ("at", "bad", "columns", "ends", "is_part", "marks", "wire")

    def __init__(self, wire: Wire, skip: int, columns: int) -> None:
        """Stand behind the first ``skip`` bytes of each payload."""
        self.wire = wire
        self.is_part = False
        self.at: Ints = wire.starts + skip
        self.ends: Ints = wire.ends
        self.bad: Bools = np.zeros(len(self.at), np.bool_)
        self.columns: list[Column] = [Column(None)] * columns
        self.marks: dict[str, tuple[Ints, Ints]] = {}

    def part(self, rows: Ints) -> Cursor:
        """The cursors of these records alone; none of them may be malformed already."""
        part = copy(self)
        part.is_part = True
        part.at, part.ends = self.at.take(rows), self.ends.take(rows)
        part.bad = np.zeros(len(rows), np.bool_)
        return part

    def first(self, rows: int) -> Cursor:
        """The first so many cursors of a part."""
        part = copy(self)
        part.at, part.ends, part.bad = self.at[:rows], self.ends[:rows], np.zeros(rows, np.bool_)
        return part

    def done(self) -> Bools:
        """Which records were exactly of the schema."""
        there: Bools = self.at == self.ends
        return there & flip(self.bad)

    def fail(self, bad: Bools, live: Bools | None) -> None:
        """Give up these records, where anything was to be read at all."""
        self.bad |= bad if live is None else bad & live

    def _move(self, size: int, live: Bools | None) -> None:
        self.at = self.at + size if live is None else self.at + live.view(np.uint8) * np.uint8(size)

    def number(self, live: Bools | None, *, narrow: bool) -> Ints:
        """A number of 64 bits, or of 32 (``narrow``)."""
        found = varints.read(self.wire, self.at, live)
        self.at = self.at + found.sizes
        if found.bad is not None:
            self.fail(found.bad, live)
        if narrow and found.sizes.max(initial=0) > 4:
            self.fail((found.values < _LOWEST) | (found.values > _HIGHEST), live)
        return found.values

    def octet(self, live: Bools | None) -> Octets:
        """One byte."""
        octets = self.wire.octets.take(self.at)
        self._move(1, live)
        return octets

    def double(self, live: Bools | None) -> Doubles:
        """Eight bytes as a double."""
        values = self.wire.doubles(self.at)
        self._move(8, live)
        return values

    def float(self, live: Bools | None) -> Doubles:
        """Four bytes as a float."""
        values = self.wire.floats(self.at)
        self._move(4, live)
        return values

    def branch(self, live: Bools | None, some: int, null: int) -> Bools | None:
        """Which records have a value, where the index of a union says so; None if all that have a union do."""
        octets = self.octet(live)
        present: Bools = octets == some
        if present.all():
            return live
        if live is not None:
            present &= live
        self.fail((octets != some) & (octets != null), live)
        return present

    def text(self, live: Bools | None) -> Text | Blob:
        """A text, which must be UTF-8; in a part, a run of bytes that has to be seen to be one."""
        starts, sizes = varints.short(self.wire, self.at, live) or self._run(live)
        self.at = starts + sizes
        if self.is_part:
            return Blob(live, starts, sizes)
        found, broken = text_of(self.wire, starts, sizes, live)
        if broken:
            self.bad[broken] = True
        return found

    def blob(self, live: Bools | None) -> Blob:
        """A length and so many bytes."""
        return self._blob(live, *self._run(live))

    def fixed(self, live: Bools | None, size: int) -> Blob:
        """So many bytes."""
        sizes = np.full(len(self.at), size, np.int64) if live is None else live.astype(np.int64) * size
        return self._blob(live, *self._skip(sizes, live))

    def _blob(self, live: Bools | None, starts: Ints, sizes: Ints) -> Blob:
        self.at = starts + sizes
        return Blob(live, starts, sizes)

    def _run(self, live: Bools | None) -> tuple[Ints, Ints]:
        return self._skip(self.number(live, narrow=False), live)

    def _skip(self, sizes: Ints, live: Bools | None) -> tuple[Ints, Ints]:
        starts = self.at
        # A record's bytes left may be negative by now, and a length next to 2^63: compared, not added.
        wrong = (sizes < 0) | (sizes > self.ends - starts)
        if wrong.any():
            self.fail(wrong, live)
            sizes = np.where(wrong, 0, sizes)
        return starts, sizes
