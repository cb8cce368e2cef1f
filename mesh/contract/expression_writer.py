"""One expression over one schema: checks its types and writes the Python source that decides it."""

from __future__ import annotations

from typing import Final

from mesh.contract.expression_code import (
    NO_TRUTH,
    Truth,
    Value,
    as_truth,
    both,
    choice,
    combination,
    guarded,
    negation,
)
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
    Place,
    Quantifier,
    Unary,
)
from mesh.contract.expression_types import STRING
from mesh.contract.expression_values import CONDITIONS, LONGEST_SOURCE, ValueWriter, comparable, pair

_TEXTS: Final = {"startsWith": "{0}.startswith({1})", "endsWith": "{0}.endswith({1})", "contains": "({1} in {0})"}


class Writer(ValueWriter):
    """Adds the conditions."""

    __slots__ = ()

    def _refuse_truth(self, at: Place, reason: str) -> Truth:
        self._refuse(at, reason)
        return NO_TRUTH

    def truth(self, node: Node) -> Truth:
        """The source of a condition."""
        match node:
            case Logic():
                truth = combination(node.operator, [self.truth(operand) for operand in node.operands])
            case Unary(operator="!"):
                truth = negation(self.truth(node.operand))
            case Binary(operator="==" | "!="):
                truth = self._equality(node)
            case Binary(operator="in"):
                truth = self._membership(node)
            case Binary(operator="<" | "<=" | ">" | ">="):
                truth = self._order(node)
            case Conditional():
                truth = choice(self.truth(node.condition), self.truth(node.then), self.truth(node.otherwise))
            case Quantifier():
                truth = self._quantifier(node)
            case Has():
                truth = self._has(node)
            case Call() if node.function in CONDITIONS:
                truth = self._text_method(node)
            case _:
                truth = self._plain_truth(node)
        if len(truth.yes) + len(truth.maybe) > LONGEST_SOURCE:
            return self._refuse_truth(node.at, "the expression is too complex; split it into several rules")
        return truth

    def _plain_truth(self, node: Node) -> Truth:
        value = self.value(node)
        if not value.known:
            return NO_TRUTH
        if value.type.kind != "bool":
            return self._refuse_truth(node.at, f"true or false is wanted here, this is {value.type}")
        return as_truth(value)

    def _order(self, node: Binary) -> Truth:
        left, right = self.value(node.left), self.value(node.right)
        if not (left.known and right.known):
            return NO_TRUTH
        if not (left.type.numeric and right.type.numeric) and not left.type.kind == right.type.kind == "string":
            return self._refuse_truth(node.at, f"{node.operator} cannot compare {pair(left, right)}")
        left, right = self._sure(left), self._sure(right)
        return guarded(both(left.guard, right.guard), f"({left.text} {node.operator} {right.text})")

    def _equality(self, node: Binary) -> Truth:
        left, right = self.value(node.left), self.value(node.right)
        if not (left.known and right.known):
            return NO_TRUTH
        if right.type.kind == "null":
            return self._is_null(left, node.operator)
        if left.type.kind == "null":
            return self._is_null(right, node.operator)
        if not comparable(left.type, right.type):
            return self._refuse_truth(node.at, f"{node.operator} cannot compare {pair(left, right)}")
        return guarded(both(left.guard, right.guard), f"({left.text} {node.operator} {right.text})")

    @staticmethod
    def _is_null(value: Value, operator: str) -> Truth:
        if value.type.kind == "null" or not value.type.nullable:
            return guarded(value.guard, str((value.type.kind == "null") == (operator == "==")))
        return guarded(value.guard, f"({value.text} {'is' if operator == '==' else 'is not'} None)")

    def _membership(self, node: Binary) -> Truth:
        left, right = self.value(node.left), self._sure(self._haystack(node.right))
        if not (left.known and right.known):
            return NO_TRUTH
        wanted = STRING if right.type.kind == "map" else right.type.element
        if right.type.kind not in ("list", "map"):
            return self._refuse_truth(node.at, f"in looks into a list or a map, not into {right.type}")
        if "null" not in (left.type.kind, wanted.kind) and not (left.type.scalar and comparable(left.type, wanted)):
            return self._refuse_truth(node.at, f"{left.type} is never in a list of {wanted.kind}")
        if not (left.type.has_double or wanted.has_double):
            return guarded(both(left.guard, right.guard), f"({left.text} in {right.text})")
        left, right, each = self._atom(left), self._atom(right), self._name("e")
        return guarded(both(left.guard, right.guard), f"any({left.text} == {each} for {each} in {right.text})")

    def _haystack(self, node: Node) -> Value:
        value = self.value(node)
        if isinstance(node, ListLiteral):
            literals = [item.value for item in node.items if isinstance(item, Literal)]
            if len(literals) < len(node.items) or not value.known or value.type.has_double:
                return value
            return Value(value.type, self._constant(frozenset(literals)), atom=True)
        if value.type.kind == "list" and not self.cheap(node):
            return self._refuse(node.at, "in inside a loop looks into a list that is written out, or into a map")
        return value

    def _quantifier(self, node: Quantifier) -> Truth:
        if self._scope:
            return self._refuse_truth(node.at, "a loop inside a loop is not part of the rule language")
        target = self.value(node.target)
        if not target.known:
            return NO_TRUTH
        item = STRING if target.type.kind == "map" else target.type.element
        if target.type.kind not in ("list", "map"):
            return self._refuse_truth(node.at, f"{node.kind} walks a list or the keys of a map, not {target.type}")
        target, each = self._atom(self._sure(target)), self._name("e")
        self._scope[node.variable] = Value(item, each, atom=True)
        inner = self.truth(node.condition)
        del self._scope[node.variable]
        word = "any" if node.kind == "exists" else "all"
        yes, maybe = (f"{word}({text} for {each} in {target.text})" for text in (inner.yes, inner.maybe))
        return Truth(guarded(target.guard, yes).yes, guarded(target.guard, maybe).maybe, inner.known)

    def _has(self, node: Has) -> Truth:
        value = self._field_of(node.at, node.operand, node.field, missing="None")
        if not value.known:
            return NO_TRUTH
        return self._is_null(value, "!=")

    def _text_method(self, node: Call) -> Truth:
        values = [self.value(argument) for argument in node.arguments]
        if not all(value.known for value in values):
            return NO_TRUTH
        if not node.method or len(values) != 2 or any(value.type.kind != "string" for value in values):
            return self._refuse_truth(node.at, f"{node.function} is used as text.{node.function}('...')")
        if not self.cheap(node.arguments[0]):
            return self._refuse_truth(node.at, f"{node.function} inside a loop applies to the loop's variable only")
        target, argument = self._sure(values[0]), self._sure(values[1])
        if node.function == "matches":
            return self._matches(node, target)
        text = _TEXTS[node.function].format(target.text, argument.text)
        return guarded(both(target.guard, argument.guard), text)

    def _matches(self, node: Call, target: Value) -> Truth:
        pattern = node.arguments[1]
        if not isinstance(pattern, Literal):
            return self._refuse_truth(pattern.at, "a pattern is written out, not computed")
        try:
            found = self._constant(Matches(str(pattern.value)))
        except ValueError as error:
            return self._refuse_truth(pattern.at, f"RE2 does not take the pattern: {error}")
        return guarded(target.guard, f"{found}[{target.text}]")
