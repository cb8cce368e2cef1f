"""Arrays and maps: the first item of every record that has one, then the second of those that have two, and so on.

Items of all records lie behind one another in the columns below a collection. What is rare is left to the rows: a
second block, and the rest of a collection that is far longer than all others of its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import fields, replace
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from mesh.judge.columns.arrays import Bools, Ints
from mesh.judge.columns.column import Blob, Column, Items, Text, text_of
from mesh.judge.columns.cursor import Cursor

Read: TypeAlias = Callable[[Cursor, "Bools | None"], None]

# So many rounds are always made; more only for so many records at once: a round has its price.
_ROUNDS: Final = 16
_FEWEST: Final = 24


class Below(NamedTuple):
    """Columns below a collection, each with the number of the innermost one around it.

    ``texts`` are those of texts among them that no other collection is around, ``kept`` those that are wanted.
    """

    scopes: Mapping[int, int]
    texts: Set[int]
    kept: Set[int]


def read_items(cursor: Cursor, live: Bools | None, number: int, item: Read, below: Below) -> None:
    """Read a collection of every record, the column ``number`` and those below it."""
    counts, ends = _heads(cursor, live)
    at, pieces = cursor.at.copy(), list[tuple[Ints, list[Column]]]()
    # The longest first: those that go on are always the first so many.
    rows = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    part, left = cursor.part(rows), counts.take(rows)
    while True:
        part.columns = cursor.columns.copy()
        item(part, None)
        pieces.append((rows, part.columns))
        left = left - 1
        lost = part.bad | (part.at > part.ends)
        if len(pieces) >= _ROUNDS and len(rows) < _FEWEST:
            lost |= left > 0
        if lost.any():
            cursor.bad[rows[lost]] = True
            left[lost] = 0
            order = np.argsort(-left, kind="stable")
            rows, left, part = rows.take(order), left.take(order), part.part(order)
        goes = int(np.count_nonzero(left))
        if goes < len(rows):
            at[rows[goes:]] = part.at[goes:]
            rows, left, part = rows[:goes], left[:goes], part.first(goes)
        if not len(rows):
            break
    cursor.at = at
    _tails(cursor, counts, ends)
    owners = np.concatenate([rows for rows, _ in pieces])
    for each, scope in below.scopes.items():
        if each in below.texts:
            cursor.columns[each] = _texts(cursor, _joined(pieces, each, scope, number), owners)
        elif each in below.kept:
            cursor.columns[each] = _joined(pieces, each, scope, number)
    cursor.columns[number] = Items(live, counts, owners)


def _texts(cursor: Cursor, column: Column, owners: Ints) -> Text:
    assert isinstance(column, Blob)  # noqa: S101  (what a part makes of texts)
    found, broken = text_of(cursor.wire, column.starts, column.sizes, column.live)
    if broken:
        cursor.bad[owners[broken]] = True
    return found


def _heads(cursor: Cursor, live: Bools | None) -> tuple[Ints, Ints | None]:
    """How many items the block of each record has, and where it says that they end (0: it does not)."""
    counts, ends = cursor.number(live, narrow=False), None
    if counts.min(initial=0) < 0:
        sized = counts < 0
        sizes = cursor.number(sized, narrow=False)
        cursor.fail(sizes < 0, sized)
        counts, ends = np.abs(counts), np.where(sized, cursor.at + sizes, 0)
    # Every item takes a byte or more, so the bytes left bound what a few bytes can claim; -2^63 has no absolute value.
    wrong = (counts < 0) | (counts > cursor.ends - cursor.at)
    if wrong.any():
        cursor.fail(wrong, live)
    if cursor.bad.any():
        counts = np.where(cursor.bad, 0, counts)
    return counts, ends


def _tails(cursor: Cursor, counts: Ints, ends: Ints | None) -> None:
    some = counts > 0
    if ends is not None:
        cursor.fail((ends != cursor.at) & (ends != 0), some)
    cursor.fail(cursor.octet(some) != 0, some)


def _joined(pieces: Sequence[tuple[Ints, list[Column]]], each: int, scope: int, number: int) -> Column:
    """The columns of all rounds, one behind the other."""
    sizes = [len(rows) if scope == number else len(_items(columns[scope]).owners) for rows, columns in pieces]
    return _behind([columns[each] for _, columns in pieces], sizes)


def _items(column: Column) -> Items:
    assert isinstance(column, Items)  # noqa: S101  (the column of a collection)
    return column


def _behind(pieces: Sequence[Column], sizes: Sequence[int]) -> Column:
    first = pieces[0]
    if len(pieces) == 1:
        return first
    changes: dict[str, Any] = {}
    for part in fields(first):
        found = [getattr(piece, part.name) for piece in pieces]
        if part.name == "owners":
            starts = np.cumsum([0, *sizes])
            found = [owners + start for owners, start in zip(found, starts, strict=False)]
        if any(isinstance(each, np.ndarray) for each in found):
            with_sizes = zip(found, sizes, strict=True)
            found = [np.ones(size, np.bool_) if each is None else each for each, size in with_sizes]
            changes[part.name] = np.concatenate(found)
    return replace(first, **changes)
