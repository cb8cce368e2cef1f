"""How far event time has come in a log: the least of its sources, less what may still come out of order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from mesh.errors import LineageBroken

Source = tuple[str, int]
"""A partition of an input product, whose records a log holds."""

BEGINNING: Final = -(1 << 62)
"""A watermark before every event time (milliseconds)."""


@dataclass(slots=True)
class Watermark:
    """The watermark of one log; never goes back.

    A log that holds one partition has one source. A repartitioned log holds records of many partitions, which get ahead
    of each other as they are read: the slowest decides, so that none of them is late only because another was read
    first. A source that said it is idle is left out until its next record. ``mark`` is in milliseconds.
    """

    sources: dict[Source, int | None]
    lateness: int = 0
    idle: set[Source] = field(default_factory=set)
    mark: int = BEGINNING

    @classmethod
    def over(cls, sources: Iterable[Source], lateness: int = 0) -> Watermark:
        """At the beginning of time, over these sources."""
        return cls(dict.fromkeys(sources), lateness)

    def advance(self, source: Source, time: int) -> bool:
        """A record of this time has come; gives whether the watermark moved."""
        known = self.sources.get(source)
        self.idle.discard(source)
        if known is not None and time <= known:
            return False
        self.sources[source] = time
        return self._moved()

    def rest(self, source: Source) -> bool:
        """Nothing is to be expected of this source for now; gives whether the watermark moved."""
        self.idle.add(source)
        self.sources.setdefault(source, None)
        return self._moved()

    def close(self, time: int) -> bool:
        """The log ends: everything before ``time`` has come."""
        moved = time > self.mark
        self.mark = max(self.mark, time)
        return moved

    def _moved(self) -> bool:
        if len(self.sources) == 1:
            (found,) = self.sources.values()
        else:
            found = self._slowest()
        if found is None or found - self.lateness <= self.mark:
            return False
        self.mark = found - self.lateness
        return True

    def _slowest(self) -> int | None:
        active = [time for source, time in self.sources.items() if source not in self.idle]
        if not active:  # nobody is to be waited for
            return max((time for time in self.sources.values() if time is not None), default=None)
        return None if None in active else min(time for time in active if time is not None)

    def copy(self) -> Watermark:
        """One that does not change with this."""
        return Watermark(dict(self.sources), self.lateness, set(self.idle), self.mark)

    def plain(self) -> dict[str, Any]:
        """As state can hold it."""
        sources = [[product, partition, time] for (product, partition), time in self.sources.items()]
        return {"mark": self.mark, "sources": sources, "idle": [list(each) for each in sorted(self.idle)]}

    def resume(self, plain: dict[str, Any]) -> None:
        """Take up what ``plain`` gave; sources that are new since then stay."""
        try:
            self.mark = plain["mark"]
            self.sources |= {(product, partition): time for product, partition, time in plain["sources"]}
            self.idle = {(product, partition) for product, partition in plain["idle"]}
        except (KeyError, TypeError, ValueError):
            raise LineageBroken("a processor's state", "its watermark is damaged") from None
