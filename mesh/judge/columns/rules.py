"""Rules of the rule language as masks over columns; see ``mesh.contract.expression`` for what they mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, cast

import numpy as np

from mesh.contract.expression_runtime import Matches
from mesh.contract.expression_tree import (
    Binary,
    Call,
    Conditional,
    Has,
    ListLiteral,
    Literal,
    Logic,
    Node,
    Select,
    Unary,
)
from mesh.judge.columns.arrays import Bools, Unsupported, flip
from mesh.judge.columns.column import Column, Symbol, Test, Text
from mesh.judge.columns.memory import Memory
from mesh.judge.columns.operands import Got, Operand, Operands, fits, join
from mesh.judge.columns.scene import Scene
from mesh.judge.columns.wire import same_bytes

_EXACT: Final = 1 << 53
_TEXTS: Final[dict[str, Callable[[str, str], bool]]] = {
    "startsWith": lambda text, part: text.startswith(part),
    "endsWith": lambda text, part: text.endswith(part),
    "contains": lambda text, part: part in text,
}
_ORDERS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
}
_TURNED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


class Outcome(NamedTuple):
    """A condition per row: certainly true, and not certainly false; the same array where it cannot be an error."""

    yes: Bools
    maybe: Bools


class Condition(NamedTuple):
    """What computes an outcome; conditions of one key are the same."""

    key: str
    run: Callable[[Scene], Outcome]

    def of(self, scene: Scene) -> Outcome:
        """The outcome, computed once per batch."""
        return scene.once(self.key, lambda: self.run(scene))


class Rules(Operands):
    """Compiles rules over one layout; raises Unsupported for what has no form in columns."""

    def mask(self, tree: Node) -> Callable[[Scene], Bools]:
        """Where a rule is fulfilled."""
        condition = self.condition(tree)
        return lambda scene: condition.of(scene).yes

    def condition(self, node: Node) -> Condition:
        """A condition."""
        match node:
            case Literal(value=bool() as always):
                found = Condition(str(always), lambda scene: _guarded(scene.all if always else flip(scene.all), None))
            case Select():
                found = _as_condition(self.field(node.operand, node.field))
            case Logic():
                found = self._logic(node)
            case Unary(operator="!"):
                inner = self.condition(node.operand)
                found = Condition(f"!{inner.key}", lambda scene: _negation(inner.of(scene)))
            case Binary(operator="==" | "!=" | "<" | "<=" | ">" | ">="):
                found = self._comparison(node)
            case Binary(operator="in"):
                found = self._membership(node)
            case Conditional():
                found = self._choice(node)
            case Has():
                found = _null(self.field(node.operand, node.field), "!=")
            case Call() if node.function in (*_TEXTS, "matches"):
                found = self._text_method(node)
            case _:
                raise Unsupported(f"{type(node).__name__} at {node.at}")
        self.uses[found.key] += 1
        return found

    def truth(self, node: Node) -> Operand:
        """A condition as a boolean value; an error stays one."""
        condition = self.condition(node)

        def run(scene: Scene) -> Got:
            yes, maybe = condition.of(scene)
            return Got(yes, None, None if yes is maybe else yes != maybe)

        return Operand("bool", f"value {condition.key}", run)

    def _logic(self, node: Logic) -> Condition:
        parts = [self.condition(operand) for operand in node.operands]
        merge = np.logical_and if node.operator == "&&" else np.logical_or
        word = f" {node.operator} "

        def run(scene: Scene) -> Outcome:
            yes, maybe = parts[0].of(scene)
            for part in parts[1:]:
                also, perhaps = part.of(scene)
                certain = yes is maybe and also is perhaps
                yes = merge(yes, also)
                maybe = yes if certain else merge(maybe, perhaps)
            return Outcome(yes, maybe)

        return Condition(f"({word.join(part.key for part in parts)})", run)

    def _choice(self, node: Conditional) -> Condition:
        test, then, other = (self.condition(each) for each in (node.condition, node.then, node.otherwise))

        def run(scene: Scene) -> Outcome:
            holds, perhaps = test.of(scene)
            left, right = then.of(scene), other.of(scene)
            yes = (holds & left.yes) | (flip(perhaps) & right.yes)
            maybe = np.where(holds, left.maybe, perhaps | right.maybe)
            return Outcome(yes, maybe)

        return Condition(f"({test.key} ? {then.key} : {other.key})", run)

    def _comparison(self, node: Binary) -> Condition:
        left, right, operator = self.operand(node.left), self.operand(node.right), node.operator
        if left.is_constant and right.is_constant:
            raise Unsupported("two constants")
        if left.is_constant:
            left, right, operator = right, left, _TURNED[operator]
        equality = operator in ("==", "!=")
        if right.kind == "null" or left.kind == "null":
            return _null(left if right.kind == "null" else right, operator)
        if {left.kind, right.kind} <= {"int", "double"}:
            compare = _numbers(left, right, operator)
        elif right.is_constant and left.kind in ("string", "symbol") and isinstance(right.constant, str):
            order, text = _ORDERS[operator], right.constant
            compare = _asking(left, lambda value: bool(order(value, text)))
        elif equality and left.kind == right.kind and left.kind in ("string", "bool", "symbol"):
            compare = _same(left, right, operator)
        else:
            raise Unsupported(f"{left.kind} {operator} {right.kind}")
        key = f"({left.key} {operator} {right.key})"
        return Condition(key, _with_nulls(left, right, compare, operator) if equality else _sure(left, right, compare))

    def _membership(self, node: Binary) -> Condition:
        left = self.operand(node.left)
        if not isinstance(node.right, ListLiteral) or left.is_constant:
            raise Unsupported("in, but not a column in a list of constants")
        items = [self.operand(item) for item in node.right.items]
        constants = frozenset(item.constant for item in items)
        kinds = {item.kind for item in items} - {"null"}
        wanted = {"string" if left.kind == "symbol" else left.kind}
        if (
            not all(item.is_constant for item in items)
            or kinds - wanted
            or left.kind not in ("int", "string", "symbol")
        ):
            raise Unsupported("in, but not an integer or a text in a list of constants")
        if left.kind == "int":
            numbers = np.array(sorted(cast("set[int]", constants - {None})), np.int64)
            held: Callable[[Scene, Any], Bools] = lambda _, values: np.isin(values, numbers)  # noqa: E731
        else:
            asked = _asking(left, lambda value: value in constants)
            held = lambda scene, values: asked(scene, values, None)  # noqa: E731
        has_null = None in constants

        def run(scene: Scene) -> Outcome:
            got = left.of(scene)
            holds = held(scene, got.values)
            if got.null is not None:
                holds = holds | got.null if has_null else holds & flip(got.null)
            return _guarded(holds, got.error)

        return Condition(f"({left.key} in {sorted(map(repr, constants))})", run)

    def _text_method(self, node: Call) -> Condition:
        if not node.method or len(node.arguments) != 2:
            raise Unsupported(node.function)
        target, argument = self.operand(node.arguments[0]), node.arguments[1]
        if target.is_constant or target.kind not in ("string", "symbol") or not isinstance(argument, Literal):
            raise Unsupported(f"{node.function} of more than a text and a constant")
        text = str(argument.value)
        if node.function == "matches":
            found = Matches(text)
            test: Test = found.__getitem__
        else:
            method = _TEXTS[node.function]
            test = lambda value: method(value, text)  # noqa: E731
        held = _asking(target, test)

        def run(scene: Scene) -> Outcome:
            got = target.sure(scene)
            return _guarded(held(scene, got.values, None), got.error)

        return Condition(f"{target.key}.{node.function}({text!r})", run)


Compare = Callable[[Scene, Any, Any], Bools]


def _negation(outcome: Outcome) -> Outcome:
    if outcome.yes is outcome.maybe:
        flipped = flip(outcome.yes)
        return Outcome(flipped, flipped)
    return Outcome(flip(outcome.maybe), flip(outcome.yes))


def _guarded(holds: Bools, error: Bools | None) -> Outcome:
    return Outcome(holds, holds) if error is None else Outcome(holds & flip(error), holds | error)


def _as_condition(value: Operand) -> Condition:
    if value.kind != "bool":
        raise Unsupported("a condition that is neither true nor false")

    def run(scene: Scene) -> Outcome:
        got = value.sure(scene)
        return _guarded(got.values, got.error)

    return Condition(f"is {value.key}", run)


def _null(operand: Operand, operator: str) -> Condition:
    if operator not in ("==", "!=") or operand.is_constant:
        raise Unsupported("null, compared otherwise than with a column by == and !=")

    def run(scene: Scene) -> Outcome:
        got = operand.of(scene)
        null = flip(scene.all) if got.null is None else got.null
        return _guarded(null if operator == "==" else flip(null), got.error)

    return Condition(f"({operand.key} {operator} null)", run)


def _sure(left: Operand, right: Operand, compare: Compare) -> Callable[[Scene], Outcome]:
    def run(scene: Scene) -> Outcome:
        a, b = left.sure(scene), right.sure(scene)
        return _guarded(compare(scene, a.values, b.values), join(a.error, b.error))

    return run


def _with_nulls(left: Operand, right: Operand, compare: Compare, operator: str) -> Callable[[Scene], Outcome]:
    # Equality never fails: null equals null and nothing else.
    def run(scene: Scene) -> Outcome:
        a, b = left.of(scene), right.of(scene)
        holds = compare(scene, a.values, b.values)
        some = join(a.null, b.null)
        if some is not None:
            holds = holds & flip(some) if operator == "==" else holds | some
        if a.null is not None and b.null is not None:
            both = a.null & b.null
            holds = holds | both if operator == "==" else holds & flip(both)
        return _guarded(holds, join(a.error, b.error))

    return run


def _numbers(left: Operand, right: Operand, operator: str) -> Compare:
    order = _ORDERS[operator]
    if left.kind == right.kind:
        return lambda scene, a, b: order(a, b)
    for side in (left, right):
        if side.is_constant and side.kind == "int" and not fits(side.constant):
            raise Unsupported("an integer that no double holds")
    wide = [number for number, side in enumerate((left, right)) if side.kind == "int" and side.reach > _EXACT]

    def compare(scene: Scene, a: Any, b: Any) -> Bools:
        for number in wide:
            values = (a, b)[number]
            if not isinstance(values, int):
                scene.doubtful((values > _EXACT) | (values < -_EXACT))
        return cast(Bools, order(a, b))

    return compare


def _asking(operand: Operand, test: Test) -> Compare:
    """A test of texts; the column stands in the place of its values."""
    memory = Memory()

    def held(scene: Scene, values: Any, _: Any) -> Bools:
        return cast("Text | Symbol", values).ask(test, memory)

    return held


def _same(left: Operand, right: Operand, operator: str) -> Compare:
    def compare(scene: Scene, a: Any, b: Any) -> Bools:
        same = _equal(a, b)
        return same if operator == "==" else flip(same)

    if left.kind == "symbol" and left.symbols != right.symbols:
        raise Unsupported("symbols of two enums")
    return compare


def _equal(a: Any, b: Any) -> Bools:
    if isinstance(a, Text):
        alike: Bools = a.sizes == b.sizes
        return alike & same_bytes(a.wire, a.starts, b.wire, b.starts, np.where(alike, a.sizes, 0))
    if isinstance(a, Column):
        return cast(Bools, cast(Symbol, a).values == cast(Symbol, b).values)
    return cast(Bools, a == b)
