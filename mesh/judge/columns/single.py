"""Conditions that have no form in columns: decided for one record after the other, from the columns they are about.

That costs such a condition only, not the reading of whole records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias, cast

import numpy as np

from mesh.contract.expression import source_of
from mesh.contract.expression_tree import Has, Node, Select
from mesh.contract.shape import Array, Map, Primitive, Record, RecordField, Union
from mesh.errors import ContractInvalid
from mesh.judge.columns.arrays import Unsupported
from mesh.judge.columns.column import Column, Items, Real, Scaled, Symbol, Text, Truth, Whole
from mesh.judge.columns.layout import Layout, Slot
from mesh.judge.columns.outcomes import Condition, Outcome
from mesh.judge.columns.scene import Scene

Plain: TypeAlias = Callable[[list[Column], int], list[Any]]
"""So many plain values, as the row decoder gives them; of malformed records, anything."""

_FAULTS: Final = (KeyError, TypeError, AttributeError, IndexError, ValueError, ArithmeticError)
_BYTES: Final = 8


def single(node: Node, layout: Layout) -> Condition:
    """A condition about records, decided for each by itself; raises Unsupported where its columns cannot be taken."""
    tops = {name: slot for name, slot in layout.slots.items() if not set(name) & set(".[{|")}
    parts = (RecordField(name, (), _whole(slot), has_default=False) for name, slot in tops.items())
    try:
        source = source_of(node, Record("R", (), tuple(parts)))
    except ContractInvalid as error:
        raise Unsupported(str(error)) from None
    names = set(_names(node))
    plain = [_plain(layout, name, names) for name in source.loads.values()]
    space: dict[str, Any] = dict(source.constants)
    text = f"def test({', '.join(source.loads)}):\n    return {source.holds}, {source.undecided}"
    exec(text, space)  # noqa: S102  (generated from the checked tree; texts of the rule appear as literals only)
    test = space["test"]
    return Condition(f"by itself {node!r}", lambda scene: _decided(scene, test, plain))


def _decided(scene: Scene, test: Callable[..., tuple[bool, bool]], plain: list[Plain]) -> Outcome:
    rows = len(scene.all)
    yes, maybe = np.zeros(rows, np.bool_), np.zeros(rows, np.bool_)
    values = [each(scene.columns, rows) for each in plain]
    for row, arguments in enumerate(zip(*values, strict=True) if values else [()] * rows):
        try:
            holds, undecided = test(*arguments)
        except _FAULTS:  # of a malformed record
            holds, undecided = False, True
        yes[row], maybe[row] = holds, holds or undecided
    return Outcome(yes, maybe)


def _whole(slot: Slot) -> Any:
    if not slot.nullable or isinstance(slot.shape, Union):
        return slot.shape
    return Union((Primitive("null"), slot.shape))


def _names(node: Any) -> Iterator[str]:
    """The names of all fields that are looked at."""
    if isinstance(node, Select | Has):
        yield node.field
    if isinstance(node, tuple):
        for part in node:
            yield from _names(part)
    elif hasattr(node, "at"):
        for name in node.__slots__:
            yield from _names(getattr(node, name))


def _plain(layout: Layout, path: str, names: set[str]) -> Plain:
    slot = layout.slot(path)
    if slot is None:
        raise Unsupported(f"{path}: not a column")
    at, inner = slot.number, _inner(layout, slot, path, names)

    def read(columns: list[Column], count: int) -> list[Any]:
        column = columns[at]
        values = inner(columns, count)
        if column.live is None:
            return values
        return [value if live else None for value, live in zip(values, column.live.tolist(), strict=True)]

    return read


def _inner(layout: Layout, slot: Slot, path: str, names: set[str]) -> Plain:
    at = slot.number
    match slot.shape:
        case Record(fields=fields):
            parts = {each.name: _plain(layout, f"{path}.{each.name}", names) for each in fields if each.name in names}
            return lambda columns, count: _records({name: part(columns, count) for name, part in parts.items()}, count)
        case Array():
            item = _plain(layout, f"{path}[]", names)
            return lambda columns, count: _lists(cast(Items, columns[at]), columns, count, item)
        case Map():
            keys, entries = _plain(layout, f"{path}{{key}}", names), _plain(layout, f"{path}{{}}", names)
            return lambda columns, count: _maps(cast(Items, columns[at]), columns, count, keys, entries)
        case Union() | Primitive(kind="null"):
            return lambda columns, count: [True] * count
    if slot.shape.kind in ("bytes", "fixed") and slot.logical != "decimal":
        raise Unsupported(f"{path}: bytes")
    return lambda columns, count: _values(columns[at])


def _values(column: Column) -> list[Any]:
    match column:
        case Text():
            return [column.at(row) for row in range(len(column.starts))]
        case Symbol():
            last = len(column.symbols) - 1
            return [column.symbols[min(max(value, 0), last)] for value in column.values.tolist()]
        case Scaled():
            return [value.to_bytes(_BYTES, "big", signed=True) for value in column.values.tolist()]
        case Whole() | Real() | Truth():
            return cast("list[Any]", column.values.tolist())
    raise Unsupported(f"{type(column).__name__}: no plain values")


def _records(parts: dict[str, list[Any]], count: int) -> list[Any]:
    if not parts:
        return [{}] * count
    return [dict(zip(parts, values, strict=True)) for values in zip(*parts.values(), strict=True)]


def _lists(items: Items, columns: list[Column], count: int, item: Plain) -> list[Any]:
    found: list[list[Any]] = [[] for _ in range(count)]
    for owner, value in zip(items.owners.tolist(), item(columns, len(items.owners)), strict=True):
        found[owner].append(value)
    return found


def _maps(items: Items, columns: list[Column], count: int, keys: Plain, entries: Plain) -> list[Any]:
    found: list[dict[str, Any]] = [{} for _ in range(count)]
    size = len(items.owners)
    for owner, key, value in zip(items.owners.tolist(), keys(columns, size), entries(columns, size), strict=True):
        found[owner][key] = value
    return found
