"""What a value could be instead, where its clause leads there: suggested to people, never applied by the mesh."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Final

from mesh.contract.clauses import Clause, ClauseKind
from mesh.contract.shape import Fixed, Logical, Primitive, Shape
from mesh.judge.logical import decimal_of

Holds = Callable[[object], bool]

# A gate looks for corrections of every refused record; longer texts are no slips of a code.
_LONGEST: Final = 64
_STEPS: Final = {ClauseKind.EXCLUSIVE_MINIMUM: 1, ClauseKind.EXCLUSIVE_MAXIMUM: -1}
_BOUNDS: Final = (ClauseKind.MINIMUM, ClauseKind.MAXIMUM, *_STEPS)


class Corrections:
    """Corrections of values of one place by one clause; ``holds`` says whether all clauses of the place hold."""

    def __init__(self, clause: Clause, shape: Shape, holds: Holds) -> None:
        self._clause, self._shape, self._holds = clause, shape, holds
        allowed = clause.argument if clause.kind is ClauseKind.VALUES and isinstance(clause.argument, tuple) else ()
        self._near = _slips([each for each in allowed if isinstance(each, str)])

    def of(self, value: object) -> object:
        """The nearest value that would do; None where nothing is near."""
        try:
            return next((each for each in self._candidates(value) if each is not None and self._holds(each)), None)
        except (ArithmeticError, ValueError):
            return None  # a number so large that its neighbours are no numbers of its type

    def _candidates(self, value: object) -> Iterator[object]:
        kind = self._clause.kind
        if isinstance(value, str) and kind not in _BOUNDS:
            yield from self._texts(value) if len(value) <= _LONGEST else ()
        elif kind in _BOUNDS or kind is ClauseKind.MULTIPLE_OF:
            yield from self._numbers(value)

    def _texts(self, value: str) -> Iterator[str]:
        if self._clause.kind in (ClauseKind.PATTERN, ClauseKind.MAX_LENGTH, ClauseKind.VALUES):
            bare = value.strip()
            yield from (bare, bare.upper(), bare.lower(), "".join(bare.split()), "".join(bare.split()).upper())
        if self._near:
            found = {each for slip in _shorter(value.casefold()) for each in self._near.get(slip, ())}
            if len(found) == 1:
                yield from found

    def _numbers(self, value: object) -> Iterator[object]:
        decimal = _decimal(self._shape)
        if isinstance(value, bytes) and decimal is not None:
            number, unit = Fraction(decimal_of(value, decimal.scale)), Fraction(1, 10**decimal.scale)
            yield from (_raw(each, decimal, self._shape) for each in self._near_numbers(number, unit))
        elif isinstance(value, float) and math.isfinite(value):
            yield from map(float, self._near_numbers(Fraction(str(value)), None))
        elif isinstance(value, int):
            yield from (int(each) for each in self._near_numbers(Fraction(value), Fraction(1)) if each.denominator == 1)

    def _near_numbers(self, value: Fraction, unit: Fraction | None) -> Iterator[Fraction]:
        clause = self._clause
        bound = Fraction(str(clause.argument))
        if clause.kind is ClauseKind.MULTIPLE_OF:
            whole = round(value / bound)
            yield from (whole * bound, (whole - 1) * bound, (whole + 1) * bound)
        elif clause.kind not in _STEPS:
            yield bound
        elif unit is not None:
            yield bound + _STEPS[clause.kind] * unit


def _slips(allowed: list[str]) -> dict[str, set[str]]:
    """Allowed texts by everything they become when one letter is left out, and by themselves."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for each in allowed:
        for slip in _shorter(each.casefold()):
            found[slip].add(each)
    return dict(found)


def _shorter(text: str) -> Iterator[str]:
    # Two texts that meet here are one slip of the pen apart: a letter more, less, another, or two swapped.
    yield text
    for at in range(min(len(text), _LONGEST)):
        yield text[:at] + text[at + 1 :]


def _decimal(shape: Shape) -> Logical | None:
    logical = shape.logical if isinstance(shape, Primitive | Fixed) else None
    return logical if logical is not None and logical.name == "decimal" else None


def _raw(number: Fraction, decimal: Logical, shape: Shape) -> object:
    unscaled = number * 10**decimal.scale
    if unscaled.denominator != 1:
        return None
    whole = int(unscaled)
    size = shape.size if isinstance(shape, Fixed) else ((whole if whole >= 0 else ~whole).bit_length() + 8) // 8
    try:
        return whole.to_bytes(size, "big", signed=True)
    except OverflowError:
        return None
