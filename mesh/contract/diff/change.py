"""One change between two contracts: what, where, whom it breaks, and the version step it requires."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

from mesh.contract.contract import Contract
from mesh.contract.document import Place


class Effect(StrEnum):
    """What a change does to people; a change without any of these concerns neither side."""

    BREAKS_PUBLISHERS = "breaks publishers"
    BREAKS_SUBSCRIBERS = "breaks subscribers"
    ACKNOWLEDGE = "needs acknowledgement"


class Way(StrEnum):
    """The direction of a change. ``TIGHTENED`` takes less than before, ``LOOSENED`` more; ``REWRITTEN`` both or
    nobody knows; ``EQUIVALENT`` says the same in other words."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    TIGHTENED = "tightened"
    LOOSENED = "loosened"
    REWRITTEN = "rewritten"
    EQUIVALENT = "equivalent"


class Step(IntEnum):
    """Which part of the version a change requires to grow."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Change:
    """One change. ``old`` and ``new`` are ``file:line`` in each document, of the nearest part that is there.

    ``proof`` says how the direction of a rule was found: ``tree`` is certain, ``sample`` comes from records both
    judged, empty is not known. ``affects`` names the readers or principals concerned, as far as they are known.
    """

    kind: str
    path: str
    way: Way
    told: str
    effects: frozenset[Effect]
    step: Step
    old: str = ""
    new: str = ""
    proof: str = ""
    affects: tuple[str, ...] = ()

    @property
    def breaking(self) -> bool:
        return bool(self.effects & {Effect.BREAKS_PUBLISHERS, Effect.BREAKS_SUBSCRIBERS})

    @property
    def consequence(self) -> str:
        """The effects in words."""
        return ", ".join(each.value for each in Effect if each in self.effects) or "neither"

    def as_json(self) -> dict[str, Any]:
        """The change as JSON."""
        return {
            "kind": self.kind,
            "path": self.path,
            "direction": self.way.value,
            "told": self.told,
            "class": [each.value for each in Effect if each in self.effects],
            "breaking": self.breaking,
            "step": str(self.step),
            "old": self.old,
            "new": self.new,
            "proof": self.proof,
            "affects": list(self.affects),
        }


@dataclass(frozen=True, slots=True)
class Pair:
    """The two contracts, and how to say where something stands in both."""

    old: Contract
    new: Contract

    def change(
        self,
        kind: str,
        path: str,
        way: Way,
        told: str,
        effects: Iterable[Effect] = (),
        step: Step = Step.MINOR,
        places: tuple[Place, Place] = ((), ()),
    ) -> Change:
        """A change with its places as ``file:line``."""
        before, after = (
            f"{each.document.file}:{each.document.line(place)}"
            for each, place in zip((self.old, self.new), places, strict=True)
        )
        return Change(kind, path, way, told, frozenset(effects), step, before, after)


@dataclass(frozen=True, slots=True)
class Diff:
    """Every change between two contracts, what breaks first."""

    old: Contract
    new: Contract
    changes: tuple[Change, ...]

    @property
    def breaking(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.breaking)

    @property
    def required(self) -> Step:
        """The version step the changes require together."""
        return max((change.step for change in self.changes), default=Step.NONE)

    @property
    def made(self) -> Step:
        """The version step the documents make; ``NONE`` where the version stays or goes back."""
        before, after = _numbers(self.old.version), _numbers(self.new.version)
        if after <= before:
            return Step.NONE
        return next(
            step for step, index in ((Step.MAJOR, 0), (Step.MINOR, 1), (Step.PATCH, 2)) if after[index] != before[index]
        )

    @property
    def sufficient(self) -> bool:
        """Whether the new document's version makes the step that is required."""
        return self.made >= self.required


def _numbers(version: str) -> tuple[int, int, int]:
    major, minor, patch = (int(part) for part in version.split("."))
    return major, minor, patch
