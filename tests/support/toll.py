"""What the rounds of the fault suite came to, for the last lines of a run."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Toll:
    """Collects one line for each test that the checker passed; a record lost or doubled fails the test itself."""

    lines: list[str] = field(default_factory=list)

    def add(self, what: str, *, rounds: int, kills: int, written: int, read: int) -> None:
        """``read`` is what the checker accounted for, each record once; ``written`` what was acknowledged."""
        lost, doubled = max(0, written - read), max(0, read - written)
        counts = f"{rounds} rounds, {written:,} records, {kills} kills, lost {lost}, doubled {doubled}"
        self.lines.append(f"{what}: {counts}")
