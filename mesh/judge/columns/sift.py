"""A sift that decides most rows in columns and leaves the rest to the sift over rows.

The columns say which rows are clean: exact bodies with the right key that certainly keep every clause. Of an exact body
with the right key they also say which clauses alone it may break; the reason is found by examining the record. All
others go through the rows, so columns can never find a fault that is none, nor tell a reason of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, cast

import numpy as np

from mesh.contract.clauses import Clause
from mesh.contract.shape import Record
from mesh.judge.columns.arrays import Bools, flip
from mesh.judge.columns.column import Column
from mesh.judge.columns.conditions import Mask, event_time, mask
from mesh.judge.columns.cursor import Cursor
from mesh.judge.columns.keys import Keys, key_check
from mesh.judge.columns.layout import Layout
from mesh.judge.columns.rules import Rules
from mesh.judge.columns.scene import Scene
from mesh.judge.columns.wire import Wire
from mesh.judge.frame import PREFIX
from mesh.judge.verdict import Batch, Doubts, Suspicion

Rest = Callable[[Sequence[int], Batch, list["int | None"], list[int]], None]

FEWEST: Final = 96
"""Below so many rows the rows are faster than setting up columns."""
# Beyond this many bytes or rows temporaries leave the cache; one record more than the bound may be in a part.
_MOST_ROWS: Final = 8192


@dataclass(frozen=True, slots=True)
class ColumnSift:
    """Judges the rows of one schema, the contract's own; see the module."""

    layout: Layout
    masks: tuple[tuple[int, Mask], ...]
    shared: frozenset[str]
    key: Callable[[Cursor, Keys], Bools]
    times: Callable[[list[Column]], list[int | None]] | None
    rest: Rest
    fewest: int = FEWEST
    loads: tuple[tuple[tuple[str, Callable[[Sequence[Column], int], object]], ...] | None, ...] = ()

    def __call__(self, rows: Sequence[int], batch: Batch, times: list[int | None], doubtful: list[int]) -> None:
        """Set the event times of rows that pass, append those that may not."""
        for begin in range(0, len(rows), _MOST_ROWS):
            part = rows[begin : begin + _MOST_ROWS]
            left = self._part(part, batch, times, doubtful) if len(part) >= self.fewest else part
            if left:
                self.rest(left, batch, times, doubtful)

    def whole(self, batch: Batch, head: bytes, times: list[int | None], doubtful: list[int]) -> bool:
        """Sift all rows if every value begins with this head; else, and where that costs too much, do nothing."""
        if not self.fewest <= len(batch) <= _MOST_ROWS:
            return False
        try:
            wire = Wire(cast("Sequence[bytes]", batch.values), self.layout.room)
        except TypeError:  # a value is null
            return False
        if not wire.begin_with(head):
            return False
        left = self._sifted(range(len(batch)), wire, batch.keys, times, doubtful)
        if left:
            self.rest(left, batch, times, doubtful)
        return True

    def _part(self, rows: Sequence[int], batch: Batch, times: list[int | None], doubtful: list[int]) -> Sequence[int]:
        if len(rows) == len(batch):
            values, keys = batch.values, batch.keys
        else:
            values, keys = [batch.values[row] for row in rows], [batch.keys[row] for row in rows]
        wire = Wire(cast("Sequence[bytes]", values), self.layout.room)  # rows of one schema: none is null
        return self._sifted(rows, wire, keys, times, doubtful)

    def _sifted(
        self, rows: Sequence[int], wire: Wire, keys: Keys, times: list[int | None], doubtful: list[int]
    ) -> Sequence[int]:
        # A NaN, a float beyond range, the double of an integer: all as in IEEE, and as in Python.
        with np.errstate(all="ignore"):
            found = self._judge(wire, keys)
        if not isinstance(doubtful, Doubts):
            _fill(times, rows, found.clean, self.times(found.columns) if self.times else None)
            return [rows[place] for place in np.flatnonzero(flip(found.clean)).tolist()]
        _fill(times, rows, found.exact, self.times(found.columns) if self.times else None)
        for place, suspects in found.suspects().items():
            doubtful.append(rows[place])
            doubtful.suspicions[rows[place]] = Suspicion(suspects, self._fields(found.columns, place, suspects))
        return [rows[place] for place in np.flatnonzero(flip(found.exact)).tolist()]

    def _fields(self, columns: list[Column], place: int, clauses: Sequence[int]) -> dict[str, object] | None:
        fields: dict[str, object] = {}
        for clause in clauses:
            loads = self.loads[clause] if self.loads else None
            if loads is None:
                return None
            for name, value in loads:
                fields[name] = value(columns, place)
        return fields

    def looking_at(self, loads: Iterable[frozenset[str]]) -> ColumnSift:
        """The same, where ``loads`` are the fields of the record that each clause looks at."""
        found = [[(name, self.layout.value(name)) for name in sorted(names)] for names in loads]
        known = [tuple((name, value) for name, value in each if value is not None) for each in found]
        whole = (each if len(each) == len(all_of) else None for each, all_of in zip(known, found, strict=True))
        return replace(self, loads=tuple(whole))

    def _judge(self, wire: Wire, keys: Keys) -> _Judged:
        cursor = Cursor(wire, PREFIX, len(self.layout.slots))
        self.layout.read(cursor)
        exact = cursor.done()
        exact &= self.key(cursor, keys)
        scene, broken = Scene(cursor.columns, len(keys), self.shared), list[tuple[int, Bools]]()
        clean = exact.copy()
        for number, each in self.masks:
            holds = each(scene)
            if not holds.all():
                broken.append((number, holds))
                clean &= holds
        if scene.doubt is not None:
            exact &= flip(scene.doubt)
            clean &= exact
        return _Judged(cursor.columns, exact, clean, broken)


class _Judged(NamedTuple):
    """``exact`` rows are those of which the columns know everything, ``clean`` the ones of them that pass."""

    columns: list[Column]
    exact: Bools
    clean: Bools
    broken: list[tuple[int, Bools]]

    def suspects(self) -> dict[int, list[int]]:
        """The clauses that exact rows may break, by row."""
        rows = np.flatnonzero(self.exact & flip(self.clean))
        found: dict[int, list[int]] = {row: [] for row in rows.tolist()}
        for number, holds in self.broken:
            for row in rows[flip(holds.take(rows))].tolist():
                found[row].append(number)
        return found


def compile_columns(
    record: Record,
    clauses: Sequence[Clause],
    key: Sequence[str],
    prefixes: Set[bytes],
    time: str | None,
    rest: Rest,
    fewest: int = FEWEST,
) -> ColumnSift:
    """The sift over columns; raises Unsupported where only rows will do.

    ``prefixes`` are those of keys in the contract's own schema, ``time`` the path of the event time.
    """
    layout = Layout.of(record, key)
    rules = Rules(layout)
    masks = [(number, mask(clause, number, layout, rules)) for number, clause in enumerate(clauses)]
    return ColumnSift(
        layout,
        tuple((number, each) for number, each in masks if each is not None),
        frozenset(key for key, uses in rules.uses.items() if uses > 1),
        key_check(record, key, prefixes),
        event_time(time, layout),
        rest,
        fewest,
    )


def _fill(times: list[int | None], rows: Sequence[int], clean: Bools, found: list[int | None] | None) -> None:
    if found is None:
        return
    dirty = np.flatnonzero(flip(clean)).tolist()
    for place in dirty:
        found[place] = None
    if len(rows) == len(times):
        times[:] = found
        return
    for row, time in zip(rows, found, strict=True):
        times[row] = time
