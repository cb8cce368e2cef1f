"""Comparisons of the rule language over columns, exact as Python's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np

from mesh.judge.columns.arrays import Bools, Unsupported, flip
from mesh.judge.columns.column import Column, Symbol, Test, Text
from mesh.judge.columns.memory import Memory
from mesh.judge.columns.outcomes import Outcome, guarded
from mesh.judge.columns.scene import Scene
from mesh.judge.columns.values import Operand, fits, join
from mesh.judge.columns.wire import same_bytes

_EXACT: Final = 1 << 53
ORDERS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
}

Compare = Callable[[Scene, Any, Any], Bools]
"""Compares two arrays, or an array and a constant; texts and symbols are their column."""


def ordered(left: Operand, right: Operand, compare: Compare) -> Callable[[Scene], Outcome]:
    """A comparison to which null is an error."""

    def run(scene: Scene) -> Outcome:
        a, b = left.sure(scene), right.sure(scene)
        return guarded(compare(scene, a.values, b.values), join(a.error, b.error))

    return run


def equality(left: Operand, right: Operand, compare: Compare, operator: str) -> Callable[[Scene], Outcome]:
    """``==`` or ``!=``."""

    # Equality never fails: null equals null and nothing else.
    def run(scene: Scene) -> Outcome:
        a, b = left.of(scene), right.of(scene)
        holds = compare(scene, a.values, b.values)
        some = join(a.null, b.null)
        if some is not None:
            holds = holds & flip(some) if operator == "==" else holds | some
        if a.null is not None and b.null is not None:
            both = a.null & b.null
            holds = holds | both if operator == "==" else holds & flip(both)
        return guarded(holds, join(a.error, b.error))

    return run


def numbers(left: Operand, right: Operand, operator: str) -> Compare:
    """A comparison of numbers by value, of two kinds too."""
    order = ORDERS[operator]
    if left.kind == right.kind:
        return lambda scene, a, b: order(a, b)
    for side in (left, right):
        if side.is_constant and side.kind == "int" and not fits(side.constant):
            raise Unsupported("an integer that no double holds")
    wide = [number for number, side in enumerate((left, right)) if side.kind == "int" and side.reach > _EXACT]

    def compare(scene: Scene, a: Any, b: Any) -> Bools:
        for number in wide:
            values = (a, b)[number]
            if not isinstance(values, int):
                scene.doubtful((values > _EXACT) | (values < -_EXACT))
        return cast(Bools, order(a, b))

    return compare


def asking(operand: Operand, test: Test) -> Compare:
    """A test of texts; the column stands in the place of its values."""
    memory = Memory()

    def held(scene: Scene, values: Any, _: Any) -> Bools:
        return cast("Text | Symbol", values).ask(test, memory)

    return held


def same(left: Operand, right: Operand, operator: str) -> Compare:
    """``==`` or ``!=`` of two columns of one kind."""

    def compare(scene: Scene, a: Any, b: Any) -> Bools:
        same = _equal(a, b)
        return same if operator == "==" else flip(same)

    if left.kind == "symbol" and left.symbols != right.symbols:
        raise Unsupported("symbols of two enums")
    return compare


def _equal(a: Any, b: Any) -> Bools:
    if isinstance(a, Text):
        alike: Bools = a.sizes == b.sizes
        return alike & same_bytes(a.wire, a.starts, b.wire, b.starts, np.where(alike, a.sizes, 0))
    if isinstance(a, Column):
        return cast(Bools, cast(Symbol, a).values == cast(Symbol, b).values)
    return cast(Bools, a == b)
