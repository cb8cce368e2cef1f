"""A clock that stands still until a test moves it."""

from __future__ import annotations

from mesh.errors import UsageError


class FrozenClock:
    """A ``mesh.types.Clock`` for tests; ``now`` is seconds since the Unix epoch, UTC."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now, self._passed = now, 0.0

    def now(self) -> float:
        """Seconds since the Unix epoch, UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return self._passed

    def advance(self, seconds: float) -> None:
        """Let time pass; raises UsageError for less than none."""
        if seconds < 0:
            raise UsageError(f"time does not go back by {-seconds:g} s; move() sets the wall clock alone")
        self._now += seconds
        self._passed += seconds

    def move(self, now: float) -> None:
        """Set the wall clock, also back, as an operator might; durations are not affected."""
        self._now = now
