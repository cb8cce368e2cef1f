"""The clauses of a contract as masks over columns: true where a record certainly keeps the clause."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeAlias, cast

import numpy as np

from mesh.contract.clauses import Clause, ClauseKind
from mesh.contract.shape import Primitive
from mesh.judge.columns.arrays import Bools, Unsupported, flip
from mesh.judge.columns.column import Blob, Column, Real, Symbol, Text, Truth, Whole
from mesh.judge.columns.layout import Layout, Slot
from mesh.judge.columns.memory import Memory
from mesh.judge.columns.rules import Rules
from mesh.judge.columns.scene import Scene
from mesh.judge.conditions import leaf

Mask: TypeAlias = Callable[[Scene], Bools]
Held: TypeAlias = Callable[[Any], Bools]
"""What a test says of the entries of one column, null or not."""

_NUMBERS = ("int", "long", "float", "double")
_BOUNDS: dict[str, Callable[[Any, Any], Bools]] = {
    ClauseKind.MINIMUM: lambda values, bound: values >= bound,
    ClauseKind.MAXIMUM: lambda values, bound: values <= bound,
    ClauseKind.EXCLUSIVE_MINIMUM: lambda values, bound: values > bound,
    ClauseKind.EXCLUSIVE_MAXIMUM: lambda values, bound: values < bound,
}
_SIZES = (ClauseKind.MIN_LENGTH, ClauseKind.MAX_LENGTH)


def mask(clause: Clause, number: int, layout: Layout, rules: Rules) -> Mask | None:
    """The mask of a clause, None if every record keeps it; raises Unsupported if columns cannot say it."""
    if clause.expression is not None:
        return rules.mask(clause.expression.tree)
    slot = layout.slots.get(clause.path)
    if slot is None:
        raise Unsupported(f"{clause.path}: not a column")
    if clause.kind is ClauseKind.REQUIRED:
        return _required(slot) if slot.nullable else None
    held, at = _held(clause, number, slot), slot.number

    def holds(scene: Scene) -> Bools:
        column = scene.columns[at]
        found = held(column)
        return found if column.live is None else found | flip(column.live)

    return holds


def _required(slot: Slot) -> Mask:
    at, parent = slot.number, slot.parent

    def holds(scene: Scene) -> Bools:
        live = scene.columns[at].live
        around = scene.columns[parent].live if parent >= 0 else None
        if live is None:
            return scene.all
        return live if around is None else live | flip(around)

    return holds


def _held(clause: Clause, number: int, slot: Slot) -> Held:
    kind = slot.shape.kind
    if clause.kind in _BOUNDS and kind in _NUMBERS:
        return _bound(clause, whole=kind in ("int", "long"))
    if clause.kind in _SIZES and kind in ("string", "bytes", "fixed"):
        return _size(clause, text=kind == "string")
    if clause.kind is ClauseKind.MULTIPLE_OF and kind in ("int", "long"):
        return _multiple(clause)
    if clause.kind is ClauseKind.VALUES and kind in (*_NUMBERS, "string", "enum", "boolean"):
        return _asked(clause, number, slot)
    if clause.kind is ClauseKind.MULTIPLE_OF and kind in ("float", "double"):
        return _asked(clause, number, slot)
    if clause.kind in (ClauseKind.PATTERN, *_SIZES) and kind in ("string", "enum"):
        return _asked(clause, number, slot)
    raise Unsupported(f"{clause.id} on {kind}")


def _asked(clause: Clause, number: int, slot: Slot) -> Held:
    test, memory = leaf(clause, number, slot.shape).compile(), Memory()
    return lambda column: cast("Whole | Real | Text | Truth | Symbol", column).ask(test, memory)


def _bound(clause: Clause, *, whole: bool) -> Held:
    argument, compare = clause.argument, _BOUNDS[clause.kind]
    if isinstance(argument, bool) or not isinstance(argument, int | float) or not math.isfinite(argument):
        raise Unsupported(f"{clause.id}: a bound that is no number")
    if whole:
        # Python compares integers and doubles exactly, NumPy rounds the integer: so the bound becomes an integer.
        up = clause.kind in (ClauseKind.MINIMUM, ClauseKind.EXCLUSIVE_MAXIMUM)
        bound: float = math.ceil(argument) if up else math.floor(argument)
    else:
        bound = _exact(argument, clause.id)
    return lambda column: compare(column.values, bound)


def _exact(argument: float, name: str) -> float:
    try:
        bound = float(argument)
    except OverflowError:
        raise Unsupported(f"{name}: a bound no double holds") from None
    if bound != argument:
        raise Unsupported(f"{name}: a bound no double holds")
    return bound


def _size(clause: Clause, *, text: bool) -> Held:
    bound = clause.argument
    if not isinstance(bound, int):
        raise Unsupported(f"{clause.id}: a length that is no integer")
    least = clause.kind is ClauseKind.MIN_LENGTH

    def held(column: Text | Blob) -> Bools:
        sizes = column.lengths if isinstance(column, Text) else column.sizes
        return sizes >= bound if least else sizes <= bound

    return held


def _multiple(clause: Clause) -> Held:
    step = Fraction(str(clause.argument)).numerator
    # A whole number is a multiple of p/q in lowest terms if and only if p divides it.
    if not 0 < step < 1 << 63:
        raise Unsupported(f"{clause.id}: a step that is not positive, or too large")
    return lambda column: column.values % step == 0


def event_time(path: str | None, layout: Layout) -> Callable[[list[Column]], list[int | None]] | None:
    """The event times of all rows in milliseconds; None without an event time. Raises Unsupported."""
    if path is None:
        return None
    slot = layout.slots.get(path)
    if slot is None or not isinstance(slot.shape, Primitive) or slot.shape.kind not in ("int", "long"):
        raise Unsupported(f"{path}: an event time that is no integer")
    at, micros = slot.number, slot.logical.endswith("micros")

    def times(columns: list[Column]) -> list[int | None]:
        column = cast(Whole, columns[at])
        found: list[int | None] = (column.values // 1000 if micros else column.values).tolist()
        if column.live is not None:
            for row in np.flatnonzero(flip(column.live)).tolist():
                found[row] = None
        return found

    return times
