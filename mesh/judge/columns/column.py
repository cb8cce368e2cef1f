"""The columns of a batch: numbers, truths, symbols, texts and runs of bytes, and what a test says of each entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mesh.judge.columns.arrays import KEEP, Bools, Doubles, Ints, Words
from mesh.judge.columns.memory import Memory
from mesh.judge.columns.utf8 import characters
from mesh.judge.columns.wire import Wire

Test = Callable[[Any], bool]
"""Says of one plain value whether it is right; never of null."""

_DECIMAL: Final = 8
# Texts up to here fit a word together with their length.
_SHORT: Final = 7
_LENGTH_AT: Final = np.uint64(56)
# No short text has this word: its length would be 255.
_TOO_LONG: Final = np.uint64((1 << 64) - 1)


@dataclass(slots=True)
class Column:
    """``live`` is false where the value, or a record around it, is null; None where it never is.

    Entries that are not live, and entries of malformed records, hold anything.
    """

    live: Bools | None


@dataclass(slots=True)
class Whole(Column):
    """Numbers of 64 bits."""

    values: Ints

    def ask(self, test: Test, memory: Memory) -> Bools:
        """What the test says of each entry."""
        values = self.values
        return memory.ask(values.view(np.uint64), lambda row: test(int(values[row])))


@dataclass(slots=True)
class Real(Column):
    """Doubles."""

    values: Doubles

    def ask(self, test: Test, memory: Memory) -> Bools:
        """What the test says of each entry."""
        values = self.values if self.live is None else np.where(self.live, self.values, 0.0)
        return memory.ask(values.view(np.uint64), lambda row: test(float(values[row])))


@dataclass(slots=True)
class Truth(Column):
    """Booleans."""

    values: Bools

    def ask(self, test: Test, memory: Memory) -> Bools:
        """What the test says of each entry."""
        return np.array([test(False), test(True)]).take(self.values.view(np.uint8))


@dataclass(slots=True)
class Symbol(Column):
    """Indexes of symbols."""

    values: Ints
    symbols: tuple[str, ...]

    def ask(self, test: Test, memory: Memory) -> Bools:
        """What the test says of each entry."""
        return np.array([bool(test(symbol)) for symbol in self.symbols]).take(self.values, mode="clip")


@dataclass(slots=True)
class Blob(Column):
    """Runs of bytes, by length."""

    starts: Ints
    sizes: Ints


@dataclass(slots=True)
class Scaled(Column):
    """Decimals of eight bytes at most, as the whole number that their bytes are."""

    values: Ints

    def ask(self, test: Test, memory: Memory) -> Bools:
        """What the test says of the bytes of each entry."""
        values = self.values
        return memory.ask(
            values.view(np.uint64), lambda row: test(int(values[row]).to_bytes(_DECIMAL, "big", signed=True))
        )


@dataclass(slots=True)
class Items(Column):
    """Collections: how many items each has, and for every item in the columns below the entry that it belongs to."""

    counts: Ints
    owners: Ints


@dataclass(slots=True)
class Text(Column):
    """Texts, by place and length in bytes; ``lengths`` are in characters."""

    wire: Wire
    starts: Ints
    sizes: Ints
    lengths: Ints
    heads: Words

    def at(self, row: int) -> str:
        """One text; of a malformed one, something."""
        return self.wire.cut(int(self.starts[row]), int(self.sizes[row])).decode(errors="replace")

    def ask(self, test: Test, memory: Memory) -> Bools:
        """What the test says of each entry."""
        long = self.sizes > _SHORT
        words = self.heads | (self.sizes.view(np.uint64) << _LENGTH_AT)
        if not long.any():
            return memory.ask(words, lambda row: test(self.at(row)))
        holds = memory.ask(np.where(long, _TOO_LONG, words), lambda row: bool(long[row]) or test(self.at(row)))
        for row in np.flatnonzero(long if self.live is None else long & self.live).tolist():
            holds[row] = test(self.at(row))
        return holds


def plain(column: Column, row: int) -> object:
    """One value as the row decoder gives it: of a number, a truth, a symbol or a text."""
    if column.live is not None and not column.live[row]:
        return None
    match column:
        case Text():
            return column.at(row)
        case Symbol():
            return column.symbols[column.values[row]]
        case Whole() | Real() | Truth():
            return column.values[row].item()
    raise TypeError(type(column).__name__)


def text_of(wire: Wire, starts: Ints, sizes: Ints, live: Bools | None) -> tuple[Text, list[int]]:
    """The column of texts at these places, and the rows where it is not UTF-8."""
    heads = wire.words[starts] & KEEP.take(sizes, mode="clip")
    lengths, broken = characters(wire, starts, sizes, heads)
    return Text(live, wire, starts, sizes, lengths, heads), broken
