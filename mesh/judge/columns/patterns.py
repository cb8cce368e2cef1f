"""Patterns that say which characters stand where, tested eight bytes at a time instead of by RE2 for each text.

``^[A-Z]{3}-[0-9]{4,6}$`` is one: anchored at both ends, a row of ASCII characters and classes, of which one at most is
of variable length. So the length of a text says which class each of its bytes must be in, and a class is a few ranges.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from mesh.judge.columns.arrays import HIGH_BITS, KEEP, Bools, Ints, Words
from mesh.judge.columns.column import Text

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""First and last byte of each range of a class."""

LONGEST: Final = 64
"""Bytes; longer texts are asked of the test one by one."""

_WORD: Final = 8
_MOST_RANGES: Final = 4
_ANY: Final = (0x00, 0x7F)
_NONE: Final = (0x7F, 0x00)
_ENDLESS: Final = 1 << 30
_CLASS: Final = r"\[((?:[A-Za-z0-9 _@#%&:;,<>=!~/.+*-]|\\[.+*/\\|(){}\[\]?^$-]|\\d)+)\]"
_ATOM: Final = re.compile(rf"(?:{_CLASS}|(\\d)|\\([.+*/\\|(){{}}\[\]?^$-])|([A-Za-z0-9 _@#%&:;,<>=!~/\"'-]))")
_TIMES: Final = re.compile(r"(?:\{(\d{1,3})(?:(,)(\d{1,3})?)?\}|([?*+]))")
_ENDS: Final = {"?": (0, 1), "*": (0, _ENDLESS), "+": (1, _ENDLESS)}
_DIGITS: Final = (0x30, 0x39)


class Piece(NamedTuple):
    """Characters of one class, at least and at most so many."""

    ranges: Ranges
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """The classes by length: ``low`` and ``high`` are of word, range and length, the high bits of ``high`` being set.

    ``fits`` says of each length whether a text may have it; longer ones than the tables may only if ``endless``.
    """

    low: tuple[tuple[Words, ...], ...]
    high: tuple[tuple[Words, ...], ...]
    fits: Bools
    endless: bool

    def ask(self, column: Text, test: Callable[[str], bool]) -> Bools:
        """Where the pattern matches; ``test`` says it of one text that is too long for the tables."""
        sizes = column.sizes
        holds = self.fits.take(sizes, mode="clip")
        for number, (lows, highs) in enumerate(zip(self.low, self.high, strict=True)):
            if number and not (holds & (sizes > number * _WORD)).any():
                break
            good = _inside(_word(column, number), sizes, lows, highs)
            holds &= good
        if self.endless:
            self._ask_long(column, test, holds)
        return holds

    def _ask_long(self, column: Text, test: Callable[[str], bool], holds: Bools) -> None:
        long = column.sizes >= LONGEST
        if not long.any():
            return
        for row in np.flatnonzero(long if column.live is None else long & column.live).tolist():
            holds[row] = test(column.at(row))


def _word(column: Text, number: int) -> Words:
    if not number:
        return column.heads
    skip = number * _WORD
    words: Words = column.wire.words[column.starts + skip]
    return words & KEEP.take(column.sizes - skip, mode="clip")


def _inside(word: Words, sizes: Ints, lows: tuple[Words, ...], highs: tuple[Words, ...]) -> Bools:
    # A byte is in a range if taking its ends from it, and it from them, leaves the bit above seven.
    above = word | HIGH_BITS
    found: Words | None = None
    for low, high in zip(lows, highs, strict=True):
        first = low.take(sizes, mode="clip") if len(low) > 1 else low[0]
        last = high.take(sizes, mode="clip") if len(high) > 1 else high[0]
        part = (above - first) & (last - word)
        found = part if found is None else found | part
    assert found is not None  # noqa: S101  (every class has a range)
    inside: Bools = (found & ~word & HIGH_BITS) == HIGH_BITS
    return inside


def compile_pattern(text: str) -> Pattern | None:
    """The tables of a pattern; None for one that RE2 has to decide."""
    pieces = _pieces(text)
    if pieces is None:
        return None
    open_ones = [place for place, piece in enumerate(pieces) if piece.least != piece.most]
    shortest = sum(piece.least for piece in pieces)
    if len(open_ones) > 1 or shortest >= LONGEST:
        return None
    longest = sum(piece.most for piece in pieces)
    rows = {size: _spread(pieces, size - shortest) for size in range(shortest, min(longest, LONGEST - 1) + 1)}
    fits = np.zeros(LONGEST + 1, np.bool_)
    fits[list(rows)] = True
    words = range((max(rows) + _WORD - 1) // _WORD or 1)
    ranges = range(max((len(each) for row in rows.values() for each in row), default=1))
    low = tuple(tuple(_table(rows, word, place, 0) for place in ranges) for word in words)
    high = tuple(tuple(_table(rows, word, place, 1) for place in ranges) for word in words)
    return Pattern(low, high, fits, longest >= LONGEST)


def _spread(pieces: list[Piece], more: int) -> list[Ranges]:
    """The class of each byte, where the one piece of variable length has so many more than it must."""
    return [p.ranges for p in pieces for _ in range(p.least + (more if p.least != p.most else 0))]


def _table(rows: dict[int, list[Ranges]], word: int, place: int, end: int) -> Words:
    table = np.zeros(LONGEST + 1, np.uint64)
    for size, row in rows.items():
        table[size] = _packed(row[word * _WORD : (word + 1) * _WORD], place, end)
    distinct = {int(table[size]) for size in rows}
    return np.array(list(distinct), np.uint64) if len(distinct) == 1 else table


def _packed(row: list[Ranges], place: int, end: int) -> int:
    octets = [(ranges[place] if place < len(ranges) else _NONE)[end] for ranges in row]
    octets += [(_NONE if place else _ANY)[end]] * (_WORD - len(row))
    return int.from_bytes(bytes(octets), "little") | (int(HIGH_BITS) if end else 0)


def _pieces(text: str) -> list[Piece] | None:
    if not (text.startswith("^") and text.endswith("$")) or text.endswith("\\$"):
        return None
    pieces, at, end = list[Piece](), 1, len(text) - 1
    while at < end:
        atom = _ATOM.match(text, at, end)
        if atom is None or (ranges := _ranges(atom)) is None:
            return None
        at = atom.end()
        least = most = 1
        if times := _TIMES.match(text, at, end):
            at = times.end()
            least, most = _often(times)
        if least > most or text[at:end].startswith("?"):
            return None
        pieces.append(Piece(ranges, least, most))
    return pieces


def _often(times: re.Match[str]) -> tuple[int, int]:
    least, comma, most, mark = times.groups()
    if mark:
        return _ENDS[mark]
    return int(least), int(most) if most else _ENDLESS if comma else int(least)


def _ranges(atom: re.Match[str]) -> Ranges | None:
    inside, digit, escaped, plain = atom.groups()
    if inside is None:
        return (_DIGITS,) if digit else ((ord(escaped or plain),) * 2,)
    found, at = list[tuple[int, int]](), 0
    members = re.findall(r"\\.|.", inside)
    while at < len(members):
        if members[at] == "\\d":
            found.append(_DIGITS)
            at += 1
            continue
        first = last = ord(members[at][-1])
        if at + 2 < len(members) and members[at + 1] == "-":
            if members[at + 2] == "\\d" or ord(members[at + 2][-1]) < first:
                return None
            last, at = ord(members[at + 2][-1]), at + 2
        found.append((first, last))
        at += 1
    return tuple(found) if len(found) <= _MOST_RANGES else None
