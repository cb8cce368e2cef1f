"""Rules in columns say of every record what rules over single records say, or leave it to them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, event, given, settings
from hypothesis import strategies as st

from mesh.contract.expression import Expression
from mesh.contract.shape import Record, shape_of
from mesh.errors import ContractInvalid
from mesh.judge import RowCodec
from mesh.judge.columns.arrays import Unsupported
from mesh.judge.columns.cursor import Cursor
from mesh.judge.columns.layout import Layout
from mesh.judge.columns.rules import Rules
from mesh.judge.columns.scene import Scene
from mesh.judge.columns.wire import Wire

SYMBOLS = ["red", "green", "blue"]
COLOUR = {"type": "enum", "name": "Colour", "symbols": SYMBOLS}
BACK = {"type": "record", "name": "Back", "fields": [{"name": "n", "type": "long"}]}
SEAT = {
    "type": "record",
    "name": "Seat",
    "fields": [
        {"name": "row", "type": "int"},
        {"name": "letter", "type": ["null", "string"]},
        {
            "name": "back",
            "type": ["null", {"type": "record", "name": "Back", "fields": [{"name": "n", "type": "long"}]}],
        },
    ],
}
TYPES: dict[str, Any] = {
    "i": "int",
    "j": ["null", "int"],
    "l": "long",
    "m": ["null", "long"],
    "d": "double",
    "e": ["null", "double"],
    "f": "float",
    "s": "string",
    "t": ["string", "null"],
    "b": "boolean",
    "c": ["null", "boolean"],
    "u": COLOUR,
    "v": ["null", "Colour"],
    "y": ["null", "bytes"],
    "r": ["null", SEAT],
}
SCHEMA = {"type": "record", "name": "R", "fields": [{"name": name, "type": TYPES[name]} for name in TYPES]}
INTS = st.sampled_from([0, 1, -1, 2, 7, 59, 60, 100, -100, 2359, (1 << 31) - 1, -(1 << 31)])
LONGS = INTS | st.sampled_from(
    [(1 << 53) - 1, 1 << 53, (1 << 53) + 1, -(1 << 53) - 1, 1 << 62, (1 << 62) - 1, (1 << 63) - 1, -(1 << 63)]
)
DOUBLES = st.sampled_from([0.0, -0.0, 1.0, 2.5, -7.9, 100.0, 2.0**53, 2.0**63, -(2.0**63), 1e300, 5e-324]) | (
    st.sampled_from([math.inf, -math.inf, math.nan])
)
TEXTS = st.sampled_from(["", "a", "ab", "abc", "N14228", "é", "éa", "空港空港空港", "abcdefgh", "abcdefghi", "x" * 70])
SEATS = st.fixed_dictionaries(
    {"row": INTS, "letter": st.none() | TEXTS, "back": st.none() | st.fixed_dictionaries({"n": LONGS})}
)
RECORDS = st.fixed_dictionaries(
    {
        "i": INTS,
        "j": st.none() | INTS,
        "l": LONGS,
        "m": st.none() | LONGS,
        "d": DOUBLES,
        "e": st.none() | DOUBLES,
        "f": st.sampled_from([0.0, 1.5, math.inf, math.nan]),
        "s": TEXTS,
        "t": st.none() | TEXTS,
        "b": st.booleans(),
        "c": st.none() | st.booleans(),
        "u": st.sampled_from(SYMBOLS),
        "v": st.none() | st.sampled_from(SYMBOLS),
        "y": st.none() | st.binary(max_size=3),
        "r": st.none() | SEATS,
    }
)
CODEC = RowCodec(SCHEMA)


@cache
def layout() -> Layout:
    shape = shape_of(SCHEMA)
    assert isinstance(shape, Record)
    return Layout.of(shape, ())


@cache
def parsed(text: str) -> tuple[Expression, Callable[[Any], bool]]:
    """A rule, and what says of one record whether it holds."""
    expression = Expression.parse(text)
    return expression, expression.compile(SCHEMA)


def decided(text: str, bodies: list[bytes]) -> tuple[list[bool], list[bool]]:
    """By columns: where the rule holds, and which rows are left to the row judge."""
    holds = Rules(layout()).mask(parsed(text)[0].tree)
    cursor = Cursor(Wire(bodies, layout().room), 0, len(layout().slots))
    layout().read(cursor)
    assert cursor.done().all()
    scene = Scene(cursor.columns, len(bodies))
    with np.errstate(all="ignore"):
        found = holds(scene)
    doubt = scene.doubt if scene.doubt is not None else np.zeros(len(bodies), np.bool_)
    return found.tolist(), doubt.tolist()


def agree(text: str, records: list[dict[str, Any]]) -> int:
    """Compare; the number of rows that columns decided."""
    bodies = [CODEC.encode(record) for record in records]
    rule = parsed(text)[1]
    expected = [rule(CODEC.decode(body)) for body in bodies]
    found, doubt = decided(text, bodies)
    for row, record in enumerate(records):
        assert doubt[row] or found[row] == expected[row], (text, record)
    return doubt.count(False)


ORDERS = ("<", "<=", ">", ">=", "==", "!=")
RULES = [
    *(
        f"message.{a} {op} {b}"
        for op in ("<", "<=", ">", ">=", "==", "!=")
        for a, b in (("i", "7"), ("m", "1"), ("d", "2.5"))
    ),
    *(f"message.{a} {op} message.{b}" for op in ("<", "==", "!=") for a, b in ("ij", "lm", "mj", "de", "fe", "ed")),
    *(f"message.{a} {op} message.{b}" for op in ("<", ">=", "==", "!=") for a, b in ("id", "ld", "me", "el")),
    *(f"message.{a} {op} message.{b}" for op in ("==", "!=") for a, b in ("st", "tt", "uv", "uu", "bc", "cc", "cb")),
    *(f"message.{a} {op} null" for op in ("==", "!=") for a in "ijtcvyr"),
    *(
        f"message.{a} {op} {b} == 7"
        for op in ("+", "-", "*", "/", "%")
        for a, b in (("l", "7"), ("m", "-7"), ("j", "0"))
    ),
    *(f"message.{a} {op} message.{b} <= 7" for op in "+-*/%" for a, b in ("ij", "li", "ml", "lm")),
    *(f"message.{a} {op} message.{b} <= 7.0" for op in "+-*/" for a, b in ("de", "ed", "fd", "dd")),
    "7 - message.l > 0",
    "1.5 / message.d > 0.0",
    "100 / message.i == 100",
    "100 % message.m == 1",
    "-message.m == message.l",
    "-message.d < 1.0",
    "message.l + 60 * 60 * 1000 > 0",
    "message.l - 1 < message.l",
    "message.l * 2 / 2 == message.l",
    "message.l == 9007199254740993",
    "message.l < 1.5",
    "message.d == 1",
    "9007199254740992 <= message.d",
    "double(message.l) == message.d",
    "int(message.d) == message.l",
    "int(message.e) >= 0",
    "message.i != int(message.j)",
    "message.d != double(message.e)",
    "message.b",
    "!message.c",
    "message.c || message.b",
    "message.c == true",
    "message.b != false",
    "message.c && message.j > 0",
    "!(message.c && message.j > 0)",
    "!(message.j > 0 || message.m > 0)",
    "message.j > 0 || message.m > 0 || message.b",
    "message.c ? message.j > 0 : message.m > 0",
    "message.b ? message.j > 0 : true",
    "(message.j > 0) == (message.m > 0)",
    "(message.j == null) == (message.m == null)",
    "message.j == null || message.j % 100 < 60",
    "message.s == 'ab'",
    "message.t != 'ab'",
    "'b' < message.s",
    "message.t <= 'ab'",
    "message.u == 'red'",
    "message.v != 'red'",
    "message.s.startsWith('ab')",
    "message.t.endsWith('a')",
    "message.s.contains('é')",
    "message.t.matches('^[a-z]+$')",
    "message.u.matches('e')",
    "!message.t.matches('^N')",
    "size(message.s) == 6",
    "message.t.size() <= 2",
    "size(message.u) == 3",
    "size(message.y) == 2",
    "message.i in [0, 7, -1, 9223372036854775807]",
    "message.m in [1, null]",
    "message.j in [1]",
    "message.s in ['ab', 'é', 'abcdefghi']",
    "message.t in ['ab', null]",
    "message.v in ['red', 'blue']",
    "has(message.t)",
    "has(message.i)",
    "has(message.r.letter)",
    "!has(message.r.back)",
    "message.r.row > 0",
    "message.r == null || message.r.row > 0",
    "message.r.letter == 'a'",
    "message.r.letter != message.t",
    "message.r.back == null",
    "message.r.back.n < 5",
    "message.r.back == null || message.r.back.n < 5",
    "has(message.r.back.n)",
    "message.r.row + message.i == 0",
    "true",
    "false || message.b",
]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(RECORDS, min_size=1, max_size=60))
def test_every_construct(records: list[dict[str, Any]]) -> None:
    for text in RULES:
        agree(text, records)


@pytest.mark.parametrize("text", RULES)
def test_columns_can_say_it(text: str) -> None:
    assert Expression.parse(text).check(SCHEMA) == []
    Rules(layout()).mask(Expression.parse(text).tree)


@settings(max_examples=15, deadline=None)
@given(st.lists(RECORDS, min_size=1, max_size=20))
def test_what_has_no_form_in_columns_is_decided_record_by_record(records: list[dict[str, Any]]) -> None:
    for text in (
        "message.s + 'a' == 'aa'",
        "message.s < message.t",
        "message.s in [message.t]",
        "[1, 2].exists(x, x == message.i)",
        "(message.b ? message.i : message.j) == 1",
        "message.s.startsWith(message.t)",
        "message.d in [1.5]",
        "message.r.letter + 'a' == 'aa' || message.c",
        "1 < 2 && message.u + '' == 'red'",
    ):
        assert agree(text, records) == len(records)


def test_bytes_are_compared_by_rows_only() -> None:
    assert Expression.parse("message.y == message.y").check(SCHEMA) == []
    with pytest.raises(Unsupported):
        Rules(layout()).mask(Expression.parse("message.y == message.y").tree)


NUMBERS = st.sampled_from([f"message.{name}" for name in "ijlmdef"] + ["message.r.row", "message.r.back.n"])
CONSTANTS = st.sampled_from(
    ["0", "1", "-1", "7", "100", "9007199254740993", "9223372036854775807", "1.0", "2.5", "1e300"]
)
SCALARS = st.recursive(
    NUMBERS | CONSTANTS | st.sampled_from(["size(message.s)", "size(message.t)"]),
    lambda inner: (
        st.tuples(inner, st.sampled_from("+-*/%"), inner).map(lambda parts: f"({' '.join(parts)})")
        | inner.map(lambda part: f"double({part})")
        | inner.map(lambda part: f"int({part})")
        | inner.map(lambda part: f"(-{part})")
    ),
    max_leaves=4,
)
OPERATORS = st.sampled_from(ORDERS)
ATOMS = st.tuples(SCALARS, OPERATORS, SCALARS).map(lambda parts: f"({' '.join(parts)})") | st.sampled_from(
    [f"({rule})" for rule in RULES]
)
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: (
        st.tuples(inner, st.sampled_from(["&&", "||", "==", "!="]), inner).map(lambda p: f"({' '.join(p)})")
        | inner.map(lambda part: f"!{part}")
        | st.tuples(inner, inner, inner).map(lambda p: f"({p[0]} ? {p[1]} : {p[2]})")
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), phases=set(Phase) - {Phase.explain})
@given(CONDITIONS, st.lists(RECORDS, min_size=1, max_size=25))
def test_any_rule(text: str, records: list[dict[str, Any]]) -> None:
    try:
        parsed(text)
    except ContractInvalid:
        assume(False)
    try:
        rows = agree(text, records)
    except Unsupported as unsupported:
        event(f"unsupported: {json.dumps(str(unsupported))}")
    else:
        event(f"decided by columns: {10 * rows // len(records) * 10}%")
