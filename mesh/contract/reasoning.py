"""Abstract evaluation of rules: which outcomes are possible, given what every field can be.

Every answer is a superset of the truth (interval and finite-set reasoning, refined along ``&&``, ``||`` and ``?:``):
what is not among the outcomes cannot happen on any record. Whatever is not understood can have every outcome.
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final

from mesh.contract.expression_runtime import Matches
from mesh.contract.expression_tree import (
    Binary,
    Call,
    Conditional,
    Has,
    ListLiteral,
    Literal,
    Logic,
    Name,
    Node,
    Quantifier,
    Select,
    Unary,
)
from mesh.contract.reasoning_values import ANYTHING, arithmetic, compared, listed, negative
from mesh.contract.shape import Array, Map, Primitive, Record, Shape, Union
from mesh.contract.span import Span, join, literal, span_of

TRUE, FALSE, ERROR = 1, 2, 4
"""The outcomes of a condition, as bits of a set."""
ANY: Final = TRUE | FALSE | ERROR

Path = tuple[str, ...]
Facts = Mapping[Path, Span]
"""What is known of fields beyond their types, by path from ``message``."""

# A rule has at most some thousand nodes; refinement visits some of them often. Beyond this everything is possible.
STEPS: Final = 5_000
TEXTS: Final[dict[str, Callable[[str, str], bool]]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": operator.contains,
}


class Reasoning(ABC):
    """Evaluates rules over records of one shape."""

    def __init__(self, record: Record) -> None:
        self._roots: dict[str, Shape | None] = {"message": record}
        self._types: dict[Path, Span] = {}
        self._left = STEPS

    def restart(self) -> None:
        """Give the next rule all its steps."""
        self._left = STEPS

    def tired(self) -> bool:
        """Count a step; whether the rule has had its share, so that everything is possible."""
        self._left -= 1
        return self._left < 0

    @abstractmethod
    def narrow(self, facts: Facts, node: Node, wanted: int) -> Facts | None:
        """What is known on the records where a condition has one of these outcomes; None if there is no such record."""

    def span(self, facts: Facts, path: Path) -> Span:
        """What the value at a path can be, if the records on the way are there."""
        found = facts.get(path)
        if found is not None:
            return found
        if path[0] != "message":
            return self._typed(path)
        if path not in self._types:
            self._types[path] = self._typed(path)
        return self._types[path]

    def _typed(self, path: Path) -> Span:
        shape = self._shape(path)
        return ANYTHING if shape is None else span_of(shape)

    def _shape(self, path: Path) -> Shape | None:
        shape = self._roots.get(path[0])
        for step in path[1:]:
            inner = beneath(shape)
            if step == "[]":
                shape = inner.items if isinstance(inner, Array) else None
            elif step == "{}":
                shape = inner.values if isinstance(inner, Map) else None
            else:
                parts = inner.fields if isinstance(inner, Record) else ()
                shape = next((part.type for part in parts if part.name == step), None)
        return shape

    def path(self, node: Node) -> Path | None:
        """The path of a field or a variable, if the node is one."""
        if isinstance(node, Name):
            return (node.name,) if node.name in self._roots else None
        if not isinstance(node, Select):
            return None
        above_ = self.path(node.operand)
        if above_ is None or not isinstance(beneath(self._shape(above_)), Record):
            return None
        return (*above_, node.field)

    def reachable(self, facts: Facts, path: Path) -> tuple[bool, bool]:
        """Whether the records on the way can be there, and whether one can be missing."""
        spans = [self.span(facts, path[:length]) for length in range(1, len(path))]
        return all(span.some for span in spans), any(span.null for span in spans)

    def value(self, facts: Facts, node: Node) -> Span:
        """What a value can be."""
        path = self.path(node)
        if self.tired():
            return ANYTHING
        return self._field(facts, path) if path is not None else self._computed(facts, node)

    def _field(self, facts: Facts, path: Path) -> Span:
        there, missing = self.reachable(facts, path)
        span = self.span(facts, path)
        span = span if span.known else Span("other", null=span.null, some=span.some)
        return replace(span if there else span.none, error=missing)

    def _computed(self, facts: Facts, node: Node) -> Span:
        match node:
            case Literal():
                found = literal(node.value)
            case Unary(operator="-"):
                found = negative(self.value(facts, node.operand))
            case Binary(operator="+" | "-" | "*" | "/" | "%"):
                found = arithmetic(node.operator, self.value(facts, node.left), self.value(facts, node.right))
            case ListLiteral():
                found = listed([self.value(facts, item) for item in node.items])
            case Conditional():
                found = self._chosen(facts, node)
            case Call(function="size") if len(node.arguments) == 1:
                found = _size(self.value(facts, node.arguments[0]))
            case Logic() | Unary() | Binary() | Has() | Quantifier():
                found = _as_value(self.truth(facts, node))
            case Call() if about_text(node):
                found = _as_value(self.truth(facts, node))
            case _:
                found = ANYTHING
        return found

    def _chosen(self, facts: Facts, node: Conditional) -> Span:
        outcomes = self.truth(facts, node.condition)
        found = Span("other", some=False, error=bool(outcomes & ERROR))
        for outcome, branch in ((TRUE, node.then), (FALSE, node.otherwise)):
            inner = self.narrow(facts, node.condition, outcome) if outcomes & outcome else None
            if inner is not None:
                found = join(found, self.value(inner, branch))
        return found

    def truth(self, facts: Facts, node: Node) -> int:
        """Which outcomes a condition can have."""
        if self.tired():
            return ANY
        match node:
            case Logic():
                found = self._logic(facts, node)
            case Unary(operator="!"):
                found = swapped(self.truth(facts, node.operand))
            case Binary(operator="in"):
                found = _in(self.value(facts, node.left), self.literals(facts, node.right))
            case Binary(operator="<" | "<=" | ">" | ">=" | "==" | "!="):
                found = compared(node.operator, self.value(facts, node.left), self.value(facts, node.right))
            case Conditional():
                found = self._conditional(facts, node)
            case Quantifier():
                found = self._quantifier(facts, node)
            case Has():
                found = self._has(facts, node)
            case Call() if about_text(node):
                found = self._text(facts, node)
            case _:
                found = _as_truth(self.value(facts, node))
        return found

    def _logic(self, facts: Facts, node: Logic) -> int:
        """One operand after the other, each on the records that the ones before have not decided."""
        decides, passes = (FALSE, TRUE) if node.operator == "&&" else (TRUE, FALSE)
        found, running, known = 0, passes, facts
        for operand in node.operands:
            outcomes = self.truth(known, operand)
            found |= outcomes & decides
            undecided = outcomes & (passes | ERROR)
            running = (passes if running & undecided & passes else 0) | ((running | undecided) & ERROR)
            narrowed = self.narrow(known, operand, passes | ERROR) if undecided else None
            if narrowed is None:
                return found
            known = narrowed
        return found | running

    def _conditional(self, facts: Facts, node: Conditional) -> int:
        outcomes = self.truth(facts, node.condition)
        found = outcomes & ERROR
        for outcome, branch in ((TRUE, node.then), (FALSE, node.otherwise)):
            inner = self.narrow(facts, node.condition, outcome) if outcomes & outcome else None
            if inner is not None:
                found |= self.truth(inner, branch)
        return found

    def _quantifier(self, facts: Facts, node: Quantifier) -> int:
        target = self.value(facts, node.target)
        if target.kind not in ("list", "map") or node.kind not in ("exists", "all"):
            return ANY
        path, name = self.path(node.target), node.variable
        shape = beneath(self._shape(path)) if path is not None else None
        item = shape.items if isinstance(shape, Array) else Primitive("string") if isinstance(shape, Map) else None
        around = self._roots
        self._roots = {**around, name: item}
        inner = self.truth({path: span for path, span in facts.items() if path[0] != name}, node.condition)
        self._roots = around
        empty = FALSE if node.kind == "exists" else TRUE
        missing = ERROR if target.null or target.error else 0
        return ((empty | inner) if target.some else 0) | missing

    def _has(self, facts: Facts, node: Has) -> int:
        path = self.path(Select(node.at, node.operand, node.field))
        if path is None:
            return ANY
        there, missing = self.reachable(facts, path)
        span = self.span(facts, path)
        found = ((TRUE if span.some else 0) | (FALSE if span.null else 0)) if there else 0
        return found | (ERROR if missing else 0)

    def _text(self, facts: Facts, node: Call) -> int:
        target, argument = (self.value(facts, each) for each in node.arguments)
        error = ERROR if any(each.error or each.null for each in (target, argument)) else 0
        if not (target.some and argument.some):
            return error
        if target.kind != "string" or argument.kind != "string" or target.values is None or argument.values is None:
            return TRUE | FALSE | error
        holds = text_test(node.function)
        tests = {holds(text, other) for text in target.values for other in argument.values}
        return (TRUE if True in tests else 0) | (FALSE if False in tests else 0) | error

    def literals(self, facts: Facts, node: Node) -> list[Span] | None:
        """What the items of a list that is written out can be."""
        return [self.value(facts, item) for item in node.items] if isinstance(node, ListLiteral) else None


def beneath(shape: Shape | None) -> Shape | None:
    """The shape without its null branch; None where rules cannot look into it."""
    if not isinstance(shape, Union):
        return shape
    others = [branch for branch in shape.branches if branch.kind != "null"]
    return others[0] if len(others) == 1 else None


def swapped(outcomes: int) -> int:
    """The outcomes of the negation."""
    return (outcomes & ERROR) | (FALSE if outcomes & TRUE else 0) | (TRUE if outcomes & FALSE else 0)


def _as_value(outcomes: int) -> Span:
    values = frozenset(value for value in (True, False) if outcomes & (TRUE if value else FALSE))
    return Span("bool", some=bool(values), values=values, error=bool(outcomes & ERROR))


def _as_truth(span: Span) -> int:
    if span.kind != "bool" or span.values is None:
        return ANY
    found = (TRUE if True in span.values else 0) | (FALSE if False in span.values else 0) if span.some else 0
    return found | (ERROR if span.null or span.error else 0)


def _size(span: Span) -> Span:
    if not span.sized:
        return replace(ANYTHING, kind="int", low=0, high=1 << 62)
    high = min(span.high, 1 << 62)  # no record is longer, and integers have an end
    return Span("int", some=span.some, low=span.low, high=high, error=span.error or span.null)


def about_text(node: Call) -> bool:
    """Whether it is a condition on a text and another."""
    return (node.function in TEXTS or node.function == "matches") and len(node.arguments) == 2


def text_test(function: str) -> Callable[[str, str], bool]:
    """The condition such a call stands for."""
    return TEXTS.get(function, _matches)


@lru_cache(maxsize=64)
def _pattern(pattern: str) -> Matches:
    return Matches(pattern)


def _matches(text: str, pattern: str) -> bool:
    return _pattern(pattern)[text]


def _in(span: Span, items: list[Span] | None) -> int:
    if items is None or any(item.error or item.nan for item in items):
        return ANY
    found = ERROR if span.error or span.null else 0
    for item in items:
        found |= compared("==", span, item) & (TRUE | ERROR)
    surely = span.values is not None and not (span.null or span.nan)
    texts = {value for item in items if item.single and item.values is not None for value in item.values}
    covered = surely and span.values is not None and span.known and all(value in texts for value in span.values)
    return found | (0 if covered else FALSE)
