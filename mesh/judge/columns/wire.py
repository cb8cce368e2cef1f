"""Many payloads as one run of bytes, read at one place per record at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import numpy as np

from mesh.judge.columns.arrays import HIGH_BITS, KEEP, Bools, Counts, Doubles, Ints, Octets, Words

# Long runs are compared byte by byte in Python's own C: a loop over words would cost more than it saves.
_MOST_WORDS: Final = 8
_WORD: Final = 8
# A pattern looks so far behind the beginning of a text, however short that is.
_SPARE: Final = 96


class Wire:
    """Payloads joined, with room behind the last one for cursors that ran off.

    Every read is of a little-endian word of eight bytes or of one byte, at any address.
    """

    __slots__ = ("_high_words", "ends", "octets", "raw", "sizes", "starts", "words")

    def __init__(self, payloads: Sequence[bytes], room: int) -> None:
        """Join; ``room`` is how far a cursor may run behind the last byte."""
        self.raw: bytes = b"".join([*payloads, bytes(room + _SPARE)])
        self.octets: Octets = np.frombuffer(self.raw, np.uint8)
        self.words: Words = np.ndarray((len(self.raw) - _WORD + 1,), "<u8", self.raw, strides=(1,))
        self.sizes: Ints = np.fromiter(map(len, payloads), np.int64, len(payloads))
        self.ends: Ints = self.sizes.cumsum()
        self.starts: Ints = self.ends - self.sizes
        self._high_words: Counts | None = None

    @property
    def high_words(self) -> Counts:
        """How many of the aligned words before each hold a byte beyond ASCII."""
        if self._high_words is None:
            aligned = np.frombuffer(self.raw, "<u8", len(self.raw) // _WORD)
            self._high_words = np.zeros(len(aligned) + 1, np.int32)
            np.cumsum(((aligned & HIGH_BITS) != 0).view(np.int8), dtype=np.int32, out=self._high_words[1:])
        return self._high_words

    def begin_with(self, head: bytes) -> bool:
        """Whether every payload begins with these bytes, eight at most."""
        words = self.words[self.starts] & KEEP[len(head)]
        same = (words == np.uint64(int.from_bytes(head, "little"))) & (self.sizes >= len(head))
        return bool(same.all())

    def doubles(self, at: Ints) -> Doubles:
        """The doubles at these places."""
        return cast(Doubles, self.words[at].view(np.float64))

    def floats(self, at: Ints) -> Doubles:
        """The floats at these places, as doubles."""
        return cast(Doubles, (self.words[at] & KEEP[4]).astype(np.uint32).view(np.float32).astype(np.float64))

    def cut(self, start: int, size: int) -> bytes:
        """A run of bytes."""
        return self.raw[start : start + size]


def rest_beyond(sizes: Ints, words: int) -> Ints:
    """The rows that have more bytes than so many words."""
    return np.flatnonzero(sizes > words * _WORD)


def same_bytes(left: Wire, at: Ints, right: Wire, there: Ints, sizes: Ints) -> Bools:
    """Whether ``sizes`` bytes at one place equal those at another; both must lie inside."""
    same: Bools = ((left.words[at] ^ right.words[there]) & KEEP.take(sizes, mode="clip")) == 0
    for number in range(1, _MOST_WORDS):
        rows = rest_beyond(sizes, number)
        if not rows.size:
            return same
        begin, skip = sizes[rows] - number * _WORD, number * _WORD
        differs = (left.words[at[rows] + skip] ^ right.words[there[rows] + skip]) & KEEP.take(begin, mode="clip")
        same[rows] &= differs == 0
    for row in rest_beyond(sizes, _MOST_WORDS).tolist():
        size = int(sizes[row])
        same[row] &= left.cut(int(at[row]), size) == right.cut(int(there[row]), size)
    return same
