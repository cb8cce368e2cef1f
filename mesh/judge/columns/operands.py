"""Values of the rule language over columns: fields, constants and what is made of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, Final, cast

import numpy as np

from mesh.contract.expression_tree import Binary, Call, Literal, Name, Node, Select, Unary
from mesh.judge.columns.arithmetic import arithmetic, call, negative
from mesh.judge.columns.arrays import Ints, Unsupported, flip
from mesh.judge.columns.layout import Layout, Slot
from mesh.judge.columns.scene import Scene
from mesh.judge.columns.values import ANY, Got, Operand, constant

_KINDS: Final = {
    "int": "int",
    "long": "int",
    "float": "double",
    "double": "double",
    "string": "string",
    "enum": "symbol",
    "boolean": "bool",
    "bytes": "bytes",
    "fixed": "bytes",
    "record": "record",
    "array": "items",
    "map": "items",
}


class Operands(ABC):
    """Compiles values over one layout."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.uses: Counter[str] = Counter()
        """How often each operand and condition is asked for, by key."""
        self._variables: dict[str, str] = {}
        """The paths of the items of the loops around."""
        self._within = -1
        """The number of the collection whose items are looked at; -1: the records themselves."""

    @abstractmethod
    def truth(self, node: Node) -> Operand:
        """A condition as a boolean value."""

    def operand(self, node: Node) -> Operand:
        """A value; raises Unsupported for what has no form in columns."""
        found = self._operand(node)
        self.uses[found.key] += 1
        return found

    def _operand(self, node: Node) -> Operand:
        match node:
            case Literal():
                return constant(node.value)
            case Select() | Name():
                return self.column(self._path(node))
            case Unary(operator="-"):
                return negative(self.operand(node.operand))
            case Binary(operator="+" | "-" | "*" | "/" | "%"):
                return arithmetic(node.operator, self.operand(node.left), self.operand(node.right))
            case Call(function="size" | "int" | "double") if len(node.arguments) == 1:
                return call(node.function, self.operand(node.arguments[0]))
        return self.truth(node)

    def field(self, operand: Node, name: str) -> Operand:
        """A field of the record, or of a record in it."""
        return self.column(f"{self._path(operand)}.{name}".removeprefix("."))

    def column(self, path: str) -> Operand:
        """The column of a path."""
        slot = self._layout.slot(path)
        if slot is None or slot.shape.kind not in _KINDS or slot.logical == "decimal":
            raise Unsupported(f"{path}: not a column")
        symbols = getattr(slot.shape, "symbols", ())
        reach = 1 << 31 if slot.shape.kind == "int" else ANY
        found = Operand(_KINDS[slot.shape.kind], path, _reading(slot), reach, symbols=symbols)
        return self._carried(found, slot.owner)

    def _carried(self, found: Operand, owner: int) -> Operand:
        """A column of what is around a loop, for each item of the loop."""
        if owner == self._within:
            return found
        if found.kind in ("items", "record") or not self._variables:
            raise Unsupported(f"{found.key}: not of the item")
        around = [self._within, *self._layout.owners_of(self._within)]
        if owner not in (*around, -1):
            raise Unsupported(f"{found.key}: of another collection")
        levels = around.index(owner) if owner >= 0 else len(around)
        return replace(found, key=f"{found.key}@{self._within}", run=lambda scene: _carry(found, scene, levels))

    def _path(self, node: Node) -> str:
        match node:
            case Name(name="message"):
                return ""
            case Name(name=name) if name in self._variables:
                return self._variables[name]
            case Select():
                return f"{self._path(node.operand)}.{node.field}".removeprefix(".")
        raise Unsupported("a field of something computed")


def _carry(found: Operand, scene: Scene, levels: int) -> Got:
    if not levels:
        return found.of(scene)
    assert scene.outer is not None  # noqa: S101  (there are as many scenes around as loops)
    got, owners = _carry(found, scene.outer, levels - 1), scene.owners
    null, error = (None if part is None else part.take(owners) for part in (got.null, got.error))
    return Got(_taken(got.values, owners), null, error)


def _taken(values: Any, owners: Ints) -> Any:
    if isinstance(values, np.ndarray):
        return values.take(owners)
    arrays = {part.name: getattr(values, part.name) for part in fields(values)}
    return replace(values, **{name: each.take(owners) for name, each in arrays.items() if isinstance(each, np.ndarray)})


def _reading(slot: Slot) -> Callable[[Scene], Got]:
    at, parent, plain = slot.number, slot.parent, _KINDS[slot.shape.kind] in ("int", "double", "bool")

    def run(scene: Scene) -> Got:
        column = scene.columns[at]
        around = scene.columns[parent].live if parent >= 0 else None
        null = None if column.live is None else flip(column.live)
        error = None if around is None else flip(around)
        return Got(cast(Any, column).values if plain else column, null, error)

    return run
