"""Numbers inside bounds, at their edges and just outside, on one grid: whole numbers, multiples, decimals, doubles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any, Final

from mesh.contract.clauses import Clause, ClauseKind
from mesh.contract.shape import Fixed, Logical, Primitive

_LOWS: Final = (ClauseKind.MINIMUM, ClauseKind.EXCLUSIVE_MINIMUM)
_HIGHS: Final = (ClauseKind.MAXIMUM, ClauseKind.EXCLUSIVE_MAXIMUM)
_EXCLUSIVE: Final = (ClauseKind.EXCLUSIVE_MINIMUM, ClauseKind.EXCLUSIVE_MAXIMUM)
_BITS: Final = {"int": 31, "long": 63}
_SECOND: Final = {
    "timestamp-millis": 1_000,
    "local-timestamp-millis": 1_000,
    "time-millis": 1_000,
    "timestamp-nanos": 1_000_000_000,
    "local-timestamp-nanos": 1_000_000_000,
}
# From 2000 to 2030: what most data is about; bounds of a contract move it.
_YEARS: Final = (946_684_800, 1_893_456_000)
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Grid:
    """The numbers a field may hold, as whole multiples of ``unit``; most values lie between those of ``usual``."""

    unit: Fraction
    low: int | None
    high: int | None
    least: int | None
    most: int | None
    usual: tuple[int, int]
    """``least`` and ``most`` are the type's own limits, ``low`` and ``high`` the contract's; None for no limit."""

    def draw(self, rng: Random) -> Fraction:
        """A number inside: often an edge, mostly between."""
        low, high = self._ends()
        edges = [each for each in (self.low, self.high, 0, 1) if each is not None and low <= each <= high]
        choice = rng.random()
        if edges and choice < 0.25:
            return rng.choice(edges) * self.unit
        if (self.low is None) != (self.high is None) and low < high:
            # Values lie near the one bound there is.
            away = min(high - low, int((high - low) ** rng.random()))
            return (low + away if self.high is None else high - away) * self.unit
        return (rng.randint(low, high) if low <= high else low) * self.unit

    def _ends(self) -> tuple[int, int]:
        first, last = self.usual
        width = last - first
        if self.low is not None and self.high is not None:
            return self.low, self.high
        if self.low is not None:
            return (max(self.low, first), last) if self.low < last else (self.low, self._within(self.low + width))
        if self.high is not None:
            return (first, min(self.high, last)) if self.high > first else (self._within(self.high - width), self.high)
        return self._within(first), self._within(last)

    def _within(self, number: int) -> int:
        if self.least is not None and number < self.least:
            return self.least
        return self.most if self.most is not None and number > self.most else number


def grid_of(shape: Primitive | Fixed, clauses: Sequence[Clause]) -> Grid:
    """The numbers that the bounds among the clauses leave of a type."""
    unit = _unit(shape, clauses)
    lows = [_edge(clause, unit, up=True) for clause in clauses if clause.kind in _LOWS and _finite(clause)]
    highs = [_edge(clause, unit, up=False) for clause in clauses if clause.kind in _HIGHS and _finite(clause)]
    least, most = _limits(shape, unit)
    low = max([*lows, *([] if least is None or not lows else [least])], default=None)
    high = min([*highs, *([] if most is None or not highs else [most])], default=None)
    first, last = _usual(shape)
    return Grid(unit, low, high, least, most, (math.ceil(first / unit), math.floor(last / unit)))


def held(shape: Primitive | Fixed, number: Fraction) -> Any:
    """A number as a record holds it."""
    if _decimal(shape) is not None:
        return Decimal(number.numerator) / Decimal(number.denominator)
    return float(number) if shape.kind in ("float", "double") else int(number)


def outside(shape: Primitive | Fixed, clause: Clause, clauses: Sequence[Clause], rng: Random) -> list[Any]:
    """Numbers on the wrong side of a bound, multiples where the clauses of the field want them: near and far ones."""
    if not _finite(clause):
        return []
    unit = _unit(shape, clauses)
    up = clause.kind in _HIGHS
    # The first number outside is one step beyond the last one inside.
    first, sign = _edge(clause, unit, up=not up) + (1 if up else -1), 1 if up else -1
    far = math.ceil(rng.randint(10, 2_000) / unit)
    found = [first + sign * step for step in (0, rng.randint(1, 9), far, abs(first))]
    least, most = _limits(shape, unit)
    return [
        held(shape, each * unit)
        for each in found
        if (least is None or each >= least) and (most is None or each <= most)
    ]


def beside(shape: Primitive | Fixed, number: Any, clause: Clause, rng: Random) -> list[Any]:
    """Numbers near one that lie on no multiple."""
    step = Fraction(str(clause.argument))
    parts = [step / 2, _unit(shape, ()), step * Fraction(rng.randint(1, 99), 100)]
    whole = shape.kind in _BITS
    return [held(shape, Fraction(str(number)) + part) for part in parts if not whole or part.denominator == 1]


def _finite(clause: Clause) -> bool:
    argument = clause.argument
    return isinstance(argument, int | Decimal) or (isinstance(argument, float) and math.isfinite(argument))


def _unit(shape: Primitive | Fixed, clauses: Sequence[Clause]) -> Fraction:
    steps = [Fraction(str(clause.argument)) for clause in clauses if clause.kind is ClauseKind.MULTIPLE_OF]
    if steps:
        return _common(steps)
    decimal = _decimal(shape)
    if decimal is not None:
        return Fraction(1, 10**decimal.scale)
    return Fraction(1, 100) if shape.kind in ("float", "double") else Fraction(1)


def _common(steps: Sequence[Fraction]) -> Fraction:
    """The smallest number that is a multiple of all of these."""
    common = steps[0]
    for each in steps[1:]:
        top = math.lcm(common.numerator * each.denominator, each.numerator * common.denominator)
        common = Fraction(top, common.denominator * each.denominator)
    return abs(common)


def _edge(clause: Clause, unit: Fraction, *, up: bool) -> int:
    """The first multiple inside a bound."""
    bound = Fraction(str(clause.argument)) / unit
    number = math.ceil(bound) if up else math.floor(bound)
    if clause.kind in _EXCLUSIVE and number == bound:
        number += 1 if up else -1
    return number


def _limits(shape: Primitive | Fixed, unit: Fraction) -> tuple[int | None, int | None]:
    decimal = _decimal(shape)
    if decimal is not None:
        most = 10**decimal.precision - 1
        if isinstance(shape, Fixed):
            most = min(most, (1 << (8 * shape.size - 1)) - 1)
        edge = math.floor(Fraction(most, 10**decimal.scale) / unit)
        return -edge, edge
    logical = shape.logical.name if shape.logical else ""
    if logical.startswith("time-"):
        return 0, _DAY * _SECOND.get(logical, 1_000_000) - 1
    bits = _BITS.get(shape.kind)
    if bits is None:
        return None, None
    return math.ceil(-(1 << bits) / unit), math.floor(((1 << bits) - 1) / unit)


def _usual(shape: Primitive | Fixed) -> tuple[Fraction, Fraction]:
    logical = shape.logical.name if shape.logical else ""
    second = _SECOND.get(logical, 1_000_000)
    if "timestamp" in logical:
        return Fraction(_YEARS[0] * second), Fraction(_YEARS[1] * second)
    if logical == "date":
        return Fraction(_YEARS[0] // _DAY), Fraction(_YEARS[1] // _DAY)
    if logical.startswith("time-"):
        return Fraction(0), Fraction(_DAY * second - 1)
    return Fraction(-100), Fraction(1000)


def _decimal(shape: Primitive | Fixed) -> Logical | None:
    return shape.logical if shape.logical and shape.logical.name == "decimal" else None
