"""Rules decide what cel-python decides, on generated rules and records.

cel-python 0.5 does not follow CEL's equality of different types (null == 5 is an error to it), comparisons between int
and double, conversions of null and the division of doubles by zero, so those operators are given to it as the language
definition has them; sums and products keep their CEL type. Parsing, precedence, absorption of errors, arithmetic of
integers, overflow, macros and functions are its own.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable
from typing import Any

import celpy
from celpy import celtypes
from celpy.adapter import json_to_cel
from celpy.evaluation import CELEvalError
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from mesh.contract.expression import Expression

SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "i", "type": "long"},
        {"name": "j", "type": "int"},
        {"name": "n", "type": ["null", "long"]},
        {"name": "d", "type": "double"},
        {"name": "e", "type": ["null", "double"]},
        {"name": "s", "type": "string"},
        {"name": "t", "type": ["null", "string"]},
        {"name": "b", "type": "boolean"},
        {"name": "c", "type": ["null", "boolean"]},
        {"name": "l", "type": {"type": "array", "items": "long"}},
        {"name": "m", "type": {"type": "array", "items": ["null", "long"]}},
        {"name": "k", "type": {"type": "map", "values": "long"}},
        {
            "name": "r",
            "type": ["null", {"type": "record", "name": "Inner", "fields": [{"name": "x", "type": ["null", "long"]}]}],
        },
    ],
}
LONG = st.one_of(st.integers(-3, 3), st.sampled_from([-(1 << 63), (1 << 63) - 1, 1 << 62]))
DOUBLE = st.one_of(st.integers(-3, 3).map(float), st.sampled_from([0.5, -0.0, 1e300, math.inf, math.nan]))
TEXT = st.text("ab", max_size=3)
RECORD = st.fixed_dictionaries(
    {
        "i": LONG,
        "j": st.integers(-3, 3),
        "n": st.none() | LONG,
        "d": DOUBLE,
        "e": st.none() | DOUBLE,
        "s": TEXT,
        "t": st.none() | TEXT,
        "b": st.booleans(),
        "c": st.none() | st.booleans(),
        "l": st.lists(LONG, max_size=3),
        "m": st.lists(st.none() | LONG, max_size=3),
        "k": st.dictionaries(st.sampled_from("ab"), LONG, max_size=2),
        "r": st.none() | st.fixed_dictionaries({"x": st.none() | LONG}),
    }
)

Texts = st.SearchStrategy[str]


def _binary(left: Texts, operators: list[str], right: Texts) -> Texts:
    return st.tuples(left, st.sampled_from(operators), right).map(lambda parts: f"({' '.join(parts)})")


def _choice(condition: Texts, branch: Texts) -> Texts:
    return st.tuples(condition, branch, branch).map(lambda parts: f"({parts[0]} ? {parts[1]} : {parts[2]})")


def _longs(depth: int, variable: str) -> Texts:
    names = ["message.i", "message.j", "message.n", "message.r.x", "message.k.a", "message.k['b']", "size(message.s)"]
    names += ["message.l[0]", "message.m[1]", "size(message.l)", *([variable] if variable else [])]
    leaf = st.sampled_from(names) | LONG.map(str)
    if depth == 0:
        return leaf
    inner = st.deferred(lambda: _longs(depth - 1, variable))
    return st.one_of(
        leaf,
        _binary(inner, ["+", "-", "*", "/", "%"], inner),
        inner.map(lambda text: f"-({text})"),
        _doubles(depth - 1).map(lambda text: f"int({text})"),
        _choice(_bools(depth - 1, variable), inner),
    )


def _doubles(depth: int) -> Texts:
    leaf = st.sampled_from(["message.d", "message.e", "1.5", "0.0", "-2.0"])
    if depth == 0:
        return leaf
    inner = st.deferred(lambda: _doubles(depth - 1))
    whole = _longs(depth - 1, "").map(lambda text: f"double({text})")
    return st.one_of(leaf, _binary(inner, ["+", "-", "*", "/"], inner), whole)


def _texts(depth: int) -> Texts:
    leaf = st.sampled_from(["message.s", "message.t", "''", "'a'", '"ab"'])
    return leaf if depth == 0 else leaf | _binary(_texts(depth - 1), ["+"], _texts(depth - 1))


def _atoms(depth: int, variable: str) -> Texts:
    longs, doubles, texts = _longs(depth, variable), _doubles(depth), _texts(min(depth, 1))
    everything = ["==", "!=", "<", "<=", ">", ">="]
    options = [
        st.sampled_from(["message.b", "message.c", "true", "false"]),
        _binary(longs, everything, longs | doubles),
        _binary(st.sampled_from(["message.n", "message.e", "message.t", "message.c"]), ["==", "!="], st.just("null")),
        _binary(longs, ["in"], st.sampled_from(["[1, 2]", "[null, 3]", "[message.i, 0]"])),
    ]
    if not variable:
        methods = st.sampled_from(["startsWith", "endsWith", "contains"])
        options += [
            _binary(texts, everything, texts),
            _binary(doubles, everything, doubles),
            _binary(longs, ["in"], st.sampled_from(["message.l", "message.m"])),
            _binary(texts, ["in"], st.sampled_from(["message.k", "['a', 'ab']"])),
            st.tuples(texts, methods, texts).map(lambda parts: f"{parts[0]}.{parts[1]}({parts[2]})"),
            texts.map(lambda text: f"{text}.matches('^a+$|b{{2}}')"),
            _quantified(depth),
        ]
    return st.one_of(options)


def _quantified(depth: int) -> Texts:
    source = st.sampled_from(["message.l", "message.m", "[message.i, message.n, 1]"])
    kind = st.sampled_from(["exists", "all"])
    inner = st.deferred(lambda: _bools(max(depth - 1, 0), "x"))
    return st.tuples(source, kind, inner).map(lambda parts: f"{parts[0]}.{parts[1]}(x, {parts[2]})")


def _bools(depth: int, variable: str = "") -> Texts:
    atom = _atoms(max(depth - 1, 0), variable)
    if depth == 0:
        return atom
    inner = st.deferred(lambda: _bools(depth - 1, variable))
    return st.one_of(
        atom,
        _binary(inner, ["&&", "||"], inner),
        inner.map(lambda text: f"!({text})"),
        _choice(inner, inner),
        _binary(inner, ["==", "!="], inner),
    )


def _number(value: Any) -> bool:
    return isinstance(value, celtypes.IntType | float)


def _equal(left: Any, right: Any) -> Any:
    for error in (left, right):
        if isinstance(error, CELEvalError):
            return error
    if left is None or right is None:
        return celtypes.BoolType(left is right)
    if _number(left) and _number(right):
        return celtypes.BoolType(_python(left) == _python(right))
    return celtypes.BoolType(left == right)


def _python(value: Any) -> float:
    return float(value) if isinstance(value, float) else int(value)


def _unequal(left: Any, right: Any) -> Any:
    equal = _equal(left, right)
    return equal if isinstance(equal, CELEvalError) else celtypes.BoolType(not equal)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    def order(left: Any, right: Any) -> Any:
        for error in (left, right):
            if isinstance(error, CELEvalError):
                return error
        if _number(left) and _number(right):
            return celtypes.BoolType(compare(_python(left), _python(right)))
        if isinstance(left, str) and isinstance(right, str):
            return celtypes.BoolType(compare(str(left), str(right)))
        raise TypeError("no such overload")

    return order


def _within(item: Any, container: Any) -> Any:
    for error in (item, container):
        if isinstance(error, CELEvalError):
            return error
    if isinstance(container, celtypes.MapType):
        return celtypes.BoolType(item is not None and item in container)
    return celtypes.BoolType(any(_equal(item, each) for each in container))


def _quotient(left: Any, right: Any) -> Any:
    if not isinstance(left, float) or not isinstance(right, float) or right:
        return left / right
    top, sign = float(left), math.copysign(1.0, left) * math.copysign(1.0, right)
    return celtypes.DoubleType(math.nan if top == 0 or math.isnan(top) else sign * math.inf)


def _not_of_null(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def converted(value: Any) -> Any:
        if value is None:
            raise TypeError("no such overload")
        try:
            return convert(value)
        except OverflowError:  # which cel-python lets through
            raise ValueError("overflow") from None

    return converted


def _kept(apply: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def applied(left: Any, right: Any) -> Any:
        value = apply(left, right)
        if type(value) is str:
            return celtypes.StringType(value)
        return celtypes.DoubleType(value) if type(value) is float else value

    return applied


FUNCTIONS: dict[str, Any] = {
    "_+_": _kept(operator.add),
    "_-_": _kept(operator.sub),
    "_*_": _kept(operator.mul),
    "int": _not_of_null(celtypes.IntType),
    "double": _not_of_null(celtypes.DoubleType),
    "_/_": _quotient,
    "_==_": _equal,
    "_!=_": _unequal,
    "_<_": _ordered(operator.lt),
    "_<=_": _ordered(operator.le),
    "_>_": _ordered(operator.gt),
    "_>=_": _ordered(operator.ge),
    "_in_": _within,
}


def _environment() -> celpy.Environment:
    limit = sys.getrecursionlimit()
    try:
        return celpy.Environment()  # which raises the limit for good
    finally:
        sys.setrecursionlimit(limit)


ENVIRONMENT = _environment()


def by_celpy(text: str, record: dict[str, Any]) -> bool:
    program = ENVIRONMENT.program(ENVIRONMENT.compile(text), functions=FUNCTIONS)
    try:
        outcome = program.evaluate({"message": json_to_cel(record)})
    except CELEvalError:
        return False
    return isinstance(outcome, celtypes.BoolType) and bool(outcome)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_bools(3), RECORD)
def test_verdicts_are_those_of_cel_python(text: str, record: dict[str, Any]) -> None:
    expression = Expression.parse(text)
    problems = expression.check(SCHEMA)
    if problems:  # too complex, or a branch of ?: that only nullable types tell apart
        event("refused")
        return
    ours = expression.compile(SCHEMA)(record)
    event(f"holds: {ours}")
    assert ours == by_celpy(text, record)
