"""When an open transaction is to be committed: soon where commits are cheap, seldom where they are dear; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

# A commit that takes 10 ms comes 30 ms after the last one at the earliest, one that takes 100 ms after 300 ms.
_REST: Final = 3.0
# Of commits dearer than that most is paid for each partition, so that rarer ones would save little and delay all.
_LONGEST_SECONDS: Final = 0.5
# One commit that met a busy broker says little about the next one.
_WEIGHT: Final = 0.25


@dataclass(slots=True)
class Pace:
    """Decides by what was measured; times are seconds of one clock that only grows.

    A loop that is behind commits by size or after ``seconds``: its records have waited longer already. One that keeps
    up commits when three times as long as a commit takes has passed since the last one. So a lone record after a quiet
    second is committed at once, and hundreds of partitions at a record a second each, where a commit touches many and
    takes long, are committed about twice a second.
    """

    records: int
    seconds: float
    cost: float = 0.0
    """What a commit takes, smoothed."""
    ended: float = field(default=float("-inf"))
    """When the last one was done."""

    def due(self, now: float, started: float, records: int, *, behind: bool) -> bool:
        """Whether a transaction of so many records, open since ``started``, is to be committed now."""
        return records >= self.records or self.left(now, started, behind=behind) <= 0

    def left(self, now: float, started: float, *, behind: bool) -> float:
        """How long it may wait for more records."""
        if behind:
            return started + self.seconds - now
        return self.ended + min(_LONGEST_SECONDS, self.cost * _REST) - now

    def committed(self, began: float, ended: float) -> None:
        """A commit took this long."""
        taken = ended - began
        self.cost = taken if not self.cost else self.cost + _WEIGHT * (taken - self.cost)
        self.ended = ended
