"""Values of the rule language over columns: fields, constants and what is made of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, cast

from mesh.contract.expression_tree import Binary, Call, Literal, Name, Node, Select, Unary
from mesh.judge.columns.arithmetic import arithmetic, call, negative
from mesh.judge.columns.arrays import Unsupported, flip
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
            case Select():
                return self.field(node.operand, node.field)
            case Unary(operator="-"):
                return negative(self.operand(node.operand))
            case Binary(operator="+" | "-" | "*" | "/" | "%"):
                return arithmetic(node.operator, self.operand(node.left), self.operand(node.right))
            case Call(function="size" | "int" | "double") if len(node.arguments) == 1:
                return call(node.function, self.operand(node.arguments[0]))
            case Name():
                raise Unsupported(f"{node.name} as a value")
        return self.truth(node)

    def field(self, operand: Node, name: str) -> Operand:
        """A field of the record, or of a record in it."""
        path = _path(operand, name)
        slot = self._layout.slot(path)
        if slot is None or slot.shape.kind not in _KINDS or slot.logical == "decimal" or slot.owner >= 0:
            raise Unsupported(f"{path}: not a column")
        symbols = getattr(slot.shape, "symbols", ())
        reach = 1 << 31 if slot.shape.kind == "int" else ANY
        return Operand(_KINDS[slot.shape.kind], path, _reading(slot), reach, symbols=symbols)


def _path(operand: Node, name: str) -> str:
    match operand:
        case Name(name="message"):
            return name
        case Select():
            return f"{_path(operand.operand, operand.field)}.{name}"
    raise Unsupported("a field of something computed")


def _reading(slot: Slot) -> Callable[[Scene], Got]:
    at, parent, plain = slot.number, slot.parent, _KINDS[slot.shape.kind] in ("int", "double", "bool")

    def run(scene: Scene) -> Got:
        column = scene.columns[at]
        around = scene.columns[parent].live if parent >= 0 else None
        null = None if column.live is None else flip(column.live)
        error = None if around is None else flip(around)
        return Got(cast(Any, column).values if plain else column, null, error)

    return run
