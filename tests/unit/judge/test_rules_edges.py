"""Edges of rules where arrays and Python part: rounding, overflow, signs, null beside null, no outcome at all."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from mesh.contract.expression import Expression
from mesh.contract.shape import Record, shape_of
from mesh.judge import RowCodec
from mesh.judge.columns.column import Whole
from mesh.judge.columns.cursor import Cursor
from mesh.judge.columns.layout import Layout
from mesh.judge.columns.rules import Rules
from mesh.judge.columns.scene import Scene
from mesh.judge.columns.wire import Wire

WIDE = 1 << 53
HALF = 3_037_000_499  # the largest whole number whose square fits 63 bits
ORDERS = ("<", "<=", ">", ">=", "==", "!=")
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
CLOCK = {"type": "long", "logicalType": "time-micros"}


def by_columns(types: dict[str, Any], text: str, records: list[dict[str, Any]]) -> list[str]:
    """Outcomes; ``?`` where columns leave a row to the rows."""
    schema = {"type": "record", "name": "R", "fields": [{"name": name, "type": types[name]} for name in types]}
    shape, codec = shape_of(schema), RowCodec(schema)
    assert isinstance(shape, Record)
    layout = Layout.of(shape, ())
    wanted = Rules(layout).condition(Expression.parse(text).tree)
    bodies = [codec.encode(record) for record in records]
    cursor = Cursor(Wire(bodies, layout.room), 0, len(layout.slots))
    with np.errstate(all="ignore"):
        layout.read(cursor)
        scene = Scene(cursor.columns, len(records))
        yes, maybe = wanted.of(scene)
    assert cursor.done().all()
    names = np.where(yes, "true", np.where(maybe, "error", "false"))
    return (names if scene.doubt is None else np.where(scene.doubt, "?", names)).tolist()  # type: ignore[no-any-return]


def by_rows(types: dict[str, Any], text: str, records: list[dict[str, Any]]) -> list[str]:
    schema = {"type": "record", "name": "R", "fields": [{"name": name, "type": types[name]} for name in types]}
    expression = Expression.parse(text)
    assert expression.check(schema) == []
    source = expression.source(schema)
    loads = [f"    {variable} = m[{name!r}]" for variable, name in source.loads.items()]
    space: dict[str, Any] = dict(source.constants)
    exec("\n".join(("def test(m):", *loads, f"    return {source.holds}, {source.undecided}")), space)  # noqa: S102
    found = [space["test"](record) for record in records]
    return ["error" if undecided else str(bool(holds)).lower() for holds, undecided in found]


def agree(types: dict[str, Any], text: str, records: list[dict[str, Any]]) -> list[str]:
    """What columns say, which is what rows say, or a question mark."""
    found, right = by_columns(types, text, records), by_rows(types, text, records)
    for record, ours, theirs in zip(records, found, right, strict=True):
        assert ours in ("?", theirs), (text, record)
    return found


@pytest.mark.parametrize("order", ORDERS)
def test_integers_beside_doubles_at_two_to_the_53(order: str) -> None:
    types = {"l": "long", "d": "double", "n": ["null", "long"]}
    longs = [0, WIDE - 1, WIDE, WIDE + 1, -WIDE, -WIDE - 1, (1 << 63) - 1, -(1 << 63)]
    doubles = [0.0, float(WIDE), float(WIDE) + 2, -float(WIDE), 2.0**63, -(2.0**63)]
    records = [{"l": a, "d": b, "n": a} for a, b in product(longs, doubles)]
    for text in (f"message.l {order} message.d", f"message.d {order} message.l", f"message.n {order} message.d"):
        found = agree(types, text, records)
        exact = ["?" not in outcome for outcome in found]
        assert exact == [abs(record["l"]) <= WIDE for record in records], text
    assert "?" not in agree(types, f"message.d {order} {WIDE - 1}", records)


@pytest.mark.parametrize("operator", "+-*")
def test_sums_and_products_at_the_end_of_64_bits(operator: str) -> None:
    types = {"a": "long", "b": "long"}
    edges = [0, 1, -1, 2, HALF, -HALF, HALF + 1, (1 << 62) - 1, 1 << 62, -(1 << 62), (1 << 63) - 1, -(1 << 63)]
    records = [{"a": a, "b": b} for a, b in product(edges, edges)]
    for text in (f"message.a {operator} message.b >= 0", f"-(message.a {operator} message.b) >= 0"):
        found = agree(types, text, records)
        small = [abs(record["a"]) <= 2 and abs(record["b"]) <= HALF for record in records]
        assert not any(outcome == "?" for outcome, plain in zip(found, small, strict=True) if plain)
    right = by_rows(types, f"message.a {operator} message.b >= 0", records)
    assert {"true", "false", "error"} == set(right)


def test_the_negative_of_the_lowest_integer() -> None:
    records = [{"a": a} for a in (-(1 << 63), -(1 << 63) + 1, 0, (1 << 63) - 1)]
    assert by_rows({"a": "long"}, "-message.a > 0", records) == ["error", "true", "false", "false"]
    assert agree({"a": "long"}, "-message.a > 0", records)[1:] == ["true", "false", "false"]


@pytest.mark.parametrize("operator", "/%")
def test_quotients_truncate_and_remainders_have_the_sign_of_the_left(operator: str) -> None:
    types = {"a": "long", "b": "long"}
    records = [{"a": a, "b": b} for a, b in product((*range(-9, 10), (1 << 63) - 1, -(1 << 63)), (-7, -3, -2, 1, 2, 3))]
    for wanted in range(-4, 5):
        assert "?" not in agree(types, f"message.a {operator} message.b == {wanted}", records)
        for divisor in (-3, 3):
            assert "?" not in agree(types, f"message.a {operator} {divisor} == {wanted}", records)
            assert "?" not in agree(types, f"{divisor} {operator} message.b == {wanted}", records)
    odd = [{"a": a, "b": b} for a, b in ((5, 0), (-(1 << 63), -1), (5, -1))]
    agree(types, f"message.a {operator} message.b == -5", odd)
    assert by_rows(types, "message.a / message.b == -5", odd) == ["error", "error", "true"]


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        ("long", [1, 2]),
        ("double", [1.0, float("nan")]),
        ("string", ["a", "b"]),
        ("boolean", [True, False]),
        (MILLIS, [0, 1]),
        (CLOCK, [0, 1]),
        ({"type": "enum", "name": "E", "symbols": ["x", "y"]}, ["x", "y"]),
    ],
)
def test_null_equals_null_and_nothing_else(type_: Any, values: list[Any]) -> None:
    named = type_["name"] if isinstance(type_, dict) and "name" in type_ else type_
    types = {"a": ["null", type_], "b": ["null", named], "c": named}
    some = [None, *values]
    records = [{"a": a, "b": b, "c": values[0]} for a, b in product(some, some)]
    for left, right in ("ab", "ba", "ac", "ca", "aa"):
        equal = agree(types, f"message.{left} == message.{right}", records)
        unequal = agree(types, f"message.{left} != message.{right}", records)
        assert {*equal, *unequal} <= {"true", "false"}
        for record, is_equal, is_unequal in zip(records, equal, unequal, strict=True):
            one, other = record[left], record[right]
            same = one == other if None not in (one, other) else one is other
            assert (is_equal, is_unequal) == (str(same).lower(), str(not same).lower()), (left, right, record)


NAMES = {True: "true", False: "false", None: "error"}


@pytest.mark.parametrize("types", [("null", "null"), ("null", ""), ("", "null")])
def test_both_outcomes_of_an_error_are_merged(types: tuple[str, str]) -> None:
    columns = {name: ["null", "boolean"] if null else "boolean" for name, null in zip("ab", types, strict=True)}
    choices = [[True, False, None] if null else [True, False] for null in types]
    records = [dict(zip("ab", values, strict=True)) for values in product(*choices)]
    for text in ("message.a && message.b", "message.a || message.b", "!(message.a && message.b) || message.a"):
        assert "?" not in agree(columns, text, records)
    both = agree(columns, "message.a && message.b", records)
    either = agree(columns, "message.a || message.b", records)
    for record, ands, ors in zip(records, both, either, strict=True):
        values = [record["a"], record["b"]]
        assert ands == ("false" if False in values else NAMES[None if None in values else True])
        assert ors == ("true" if True in values else NAMES[None if None in values else False])


def test_a_choice_and_a_comparison_keep_errors() -> None:
    types = {name: ["null", "boolean"] for name in "abc"}
    records = [dict(zip("abc", values, strict=True)) for values in product((True, False, None), repeat=3)]
    found = agree(types, "message.a ? message.b : message.c", records)
    for record, outcome in zip(records, found, strict=True):
        chosen = None if record["a"] is None else record["b"] if record["a"] else record["c"]
        assert outcome == NAMES[chosen]
    for text in ("(message.a && message.b) == (message.b || message.c)", "message.a && message.b && message.c"):
        assert "?" not in agree(types, text, records)


def test_a_choice_of_values_may_be_null() -> None:
    types = {name: ["null", "boolean"] for name in "ab"} | {"l": ["null", "long"], "k": "long", "t": ["null", MILLIS]}
    records = [
        {"a": a, "b": b, "l": n, "k": (1 << 63) - 1, "t": n}
        for a, b, n in product((True, False, None), (True, None), (1, None))
    ]
    for text in (
        "(message.a ? message.b : true) == null",
        "(message.a ? message.b : false) == false",
        "(message.a ? message.l : message.k) != 1",
        "(message.a ? message.l : 7) + 1 == 8",
        "(message.a ? message.t : timestamp(0)) == timestamp(0)",
        "(message.a ? message.k : 0) + 1 > 0",
    ):
        agree(types, text, records)
    assert agree(types, "(message.a ? message.b : true) == null", records).count("true") == 2


def test_times_at_the_ends_of_their_ranges() -> None:
    types = {"a": ["null", MILLIS], "c": CLOCK}
    first, last, longest = -62_135_596_800_000, 253_402_300_799_999, 9_223_372_036_854_775
    moments, lengths = [None, 0, first, first - 1, last, last + 1, (1 << 63) - 1], [0, longest, longest + 1, -longest]
    records = [{"a": a, "c": c} for a, c in product(moments, lengths)]
    for text in (
        "message.a == null",
        "message.a + message.c > timestamp(0)",
        "message.a - message.c > timestamp(0)",
        "message.a - timestamp(0) > message.c",
        "message.c + message.c > duration('0s')",
        "duration('0s') - message.c - message.c < duration('0s')",
        "message.a.getFullYear() >= 1970 || message.c.getMilliseconds() > -1",
        "message.c.getSeconds() % 2 == 0 && message.c.getHours() <= 0",
        "int(message.a) / 60 < 0",
        "message.a in [timestamp(0), null]",
    ):
        found = agree(types, text, records)
        assert "?" not in found
        assert "error" in found


def test_doubts_about_items_are_doubts_about_their_record() -> None:
    line = {"type": "record", "name": "L", "fields": [{"name": "xs", "type": {"type": "array", "items": "long"}}]}
    types = {"l": {"type": "array", "items": "long"}, "p": {"type": "array", "items": line}, "d": "double"}
    lists = [[], [1], [1, WIDE + 1], [WIDE + 1, 2, 1], [(1 << 63) - 1, 3], [-(1 << 63)]]
    records: list[dict[str, Any]] = [
        {"l": items, "p": [{"xs": []}, {"xs": items}, {"xs": [2]}], "d": d}
        for items, d in product(lists, (1.0, float(WIDE), 2.0**63))
    ]
    for text in (
        "message.l.exists(x, x == message.d)",
        "message.l.all(x, x != message.d)",
        "message.l.exists_one(x, x == message.d)",
        "size(message.l.filter(x, x * x > 0)) > 0",
        "message.p.exists(p, p.xs.exists(x, x == message.d))",
        "message.p.all(p, p.xs.all(x, x * x > 0))",
    ):
        found = agree(types, text, records)
        small = [all(abs(item) <= WIDE for item in record["l"]) for record in records]
        assert not any(outcome == "?" for outcome, plain in zip(found, small, strict=True) if plain), text
        assert "?" in found


def test_loops_over_null_are_errors() -> None:
    types = {"l": ["null", {"type": "array", "items": "long"}], "m": ["null", {"type": "map", "values": "long"}]}
    records: list[dict[str, Any]] = [
        {"l": items, "m": entries} for items, entries in product((None, [], [1], [2, 1]), (None, {}, {"a": 1}))
    ]
    for text in (
        "message.l.exists(x, x == 1)",
        "message.l.all(x, x == 1)",
        "message.l.exists_one(x, x < 3)",
        "size(message.l.filter(x, x == 1)) == 0",
        "message.m.all(k, k == 'a')",
        "size(message.l) >= 0",
    ):
        found = agree(types, text, records)
        missing = [record["m" if ".m" in text else "l"] is None for record in records]
        assert [outcome == "error" for outcome in found] == missing, text
    guarded = agree(types, "message.l == null || message.l.all(x, x == 1)", records)
    assert set(guarded) == {"true", "false"}


def test_what_stands_in_the_place_of_null_is_not_looked_at() -> None:
    shape = shape_of({"type": "record", "name": "R", "fields": [{"name": "a", "type": ["null", MILLIS]}]})
    assert isinstance(shape, Record)
    rules = Rules(Layout.of(shape, ()))
    column = Whole(np.array([False, True, True]), np.array([(1 << 63) - 1, 0, (1 << 63) - 1]))
    for text, right in (("message.a == null", ["true", "false", "error"]), ("message.a != timestamp(0)", None)):
        yes, maybe = rules.condition(Expression.parse(text).tree).of(Scene([column], 3))
        assert np.where(yes, "true", np.where(maybe, "error", "false")).tolist() == (
            right or ["true", "false", "error"]
        )
