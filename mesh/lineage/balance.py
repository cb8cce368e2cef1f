"""What a reconciliation comes to: counts per partition, and what does not add up, with its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """What is wrong with some offsets."""

    MISSING = "missing"
    """A manifest accounts for records that are not there, and nothing explains why."""
    ALTERED = "altered"
    """Records are not the bytes that were read or written."""
    FOREIGN = "foreign"
    """Records that no manifest accounts for: written past the gate, or twice."""
    UNREAD = "passed over"
    """Records that were there to be read, and that nobody speaks of."""
    CHAIN = "chain broken"
    """A manifest is missing, altered, or in another's place."""
    CONTRADICTION = "contradiction"
    """Two statements exclude each other."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Offsets ``[start, end)`` of one partition of a topic, and what is wrong with them."""

    fault: Fault
    topic: str
    partition: int
    start: int
    end: int
    reason: str

    def __str__(self) -> str:
        last = f"-{self.end - 1}" if self.end > self.start + 1 else ""
        return f"{self.topic}/{self.partition}/{self.start}{last}: {self.fault}: {self.reason}"

    def as_json(self) -> dict[str, object]:
        """Plain JSON values; ``end`` is exclusive."""
        return {name: str(value) if name == "fault" else value for name, value in _fields(self)}


def _fields(each: Mismatch) -> list[tuple[str, object]]:
    return [(name, getattr(each, name)) for name in Mismatch.__slots__]


@dataclass(slots=True)
class GateBalance:
    """One partition through the gate: ``read + released = passed + refused + parked + repeated``.

    Passed and refused are counted as the records that lie there (or lay there, where retention took them); ``released``
    are records that were parked or quarantined before. ``pending`` have not been read yet. ``expired`` counts those of
    the passed and the refused whose bytes could not be looked at any more, ``manifests`` the transactions.
    """

    product: str
    partition: int
    start: int = 0
    end: int = 0
    read: int = 0
    released: int = 0
    passed: int = 0
    refused: int = 0
    parked: int = 0
    repeated: int = 0
    pending: int = 0
    expired: int = 0
    manifests: int = 0
    mismatches: list[Mismatch] = field(default_factory=list)

    @property
    def adds_up(self) -> bool:
        """Whether both sides are equal and nothing else is wrong."""
        out = self.passed + self.refused + self.parked + self.repeated
        return self.read + self.released == out and not self.mismatches

    def as_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return _json(self)


@dataclass(slots=True)
class HopBalance:
    """One input partition through a processor: ``input = used + filtered + late + parked + pending + before``.

    ``used`` went into outputs or into state; ``before`` lay before the first record the processor ever read.
    """

    product: str
    source: str
    partition: int
    start: int = 0
    end: int = 0
    input: int = 0
    used: int = 0
    filtered: int = 0
    late: int = 0
    parked: int = 0
    pending: int = 0
    before: int = 0
    outputs: int = 0
    commits: int = 0
    watermark: int | None = None
    mismatches: list[Mismatch] = field(default_factory=list)

    @property
    def adds_up(self) -> bool:
        """Whether both sides are equal and nothing else is wrong."""
        out = self.used + self.filtered + self.late + self.parked + self.pending + self.before
        return self.input == out and not self.mismatches

    def as_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return _json(self)


def _json(balance: GateBalance | HopBalance) -> dict[str, object]:
    names = [name for name in type(balance).__slots__ if name != "mismatches"]
    told: dict[str, object] = {name: getattr(balance, name) for name in names} | {"adds_up": balance.adds_up}
    return told | {"mismatches": [each.as_json() for each in balance.mismatches]}


@dataclass(frozen=True, slots=True)
class Balance:
    """A product reconciled: every partition of its gate and, if it is derived, of every input."""

    product: str
    gate: Sequence[GateBalance]
    hops: Sequence[HopBalance] = ()
    odd: Sequence[Mismatch] = ()
    """What is wrong with all of them together."""
    closed: Mapping[str, str] = field(default_factory=dict)
    """Inputs that could not be looked into, and why; the others are judged without them."""

    @property
    def adds_up(self) -> bool:
        """Whether everything does."""
        parts = all(each.adds_up for each in self.gate) and all(each.adds_up for each in self.hops)
        return parts and not self.odd

    @property
    def mismatches(self) -> list[Mismatch]:
        """All that is wrong."""
        wrong = [each.mismatches for each in self.gate] + [each.mismatches for each in self.hops]
        return [*(found for each in wrong for found in each), *self.odd]

    def as_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return {
            "product": self.product,
            "adds_up": self.adds_up,
            "gate": [each.as_json() for each in self.gate],
            "processor": [each.as_json() for each in self.hops],
            "mismatches": [each.as_json() for each in self.mismatches],
            "closed": dict(self.closed),
        }


def spread(fault: Fault, place: tuple[str, int], offsets: Sequence[int], reason: str) -> list[Mismatch]:
    """One mismatch for each run of neighbouring offsets; ``place`` is topic and partition, the offsets ascend."""
    found: list[Mismatch] = []
    for offset in offsets:
        if found and found[-1].end == offset:
            found[-1] = Mismatch(fault, *place, found[-1].start, offset + 1, reason)
        else:
            found.append(Mismatch(fault, *place, offset, offset + 1, reason))
    return found
