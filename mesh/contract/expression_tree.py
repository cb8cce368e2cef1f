"""The small tree an expression is parsed into: one frozen node per construct, each with its place in the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Place(NamedTuple):
    """Where in the text something stands; both count from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"column {self.column}" if self.line == 1 else f"line {self.line}, column {self.column}"


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, string, boolean or null."""

    at: Place
    value: int | float | str | bool | None


@dataclass(frozen=True, slots=True)
class Name:
    """``message``, or the variable of an enclosing loop."""

    at: Place
    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """``operand.field``."""

    at: Place
    operand: Node
    field: str


@dataclass(frozen=True, slots=True)
class Has:
    """``has(operand.field)``."""

    at: Place
    operand: Node
    field: str


@dataclass(frozen=True, slots=True)
class Index:
    """``operand[key]``."""

    at: Place
    operand: Node
    key: Node


@dataclass(frozen=True, slots=True)
class Call:
    """``function(argument)`` or ``target.function(argument)``; the target is the first argument."""

    at: Place
    function: str
    arguments: tuple[Node, ...]
    method: bool


@dataclass(frozen=True, slots=True)
class Unary:
    """``!operand`` or ``-operand``."""

    at: Place
    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary:
    """A comparison, an arithmetic operation or ``in``."""

    at: Place
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Logic:
    """``a && b && ...`` or ``a || b || ...``."""

    at: Place
    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Conditional:
    """``condition ? then : otherwise``."""

    at: Place
    condition: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class ListLiteral:
    """``[a, b]``."""

    at: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapLiteral:
    """``{key: value}``."""

    at: Place
    entries: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True)
class Quantifier:
    """``target.exists(variable, condition)`` or ``target.all(variable, condition)``."""

    at: Place
    kind: str
    target: Node
    variable: str
    condition: Node


@dataclass(frozen=True, slots=True)
class Loop:
    """``target.exists_one(variable, body)``, ``target.filter(variable, body)`` or ``target.map(variable, body)``."""

    at: Place
    kind: str
    target: Node
    variable: str
    body: Node


Node = (
    Literal
    | Name
    | Select
    | Has
    | Index
    | Call
    | Unary
    | Binary
    | Logic
    | Conditional
    | ListLiteral
    | MapLiteral
    | Quantifier
    | Loop
)
