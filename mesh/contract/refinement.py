"""Refinement: what is known of the fields of those records on which a condition has a certain outcome."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mesh.contract.expression_tree import Binary, Call, Conditional, Has, Logic, Name, Node, Select, Unary
from mesh.contract.reasoning import ANY, ERROR, FALSE, TRUE, Facts, Path, Reasoning, about_text, swapped, text_test
from mesh.contract.reasoning_values import NEGATED
from mesh.contract.span import Span, above, among, below, between, join, without

_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


class Reasoner(Reasoning):
    """Evaluates rules over records of one shape."""

    def narrow(self, facts: Facts, node: Node, wanted: int) -> Facts | None:
        """What is known on the records where a condition has one of these outcomes; None if there is no such record."""
        if wanted == ANY or self.tired():
            return facts
        match node:
            case Logic():
                return self._narrow_logic(facts, node, wanted)
            case Unary(operator="!"):
                return self.narrow(facts, node.operand, swapped(wanted))
            case Conditional():
                return self._narrow_conditional(facts, node, wanted)
        return self._narrow_leaf(facts, node, wanted) if self.truth(facts, node) & wanted else None

    def _narrow_leaf(self, facts: Facts, node: Node, wanted: int) -> Facts | None:
        found: Facts | None = facts
        match node:
            case Binary(operator="==" | "!="):
                found = self._narrow_equality(facts, node, wanted if node.operator == "==" else swapped(wanted))
            case Binary(operator="<" | "<=" | ">" | ">="):
                found = self._narrow_comparison(facts, node, wanted)
            case Binary(operator="in"):
                found = self._narrow_in(facts, node, wanted)
            case Has():
                found = self._narrow_has(facts, node, wanted)
            case Call() if about_text(node):
                found = self._narrow_text(facts, node, wanted)
            case Name() | Select():
                found = self._narrow_plain(facts, node, wanted)
        return found

    def _narrow_equality(self, facts: Facts, node: Binary, wanted: int) -> Facts | None:
        found = self._narrow_equal(facts, node.left, self.value(facts, node.right), wanted)
        if found is None:
            return None
        return self._narrow_equal(found, node.right, self.value(found, node.left), wanted)

    def _narrow_comparison(self, facts: Facts, node: Binary, wanted: int) -> Facts | None:
        found = self._narrow_order(facts, node.operator, (node.left, self.value(facts, node.right)), wanted)
        if found is None:
            return None
        return self._narrow_order(found, _MIRRORED[node.operator], (node.right, self.value(found, node.left)), wanted)

    def _narrow_logic(self, facts: Facts, node: Logic, wanted: int) -> Facts | None:
        decides, passes = (FALSE, TRUE) if node.operator == "&&" else (TRUE, FALSE)
        found: Facts | None = None
        if wanted & (passes | ERROR):
            each = passes if not wanted & ERROR else passes | ERROR
            found = facts
            for operand in node.operands:
                found = self.narrow(found, operand, each) if found is not None else None
        if wanted & decides:
            for operand in node.operands:
                found = self._either(found, self.narrow(facts, operand, decides))
        return found

    def _narrow_conditional(self, facts: Facts, node: Conditional, wanted: int) -> Facts | None:
        found = self.narrow(facts, node.condition, ERROR) if wanted & ERROR else None
        for outcome, branch in ((TRUE, node.then), (FALSE, node.otherwise)):
            inner = self.narrow(facts, node.condition, outcome)
            found = self._either(found, self.narrow(inner, branch, wanted) if inner is not None else None)
        return found

    def _either(self, first: Facts | None, second: Facts | None) -> Facts | None:
        if first is None or second is None:
            return second if first is None else first
        return {path: join(span, second[path]) for path, span in first.items() if path in second}

    def _set(self, facts: Facts, path: Path, span: Span, wanted: int) -> Facts | None:
        """The facts with a narrower span; the records on the way are there unless an error is wanted too."""
        if wanted & ERROR and self.reachable(facts, path)[1]:
            return facts  # the error may be that of a record that is missing: then the field is not there at all
        found = dict(facts)
        for length in range(1, len(path)):
            found[path[:length]] = self.span(found, path[:length]).sure
        found[path] = span
        return None if any(found[path[:length]].empty for length in range(1, len(path) + 1)) else found

    def _narrow_equal(self, facts: Facts, node: Node, other: Span, wanted: int) -> Facts | None:
        path = self.path(node)
        if path is None or (other.error and wanted & ERROR):
            return facts
        span = self.span(facts, path)
        if not span.known:  # only null can be told
            kept = _null_parts(span, other, wanted)
            return self._set(facts, path, kept, wanted)
        found = span.none
        if wanted & TRUE:
            found = join(found, _meet(span, other))
        if wanted & FALSE:
            found = join(found, _unequal(span, other))
        if wanted & ERROR:
            return facts
        return self._set(facts, path, found, wanted)

    def _narrow_order(self, facts: Facts, order: str, sides: tuple[Node, Span], wanted: int) -> Facts | None:
        node, other = sides
        sized = isinstance(node, Call) and node.function == "size" and len(node.arguments) == 1
        path = self.path(node.arguments[0] if sized and isinstance(node, Call) else node)
        if path is None or (wanted & ERROR and (other.error or other.null)):
            return facts
        span = self.span(facts, path)
        if not (other.numeric and (span.numeric or (sized and span.sized))):
            return facts if wanted & ERROR else self._set(facts, path, span.sure, wanted)
        found = span.nothing if wanted & ERROR else span.none
        if wanted & TRUE:
            found = join(found, _clipped(span.sure, order, other))
        if wanted & FALSE:
            found = join(found, span.sure if span.nan or other.nan else _clipped(span.sure, NEGATED[order], other))
        return self._set(facts, path, found, wanted)

    def _narrow_in(self, facts: Facts, node: Binary, wanted: int) -> Facts | None:
        path, items = self.path(node.left), self.literals(facts, node.right)
        if path is None or items is None or wanted != TRUE or not self.span(facts, path).known:
            return facts
        span = self.span(facts, path)
        found = span.none
        for item in items:
            found = join(found, _meet(span, item))
        return self._set(facts, path, found, wanted)

    def _narrow_has(self, facts: Facts, node: Has, wanted: int) -> Facts | None:
        path = self.path(Select(node.at, node.operand, node.field))
        if path is None or wanted & ERROR:
            return facts
        span = self.span(facts, path)
        return self._set(
            facts, path, span.sure if wanted == TRUE else span.nothing if wanted == FALSE else span, wanted
        )

    def _narrow_text(self, facts: Facts, node: Call, wanted: int) -> Facts | None:
        path = self.path(node.arguments[0])
        if path is None or wanted & ERROR:
            return facts
        span, argument = self.span(facts, path), self.value(facts, node.arguments[1])
        if span.values is None or not argument.single or argument.values is None:
            return self._set(facts, path, span.sure, wanted)
        (text,), holds = argument.values, text_test(node.function)
        kept = {value for value in span.values if wanted & (TRUE if holds(value, text) else FALSE)}
        return self._set(facts, path, among(span.sure, kept), wanted)

    def _narrow_plain(self, facts: Facts, node: Node, wanted: int) -> Facts | None:
        path = self.path(node)
        if path is None or wanted & ERROR or self.span(facts, path).kind != "bool":
            return facts
        kept = {value for value in (False, True) if wanted & (TRUE if value else FALSE)}
        return self._set(facts, path, among(self.span(facts, path).sure, kept), wanted)


def _meet(span: Span, other: Span) -> Span:
    """What of a span can equal something of another."""
    null = span.null and other.null
    if not (span.some and other.some):
        return replace(span, some=False, null=null)
    if not other.known or (other.kind != span.kind and not (span.numeric and other.numeric)):
        return replace(span, null=null)
    if other.values is not None:
        return replace(among(span.sure, other.values), null=null)
    if span.numeric or span.sized:
        return replace(between(span.sure, other.low, other.high), null=null)
    return replace(span, null=null)


def _unequal(span: Span, other: Span) -> Span:
    """What of a span can differ from something of another."""
    if not other.some:
        return span.sure if other.null and not other.error else span
    if other.single and other.values is not None and other.known:
        (value,) = other.values
        return without(span, value) if span.some else span
    return span


def _null_parts(span: Span, other: Span, wanted: int) -> Span:
    if other.some or not other.null or wanted & ERROR:
        return span
    return span.nothing if wanted == TRUE else span.sure if wanted == FALSE else span


def _clipped(span: Span, order: str, other: Span) -> Span:
    """What of a span can be in this order with something of another."""
    kind = "int" if span.sized else span.kind
    strict = order in ("<", ">")
    if order in ("<", "<="):
        return between(span, high=below(other.high, kind, strict=strict))
    return between(span, low=above(other.low, kind, strict=strict))
