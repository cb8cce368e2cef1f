"""How many rows a rule over many records allows, in which fields, and over what time: ODCS's words for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_WORDS: Final = {
    "mustBe": "exactly",
    "mustNotBe": "anything but",
    "mustBeGreaterThan": "more than",
    "mustBeGreaterOrEqualTo": "at least",
    "mustBeLessThan": "fewer than",
    "mustBeLessOrEqualTo": "at most",
    "mustBeBetween": "between",
    "mustNotBeBetween": "anything but between",
}
_DAY: Final = 86_400.0
_CRON: Final = (
    (re.compile(r"\* \* \* \* \*"), 60.0),
    (re.compile(r"\d+ \* \* \* \*"), 3_600.0),
    (re.compile(r"\d+ \d+ \* \* (\*|\?)"), _DAY),
    (re.compile(r"\d+ \d+ (\*|\?) \* (\d|[A-Za-z]{3})"), 7 * _DAY),
)
_EVERY: Final = ((re.compile(r"\*/(\d+) \* \* \* \*"), 60.0), (re.compile(r"\d+ \*/(\d+) \* \* \*"), 3_600.0))


@dataclass(frozen=True, slots=True)
class Threshold:
    """One operator of the standard and its numbers: of rows, or with ``percent`` of their share in a hundred."""

    operator: str
    numbers: tuple[float, ...]
    percent: bool = False

    @classmethod
    def read(cls, item: Mapping[str, Any]) -> Threshold | None:
        """Of a quality item; None without an operator.

        Raises ValueError with the operator whose value is no number: the standard's schema lets some be anything.
        """
        for operator in _WORDS:
            if operator in item:
                value = item[operator]
                try:
                    numbers = tuple(map(float, value if isinstance(value, list) else [value]))
                except (TypeError, ValueError):
                    raise ValueError(operator) from None
                return cls(operator, numbers, item.get("unit") == "percent")
        return None

    def allows(self, value: float) -> bool:
        """Whether a measured value is within."""
        first, last = self.numbers[0], self.numbers[-1]
        return {
            "mustBe": value == first,
            "mustNotBe": value != first,
            "mustBeGreaterThan": value > first,
            "mustBeGreaterOrEqualTo": value >= first,
            "mustBeLessThan": value < first,
            "mustBeLessOrEqualTo": value <= first,
            "mustBeBetween": first <= value <= last,
            "mustNotBeBetween": not first <= value <= last,
        }[self.operator]

    def allows_more_than(self, value: float) -> bool:
        """Whether some value from this one up is within: of a count that is only known to be at least so much."""
        if self.operator in ("mustBe", "mustBeLessOrEqualTo", "mustBeBetween"):
            return value <= self.numbers[-1]
        return self.operator != "mustBeLessThan" or value < self.numbers[0]

    def __str__(self) -> str:
        numbers = " and ".join(f"{number:,g}" for number in self.numbers)
        return f"{_WORDS[self.operator]} {numbers}{' %' if self.percent else ''}"


def period_of(item: Mapping[str, Any]) -> float | None:
    """The seconds between two turns of a cron ``schedule`` that is as regular as every hour, day or week; else None."""
    schedule = " ".join(str(item.get("schedule", "")).split())
    if item.get("scheduler", "cron") != "cron":
        return None
    for pattern, seconds in _CRON:
        if pattern.fullmatch(schedule):
            return seconds
    for pattern, seconds in _EVERY:
        if found := pattern.fullmatch(schedule):
            return int(found[1]) * seconds or None
    return None


def properties_of(item: Mapping[str, Any], path: str) -> tuple[str, ...]:
    """The fields a rule looks at: those of its arguments, else the one it stands at."""
    named = item.get("arguments", {}).get("properties")
    if isinstance(named, list):
        return tuple(map(str, named))
    return (path,) if path else ()
