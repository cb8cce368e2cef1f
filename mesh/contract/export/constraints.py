"""The clauses that a pydantic model can say exactly, as the arguments of its fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from mesh.contract.clauses import Clause, ClauseKind
from mesh.contract.export.layout import Tree, group, quoted
from mesh.contract.export.patterns import rust_pattern
from mesh.contract.shape import Array, Enum, Primitive, Shape
from mesh.types import Reaction

BOUNDS: Final = {
    ClauseKind.MINIMUM: "ge",
    ClauseKind.EXCLUSIVE_MINIMUM: "gt",
    ClauseKind.MAXIMUM: "le",
    ClauseKind.EXCLUSIVE_MAXIMUM: "lt",
}
_LENGTHS: Final = {ClauseKind.MIN_LENGTH: "min_length", ClauseKind.MAX_LENGTH: "max_length"}
_ITEMS: Final = {ClauseKind.MIN_ITEMS: "min_length", ClauseKind.MAX_ITEMS: "max_length"}
_REFUSING: Final = (Reaction.QUARANTINE, Reaction.HOLD_KEY, Reaction.HALT)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
RANGES: Final = {"int": 1 << 31, "long": 1 << 63}
# How many microseconds one unit of a physical type is.
MICROS: Final = {"millis": 1000, "micros": 1}


def refusing(clauses: Iterable[Clause]) -> list[Clause]:
    """Clauses that keep a record off the public topic; the others' records are read, so a model must take them."""
    return [each for each in clauses if each.reaction in _REFUSING]


def arguments(clause: Clause, shape: Shape) -> Mapping[str, Tree] | None:
    """The arguments of ``Field`` that say what a clause says of a shape; None where pydantic has no exact word.

    None are needed for a bound beyond the range of the type, which says it already.
    """
    if isinstance(shape, Array):
        return {_ITEMS[clause.kind]: str(clause.argument)} if clause.kind in _ITEMS else None
    if not isinstance(shape, Primitive):
        return None
    if clause.kind in BOUNDS:
        if shape.logical is None and _beyond(shape.kind, clause):
            return {}
        bound = _bound(shape, clause.argument)
        return {BOUNDS[clause.kind]: bound} if bound else None
    return _of_plain(clause, shape.kind) if shape.logical is None else None


def _beyond(kind: str, clause: Clause) -> bool:
    half, argument = RANGES.get(kind), clause.argument
    if half is None or not isinstance(argument, int):
        return False
    lower = clause.kind in (ClauseKind.MINIMUM, ClauseKind.EXCLUSIVE_MINIMUM)
    return argument < -half if lower else argument >= half


def _of_plain(clause: Clause, kind: str) -> Mapping[str, Tree] | None:
    if clause.kind in _LENGTHS and kind in ("string", "bytes"):
        return {_LENGTHS[clause.kind]: str(clause.argument)}
    # Of floats pydantic takes multiples that are nearly so.
    if clause.kind is ClauseKind.MULTIPLE_OF and kind in ("int", "long"):
        return {"multiple_of": str(clause.argument)}
    pattern = rust_pattern(str(clause.argument)) if clause.kind is ClauseKind.PATTERN and kind == "string" else None
    return None if pattern is None else {"pattern": quoted(pattern)}


def chosen(clause: Clause, shape: Shape) -> Tree | None:
    """The literal type of the values that a clause allows; None where values of the type are no literals."""
    if clause.kind is not ClauseKind.VALUES or not isinstance(clause.argument, tuple):
        return None
    plain = (
        isinstance(shape, Primitive) and shape.logical is None and shape.kind in ("string", "int", "long", "boolean")
    )
    return literal_type(clause.argument) if plain or isinstance(shape, Enum) else None


def literal_type(values: Iterable[object]) -> Tree:
    """``Literal`` of texts, whole numbers or booleans."""
    return group("Literal[", [quoted(each) if isinstance(each, str) else str(each) for each in values], "]")


def _bound(shape: Primitive, argument: object) -> str | None:
    name = str(shape.logical) if shape.logical else ""
    if name.startswith("decimal") and isinstance(argument, Decimal):
        return f'Decimal("{argument}")'
    if not name and shape.kind in ("int", "long", "float", "double") and isinstance(argument, int | float):
        return repr(argument)
    return temporal(name, argument) if isinstance(argument, int) else None


def is_temporal(name: str) -> bool:
    """Whether Python has a type for a logical type of dates and times."""
    kind, _, unit = name.rpartition("-")
    return name == "date" or (unit in MICROS and kind in ("time", "timestamp", "local-timestamp"))


def temporal(name: str, units: int) -> str | None:
    """The literal of a date, time or timestamp from its number of units; None for what Python's types cannot hold."""
    kind, _, unit = name.rpartition("-")
    try:
        if name == "date":
            day = _EPOCH + timedelta(days=units)
            return f"dt.date({day.year}, {day.month}, {day.day})"
        if unit not in MICROS:
            return None
        moment = _EPOCH + timedelta(microseconds=units * MICROS[unit])
    except OverflowError:
        return None
    if kind == "time":
        return f"dt.time({_numbers(moment, 3)})" if 0 <= units * MICROS[unit] < 86_400_000_000 else None
    zone = ", tzinfo=dt.UTC" if kind == "timestamp" else ""
    return f"dt.datetime({_numbers(moment, 0)}{zone})" if kind in ("timestamp", "local-timestamp") else None


def _numbers(moment: datetime, start: int) -> str:
    parts = [moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second, moment.microsecond]
    least = 5 - start
    chosen_parts = parts[start:]
    while len(chosen_parts) > least and chosen_parts[-1] == 0:
        chosen_parts.pop()
    return ", ".join(map(str, chosen_parts))
