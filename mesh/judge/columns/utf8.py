"""Whether runs of bytes are UTF-8, and how many characters they have: all of a column at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from mesh.judge.columns.arrays import HIGH_BITS, KEEP, Bools, Ints, Words
from mesh.judge.columns.wire import Wire

_WORD: Final = 8
# Longer texts are decoded one by one: what that costs them is little beside their bytes.
_LONG: Final = 128
_PART: Final = 2048
_WORDS: Final = 4
# Beyond so many words it is cheaper to look at every byte of the batch once.
_MOST_WORDS: Final = 24
_KEEP: Final = [np.array([0] * (number * _WORD) + KEEP.tolist(), np.uint64) for number in range(_WORDS)]
_KIND, _CONTINUES = np.uint8(0xC0), np.uint8(0x80)


def characters(wire: Wire, starts: Ints, sizes: Ints, heads: Words) -> tuple[Ints, list[int]]:
    """How many characters each has, and the rows where it is not UTF-8; ``heads`` are the first eight bytes."""
    high = _high(wire, starts, sizes, heads)
    if high is None or not high.any():
        return sizes, []
    rows, lengths, broken = np.flatnonzero(high), sizes.copy(), list[int]()
    long = sizes[rows] > _LONG
    if long.any():
        broken += _one_by_one(wire, starts, lengths, rows[long])
        rows = rows[~long]
    for part in (rows[begin : begin + _PART] for begin in range(0, len(rows), _PART)):
        broken += _together(wire, starts, lengths, part)
    return lengths, broken


def _high(wire: Wire, starts: Ints, sizes: Ints, heads: Words) -> Bools | None:
    """Which have bytes beyond ASCII; None if none has."""
    most = int(sizes.max(initial=0))
    seen = heads
    for number in range(1, min((most + _WORD - 1) // _WORD, _WORDS)):
        seen = seen | (wire.words[starts + number * _WORD] & _KEEP[number].take(sizes, mode="clip"))
    if most > _WORDS * _WORD:
        high: Bools = (seen & HIGH_BITS) != 0
        _behind(wire, starts, sizes, high)
        return high
    return (seen & HIGH_BITS) != 0 if np.bitwise_or.reduce(seen) & HIGH_BITS else None


def _behind(wire: Wire, starts: Ints, sizes: Ints, high: Bools) -> None:
    # The first words were seen; the last word and the whole ones before it are the others.
    rows = np.flatnonzero(sizes > _WORDS * _WORD)
    begin, size = starts.take(rows), sizes.take(rows)
    end = begin + size
    found = (wire.words[end - _WORD] & HIGH_BITS) != 0
    if size.max() > _MOST_WORDS * _WORD:
        marks = wire.high_words
        found |= marks.take(end >> 3) != marks.take((begin + 7) >> 3)
        high[rows] |= found
        return
    high[rows] |= found
    for number in range(_WORDS, _MOST_WORDS):
        whole = np.flatnonzero(size >= (number + 1) * _WORD)
        if not len(whole):
            return
        if len(whole) < len(rows):
            rows, begin, size = rows.take(whole), begin.take(whole), size.take(whole)
        words = wire.words[begin + number * _WORD]
        if np.bitwise_or.reduce(words) & HIGH_BITS:
            high[rows] |= (words & HIGH_BITS) != 0


def _one_by_one(wire: Wire, starts: Ints, lengths: Ints, rows: Ints) -> Iterator[int]:
    for row in rows.tolist():
        try:
            lengths[row] = len(wire.cut(int(starts[row]), int(lengths[row])).decode())
        except UnicodeDecodeError:
            yield row


def _together(wire: Wire, starts: Ints, lengths: Ints, rows: Ints) -> list[int]:
    sizes = lengths.take(rows)
    offsets = sizes.cumsum() - sizes
    octets = wire.octets.take(np.arange(sizes.sum()) + np.repeat(starts.take(rows) - offsets, sizes))
    rest = (octets & _KIND) == _CONTINUES
    try:
        octets.tobytes().decode()
    except UnicodeDecodeError:
        return list(_one_by_one(wire, starts, lengths, rows))
    # Texts one after the other are UTF-8 if each is; the reverse holds unless a character goes on in the next one.
    if rest.take(offsets).any():
        return list(_one_by_one(wire, starts, lengths, rows))
    lengths[rows] = sizes - np.add.reduceat(rest, offsets, dtype=np.int64)
    return []
