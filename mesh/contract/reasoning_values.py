"""Comparisons and arithmetic over what values can be; results are supersets of the truth."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from mesh.contract.expression_runtime import divide, quotient, remainder
from mesh.contract.span import INT64, MOST, Span, literal

ANYTHING: Final = Span("other", null=True, error=True)
ORDERS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
NEGATED: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_TRUE, _FALSE, _ERROR = 1, 2, 4
_PAIRS: Final = 4096
_FOLDED: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": quotient,
    "%": remainder,
}


def compared(order: str, left: Span, right: Span) -> int:
    """The outcomes of a comparison: null is equal to null alone, and has no order."""
    error = _ERROR if left.error or right.error else 0
    if order in ORDERS:
        error |= _ERROR if left.null or right.null else 0
        return (_ordered(order, left, right) if left.some and right.some else 0) | error
    equal = _equal(left, right) if left.some and right.some else 0
    equal |= _TRUE if left.null and right.null else 0
    equal |= _FALSE if (left.null and right.some) or (left.some and right.null) else 0
    if order == "!=":
        equal = (_FALSE if equal & _TRUE else 0) | (_TRUE if equal & _FALSE else 0)
    return equal | error


def _ordered(order: str, left: Span, right: Span) -> int:
    if _both_listed(left, right):
        return _tried(ORDERS[order], left, right)
    if not (left.numeric and right.numeric):
        return _TRUE | _FALSE
    if order in (">", ">="):
        order, left, right = {">": "<", ">=": "<="}[order], right, left
    holds = ORDERS[order]
    found = _TRUE if holds(left.low, right.high) else 0
    return found | (_FALSE if left.nan or right.nan or not holds(left.high, right.low) else 0)


def _equal(left: Span, right: Span) -> int:
    if _both_listed(left, right):
        return _tried(operator.eq, left, right)
    if not (left.known and right.known) or not ((left.numeric and right.numeric) or left.kind == right.kind):
        return _TRUE | _FALSE
    if left.kind in ("record", "bool"):
        return _TRUE | _FALSE
    overlap = left.low <= right.high and right.low <= left.high
    for one, other in ((left, right), (right, left)):
        if one.values is not None:
            overlap = overlap and any(other.low <= (len(v) if one.sized else v) <= other.high for v in one.values)
    return (_TRUE if overlap else 0) | _FALSE


def _both_listed(left: Span, right: Span) -> bool:
    if left.values is None or right.values is None or len(left.values) * len(right.values) > _PAIRS:
        return False
    return left.kind == right.kind or (left.numeric and right.numeric)


def _tried(holds: Callable[[Any, Any], bool], left: Span, right: Span) -> int:
    found = _FALSE if left.nan or right.nan else 0
    for one in left.values or ():
        for other in right.values or ():
            found |= _TRUE if holds(one, other) else _FALSE
    return found


def negative(span: Span) -> Span:
    """``-span``; null and the lowest integer have no negative."""
    if not span.numeric:
        return ANYTHING
    values = frozenset(-value for value in span.values) if span.values is not None else None
    found = replace(span.sure, low=-span.high, high=-span.low, values=values, error=span.error or span.null)
    return _within(found) if span.kind == "int" else found


def arithmetic(sign: str, left: Span, right: Span) -> Span:
    """The result of an operation; null is an error, so is an integer beyond 64 bits and a division by zero."""
    error = left.error or left.null or right.error or right.null
    if not (left.some and right.some):
        return Span("other", some=False, error=True)
    if left.kind == right.kind == "int":
        return _integers(sign, left, right, error=error)
    if left.kind == right.kind == "double" and sign in "+-*/":
        return _doubles(sign, left, right, error=error)
    if left.kind == right.kind == "string" and sign == "+":
        return _texts(left, right, error=error)
    return ANYTHING


def _integers(sign: str, left: Span, right: Span, *, error: bool) -> Span:
    if left.values is not None and right.values is not None and len(left.values) * len(right.values) <= MOST:
        pairs = [(one, other) for one in left.values for other in right.values if sign in "+-*" or other != 0]
        zero = sign in "/%" and 0 in right.values
        found = frozenset(_FOLDED[sign](one, other) for one, other in pairs)
        if not found:
            return Span("int", some=False, error=True)
        return _within(Span("int", low=min(found), high=max(found), values=found, error=error or zero))
    if sign in "+-*":
        corners = [_FOLDED[sign](one, other) for one in (left.low, left.high) for other in (right.low, right.high)]
        return _within(Span("int", low=min(corners), high=max(corners), error=error))
    low, high = _divided(sign, left, right)
    return _within(Span("int", low=low, high=high, error=error or right.low <= 0 <= right.high))


def _divided(sign: str, left: Span, right: Span) -> tuple[int, int]:
    """Bounds of a quotient or a remainder, both of which truncate toward zero."""
    most = max(abs(left.low), abs(left.high))
    if sign == "%":
        most = min(most, max(abs(right.low), abs(right.high)) - 1) if (right.low, right.high) != (0, 0) else most
        return (0 if left.low >= 0 else -most), (0 if left.high <= 0 else most)
    if right.low > 0:
        corners = [quotient(one, other) for one in (left.low, left.high) for other in (right.low, right.high)]
        return min(corners), max(corners)
    return -most, most


def _within(span: Span) -> Span:
    """An integer beyond 64 bits is an error."""
    low, high = INT64
    if span.low >= low and span.high <= high:
        return span
    values = frozenset(v for v in span.values if low <= v <= high) if span.values is not None else None
    some = span.some and span.low <= high and span.high >= low and (values is None or bool(values))
    return replace(span, low=max(span.low, low), high=min(span.high, high), values=values, some=some, error=True)


def _doubles(sign: str, left: Span, right: Span, *, error: bool) -> Span:
    if left.single and right.single and left.values is not None and right.values is not None:
        (one,), (other,) = left.values, right.values
        result = divide(one, other) if sign == "/" else _folded(sign, one, other)
        return replace(literal(result), error=error)
    return Span("double", nan=True, error=error)


def _folded(sign: str, one: float, other: float) -> float:
    result: float = _FOLDED[sign](one, other)
    return result


def _texts(left: Span, right: Span, *, error: bool) -> Span:
    if left.values is not None and right.values is not None and len(left.values) * len(right.values) <= MOST:
        values = frozenset(one + other for one in left.values for other in right.values)
        sizes = [len(value) for value in values]
        return Span("string", low=min(sizes), high=max(sizes), values=values, error=error)
    return Span("string", low=left.low + right.low, high=left.high + right.high, error=error)


def listed(items: Sequence[Span]) -> Span:
    """A list that is written out."""
    return Span("list", low=len(items), high=len(items), error=any(item.error for item in items))
