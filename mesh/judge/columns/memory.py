"""What a test said of a value, kept in arrays: a pattern or a list costs once per distinct value, not per record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from mesh.judge.columns.arrays import Bools, Ints, Words

_BITS: Final = 15
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
_SHIFT: Final = np.uint64(64 - _BITS)


class Memory:
    """Answers by word. Each word has one place; the last word that came there keeps it, so memory is bounded."""

    __slots__ = ("_holds", "_known", "_words")

    def __init__(self) -> None:
        self._words: Words = np.zeros(1 << _BITS, np.uint64)
        self._known: Bools = np.zeros(1 << _BITS, np.bool_)
        self._holds: Bools = np.zeros(1 << _BITS, np.bool_)

    def ask(self, words: Words, test: Callable[[int], bool]) -> Bools:
        """The answer for each word; ``test`` is asked by row, for words that nothing is known of."""
        places = ((words * _SPREAD) >> _SHIFT).view(np.int64)
        known = self._known.take(places) & (self._words.take(places) == words)
        holds = self._holds.take(places)
        if not known.all():
            self._learn(words, places, np.flatnonzero(~known), holds, test)
        return holds

    def _learn(self, words: Words, places: Ints, rows: Ints, holds: Bools, test: Callable[[int], bool]) -> None:
        seen: dict[int, bool] = {}
        for row, word in zip(rows.tolist(), words[rows].tolist(), strict=True):
            answer = seen.get(word)
            if answer is None:
                answer = seen[word] = test(row)
                place = places[row]
                self._words[place], self._known[place], self._holds[place] = word, True, answer
            holds[row] = answer
