"""What clauses leave of what a value can be, and whether it can keep or break them. Null keeps all but required."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from mesh.contract.clauses import Clause, ClauseKind
from mesh.contract.expression_runtime import Matches
from mesh.contract.reasoning import ANY, FALSE, TRUE, Path
from mesh.contract.span import Span, above, among, below, between

_LOWEST = (ClauseKind.MINIMUM, ClauseKind.EXCLUSIVE_MINIMUM)
_HIGHEST = (ClauseKind.MAXIMUM, ClauseKind.EXCLUSIVE_MAXIMUM)
_LENGTHS = (ClauseKind.MIN_LENGTH, ClauseKind.MAX_LENGTH, ClauseKind.MIN_ITEMS, ClauseKind.MAX_ITEMS)
_STRICT = (ClauseKind.EXCLUSIVE_MINIMUM, ClauseKind.EXCLUSIVE_MAXIMUM)
_MEASURED = ("int", "double", "moment", "decimal")


def path_of(clause: Clause) -> Path:
    """The path of what a clause is about, from ``message``."""
    return ("message", *clause.path.replace("[]", ".[]").replace("{}", ".{}").split("."))


def narrowed(clause: Clause, span: Span) -> Span:
    """What of a span keeps a clause, or a superset of it."""
    if clause.kind is ClauseKind.REQUIRED:
        return span.sure
    if not span.some:
        return span
    kept = replace(_kept(clause, span.sure), null=span.null)
    return span if kept.kind == "other" else kept


def outcomes(clause: Clause, span: Span) -> int:
    """Whether values of a span, null not counted, can keep a clause (TRUE) and can break it (FALSE)."""
    if clause.kind is ClauseKind.REQUIRED:
        return (TRUE if span.some else 0) | (FALSE if span.null else 0)
    if span.values is not None and span.known:
        holds = _test(clause)
        tests = {holds(value) for value in span.values} | ({False} if span.nan else set())
        return (TRUE if True in tests else 0) | (FALSE if False in tests else 0)
    kept = narrowed(clause, span.sure)
    if not kept.some:
        return FALSE if span.some else 0
    if span.kind == "decimal" and clause.kind in _STRICT:  # its spans are closed
        return TRUE | FALSE
    if clause.kind in (*_LOWEST, *_HIGHEST, *_LENGTHS) and _applies(clause, span):
        return TRUE if (kept.low, kept.high, kept.nan) == (span.low, span.high, span.nan) else TRUE | FALSE
    whole = clause.kind is ClauseKind.MULTIPLE_OF and span.kind in ("int", "moment")
    return TRUE if whole and Fraction(1) % Fraction(str(clause.argument)) == 0 else ANY


def _applies(clause: Clause, span: Span) -> bool:
    if clause.kind in _LENGTHS:
        return span.sized
    return span.kind in _MEASURED and not isinstance(clause.argument, str)


def _kept(clause: Clause, span: Span) -> Span:
    kind, argument = clause.kind, clause.argument
    if kind in (*_LOWEST, *_HIGHEST, *_LENGTHS):
        return _bounded(kind, argument, span) if _applies(clause, span) else span
    if kind is ClauseKind.VALUES and isinstance(argument, tuple) and span.known:
        return among(span, argument)
    if kind is ClauseKind.PATTERN and span.values is not None:
        return among(span, [value for value in span.values if _test(clause)(value)])
    if kind is ClauseKind.MULTIPLE_OF and span.kind in ("int", "moment"):
        step = Fraction(str(argument)).numerator  # the whole multiples of p/q are those of p
        return between(span, -(-span.low // step) * step, span.high // step * step)
    return span


def _bounded(kind: ClauseKind, argument: Any, span: Span) -> Span:
    if kind in _LENGTHS:
        lowest = kind in (ClauseKind.MIN_LENGTH, ClauseKind.MIN_ITEMS)
        return between(span, low=argument) if lowest else between(span, high=argument)
    if kind in _LOWEST:
        return between(span, low=above(argument, span.kind, strict=kind in _STRICT))
    return between(span, high=below(argument, span.kind, strict=kind in _STRICT))


def _test(clause: Clause) -> Callable[[Any], bool]:
    """Whether one value keeps a clause."""
    kind, argument = clause.kind, clause.argument
    tests: dict[ClauseKind, Callable[[Any], bool]] = {
        ClauseKind.MINIMUM: lambda value: value >= argument,
        ClauseKind.MAXIMUM: lambda value: value <= argument,
        ClauseKind.EXCLUSIVE_MINIMUM: lambda value: value > argument,
        ClauseKind.EXCLUSIVE_MAXIMUM: lambda value: value < argument,
        ClauseKind.MIN_LENGTH: lambda value: len(value) >= _number(argument),
        ClauseKind.MAX_LENGTH: lambda value: len(value) <= _number(argument),
        ClauseKind.VALUES: lambda value: value in _values(argument),
        ClauseKind.MULTIPLE_OF: lambda value: Fraction(str(value)) % Fraction(str(argument)) == 0,
    }
    if kind is ClauseKind.PATTERN:
        matches = Matches(str(argument))
        return lambda value: matches[value]
    return tests.get(kind, lambda value: True)


def _number(argument: object) -> int:
    return argument if isinstance(argument, int) else 0


def _values(argument: object) -> Sequence[object]:
    return argument if isinstance(argument, tuple) else ()
