"""What a value can be: a range, or a finite set, and whether it can be null, NaN or an error. Never too little."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from mesh.contract.shape import Array, Enum, Fixed, Logical, Map, Primitive, Record, Shape, Union

INT32: Final = (-(1 << 31), (1 << 31) - 1)
INT64: Final = (-(1 << 63), (1 << 63) - 1)
# Larger sets are only known by their bounds; every pair of two sets is tried.
MOST: Final = 256

_SIZED: Final = ("string", "bytes", "list", "map")


@dataclass(frozen=True, slots=True)
class Span:
    """A superset of what a value can be.

    ``kind`` is int, double, string, bool, bytes, list, map, record, null, or what rules do not look into: moment (a
    logical time, in its own unit), decimal, other. ``low`` and ``high`` bound numbers, and the length of texts, bytes,
    lists and maps; both are within. ``values`` lists what is possible, if that is finite. ``some``: it can be something
    else than null.
    """

    kind: str
    null: bool = False
    some: bool = True
    low: Any = -math.inf
    high: Any = math.inf
    values: frozenset[Any] | None = None
    nan: bool = False
    error: bool = False

    @property
    def empty(self) -> bool:
        """Whether nothing is left."""
        return not (self.some or self.null)

    @property
    def sized(self) -> bool:
        """Whether the bounds are those of its length."""
        return self.kind in _SIZED

    @property
    def numeric(self) -> bool:
        return self.kind in ("int", "double")

    @property
    def sure(self) -> Span:
        """Without null."""
        return replace(self, null=False)

    @property
    def nothing(self) -> Span:
        """Its null alone."""
        return replace(self, some=False)

    @property
    def none(self) -> Span:
        """Nothing of it."""
        return replace(self, some=False, null=False)

    @property
    def single(self) -> bool:
        """Whether it is one value that is known."""
        return (
            self.some
            and not (self.null or self.nan or self.error)
            and self.values is not None
            and len(self.values) == 1
        )

    @property
    def known(self) -> bool:
        """Whether rules can look into it."""
        return self.kind not in ("moment", "decimal", "other")


def span_of(shape: Shape) -> Span:
    """Everything a value of a schema can be."""
    match shape:
        case Union():
            found = _union(shape)
        case Enum():
            found = among(Span("string", low=0), shape.symbols)
        case Array() | Map():
            found = Span("list" if isinstance(shape, Array) else "map", low=0)
        case Record():
            found = Span("record")
        case Fixed():
            found = Span("decimal") if shape.logical else Span("bytes", low=shape.size, high=shape.size)
        case Primitive():
            found = _primitive(shape.kind, shape.logical)
    return found


def _union(shape: Union) -> Span:
    others = [branch for branch in shape.branches if branch.kind != "null"]
    if not others:
        return Span("null", null=True, some=False)
    inner = span_of(others[0]) if len(others) == 1 else Span("other")
    return replace(inner, null=len(others) < len(shape.branches) or inner.null)


def _primitive(kind: str, logical: Logical | None) -> Span:
    if logical is not None and logical.name == "decimal":
        return Span("decimal")
    if kind in ("int", "long"):
        low, high = INT32 if kind == "int" else INT64
        return Span("moment" if logical is not None else "int", low=low, high=high)
    if kind in ("float", "double"):
        return Span("double", nan=True)
    if kind == "boolean":
        return Span("bool", values=frozenset({False, True}))
    return Span("null", null=True, some=False) if kind == "null" else Span(kind, low=0)


def literal(value: float | str | bool | None) -> Span:
    """One value."""
    if value is None:
        return Span("null", null=True, some=False)
    if isinstance(value, bool):
        return Span("bool", values=frozenset({value}))
    if isinstance(value, str):
        return Span("string", low=len(value), high=len(value), values=frozenset({value}))
    kind = "int" if isinstance(value, int) else "double"
    if isinstance(value, float) and math.isnan(value):
        return Span("double", nan=True)
    return Span(kind, low=value, high=value, values=frozenset({value}))


def between(span: Span, low: Any = -math.inf, high: Any = math.inf) -> Span:
    """What of it lies between two bounds, both within; NaN does not. Bounds of texts and lists are lengths."""
    low, high = max(span.low, low), min(span.high, high)
    if span.kind in ("int", "moment"):
        low, high = (low if low == -math.inf else math.ceil(low)), (high if high == math.inf else math.floor(high))
    narrowed = replace(span, low=low, high=high, nan=False, some=span.some and low <= high)
    if span.values is None or span.kind == "bool":
        return narrowed
    kept = frozenset(v for v in span.values if low <= (len(v) if span.sized else v) <= high)
    return replace(narrowed, values=kept, some=span.some and bool(kept))


def among(span: Span, values: Iterable[Any]) -> Span:
    """What of it is one of these values."""
    exact = _exact(span.kind, values)
    inside = (v for v in exact if span.kind == "bool" or span.low <= (len(v) if span.sized else v) <= span.high)
    kept = frozenset(v for v in inside if span.values is None or v in span.values)
    if not kept:
        return replace(span, values=kept, some=False, nan=False)
    if span.kind == "bool":
        return replace(span, values=kept)
    sizes = [len(v) for v in kept] if span.sized else list(kept)
    return replace(span, values=kept if len(kept) <= MOST else None, low=min(sizes), high=max(sizes), nan=False)


def _exact(kind: str, values: Iterable[Any]) -> Iterable[Any]:
    """Numbers as the kind holds them, without those it cannot hold: 5.0 is the integer 5, 5.5 is none."""
    if kind == "int":
        return (int(value) for value in values if value == value // 1)
    return (float(value) for value in values if float(value) == value) if kind == "double" else values


def without(span: Span, value: Any) -> Span:
    """All of it but one value, where that can be said."""
    if span.values is not None:
        kept = frozenset(v for v in span.values if v != value)
        return replace(span, values=kept, some=span.some and bool(kept or span.nan))
    if span.kind == "int" and value in (span.low, span.high):
        return between(span, span.low + (value == span.low), span.high - (value == span.high))
    return span


def join(first: Span, second: Span) -> Span:
    """What is one or the other."""
    if first.empty or second.empty:
        left, other = (second, first) if first.empty else (first, second)
        return replace(left, error=left.error or other.error)
    null, error = first.null or second.null, first.error or second.error
    if not (first.some and second.some):
        return replace(first if first.some else second, null=null, error=error)
    if first.kind != second.kind:
        return Span("other", null=null, error=error)
    values = None
    if first.values is not None and second.values is not None:
        values = first.values | second.values
    return Span(
        kind=first.kind,
        null=null,
        low=min(first.low, second.low),
        high=max(first.high, second.high),
        values=values if values is not None and len(values) <= MOST else None,
        nan=first.nan or second.nan,
        error=error,
    )


def below(bound: Any, kind: str, *, strict: bool) -> Any:
    """The highest value of a kind that is below a number, or the number itself unless ``strict``."""
    if kind in ("int", "moment") or not isinstance(bound, int | float):
        return bound if math.isinf(bound) or not isinstance(bound, int | float) else _whole(bound, strict=strict)
    return _double(bound, strict=strict)


def above(bound: Any, kind: str, *, strict: bool) -> Any:
    """The lowest value of a kind that is above a number, or the number itself unless ``strict``."""
    return -below(-bound, kind, strict=strict)


def _whole(bound: float, *, strict: bool) -> int:
    floor = math.floor(bound)
    return floor - 1 if strict and floor == bound else floor


def _double(bound: float, *, strict: bool) -> float:
    near = float(bound)
    if near > bound:  # an integer that no double holds
        return math.nextafter(near, -math.inf)
    return math.nextafter(near, -math.inf) if strict and near == bound else near
