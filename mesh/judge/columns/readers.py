"""What reads one field of every record into its column: one reader for each shape of Avro."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np

from mesh.contract.shape import Logical
from mesh.judge.columns.arrays import Bools
from mesh.judge.columns.column import Column, Items, Real, Scaled, Symbol, Text, Truth, Whole
from mesh.judge.columns.cursor import Cursor
from mesh.judge.columns.runs import Below, read_items
from mesh.judge.logical import digit_limit

Reader: TypeAlias = Callable[[Cursor, "Bools | None"], None]
"""Reads one field of every record, where the second argument is true."""

DECIMAL: Final = 8
"""Decimals of more bytes are left to the rows."""

_BITS: Final = np.uint64(64)
_BYTE: Final = np.uint64(3)


def optional(inner: Reader, null: int) -> Reader:
    """A union of null and something; ``null`` is which branch that is."""

    def read(cursor: Cursor, live: Bools | None) -> None:
        inner(cursor, cursor.branch(live, some=2 * (1 - null), null=2 * null))

    return read


def chosen(number: int, branches: Sequence[Reader], null: int) -> Reader:
    """A union of several types; ``null`` is the branch that is null, -1 if none is."""

    def read(cursor: Cursor, live: Bools | None) -> None:
        octets = cursor.octet(live)
        wrong = (octets >= 2 * len(branches)) | (octets & 1 == 1)
        if wrong.any():
            cursor.fail(wrong, live)
        for place, branch in enumerate(branches):
            here = octets == 2 * place
            branch(cursor, here if live is None else here & live)
        some = live
        if null >= 0:
            present: Bools = octets != 2 * null
            some = present if live is None else present & live
        cursor.columns[number] = Column(some)

    return read


def record_of(number: int, parts: Sequence[Reader]) -> Reader:
    """A record."""

    def read(cursor: Cursor, live: Bools | None) -> None:
        cursor.columns[number] = Column(live)
        for part in parts:
            part(cursor, live)

    return read


def stored(number: int, make: Callable[[Cursor, Bools | None], Column]) -> Reader:
    """What one call makes a column of."""

    def read(cursor: Cursor, live: Bools | None) -> None:
        cursor.columns[number] = make(cursor, live)

    return read


def nothing(number: int) -> Reader:
    """Null by itself."""

    def read(cursor: Cursor, live: Bools | None) -> None:
        cursor.columns[number] = Column(np.zeros(len(cursor.at), np.bool_))

    return read


def enum(number: int, symbols: tuple[str, ...]) -> Reader:
    """An index into symbols."""

    def read(cursor: Cursor, live: Bools | None) -> None:
        values = cursor.number(live, narrow=True)
        if values.max(initial=0) >= len(symbols) or values.min(initial=0) < 0:
            cursor.fail((values < 0) | (values >= len(symbols)), live)
        cursor.columns[number] = Symbol(live, values, symbols)

    return read


def decimals(number: int, size: int, logical: Logical) -> Reader:
    """Decimals in so many bytes, or in as many as a length before them says (-1)."""
    limit = digit_limit(logical)

    def read(cursor: Cursor, live: Bools | None) -> None:
        blob = cursor.blob(live) if size < 0 else cursor.fixed(live, size)
        long = blob.sizes > DECIMAL
        if long.any():
            cursor.fail(long, live)
        unused = _BITS - (np.minimum(blob.sizes, DECIMAL).view(np.uint64) << _BYTE)
        # A shift by all 64 bits is not defined; no bytes at all are the number 0.
        words = np.where(blob.sizes == 0, 0, cursor.wire.words[blob.starts]).byteswap().view(np.int64)
        values = words >> np.minimum(unused, _BITS - np.uint64(1)).view(np.int64)
        if limit < 1 << 63:
            cursor.fail((values >= limit) | (values <= -limit), live)
        cursor.columns[number] = Scaled(live, values)

    return read


def collection(number: int, parts: Sequence[Reader], below: Below, key: int) -> Reader:
    """An array, or a map whose keys are the column ``key`` (-1: an array)."""

    def item(cursor: Cursor, live: Bools | None) -> None:
        for part in parts:
            part(cursor, live)

    def read(cursor: Cursor, live: Bools | None) -> None:
        read_items(cursor, live, number, item, below)
        if key >= 0:
            _unlike(cursor, number, key)

    return read


def _unlike(cursor: Cursor, number: int, key: int) -> None:
    """Leave maps to the rows in which two keys seem to be the same: of one length, with the same beginning."""
    items, keys = cursor.columns[number], cursor.columns[key]
    assert isinstance(items, Items) and isinstance(keys, Text)  # noqa: S101  (a map of this layout)
    order = np.lexsort((keys.heads, keys.sizes, items.owners))
    same = np.ones(max(len(order) - 1, 0), np.bool_)
    for values in (items.owners, keys.sizes, keys.heads.view(np.int64)):
        placed = values.take(order)
        same &= placed[1:] == placed[:-1]
    if same.any():
        cursor.bad[items.owners.take(order)[1:][same]] = True


def _boolean(cursor: Cursor, live: Bools | None) -> Column:
    octets = cursor.octet(live)
    if octets.max(initial=0) > 1:
        cursor.fail(octets > 1, live)
    return Truth(live, octets == np.uint8(1))


READERS: Final[dict[str, Callable[[Cursor, Bools | None], Column]]] = {
    "int": lambda cursor, live: Whole(live, cursor.number(live, narrow=True)),
    "long": lambda cursor, live: Whole(live, cursor.number(live, narrow=False)),
    "float": lambda cursor, live: Real(live, cursor.float(live)),
    "double": lambda cursor, live: Real(live, cursor.double(live)),
    "boolean": _boolean,
    "string": lambda cursor, live: cursor.text(live),
    "bytes": lambda cursor, live: cursor.blob(live),
}
"""Primitives by kind."""
