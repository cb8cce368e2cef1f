"""Avro's numbers at one place per record: exact, without a Python object per record.

Short ones, of which records are full, are read byte by byte: two such reads cost less than one of eight bytes.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from mesh.judge.columns.arrays import HIGH_BITS, Bools, Ints, Octets, Words
from mesh.judge.columns.wire import Wire

_MORE: Final = 128
_LONG_OR_NEGATIVE: Final = 0x81
SHORTEST_LONG: Final = 64
"""Bytes that a run has at least whose length takes more than a byte."""

_SHORT: Final[Ints] = np.array([(n >> 1) ^ -(n & 1) for n in range(_MORE)], np.int64)
# Seven bits of each byte come together in three steps: pairs of bytes, of pairs, of fours.
_STEPS: Final = (
    (np.uint64(0x007F007F007F007F), np.uint64(0x7F007F007F007F00), np.uint64(1)),
    (np.uint64(0x00003FFF00003FFF), np.uint64(0x3FFF00003FFF0000), np.uint64(2)),
    (np.uint64(0x000000000FFFFFFF), np.uint64(0x0FFFFFFF00000000), np.uint64(4)),
)
_ONE: Final = np.uint64(1)
_SEVEN: Final = np.uint64(7)
_STOP: Final = np.uint64(0x80)


class Numbers(NamedTuple):
    """What was read: values, how many bytes each took, and which are not the shortest form of 64 bits."""

    values: Ints
    sizes: Octets
    bad: Bools | None


def read(wire: Wire, at: Ints, live: Bools | None) -> Numbers:
    """The numbers at these places; where ``live`` is false nothing is read and the value is 0."""
    first = wire.octets.take(at)
    if live is not None:
        first = first * live
    if first.max(initial=0) < _MORE:
        sizes = np.ones(len(at), np.uint8) if live is None else live.view(np.uint8)
        return Numbers(_SHORT.take(first), sizes, None)
    second = wire.octets.take(at + 1)
    found = _two(first, second) if (first & second).max() < _MORE else _many(wire, at, live)
    return found if live is None else found._replace(sizes=found.sizes * live)


def short(wire: Wire, at: Ints, live: Bools | None) -> tuple[Ints, Ints] | None:
    """Where runs of bytes begin and how many they are, if all of them are short; those not ``live`` are none."""
    first = wire.octets.take(at)
    if live is not None:
        first = first * live
    if np.bitwise_or.reduce(first) & _LONG_OR_NEGATIVE:
        return None
    return (at + 1 if live is None else at + live.view(np.uint8)), (first >> 1).astype(np.int64)


def _two(first: Octets, second: Octets) -> Numbers:
    more = first >= _MORE
    second = second * more
    number = ((first & 127) | (second.astype(np.uint16) << 7)).view(np.int16)
    values = ((number >> 1) ^ -(number & 1)).astype(np.int64)
    bad = more & (second == 0)
    sizes = np.add(more.view(np.uint8), 1, dtype=np.uint8)
    return Numbers(values, sizes, bad if bad.any() else None)


def _many(wire: Wire, at: Ints, live: Bools | None) -> Numbers:
    word = wire.words[at]
    if live is not None:
        word = word * live
    stops = ~word & HIGH_BITS
    stop = stops & -stops
    raw = word & (stop - _ONE)
    sizes = np.add(np.bitwise_count(stop - _ONE) >> 3, 1, dtype=np.uint8)
    bad = (raw < stop >> _SEVEN) & (stop > _STOP)
    for keep, move, by in _STEPS:
        raw = (raw & keep) | ((raw & move) >> by)
    longest = np.flatnonzero(stops == 0)
    if longest.size:
        raw[longest], sizes[longest], bad[longest] = _longest(wire, at[longest], word[longest])
    values = ((raw >> _ONE) ^ -(raw & _ONE)).view(np.int64)
    return Numbers(values, sizes, bad)


def _longest(wire: Wire, at: Ints, word: Words) -> tuple[Words, Octets, Bools]:
    # The first eight bytes all go on: a ninth ends the number, or goes on into a tenth that must be 1.
    raw = word & ~HIGH_BITS
    for keep, move, by in _STEPS:
        raw = (raw & keep) | ((raw & move) >> by)
    ninth, tenth = wire.octets.take(at + 8), wire.octets.take(at + 9)
    ten = ninth >= _MORE
    raw |= (ninth & 127).astype(np.uint64) << np.uint64(56)
    raw |= ten.astype(np.uint64) << np.uint64(63)
    bad = np.where(ten, tenth != 1, ninth == 0)
    return raw, np.add(ten.view(np.uint8), 9, dtype=np.uint8), bad
