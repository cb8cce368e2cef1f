"""Values of the rule language as columns: fields, constants, arithmetic, sizes and conversions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, cast

import numpy as np

from mesh.contract.expression_code import HIGHEST, LOWEST
from mesh.contract.expression_tree import Binary, Call, Literal, Name, Node, Select, Unary
from mesh.judge.columns.arrays import Bools, Unsupported, flip
from mesh.judge.columns.column import Blob, Symbol, Text
from mesh.judge.columns.layout import Layout, Slot
from mesh.judge.columns.scene import Scene

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
}
_CONSTANTS: Final = {bool: "bool", int: "int", float: "double", str: "string", type(None): "null"}
_ANY: Final = 1 << 63
_SURELY_INSIDE: Final = float(1 << 62)


class Got(NamedTuple):
    """Values per row, and where they are null or an error; None where that is nowhere. Texts are their column."""

    values: Any
    null: Bools | None = None
    error: Bools | None = None


@dataclass(frozen=True, slots=True)
class Operand:
    """What computes a value; operands of one key are the same. ``reach`` is an integer's largest magnitude."""

    kind: str
    key: str
    run: Callable[[Scene], Got]
    reach: int = _ANY
    is_constant: bool = False
    constant: Any = None
    symbols: tuple[str, ...] = ()

    def of(self, scene: Scene) -> Got:
        """The values, computed once per batch."""
        return scene.once(self.key, lambda: self.run(scene))

    def sure(self, scene: Scene) -> Got:
        """The values where null is an error."""
        got = self.of(scene)
        return Got(got.values, None, join(got.null, got.error))


def join(left: Bools | None, right: Bools | None) -> Bools | None:
    """Where either is."""
    if left is None or right is None:
        return right if left is None else left
    return left | right


def fits(number: float) -> bool:
    """Whether a double holds it."""
    return float(number) == number


def constant(value: Any) -> Operand:
    """A constant; raises Unsupported for an integer beyond 64 bits."""
    kind = _CONSTANTS[type(value)]
    if kind == "int" and not LOWEST <= value <= HIGHEST:
        raise Unsupported("an integer beyond 64 bits")
    reach = abs(value) if kind == "int" else _ANY
    return Operand(kind, f"{kind} {value!r}", lambda scene: Got(value), reach, is_constant=True, constant=value)


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
                return _negative(self.operand(node.operand))
            case Binary(operator="+" | "-" | "*" | "/" | "%"):
                return _arithmetic(node.operator, self.operand(node.left), self.operand(node.right))
            case Call(function="size" | "int" | "double") if len(node.arguments) == 1:
                return _call(node.function, self.operand(node.arguments[0]))
            case Name():
                raise Unsupported(f"{node.name} as a value")
        return self.truth(node)

    def field(self, operand: Node, name: str) -> Operand:
        """A field of the record, or of a record in it."""
        path = _path(operand, name)
        slot = self._layout.slots.get(path)
        if slot is None or slot.shape.kind not in _KINDS:
            raise Unsupported(f"{path}: not a column")
        symbols = getattr(slot.shape, "symbols", ())
        reach = 1 << 31 if slot.shape.kind == "int" else _ANY
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


def _negative(operand: Operand) -> Operand:
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


def _arithmetic(operator: str, left: Operand, right: Operand) -> Operand:
    kinds = {left.kind, right.kind}
    if left.is_constant and right.is_constant:
        return _folded(operator, left, right)
    if kinds == {"double"} and operator != "%":
        compute, reach = _DOUBLES[operator], _ANY
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
    return lambda scene, a, b: _watched(scene, plain(scene, a, b), plain(scene, a * 1.0, b * 1.0)), _ANY


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


def _call(function: str, operand: Operand) -> Operand:
    if operand.is_constant:
        raise Unsupported(f"{function} of a constant")
    if function == "size" and operand.kind in ("string", "symbol", "bytes"):
        return Operand("int", f"size({operand.key})", lambda scene: _size(operand.sure(scene)), 1 << 40)
    if operand.kind not in ("int", "double") or function == "size":
        raise Unsupported(f"{function} of {operand.kind}")
    if operand.kind == function:
        return replace(operand, key=f"{function}({operand.key})", run=operand.sure)
    convert = _to_double if function == "double" else _to_int
    return Operand(function, f"{function}({operand.key})", lambda scene: convert(operand.sure(scene)))


def _size(got: Got) -> Got:
    column: Text | Symbol | Blob = got.values
    if isinstance(column, Text):
        return got._replace(values=column.lengths)
    if isinstance(column, Blob):
        return got._replace(values=column.sizes)
    sizes = np.array([len(symbol) for symbol in column.symbols], np.int64)
    return got._replace(values=sizes.take(column.values, mode="clip"))


def _to_double(got: Got) -> Got:
    return got._replace(values=got.values.astype(np.float64))


def _to_int(got: Got) -> Got:
    outside = flip((got.values >= float(LOWEST)) & (got.values < float(-LOWEST)))
    values = np.where(outside, 0.0, got.values).astype(np.int64)
    return Got(values, None, join(got.error, outside))
