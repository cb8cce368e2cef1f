"""The clauses of a contract as masks over columns: true where a record certainly keeps the clause."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeAlias, cast

import numpy as np

from mesh.contract.clauses import Clause, ClauseKind
from mesh.contract.shape import Fixed, Primitive
from mesh.judge.columns.arrays import Bools, Ints, Unsupported, flip
from mesh.judge.columns.column import Blob, Column, Items, Real, Symbol, Text, Truth, Whole
from mesh.judge.columns.layout import Layout, Slot
from mesh.judge.columns.memory import Memory
from mesh.judge.columns.patterns import compile_pattern
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
_COUNTS = (ClauseKind.MIN_ITEMS, ClauseKind.MAX_ITEMS)


def mask(clause: Clause, number: int, layout: Layout, rules: Rules) -> Mask | None:
    """The mask of a clause, None if every record keeps it; raises Unsupported if columns cannot say it."""
    if clause.expression is not None:
        return rules.mask(clause.expression.tree)
    slot = layout.slot(clause.path)
    if slot is None:
        raise Unsupported(f"{clause.path}: not a column")
    if clause.kind is ClauseKind.REQUIRED:
        return _in_rows(_required(slot), slot, layout) if slot.nullable else None
    held, at = _held(clause, number, slot), slot.number

    def holds(scene: Scene) -> Bools:
        column = scene.columns[at]
        found = held(column)
        return found if column.live is None else found | flip(column.live)

    return _in_rows(holds, slot, layout)


def _in_rows(holds: Mask, slot: Slot, layout: Layout) -> Mask:
    """A mask over the items of collections, as one over what holds the outermost: true where it is for all items."""
    around = list(layout.owners(slot))
    if not around:
        return holds

    def all_hold(scene: Scene) -> Bools:
        found = holds(scene)
        for number in around:
            items = cast(Items, scene.columns[number])
            found, inner = np.ones(len(items.counts), np.bool_), found
            found[items.owners[flip(inner)]] = False
        return found

    return all_hold


def _required(slot: Slot) -> Mask:
    at, parent, owner = slot.number, slot.parent, slot.owner

    def holds(scene: Scene) -> Bools:
        live = scene.columns[at].live
        around = scene.columns[parent].live if parent >= 0 else None
        if live is None:
            return scene.all if owner < 0 else np.ones(len(cast(Items, scene.columns[owner]).owners), np.bool_)
        return live if around is None else live | flip(around)

    return holds


def _held(clause: Clause, number: int, slot: Slot) -> Held:  # noqa: PLR0911  (one for each kind)
    kind = slot.shape.kind
    if slot.logical == "decimal":
        return _decimal(clause, number, slot)
    if clause.kind in _COUNTS and kind == "array":
        return _size(clause, lambda column: cast(Items, column).counts)
    if clause.kind in _BOUNDS and kind in _NUMBERS:
        return _bound(clause, whole=kind in ("int", "long"))
    if clause.kind in _SIZES and kind in ("string", "bytes", "fixed"):
        return _size(clause, _lengths if kind == "string" else _bytes)
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
    pattern = compile_pattern(str(clause.argument)) if clause.kind is ClauseKind.PATTERN else None
    if pattern is not None and slot.shape.kind == "string":
        return lambda column: pattern.ask(cast(Text, column), test)
    return lambda column: cast("Whole | Real | Text | Truth | Symbol", column).ask(test, memory)


def _bound(clause: Clause, *, whole: bool) -> Held:
    argument, compare = clause.argument, _BOUNDS[clause.kind]
    if isinstance(argument, bool) or not isinstance(argument, int | float) or not math.isfinite(argument):
        raise Unsupported(f"{clause.id}: a bound that is no number")
    if whole:
        return _whole(clause, argument)
    bound = _exact(argument, clause.id)
    return lambda column: compare(column.values, bound)


def _whole(clause: Clause, argument: Fraction | float) -> Held:
    # Python compares integers and doubles exactly, NumPy rounds the integer: so the bound becomes an integer.
    up, compare = clause.kind in (ClauseKind.MINIMUM, ClauseKind.EXCLUSIVE_MAXIMUM), _BOUNDS[clause.kind]
    bound = math.ceil(argument) if up else math.floor(argument)
    return lambda column: compare(column.values, bound)


def _exact(argument: float, name: str) -> float:
    try:
        bound = float(argument)
    except OverflowError:
        raise Unsupported(f"{name}: a bound no double holds") from None
    if bound != argument:
        raise Unsupported(f"{name}: a bound no double holds")
    return bound


def _decimal(clause: Clause, number: int, slot: Slot) -> Held:
    logical, argument = cast(Fixed, slot.shape).logical, clause.argument
    if clause.kind in (ClauseKind.VALUES, ClauseKind.MULTIPLE_OF):
        return _asked(clause, number, slot)
    if clause.kind not in _BOUNDS or logical is None or not isinstance(argument, int | float | Decimal):
        raise Unsupported(f"{clause.id} on a decimal")
    if not math.isfinite(argument):
        raise Unsupported(f"{clause.id}: a bound that is no number")
    return _whole(clause, Fraction(argument) * 10**logical.scale)


def _lengths(column: Any) -> Ints:
    return cast(Text, column).lengths


def _bytes(column: Any) -> Ints:
    return cast(Blob, column).sizes


def _size(clause: Clause, sizes: Callable[[Any], Ints]) -> Held:
    bound = clause.argument
    if not isinstance(bound, int):
        raise Unsupported(f"{clause.id}: a length that is no integer")
    if clause.kind in (ClauseKind.MIN_LENGTH, ClauseKind.MIN_ITEMS):
        return lambda column: sizes(column) >= bound
    return lambda column: sizes(column) <= bound


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
    slot = layout.slot(path)
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
