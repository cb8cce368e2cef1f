"""Python source for typed values and conditions of the rule language, without exceptions.

CEL's errors (null where a number is wanted, overflow, division by zero, a key that is not there) absorb as CEL says:
``false && error`` is false, ``true || error`` is true. So a value is *guard* and *text*: the guard must hold before
the text may be evaluated. A condition is a pair: *yes* (certainly true, an error counts as false) and *maybe* (not
certainly false, an error counts as true). All are plain expressions that cannot raise on a record of their schema.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mesh.contract.expression_types import BOOL, Type

LOWEST: Final = -(1 << 63)
HIGHEST: Final = (1 << 63) - 1

UNKNOWN: Final = Type("unknown")
"""The type of what was refused already; everything made of it stays quiet."""


@dataclass(frozen=True, slots=True)
class Value:
    """Source of a value; ``atom`` says that ``text`` is a variable or a constant and may be repeated freely."""

    type: Type
    text: str
    guard: str = ""
    atom: bool = False

    @property
    def known(self) -> bool:
        """Whether it was not refused."""
        return self.type.kind != "unknown"


@dataclass(frozen=True, slots=True)
class Truth:
    """Source of a condition in both readings of an error; the same text twice when it cannot fail."""

    yes: str
    maybe: str
    known: bool = True

    @property
    def certain(self) -> bool:
        """Whether it cannot be an error."""
        return self.yes == self.maybe


NOTHING: Final = Value(UNKNOWN, "None")
NO_TRUTH: Final = Truth("False", "False", known=False)


def both(*guards: str) -> str:
    """One guard for all of these, evaluated from left to right."""
    return " and ".join(guard for guard in guards if guard)


def guarded(guard: str, text: str) -> Truth:
    """The condition ``text``, which may be evaluated only under ``guard``."""
    return Truth(f"({guard} and {text})", f"(not ({guard}) or {text})") if guard else Truth(text, text)


def negation(truth: Truth) -> Truth:
    """``!truth``; an error stays one."""
    if truth.certain:
        return Truth(f"(not {truth.yes})", f"(not {truth.yes})", truth.known)
    return Truth(f"(not {truth.maybe})", f"(not {truth.yes})", truth.known)


def combination(operator: str, truths: list[Truth]) -> Truth:
    """``&&`` or ``||`` over several conditions."""
    word = " and " if operator == "&&" else " or "
    yes, maybe = word.join(t.yes for t in truths), word.join(t.maybe for t in truths)
    return Truth(f"({yes})", f"({maybe})", all(t.known for t in truths))


def choice(condition: Truth, then: Truth, otherwise: Truth) -> Truth:
    """``condition ? then : otherwise`` over conditions."""
    known = condition.known and then.known and otherwise.known
    if condition.certain:
        yes, maybe = (
            f"({a} if {condition.yes} else {b})" for a, b in ((then.yes, otherwise.yes), (then.maybe, otherwise.maybe))
        )
        return Truth(yes, maybe, known)
    yes = f"({then.yes} if {condition.yes} else (not {condition.maybe} and {otherwise.yes}))"
    maybe = f"({then.maybe} if {condition.yes} else ({condition.maybe} or {otherwise.maybe}))"
    return Truth(yes, maybe, known)


def as_value(truth: Truth) -> Value:
    """A condition where a boolean value is wanted."""
    if not truth.known:
        return NOTHING
    return Value(BOOL, truth.yes, "" if truth.certain else f"{truth.yes} == {truth.maybe}")


def as_truth(value: Value) -> Truth:
    """A boolean value where a condition is wanted; null is an error."""
    if not value.type.nullable:
        return guarded(value.guard, value.text)
    yes, maybe = guarded(value.guard, f"({value.text} is True)"), guarded(value.guard, f"({value.text} is not False)")
    return Truth(yes.yes, maybe.maybe)
