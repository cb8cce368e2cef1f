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
from mesh.contract.expression_loops import LoopWriter
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
    Node,
    Place,
    Quantifier,
    Unary,
)
from mesh.contract.expression_types import STRING
from mesh.contract.expression_values import CONDITIONS, LONGEST_SOURCE, comparable, pair

_TEXTS: Final = {"startsWith": "{0}.startswith({1})", "endsWith": "{0}.endswith({1})", "contains": "({1} in {0})"}


_COMPARED: Final = {
    "decimal": "write double(...) around the decimal",
    "timestamp": "write a moment as timestamp('2013-01-01T10:00:00Z'), or int(...) around this one for its seconds",
    "duration": "write a length of time as duration('90s'), or x.getSeconds()",
    "record": "compare its fields one by one",
    "map": "compare its entries one by one",
    "opaque": "give the field one type",
}
_WRITTEN: Final = (
    "a pattern is written out, not computed; write one matches('...') per pattern, joined by ||, or compare the texts "
    "by ==, startsWith, endsWith or contains, which take any text"
)


class Writer(LoopWriter):
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
                truth = self.quantified(node)
            case Loop(kind="exists_one"):
                truth = self.single(node)
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
        alike = left.type.kind == right.type.kind and (left.type.kind == "string" or left.type.temporal)
        if not alike and not (left.type.numeric and right.type.numeric):
            return self._refuse_truth(
                node.at, f"{node.operator} cannot compare {pair(left, right)}{_hint(left, right)}"
            )
        if self._repeated(node, left):
            return NO_TRUTH
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
            return self._refuse_truth(
                node.at, f"{node.operator} cannot compare {pair(left, right)}{_hint(left, right)}"
            )
        if self._repeated(node, left):
            return NO_TRUTH
        return guarded(both(left.guard, right.guard), f"({left.text} {node.operator} {right.text})")

    def _repeated(self, node: Binary, left: Value) -> bool:
        """Whether a loop would compare the same long values for each of its items, which is refused."""
        if left.type.kind not in ("string", "bytes", "list") or self.cheap(node.left) or self.cheap(node.right):
            return False
        self._refuse(node.at, "both sides are the same for every item of the loop; compare them outside of it")
        return True

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
            hint = "; write x.contains(...)" if left.type.kind == right.type.kind == "string" else ""
            return self._refuse_truth(node.at, f"in looks into a list or a map, not into {right.type}{hint}")
        if wanted.temporal and wanted.unit != 1:
            return self._refuse_truth(node.at, f"in does not look for {left.type}; write list.exists(x, x == ...)")
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
            return self._refuse_truth(
                node.at,
                f"{node.function} inside a loop applies to the loop's variable only; test other texts outside of it",
            )
        target, argument = self._sure(values[0]), self._sure(values[1])
        if node.function == "matches":
            return self._matches(node, target)
        text = _TEXTS[node.function].format(target.text, argument.text)
        return guarded(both(target.guard, argument.guard), text)

    def _matches(self, node: Call, target: Value) -> Truth:
        pattern = node.arguments[1]
        if not isinstance(pattern, Literal):
            return self._refuse_truth(pattern.at, _WRITTEN)
        try:
            found = self._constant(Matches(str(pattern.value)))
        except ValueError as error:
            return self._refuse_truth(pattern.at, f"RE2 does not take the pattern: {error}")
        return guarded(target.guard, f"{found}[{target.text}]")


def _hint(left: Value, right: Value) -> str:
    """What to write instead of a comparison of two kinds."""
    kinds = {left.type.kind, right.type.kind}
    for kind, hint in _COMPARED.items():
        if kind in kinds:
            return f"; {hint}"
    return ""
