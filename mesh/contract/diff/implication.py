"""Whether one expression implies another, as far as their trees show it: nothing that is found here is ever wrong.

An expression is fulfilled when it is true; where it has no outcome it is not. So ``a`` implies ``b`` when ``b`` is
true wherever ``a`` is, and comparisons are only related over the very same operand, whose errors they share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from mesh.contract.expression_tree import Binary, Conditional, ListLiteral, Literal, Logic, Node, Quantifier, Unary

_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def implies(one: Node, other: Node) -> bool:
    """Whether every record that fulfils ``one`` certainly fulfils ``other``."""
    if alike(one, other):
        return True
    if isinstance(other, Logic) and other.operator == "&&":
        return all(implies(one, each) for each in other.operands)
    if isinstance(one, Logic) and one.operator == "||":
        return all(implies(each, other) for each in one.operands)
    if isinstance(one, Logic) and any(implies(each, other) for each in one.operands):
        return True
    if isinstance(other, Logic):
        return any(implies(one, each) for each in other.operands)
    return _structural(one, other)


def _structural(one: Node, other: Node) -> bool:
    match one, other:
        case Conditional(), Conditional() if alike(one.condition, other.condition):
            return implies(one.then, other.then) and implies(one.otherwise, other.otherwise)
        case Quantifier(), Quantifier():
            same = one.kind == other.kind and one.variable == other.variable and alike(one.target, other.target)
            return same and implies(one.condition, other.condition)
        case Unary(operator="!"), Unary(operator="!"):
            return _implied_atom(other.operand, one.operand)
        case _:
            return _implied_atom(one, other)


def alike(one: Any, other: Any) -> bool:
    """Whether two parts of trees are the same but for where they stand."""
    if isinstance(one, tuple):
        return isinstance(other, tuple) and len(one) == len(other) and all(map(alike, one, other))
    if not is_dataclass(one):
        return type(one) is type(other) and bool(one == other)
    return type(one) is type(other) and all(
        alike(getattr(one, each.name), getattr(other, each.name)) for each in fields(one) if each.name != "at"
    )


def _implied_atom(one: Node, other: Node) -> bool:
    """The same for comparisons of one operand with constants."""
    first, second = _atom(one), _atom(other)
    if first is None or second is None or not alike(first[0], second[0]):
        return False
    (_, how, values), (_, then, limits) = first, second
    if how in ("==", "in"):
        return all(_meets(each, then, limits) for each in values)
    if how == "!=" or then in ("==", "in"):
        return False
    value, limit = values[0], limits[0]
    if not _number(value) or not _number(limit):
        return False
    return _BOUNDS.get((how, then), lambda _value, _limit: False)(value, limit)


def _atom(node: Node) -> tuple[Node, str, tuple[Any, ...]] | None:
    """An operand, how it is compared, and the constants it is compared with."""
    if not isinstance(node, Binary):
        return None
    left, right = _constant(node.left), _constant(node.right)
    if node.operator == "in" and isinstance(node.right, ListLiteral):
        items = [_constant(each) for each in node.right.items]
        return (node.left, "in", tuple(each[0] for each in items if each)) if items and all(items) else None
    if node.operator in _FLIPPED and right and not left:
        return node.left, node.operator, right
    if node.operator in _FLIPPED and left and not right:
        return node.right, _FLIPPED[node.operator], left
    return None


def _constant(node: Node) -> tuple[Any] | None:
    if isinstance(node, Literal):
        return (node.value,)
    if isinstance(node, Unary) and node.operator == "-" and isinstance(node.operand, Literal):
        value = node.operand.value
        return (-value,) if isinstance(value, int | float) and not isinstance(value, bool) else None
    return None


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _meets(value: Any, how: str, limits: tuple[Any, ...]) -> bool:
    """Whether a constant certainly meets a comparison; null orders with nothing, and has no outcome there."""
    if how in ("==", "in"):
        return any(_same(value, each) for each in limits)
    if how == "!=":
        return not _same(value, limits[0])
    return _number(value) and _number(limits[0]) and _ORDERS[how](value, limits[0])


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) if _number(one) and _number(other) else type(one) is type(other) and bool(one == other)


_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lambda one, other: bool(one < other),
    "<=": lambda one, other: bool(one <= other),
    ">": lambda one, other: bool(one > other),
    ">=": lambda one, other: bool(one >= other),
}
# Of x HOW value and x THEN limit: when the first entails the second.
_BOUNDS: Mapping[tuple[str, str], Callable[[Any, Any], bool]] = {
    ("<", "<"): _ORDERS["<="],
    ("<", "<="): _ORDERS["<="],
    ("<=", "<="): _ORDERS["<="],
    ("<=", "<"): _ORDERS["<"],
    (">", ">"): _ORDERS[">="],
    (">", ">="): _ORDERS[">="],
    (">=", ">="): _ORDERS[">="],
    (">=", ">"): _ORDERS[">"],
    ("<", "!="): _ORDERS["<="],
    ("<=", "!="): _ORDERS["<"],
    (">", "!="): _ORDERS[">="],
    (">=", "!="): _ORDERS[">"],
}
