"""Conditions of a rule per row, with the third outcome that an error is."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mesh.judge.columns.arrays import Bools, Unsupported, flip
from mesh.judge.columns.scene import Scene
from mesh.judge.columns.values import Operand


class Outcome(NamedTuple):
    """A condition per row: certainly true, and not certainly false; the same array where it cannot be an error."""

    yes: Bools
    maybe: Bools


class Condition(NamedTuple):
    """What computes an outcome; conditions of one key are the same."""

    key: str
    run: Callable[[Scene], Outcome]

    def of(self, scene: Scene) -> Outcome:
        """The outcome, computed once per batch."""
        return scene.once(self.key, lambda: self.run(scene))


def negation(outcome: Outcome) -> Outcome:
    """Not; an error stays one."""
    if outcome.yes is outcome.maybe:
        flipped = flip(outcome.yes)
        return Outcome(flipped, flipped)
    return Outcome(flip(outcome.maybe), flip(outcome.yes))


def guarded(holds: Bools, error: Bools | None) -> Outcome:
    """A condition that is an error on some rows."""
    return Outcome(holds, holds) if error is None else Outcome(holds & flip(error), holds | error)


def as_condition(value: Operand) -> Condition:
    """A boolean column where a condition is wanted; null is an error."""
    if value.kind != "bool":
        raise Unsupported("a condition that is neither true nor false")

    def run(scene: Scene) -> Outcome:
        got = value.sure(scene)
        return guarded(got.values, got.error)

    return Condition(f"is {value.key}", run)


def null_test(operand: Operand, operator: str) -> Condition:
    """Whether a value is null, or is not."""
    if operator not in ("==", "!=") or operand.is_constant:
        raise Unsupported("null, compared otherwise than with a column by == and !=")

    def run(scene: Scene) -> Outcome:
        got = operand.of(scene)
        null = flip(scene.all) if got.null is None else got.null
        return guarded(null if operator == "==" else flip(null), got.error)

    return Condition(f"({operand.key} {operator} null)", run)
