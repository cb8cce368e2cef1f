"""Rules of the rule language as masks over columns; see ``mesh.contract.expression`` for what they mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

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
    Loop,
    Name,
    Node,
    Quantifier,
    Select,
    Unary,
)
from mesh.judge.columns.arrays import Bools, Unsupported, flip
from mesh.judge.columns.column import Test, Text
from mesh.judge.columns.comparisons import ORDERS, Compare, asking, equality, numbers, ordered, same
from mesh.judge.columns.moments import KINDS
from mesh.judge.columns.outcomes import Condition, Outcome, as_condition, guarded, negation, null_test
from mesh.judge.columns.patterns import compile_pattern
from mesh.judge.columns.scene import Scene
from mesh.judge.columns.single import single
from mesh.judge.columns.values import Got, Operand
from mesh.judge.columns.walks import Walks

_TEXTS: Final[dict[str, Callable[[str, str], bool]]] = {
    "startsWith": lambda text, part: text.startswith(part),
    "endsWith": lambda text, part: text.endswith(part),
    "contains": lambda text, part: part in text,
}
_TURNED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


class Rules(Walks):
    """Compiles rules over one layout; raises Unsupported for what has no form in columns."""

    def mask(self, tree: Node) -> Callable[[Scene], Bools]:
        """Where a rule is fulfilled."""
        condition = self.condition(tree)
        return lambda scene: condition.of(scene).yes

    def condition(self, node: Node) -> Condition:
        """A condition; about single records where columns cannot say it."""
        try:
            found = self._condition(node)
        except Unsupported:
            if self._within >= 0:
                raise
            found = single(node, self._layout)
        self.uses[found.key] += 1
        return found

    def _condition(self, node: Node) -> Condition:
        match node:
            case Literal(value=bool() as always):
                found = Condition(str(always), lambda scene: guarded(scene.all if always else flip(scene.all), None))
            case Select():
                found = as_condition(self.field(node.operand, node.field))
            case Logic():
                found = self._logic(node)
            case Unary(operator="!"):
                inner = self.condition(node.operand)
                found = Condition(f"!{inner.key}", lambda scene: negation(inner.of(scene)))
            case Binary(operator="==" | "!=" | "<" | "<=" | ">" | ">="):
                found = self._comparison(node)
            case Binary(operator="in"):
                found = self._membership(node)
            case Conditional():
                found = self._choice(node)
            case Has():
                found = null_test(self.field(node.operand, node.field), "!=")
            case Call() if node.function in (*_TEXTS, "matches"):
                found = self._text_method(node)
            case _:
                found = self._other(node)
        return found

    def _other(self, node: Node) -> Condition:
        match node:
            case Quantifier() | Loop(kind="exists_one"):
                return self.walk(node)
            case Name(name=name) if name in self._variables:
                return as_condition(self.column(self._variables[name]))
        raise Unsupported(f"{type(node).__name__} at {node.at}")

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
        equal = operator in ("==", "!=")
        if right.kind == "null" or left.kind == "null":
            return null_test(left if right.kind == "null" else right, operator)
        if {left.kind, right.kind} <= {"int", "double"} or (left.kind == right.kind and left.kind in KINDS):
            compare = numbers(left, right, operator)
        elif right.is_constant and left.kind in ("string", "symbol") and isinstance(right.constant, str):
            order, text = ORDERS[operator], right.constant
            compare = asking(left, lambda value: bool(order(value, text)))
        elif equal and left.kind == right.kind and left.kind in ("string", "bool", "symbol"):
            compare = same(left, right, operator)
        else:
            raise Unsupported(f"{left.kind} {operator} {right.kind}")
        key = f"({left.key} {operator} {right.key})"
        return Condition(key, equality(left, right, compare, operator) if equal else ordered(left, right, compare))

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
            or left.kind not in ("int", "string", "symbol", *KINDS)
        ):
            raise Unsupported("in, but not an integer or a text in a list of constants")
        if left.kind in ("int", *KINDS):
            wanted_numbers = np.array(sorted(cast("set[int]", constants - {None})), np.int64)
            held: Callable[[Scene, Any], Bools] = lambda _, values: np.isin(values, wanted_numbers)  # noqa: E731
        else:
            asked = asking(left, lambda value: value in constants)
            held = lambda scene, values: asked(scene, values, None)  # noqa: E731
        has_null = None in constants

        def run(scene: Scene) -> Outcome:
            got = left.of(scene)
            holds = held(scene, got.values)
            if got.null is not None:
                holds = holds | got.null if has_null else holds & flip(got.null)
            return guarded(holds, got.error)

        return Condition(f"({left.key} in {sorted(map(repr, constants))})", run)

    def _text_method(self, node: Call) -> Condition:
        if not node.method or len(node.arguments) != 2:
            raise Unsupported(node.function)
        target, argument = self.operand(node.arguments[0]), node.arguments[1]
        if target.is_constant or target.kind not in ("string", "symbol") or not isinstance(argument, Literal):
            raise Unsupported(f"{node.function} of more than a text and a constant")
        text = str(argument.value)
        if node.function == "matches":
            held = _matching(target, text)
        else:
            method = _TEXTS[node.function]
            held = asking(target, lambda value: method(value, text))

        def run(scene: Scene) -> Outcome:
            got = target.sure(scene)
            return guarded(held(scene, got.values, None), got.error)

        return Condition(f"{target.key}.{node.function}({text!r})", run)


def _matching(target: Operand, text: str) -> Compare:
    test: Test = Matches(text).__getitem__
    asked, pattern = asking(target, test), compile_pattern(text)
    if pattern is None or target.kind != "string":
        return asked
    return lambda scene, values, _: pattern.ask(cast(Text, values), test)
