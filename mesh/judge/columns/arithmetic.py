"""Arithmetic, sizes and conversions of the rule language over columns; what columns cannot tell is left to the rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, cast

import numpy as np

from mesh.contract.expression_code import HIGHEST, LOWEST
from mesh.judge.columns.arrays import Unsupported, flip
from mesh.judge.columns.column import Blob, Items, Symbol, Text
from mesh.judge.columns.scene import Scene
from mesh.judge.columns.values import ANY, Got, Operand, constant, join

_SURELY_INSIDE: Final = float(1 << 62)


def negative(operand: Operand) -> Operand:
    """The negative of a number; raises Unsupported, as everything here."""
    if operand.kind not in ("int", "double"):
        raise Unsupported(f"the negative of {operand.kind}")
    if operand.is_constant:
        return constant(-operand.constant)

    def run(scene: Scene) -> Got:
        got = operand.sure(scene)
        if operand.kind == "int" and operand.reach > HIGHEST:
            scene.doubtful(got.values == LOWEST)
        return got._replace(values=-got.values)

    return Operand(operand.kind, f"(-{operand.key})", run, operand.reach)


def arithmetic(operator: str, left: Operand, right: Operand) -> Operand:
    """A sum, difference, product, quotient or remainder."""
    kinds = {left.kind, right.kind}
    if left.is_constant and right.is_constant:
        return _folded(operator, left, right)
    if kinds == {"double"} and operator != "%":
        compute, reach = _DOUBLES[operator], ANY
    elif kinds == {"int"}:
        compute, reach = _integers(operator, left, right)
    else:
        raise Unsupported(f"{left.kind} {operator} {right.kind}")

    def run(scene: Scene) -> Got:
        a, b = left.sure(scene), right.sure(scene)
        return Got(compute(scene, a.values, b.values), None, join(a.error, b.error))

    return Operand(left.kind, f"({left.key} {operator} {right.key})", run, reach)


Compute = Callable[[Scene, Any, Any], Any]
_DOUBLES: Final[dict[str, Compute]] = {
    "+": lambda scene, a, b: a + b,
    "-": lambda scene, a, b: a - b,
    "*": lambda scene, a, b: a * b,
    "/": lambda scene, a, b: np.true_divide(a, b),
}


def _folded(operator: str, left: Operand, right: Operand) -> Operand:
    if left.kind != right.kind or left.kind not in ("int", "double") or operator not in ("+", "-", "*"):
        raise Unsupported("two constants")
    return constant(_DOUBLES[operator](cast(Any, None), left.constant, right.constant))


def _integers(operator: str, left: Operand, right: Operand) -> tuple[Compute, int]:
    near, far = left.reach, right.reach
    if operator in ("/", "%"):
        compute = _quotient if operator == "/" else _remainder
        return compute, near if operator == "/" else min(near, far)
    reach = near * far if operator == "*" else near + far
    plain = _DOUBLES[operator]
    if reach <= HIGHEST:
        return plain, reach
    return lambda scene, a, b: _watched(scene, plain(scene, a, b), plain(scene, a * 1.0, b * 1.0)), ANY


def _watched(scene: Scene, exact: Any, about: Any) -> Any:
    # An overflow is an error; what comes near one is left to the rows.
    scene.doubtful(flip(np.abs(about) < _SURELY_INSIDE))
    return exact


def _division(scene: Scene, a: Any, b: Any) -> tuple[Any, Any]:
    # Division by zero and of the lowest integer by -1 are errors: both are left to the rows.
    if isinstance(b, int):
        if b in (0, -1):
            scene.doubtful(scene.all)
            b = 1
    else:
        odd = (b == 0) | (b == -1)
        if odd.any():
            scene.doubtful(odd)
            b = np.where(odd, 1, b)
    quotient = a // b
    down = (quotient * b != a) & ((a < 0) != (b < 0))
    return (quotient + down if down.any() else quotient), b


def _quotient(scene: Scene, a: Any, b: Any) -> Any:
    return _division(scene, a, b)[0]


def _remainder(scene: Scene, a: Any, b: Any) -> Any:
    quotient, b = _division(scene, a, b)
    return a - quotient * b


def call(function: str, operand: Operand) -> Operand:
    """``size``, ``int`` or ``double`` of a value."""
    if operand.is_constant:
        raise Unsupported(f"{function} of a constant")
    if function == "size" and operand.kind in ("string", "symbol", "bytes", "items"):
        return Operand("int", f"size({operand.key})", lambda scene: _size(operand.sure(scene)), 1 << 40)
    if operand.kind not in ("int", "double") or function == "size":
        raise Unsupported(f"{function} of {operand.kind}")
    if operand.kind == function:
        return replace(operand, key=f"{function}({operand.key})", run=operand.sure)
    convert = _to_double if function == "double" else _to_int
    return Operand(function, f"{function}({operand.key})", lambda scene: convert(operand.sure(scene)))


def _size(got: Got) -> Got:
    column: Text | Symbol | Blob | Items = got.values
    if isinstance(column, Text):
        return got._replace(values=column.lengths)
    if isinstance(column, Blob):
        return got._replace(values=column.sizes)
    if isinstance(column, Items):
        return got._replace(values=column.counts)
    sizes = np.array([len(symbol) for symbol in column.symbols], np.int64)
    return got._replace(values=sizes.take(column.values, mode="clip"))


def _to_double(got: Got) -> Got:
    return got._replace(values=got.values.astype(np.float64))


def _to_int(got: Got) -> Got:
    outside = flip((got.values >= float(LOWEST)) & (got.values < float(-LOWEST)))
    values = np.where(outside, 0.0, got.values).astype(np.int64)
    return Got(values, None, join(got.error, outside))
