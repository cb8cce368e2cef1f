"""The clauses of a contract as Python source: one expression per clause, true where the record keeps it.

Bounds, lengths, patterns and value lists hold for null, and every clause holds below a record that is null. NaN keeps
no bound and is in no value list.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any, Final

from mesh.contract.clauses import Clause, ClauseKind
from mesh.contract.expression_runtime import Matches
from mesh.contract.shape import Array, Fixed, Logical, Primitive, Record, Shape, Union
from mesh.judge.logical import decimal_of

_COMPARISONS: Final = {
    ClauseKind.MINIMUM: "{v} >= {a}",
    ClauseKind.MAXIMUM: "{v} <= {a}",
    ClauseKind.EXCLUSIVE_MINIMUM: "{v} > {a}",
    ClauseKind.EXCLUSIVE_MAXIMUM: "{v} < {a}",
    ClauseKind.MIN_LENGTH: "len({v}) >= {a}",
    ClauseKind.MAX_LENGTH: "len({v}) <= {a}",
    ClauseKind.MIN_ITEMS: "len({v}) >= {a}",
    ClauseKind.MAX_ITEMS: "len({v}) <= {a}",
    ClauseKind.VALUES: "{v} in {a}",
    ClauseKind.PATTERN: "{a}[{v}]",
    ClauseKind.MULTIPLE_OF: "{a}({v})",
    ClauseKind.UNIQUE_ITEMS: "{a}({v})",
    ClauseKind.REQUIRED: "{v} is not None",
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One clause as source over variables ``f_<field>``; ``undecided`` is true where a rule has no outcome."""

    clause: Clause
    text: str
    loads: frozenset[str]
    constants: dict[str, object]
    undecided: str = "False"


@dataclass(frozen=True, slots=True)
class Leaf:
    """The test of one value: ``template`` with ``{v}`` for the value."""

    template: str
    constants: dict[str, object]

    def of(self, value: str) -> str:
        """The test of the value that this source gives."""
        return self.template.format(v=value)

    def compile(self) -> Callable[[object], bool]:
        """The test as a function."""
        space = dict(self.constants)
        exec(f"def holds(value):\n    return {self.of('value')}", space)  # noqa: S102  (names of ours and literals)
        holds: Callable[[object], bool] = space["holds"]  # type: ignore[assignment]  # what the line above defined
        return holds


def leaf(clause: Clause, number: int, shape: Shape) -> Leaf:
    """The test that a clause makes of a value of this shape, which is not null (but for ``required``)."""
    name, scaled = f"a{number}", f"d{number}"
    value, constants = "{v}", dict[str, object]()
    if (scale := _decimal_scale(shape)) is not None and clause.kind is not ClauseKind.REQUIRED:
        value, constants = f"{scaled}({{v}})", {scaled: partial(decimal_of, scale=scale)}
    argument = _argument(clause)
    shown = name
    if isinstance(argument, int | float) and math.isfinite(argument):
        shown = repr(argument)
    else:
        constants[name] = argument
    return Leaf(_COMPARISONS[clause.kind].replace("{a}", shown).replace("{v}", value), constants)


def condition(clause: Clause, number: int, record: Record, value_schema: Any, *, lenient: bool = False) -> Condition:
    """The source of a clause over records of this shape; ``number`` keeps names of several clauses apart.

    ``lenient`` expects null anywhere, as in records of other versions of the schema.
    """
    if clause.expression is not None:
        source = clause.expression.source(value_schema, f"{number}_")
        return Condition(
            clause, source.holds, frozenset(source.loads.values()), dict(source.constants), source.undecided
        )
    walk = _Walk(clause, number, lenient)
    segments = clause.path.replace("[]", ".[]").split(".")
    first = next(part for part in record.fields if part.name == segments[0])
    text = walk.over(f"f_{first.name}", first.type, segments[1:])
    return Condition(clause, text, frozenset((first.name,)), walk.constants)


class _Walk:
    """Writes the way from a top-level field to the values a clause is about."""

    def __init__(self, clause: Clause, number: int, lenient: bool) -> None:
        self._clause, self._number, self._lenient = clause, number, lenient
        self.constants: dict[str, object] = {}

    def over(self, value: str, shape: Shape, segments: Sequence[str]) -> str:
        inner, nullable = beneath(shape)
        if not segments and self._clause.kind is ClauseKind.REQUIRED:
            return f"({value} is not None)" if nullable or self._lenient else "True"
        text = self._inside(value, inner, segments)
        return f"({value} is None or {text})" if nullable or self._lenient else text

    def _inside(self, value: str, shape: Shape, segments: Sequence[str]) -> str:
        if not segments:
            test = leaf(self._clause, self._number, shape)
            self.constants |= test.constants
            return f"({test.of(value)})"
        if segments[0] == "[]" and isinstance(shape, Array):
            each = f"e{self._number}_{len(segments)}"
            return f"all({self.over(each, shape.items, segments[1:])} for {each} in {value})"
        parts = shape.fields if isinstance(shape, Record) else ()
        for part in parts:
            if part.name == segments[0]:
                return self.over(f"{value}[{part.name!r}]", part.type, segments[1:])
        return "True"  # below a raw Avro type, into which clauses cannot look


def beneath(shape: Shape) -> tuple[Shape, bool]:
    """The shape without its null branch, and whether it had one."""
    if not isinstance(shape, Union):
        return shape, False
    others = [branch for branch in shape.branches if branch.kind != "null"]
    return (others[0] if len(others) == 1 else shape), len(others) < len(shape.branches)


def _decimal_scale(shape: Shape) -> int | None:
    if isinstance(shape, Primitive | Fixed) and isinstance(shape.logical, Logical) and shape.logical.name == "decimal":
        return shape.logical.scale
    return None


def _argument(clause: Clause) -> object:
    match clause.kind:
        case ClauseKind.VALUES if isinstance(clause.argument, tuple):
            return frozenset(clause.argument)
        case ClauseKind.PATTERN:
            return Matches(str(clause.argument))
        case ClauseKind.MULTIPLE_OF:
            return partial(_multiple, of=Fraction(str(clause.argument)))
        case ClauseKind.UNIQUE_ITEMS:
            return _unique
    return clause.argument


def _multiple(value: Any, of: Fraction) -> bool:
    # By the decimal digits people write: 0.3 is a multiple of 0.1, whatever the two doubles are.
    try:
        return Fraction(str(value)) % of == 0
    except ValueError:
        return False


def _unique(values: Sequence[object]) -> bool:
    return len({repr(value) for value in values}) == len(values)
