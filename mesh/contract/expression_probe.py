"""Looks into an expression over one record: what each of its parts comes to, and how a part is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, Final, TypeAlias, cast

from mesh.contract.expression_tree import (
    Binary,
    Call,
    Conditional,
    Has,
    Index,
    ListLiteral,
    Literal,
    Logic,
    Loop,
    MapLiteral,
    Name,
    Node,
    Quantifier,
    Select,
    Unary,
)
from mesh.contract.expression_types import type_of
from mesh.contract.expression_writer import Writer
from mesh.contract.shape import shape_of

Steps: TypeAlias = tuple[str | int, ...]
"""The way from the record to a value: names of fields, keys of maps, positions in lists."""


class NoValue(Enum):
    """What a part comes to that has no value: null where a number is wanted, an overflow, a missing key."""

    ERROR = "no value"


_FAULTS: Final = (KeyError, TypeError, AttributeError, ValueError, IndexError, ArithmeticError)
# Parts of loops are looked at for one position after the other.
_REMEMBERED: Final = 4096
_TIGHT: Final = 9
_BINDING: Final = {"||": 1, "&&": 2, "in": 3, "*": 5, "/": 5, "%": 5, "+": 4, "-": 4}


class Probe:
    """The value of any part of an expression over records of one schema; each part is compiled once."""

    def __init__(self, value_schema: object) -> None:
        self._message = type_of(shape_of(value_schema))
        self._compiled: dict[Node, Callable[[Mapping[str, object]], object]] = {}

    def value(self, node: Node, record: Mapping[str, object]) -> object:
        """What the part comes to; ``NoValue.ERROR`` where it comes to nothing."""
        compiled = self._compiled.get(node)
        if compiled is None:
            if len(self._compiled) >= _REMEMBERED:
                self._compiled.clear()
            compiled = self._compiled[node] = self._compile(node)
        try:
            return compiled(record)
        except _FAULTS:
            return NoValue.ERROR

    def _compile(self, node: Node) -> Callable[[Mapping[str, object]], object]:
        writer = Writer(self._message)
        value = writer.value(node)
        if writer.problems or not value.known:
            return lambda record: NoValue.ERROR
        loads = [f"    {variable} = message.get({name!r})" for variable, name in writer.loads.items()]
        result = f"{value.text} if {value.guard} else missing" if value.guard else value.text
        space: dict[str, Any] = {**writer.constants, "missing": NoValue.ERROR}
        text = "\n".join(("def part(message):", *loads, f"    return {result}"))
        exec(text, space)  # noqa: S102  (generated from the checked tree; texts appear as literals only)
        return cast("Callable[[Mapping[str, object]], object]", space["part"])


def steps_of(node: Node) -> Steps | None:
    """The way to the value that the part names; None for what is computed."""
    match node:
        case Name(name="message"):
            return ()
        case Select() | Has():
            above = steps_of(node.operand)
            return None if above is None else (*above, node.field)
        case Index(key=Literal(value=str() | int() as key)):
            above = steps_of(node.operand)
            return None if above is None else (*above, key)
    return None


def parts(node: Node) -> tuple[Node, ...]:  # noqa: PLR0911  (one for each construct)
    """The parts right below a part."""
    match node:
        case Select() | Has() | Unary():
            return (node.operand,)
        case Index():
            return (node.operand, node.key)
        case Binary():
            return (node.left, node.right)
        case Logic():
            return node.operands
        case Call():
            return node.arguments
        case Conditional():
            return (node.condition, node.then, node.otherwise)
        case ListLiteral():
            return node.items
        case MapLiteral():
            return tuple(each for entry in node.entries for each in entry)
        case Quantifier() | Loop():
            return (node.target,)
    return ()


def places_in(node: Node) -> list[Steps]:
    """The values of the record that a part looks at, in its order, none twice."""
    found = steps_of(node)
    if found:
        return [found]
    return list(dict.fromkeys(each for part in parts(node) for each in places_in(part)))


def at_item(loop: Quantifier, key: int | str) -> Node:
    """The condition of a loop for one item, written without the loop; ``key`` is its position, or the key of a map."""
    item: Node = Literal(loop.at, key) if isinstance(key, str) else Index(loop.at, loop.target, Literal(loop.at, key))
    return cast("Node", _replaced(loop.condition, loop.variable, item))


def _replaced(node: Any, variable: str, item: Node) -> Any:
    if isinstance(node, Name):
        return item if node.name == variable else node
    if getattr(node, "variable", None) == variable:  # a loop inside that hides it
        return replace(node, target=_replaced(node.target, variable, item))
    if isinstance(node, tuple) and not hasattr(node, "_fields"):
        return tuple(_replaced(each, variable, item) for each in node)
    if not is_dataclass(node) or isinstance(node, type):
        return node
    changed = {part.name: _replaced(getattr(node, part.name), variable, item) for part in fields(node)}
    return replace(node, **changed)


def text_of(node: Node, around: int = 0) -> str:
    """A part as it would be written."""
    text, binding = _written(node)
    return f"({text})" if binding < around else text


def _written(node: Node) -> tuple[str, int]:
    match node:
        case Logic():
            binding = _BINDING[node.operator]
            return f" {node.operator} ".join(text_of(each, binding + 1) for each in node.operands), binding
        case Binary():
            binding = _BINDING.get(node.operator, 3)
            return f"{text_of(node.left, binding)} {node.operator} {text_of(node.right, binding + 1)}", binding
        case Conditional():
            condition, then = text_of(node.condition, 1), text_of(node.then, 1)
            return f"{condition} ? {then} : {text_of(node.otherwise)}", 0
        case Unary():
            return f"{node.operator}{text_of(node.operand, 6)}", 6
    return _atom(node), _TIGHT


def _atom(node: Node) -> str:  # noqa: PLR0911  (one for each construct)
    match node:
        case Literal():
            return _literal(node.value)
        case Name():
            return node.name
        case Select():
            return f"{text_of(node.operand, 8)}.{node.field}"
        case Has():
            return f"has({text_of(node.operand, 8)}.{node.field})"
        case Index():
            return f"{text_of(node.operand, 8)}[{text_of(node.key)}]"
        case Call():
            first, rest = node.arguments[:1], node.arguments[1:]
            inside = ", ".join(map(text_of, rest if node.method else node.arguments))
            return f"{text_of(first[0], 8)}.{node.function}({inside})" if node.method else f"{node.function}({inside})"
        case Quantifier(condition=inside) | Loop(body=inside):
            return f"{text_of(node.target, 8)}.{node.kind}({node.variable}, {text_of(inside)})"
        case ListLiteral():
            return f"[{', '.join(map(text_of, node.items))}]"
        case MapLiteral():
            return f"{{{', '.join(f'{text_of(key)}: {text_of(value)}' for key, value in node.entries)}}}"
    return "..."


def _literal(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, str):
        quoted = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
        return f"'{quoted}'"
    return repr(value)
