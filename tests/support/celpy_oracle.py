"""What cel-python, interpreting, says of a rule and a record; where it leaves CEL's definition it is put right.

``DEVIATIONS`` lists where, with the place in the definition; a test keeps each row true of cel-python as it is.
"""

from __future__ import annotations

import math
import operator
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import celpy
from celpy import celtypes
from celpy.evaluation import CELEvalError, Evaluator, function_getMilliseconds, function_size

from mesh.contract.expression_types import Type

DEVIATIONS: list[tuple[str, str, str, str]] = [
    # rule, what cel-python 0.5 says of it, what CEL says, where
    ("null == 5", "error", "false", "langdef, Equality: types that differ are unequal"),
    ("null in [1]", "error", "false", "langdef, Equality; in is by equality"),
    ("1 < 1.5", "error", "true", "langdef, Ordering: numbers compare by value, across types"),
    ("0.0 / 0.0 != 1.0 && -1.0 / 0.0 < 0.0 && 1.0 / -0.0 < 0.0", "false", "true", "langdef, Numeric Values: IEEE 754"),
    (
        "int(timestamp('1969-12-31T23:59:58.5Z')) == -2",
        "false",
        "true",
        "cel-go and cel-cpp: Unix seconds, rounded down",
    ),
    ("timestamp(0) == timestamp('1970-01-01T00:00:00Z')", "error", "true", "langdef: timestamp(int), Unix seconds"),
    ("timestamp('2013-01-01') == timestamp('2013-01-01T00:00:00Z')", "true", "error", "langdef: RFC 3339 only"),
    ("duration('1ns') == duration('0s')", "true", "false", "langdef: durations count nanoseconds"),
    ("duration('1d') == duration('24h')", "true", "error", "langdef: units h, m, s, ms, us, ns"),
    ("duration('90000h') * 2 == duration('0s')", "false", "error", "langdef: no product of durations"),
    (
        "timestamp('9999-12-31T23:59:59Z') - timestamp('0001-01-01T00:00:00Z') > duration('0s')",
        "true",
        "error",
        "conformance, timestamps.textproto: sub_time_duration_over",
    ),
    ("duration('123.321456789s').getMilliseconds() == 321", "false", "true", "conformance: duration_converters"),
    ("timestamp('0001-01-01T00:00:00Z').getFullYear('-01:00') == 0", "raises", "true", "langdef: parts in any zone"),
    (
        "false && [0].exists_one(x, 1 / x > 0)",
        "error",
        "false",
        "langdef, Logical Operators: false absorbs every error",
    ),
    ("size([0].filter(x, 1 / x > 0)) == 1 || true", "error", "true", "langdef, Logical Operators"),
    ("(null && true) == null", "true", "error", "langdef, Logical Operators: null is no boolean, an error"),
    ("null / 0.0 > 1.0", "true", "error", "langdef: no overload of / takes null"),
    ("size([null].filter(x, x)) == 0", "true", "error", "langdef, Macros: the condition is a boolean, null is none"),
    ("(duration('2h') - duration('1h')).getHours() == 1", "error", "true", "langdef: the difference is a duration"),
    ("size(null) == 0", "true", "error", "langdef: size is of strings, bytes, lists and maps"),
    ("duration('4000000h') == duration('4000000h')", "true", "error", "cel-go: durations are 64 bits of nanoseconds"),
]
"""Rules about which cel-python 0.5 and CEL's definition (github.com/google/cel-spec, doc/langdef.md) do not agree."""

_LONGEST = timedelta(microseconds=(1 << 63) // 1000)
_HAS = re.compile(r"has\(([\w.]+)\)")


def _number(value: Any) -> bool:
    return isinstance(value, celtypes.IntType | float)


def _python(value: Any) -> float:
    return float(value) if isinstance(value, float) else int(value)


def _first_error(*values: Any) -> Any:
    return next((value for value in values if isinstance(value, CELEvalError)), None)


def _equal(left: Any, right: Any) -> Any:
    if (error := _first_error(left, right)) is not None:
        return error
    if left is None or right is None:
        return celtypes.BoolType(left is right)
    if _number(left) and _number(right):
        return celtypes.BoolType(_python(left) == _python(right))
    if isinstance(left, list) and isinstance(right, list):
        return celtypes.BoolType(len(left) == len(right) and all(map(_equal, left, right)))
    return celtypes.BoolType(left == right)


def _unequal(left: Any, right: Any) -> Any:
    equal = _equal(left, right)
    return equal if isinstance(equal, CELEvalError) else celtypes.BoolType(not equal)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    def order(left: Any, right: Any) -> Any:
        if (error := _first_error(left, right)) is not None:
            return error
        if _number(left) and _number(right):
            return celtypes.BoolType(compare(_python(left), _python(right)))
        for kind in (str, datetime, timedelta):
            if isinstance(left, kind) and isinstance(right, kind):
                return celtypes.BoolType(compare(left, right))
        raise TypeError("no such overload")

    return order


def _within(item: Any, container: Any) -> Any:
    if (error := _first_error(item, container)) is not None:
        return error
    if isinstance(container, celtypes.MapType):
        return celtypes.BoolType(item is not None and item in container)
    return celtypes.BoolType(any(_equal(item, each) for each in container))


def _quotient(left: Any, right: Any) -> Any:
    if left is None or right is None:
        raise TypeError("no such overload")
    if not isinstance(left, float) or not isinstance(right, float) or right:
        return left / right
    top, sign = float(left), math.copysign(1.0, left) * math.copysign(1.0, right)
    return celtypes.DoubleType(math.nan if top == 0 or math.isnan(top) else sign * math.inf)


def _converted(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def converted(value: Any) -> Any:
        if value is None:
            raise TypeError("no such overload")
        try:
            return convert(value)
        except OverflowError:  # which cel-python lets through
            raise ValueError("overflow") from None

    return converted


def _integer(value: Any) -> Any:
    if isinstance(value, datetime):
        return celtypes.IntType((value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1))
    return celtypes.IntType(value)


def _moment(value: Any) -> Any:
    if isinstance(value, celtypes.IntType):
        return celtypes.TimestampType(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(value)))
    return celtypes.TimestampType(value)


def _kept(apply: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def applied(left: Any, right: Any) -> Any:
        value = apply(left, right)
        if isinstance(value, timedelta) and not -_LONGEST <= value <= _LONGEST:
            raise ValueError("beyond 64 bits of nanoseconds")
        if type(value) is timedelta:
            return celtypes.DurationType(value)
        if type(value) is str:
            return celtypes.StringType(value)
        return celtypes.DoubleType(value) if type(value) is float else value

    return applied


def _milliseconds(value: Any, *zone: Any) -> Any:
    if not isinstance(value, timedelta):
        return function_getMilliseconds(value, *zone)
    size = abs(value) // timedelta(milliseconds=1) % 1000
    return celtypes.IntType(-size if value < timedelta(0) else size)


def _logic(decide: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def decided(left: Any, right: Any) -> Any:
        left, right = (CELEvalError("no such overload") if side is None else side for side in (left, right))
        # Two errors are an error that cel-python cannot print.
        return left if isinstance(left, CELEvalError) and isinstance(right, CELEvalError) else decide(left, right)

    return decided


def _size(value: Any) -> Any:
    if value is None:
        raise TypeError("no such overload")
    return function_size(value)


FUNCTIONS: dict[str, Any] = {
    "size": _size,
    "_&&_": _logic(celtypes.logical_and),
    "_||_": _logic(celtypes.logical_or),
    "_+_": _kept(operator.add),
    "_-_": _kept(operator.sub),
    "_*_": _kept(operator.mul),
    "int": _converted(_integer),
    "double": _converted(celtypes.DoubleType),
    "timestamp": _converted(_moment),
    "getMilliseconds": _milliseconds,
    "_/_": _quotient,
    "_==_": _equal,
    "_!=_": _unequal,
    "_<_": _ordered(operator.lt),
    "_<=_": _ordered(operator.le),
    "_>_": _ordered(operator.gt),
    "_>=_": _ordered(operator.ge),
    "_in_": _within,
}


@cache
def environment() -> celpy.Environment:
    """cel-python's parser; its constructor would raise Python's recursion limit for good."""
    limit = sys.getrecursionlimit()
    try:
        return celpy.Environment()
    finally:
        sys.setrecursionlimit(limit)


_METHOD: Any = Evaluator.member_dot_arg
_REPR = CELEvalError.__repr__


def _method(evaluator: Any, tree: Any) -> Any:
    try:
        return _METHOD(evaluator, tree)
    except CELEvalError as error:  # of exists_one, filter or map: an outcome as any other
        return error
    except TypeError:  # a loop over null
        return CELEvalError("no such overload")


@contextmanager
def _absorbing() -> Iterator[None]:
    Evaluator.member_dot_arg = _method  # type: ignore[method-assign]
    # Its own cannot print every tree, and fails where a loop meets two errors and wants to say so.
    CELEvalError.__repr__ = Exception.__repr__  # type: ignore[method-assign]
    try:
        yield
    finally:
        Evaluator.member_dot_arg = _METHOD  # type: ignore[method-assign]
        CELEvalError.__repr__ = _REPR  # type: ignore[method-assign]


class Interpreted:
    """One rule by cel-python. ``has(a.b)`` is what rules take it for: that a.b is not null."""

    def __init__(self, text: str, *, corrected: bool = True) -> None:
        """Compile; as cel-python is where it is not ``corrected``."""
        source = _HAS.sub(r"(\1 != null)", text)
        self._around = _absorbing if corrected else nullcontext
        self._program: Any = environment().program(
            environment().compile(source), functions=FUNCTIONS if corrected else None
        )

    def outcome(self, message: Any) -> str:
        """``true``, ``false`` or ``error``."""
        try:
            with self._around():
                outcome = self._program.evaluate({"message": message})
        except CELEvalError:
            return "error"
        if not isinstance(outcome, celtypes.BoolType):
            return "error"
        return "true" if outcome else "false"


def message(value: Any, type_: Type) -> Any:
    """A plain value of a record as cel-python's."""
    match value, type_.kind:
        case None, _:
            return None
        case dict(), "record":
            return celtypes.MapType(
                {celtypes.StringType(name): message(value[name], part) for name, part in type_.fields.items()}
            )
        case dict(), _:
            return celtypes.MapType({celtypes.StringType(k): message(v, type_.element) for k, v in value.items()})
        case list(), _:
            return celtypes.ListType([message(item, type_.element) for item in value])
        case int(), "timestamp" | "duration":
            return _time(value, type_)
    makers: Mapping[str, Any] = {
        "int": celtypes.IntType,
        "double": celtypes.DoubleType,
        "string": celtypes.StringType,
        "bool": celtypes.BoolType,
        "bytes": celtypes.BytesType,
    }
    return makers[type_.kind](value)


def _time(value: int, type_: Type) -> Any:
    assert value * type_.unit % 1000 == 0, "cel-python has microseconds"
    try:
        since = timedelta(microseconds=value * type_.unit // 1000)
        if type_.kind == "timestamp":
            return celtypes.TimestampType(datetime(1970, 1, 1, tzinfo=UTC) + since)
    except OverflowError:
        return CELEvalError("out of range")
    return celtypes.DurationType(since) if -_LONGEST <= since <= _LONGEST else CELEvalError("out of range")
