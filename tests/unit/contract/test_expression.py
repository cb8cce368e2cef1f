"""The rule language: what it takes, what it refuses and where, and what its rules decide."""

from __future__ import annotations

from typing import Any

import pytest

from mesh.contract.expression import Expression
from mesh.errors import ContractInvalid

PLACE = {"type": "record", "name": "Place", "fields": [{"name": "code", "type": ["null", "string"]}]}
STAMP = {"type": "long", "logicalType": "local-timestamp-millis"}
LEG = {
    "type": "record",
    "name": "Leg",
    "fields": [
        {"name": "stops", "type": {"type": "array", "items": "int"}},
        {"name": "least", "type": "int"},
        {"name": "at", "type": STAMP},
    ],
}
SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "Flight",
    "namespace": "operations",
    "fields": [
        {"name": "delay", "type": ["null", "int"]},
        {"name": "distance", "type": "long"},
        {"name": "speed", "type": "double"},
        {"name": "carrier", "type": "string"},
        {"name": "late", "type": "boolean"},
        {"name": "origin", "type": ["null", PLACE]},
        {"name": "dest", "type": "Place"},
        {"name": "stops", "type": {"type": "array", "items": "int"}},
        {"name": "places", "type": {"type": "array", "items": "operations.Place"}},
        {"name": "counts", "type": {"type": "map", "values": "long"}},
        {"name": "status", "type": {"type": "enum", "name": "Status", "symbols": ["ON", "OFF"]}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "fare", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "either", "type": ["null", "int", "string"]},
        {"name": "raw", "type": "bytes"},
        {"name": "count", "type": "int"},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "clock", "type": {"type": "long", "logicalType": "time-micros"}},
        {"name": "nanos", "type": {"type": "long", "logicalType": "timestamp-nanos"}},
        {"name": "legs", "type": {"type": "array", "items": LEG}},
        {"name": "times", "type": {"type": "array", "items": {"type": "long", "logicalType": "timestamp-micros"}}},
    ],
}
RECORD: dict[str, Any] = {
    "delay": None,
    "distance": 1400,
    "speed": 7.5,
    "carrier": "UA",
    "late": True,
    "origin": None,
    "dest": {"code": "IAH"},
    "stops": [0, 1, 2],
    "places": [{"code": "IAH"}, {"code": None}],
    "counts": {"bags": 3},
    "status": "ON",
    "at": 1357034400000,
    "fare": b"\x01",
    "either": 5,
    "raw": b"abc",
    "count": (1 << 31) - 1,
    "day": 15706,
    "clock": 43_199_999_999,
    "nanos": -1,
    "legs": [{"stops": [1, 2], "least": 0, "at": 0}, {"stops": [3, 4], "least": 2, "at": 1}],
    "times": [0, 999_999],
}


def holds(text: str, **changes: object) -> bool:
    expression = Expression.parse(text)
    assert expression.check(SCHEMA) == []
    return expression.compile(SCHEMA)(RECORD | changes)


@pytest.mark.parametrize(
    "text",
    [
        "message.distance == 1400",
        "message.distance > 1399.5",
        "message.distance in [1, 1400]",
        "message.speed == 7.5 && message.speed <= 8",
        "message.speed in [7.5, 1.0]",
        "-message.distance == -1400 && -message.distance % -3 == -2 && message.count * message.count > 0",
        "message.distance / -3 == -466 && message.distance % -3 == 2 && -message.distance % 3 == -2",
        "double(message.distance) / 0.0 > 1.0e300",
        "int(message.speed) == 7 && int(-message.speed) == -7 && double(message.distance) == 1400.0",
        "message.carrier.startsWith('U') && message.carrier.endsWith(\"A\") && message.carrier.contains('')",
        "message.carrier.matches('^[A-Z]{2}$') && 'x\\ny'.matches('x\\\\sy')",
        "message.carrier + '1' == 'UA1' && size(message.carrier) == 2 && message.carrier.size() == 2",
        "message.late == true && message.late && !(!message.late)",
        "message.delay == null || message.delay <= 5",
        "message.delay != 5",
        "message.delay in [null, 5]",
        "!has(message.delay) && has(message.distance) && !has(message.origin)",
        "has(message.dest.code) && message.dest.code == 'IAH'",
        "message.origin == null && message.dest != null",
        "message.stops.exists(x, x == 2) && message.stops.all(x, x < 3) && message.stops[1] == 1",
        "message.places.exists(p, p.code == 'IAH') && size(message.places) == 2",
        "message.stops == [0, 1, 2] && message.stops != []",
        "2 in message.stops && !(3 in message.stops)",
        "message.counts['bags'] == 3 && message.counts.bags == 3 && 'bags' in message.counts",
        "message.counts.exists(k, k == 'bags') && has(message.counts.bags) && !has(message.counts.bikes)",
        "{'ON': 1, 'OFF': 2}[message.status] == 1",
        "message.status in ['ON', 'OFF']",
        "message.at > timestamp('2013-01-01T09:59:59.999Z') && message.at == timestamp('2013-01-01T05:00:00-05:00')",
        "int(message.at) == 1357034400 && message.at == timestamp(1357034400)",
        "message.at + duration('1h30m') - message.at == duration('5400s')",
        "message.at - duration('1ms') < message.at && message.at != timestamp('2013-01-01T10:00:00.000000001Z')",
        "message.at.getFullYear() == 2013 && message.at.getMonth() == 0 && message.at.getDate() == 1",
        "message.at.getDayOfMonth() == 0 && message.at.getDayOfYear() == 0 && message.at.getDayOfWeek() == 2",
        "message.at.getHours() == 10 && message.at.getHours('-05:30') == 4 && message.at.getMinutes('05:45') == 45",
        "message.at.getDate('-11:00') == 31 && message.at.getFullYear('-11:00') == 2012",
        "message.at.getSeconds() == 0 && message.at.getMilliseconds() == 0 && message.at.getHours('UTC') == 10",
        "duration('-90.5s').getMinutes() == -1 && duration('123.321456789s').getMilliseconds() == 321",
        "duration('90.5s').getSeconds() == 90 && duration('3h').getHours() == 3 && duration('0') == duration('+0s')",
        "message.day < message.at && message.day + duration('10h') == message.at && message.day.getHours() == 0",
        "message.clock == duration('36h') - duration('24h') - duration('1us') && message.clock < duration('12h')",
        "message.at in [message.day, message.at] && !(message.at in [message.day])",
        "timestamp(message.carrier + '') == message.at || message.late",
        "message.nanos == timestamp('1969-12-31T23:59:59.999999999Z') && int(message.nanos) == -1",
        "(message.late ? message.at : message.day) == message.at && has(message.at)",
        "double(message.fare) == 0.01 && double(message.fare) < 1.0",
        "message.places.exists_one(p, p.code == 'IAH') == false || true",
        "message.stops.exists_one(x, x > 1) && !message.stops.exists_one(x, x > 0)",
        "size(message.stops.filter(x, x > 0)) == 2 && message.stops.filter(x, x > 0) == [1, 2]",
        "message.stops.map(x, x * 2) == [0, 2, 4] && message.stops.map(x, x * 2).exists(y, y == 4)",
        "message.legs.all(l, l.stops.all(s, s > l.least)) && message.legs.exists(x, x.stops.exists(x, x == 3))",
        "message.legs.map(l, l.stops).all(s, size(s) == 2) && message.legs.exists(l, 4 in l.stops)",
        "message.legs.all(l, l.at.getFullYear() == 1970) && message.legs.exists(l, l.at > timestamp(0))",
        "message.legs[0].stops[1] == 2 && message.times.all(t, t < timestamp('1970-01-01T00:00:01Z'))",
        "(message.late ? 1 : 2) == 1 && (message.late ? 'a' : 'b') == 'a' && (message.late ? true : false)",
        "(message.late ? message.delay : 4) == null",
        "message.fare != null && message.either != null",
        "size(message.raw) == 3",
        "r'a\\b' == 'a\\\\b' && '\\u0041\\x41\\101' == 'AAA' && '''it's''' == \"it's\"",
        "0x1F == 31 && -0x1F == -31",
        "message.distance == 1400 // a comment",
    ],
)
def test_holds(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "message.delay <= 5",
        "!(message.delay <= 5)",
        "message.delay + 1 == 1 || message.distance / 0 == 1",
        "message.delay == 5",
        "message.origin.code == 'EWR'",
        "message.origin.code.startsWith('E')",
        "message.stops[3] == 1 || message.stops[-1] == 2",
        "message.counts['bikes'] == 1 || message.counts.bikes != 1",
        "message.distance * 9223372036854775807 > 0",
        "-(-9223372036854775807 - 1) > 0",
        "(-9223372036854775807 - 1) / -1 > 0",
        "int(message.speed * 1.0e300) > 0",
        "message.count * message.count * message.count > 0",
        "message.places.all(p, p.code.startsWith('I'))",
        "message.delay in message.stops",
        "true == (message.delay > 1)",
        "(message.delay > 1 ? 1 : 2) > 0",
        "(message.delay > 1 ? true : true)",
        "0.0 / 0.0 == 0.0 / 0.0",
    ],
)
def test_does_not_hold(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "message.delay <= 5 || true",
        "true || message.delay <= 5",
        "!(message.delay <= 5 && false)",
        "(message.delay <= 5 || message.late) && (message.late || message.delay <= 5)",
        "message.stops.exists(x, 1 / x > 0)",
        "!message.stops.all(x, 1 / x > 1)",
        "message.late ? true : message.delay > 1",
    ],
)
def test_errors_absorb(text: str) -> None:
    assert holds(text)


def test_nan_equals_nothing_and_is_in_no_list() -> None:
    nan = float("nan")
    assert not holds("message.speed == message.speed", speed=nan)
    assert not holds("message.speed in [message.speed]", speed=nan)
    assert not holds("message.speed < 1.0 || message.speed >= 1.0", speed=nan)


def test_an_incomplete_record_fulfils_nothing() -> None:
    assert not Expression.parse("message.distance > 0 || true").compile(SCHEMA)({})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("message.distnce > 1", "column 1: there is no field distnce; did you mean distance?"),
        ("distance > 1", "column 1: distance is not known here; write message.distance"),
        ("true && message.dest.town == ''", "column 9: there is no field town"),
        ("message.carrier == 1", "column 1: == cannot compare a string and an integer"),
        ("message.carrier < 1", "column 1: < cannot compare a string and an integer"),
        ("message.late < true", "column 1: < cannot compare a boolean and a boolean"),
        ("message.dest == message.dest", "column 1: == cannot compare a record and a record"),
        ("message.distance + 1.0 > 1.0", "column 1: + does not take an integer and a double; write double(...)"),
        ("message.distance", "column 1: true or false is wanted here, this is an integer"),
        ("message.distance && true", "column 1: true or false is wanted here"),
        ("-message.carrier == ''", "column 1: a string has no negative"),
        ("message.carrier in [1]", "column 1: a string is never in a list of int"),
        ("1 in message.distance", "column 1: in looks into a list or a map, not into an integer"),
        ("message.distance.all(x, true)", "column 1: all walks a list or the keys of a map, not an integer"),
        ("message.distance[0] == 1", "column 1: an integer has no index of type an integer"),
        ("message.distance.size() == 1", "column 1: an integer has no size"),
        ("[1, 'a'] == []", "column 1: the items of a list are of one type"),
        ("{'a': 1, 'a': 2}['a'] == 1", "column 1: the keys of a map are texts, written out, each once"),
        ("(message.late ? 1 : 'a') == 1", "column 2: both outcomes of ?: are of one type, not an integer and a string"),
        ("message.carrier.matches('(')", "column 25: RE2 does not take the pattern: missing ): ("),
        ("message.carrier.matches(message.carrier)", "column 25: a pattern is written out, not computed"),
        ("startsWith(message.carrier, 'U')", "column 1: startsWith is used as text.startsWith('...')"),
        (
            "message.fare > 1",
            "column 1: > cannot compare a decimal and an integer; write double(...) around the decimal",
        ),
        (
            "message.at > 1357034399999",
            "column 1: > cannot compare a timestamp and an integer; write a moment as timest",
        ),
        ("message.at == message.clock", "column 1: == cannot compare a timestamp and a duration; write a moment as"),
        ("message.at + 60 > message.at", "column 1: + does not take a timestamp and an integer; write duration('90s')"),
        ("message.at + message.at > message.at", "column 1: + does not take a timestamp and a timestamp"),
        ("-message.clock < message.clock", "column 1: a duration has no negative; write duration('0s') - ..."),
        (
            "timestamp('2013-02-29T00:00:00Z') == message.at",
            "column 11: '2013-02-29T00:00:00Z' is not a timestamp; one",
        ),
        ("timestamp('2013-01-01') == message.at", "column 11: '2013-01-01' is not a timestamp; one is written as in"),
        ("message.clock < duration('1d')", "column 26: '1d' is not a duration; one is written as in duration('1h30m')"),
        ("message.at.getHours('Europe/Paris') == 1", "column 21: 'Europe/Paris' is not a zone whose offset never chan"),
        (
            "message.at.getHours(message.carrier) == 1",
            "column 21: this is not a zone whose offset never changes; write",
        ),
        ("message.carrier.getHours() == 1", "column 1: a string has no getHours; write timestamp(...) around it"),
        ("message.clock.getFullYear() == 1", "column 1: a duration has no getFullYear"),
        ("int(message.clock) == 1", "column 1: int converts numbers, not a duration; write x.getSeconds()"),
        ("timestamp(message.late) == message.at", "column 1: timestamp does not take a boolean; one is written as in"),
        ("message.at in message.times", "column 1: in does not look for a timestamp; write list.exists(x, x == ...)"),
        ("message.times == [message.at]", "column 1: == cannot compare a list of timestamp and a list of timestamp"),
        (
            "message.carrier.lowerAscii() == 'a'",
            "column 1: lowerAscii with 1 argument(s) is not a function of the rule",
        ),
        ("size(message.stops.map(x, message.carrier)) > 1", "column 27: map gives numbers, times, truths or parts of"),
        (
            "message.stops.exists(x, message.carrier == message.dest.code)",
            "column 25: both sides are the same for ever",
        ),
        ("message.legs.exists(l, l.stops.exists(s, l.stops[0] in l.stops))", "column 56: in inside a loop looks into"),
        (
            "message.stops.exists(x, timestamp(message.carrier) == message.at)",
            "column 25: timestamp of a text inside a",
        ),
        ("message.carrier in message.dest.code", "column 1: in looks into a list or a map, not into a string; write"),
        ("message.either == 5", "column 1: == cannot compare a value that rules cannot look into and an integer"),
        ("message.stops.exists(x, message.stops.exists(y, x == y))", "column 25: a loop inside a loop"),
        (
            "message.stops.exists(x, x in message.stops)",
            "column 30: in inside a loop looks into a list that is written",
        ),
        ("message.stops.exists(x, message.carrier.contains('a'))", "column 25: contains inside a loop applies to"),
        ("message.counts.exists(x, x + message.carrier == '')", "column 26: inside a loop + applies to"),
        ("message.stops.exists(x, true) && x == 1", "column 34: x is not known here"),
    ],
)
def test_check_says_what_and_where(text: str, problem: str) -> None:
    (found,) = Expression.parse(text).check(SCHEMA)
    assert found.startswith(problem)
    with pytest.raises(ContractInvalid):
        Expression.parse(text).compile(SCHEMA)


def test_check_says_everything_at_once() -> None:
    assert len(Expression.parse("message.a == 1 &&\n message.b == 2").check(SCHEMA)) == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "column 1: the expression is not valid CEL"),
        ("1 +", "column 4: the expression is not valid CEL: it ends too early"),
        ("message.x ===", "column 13: the expression is not valid CEL: '=' is not expected here"),
        ("true &&\n  ) ", "line 2, column 3: the expression is not valid CEL: ')' is not expected here"),
        ("message.x == 1u", "column 14: an unsigned number is not part of the rule language; write 5, not 5u"),
        ("b'a' == message.x", "column 1: a bytes literal is not part of the rule language"),
        ("Foo{a: 1} == null", "column 1: building an object is not part of the rule language"),
        (".message.x == 1", "column 1: a leading dot is not part of the rule language"),
        ("9223372036854775808 > 0", "column 1: 9223372036854775808 does not fit 64 bits"),
        ("1e999 > 0.0", "column 1: 1e999 is too large for a double"),
        ("'\\q' == ''", "column 1: \\q is not an escape of CEL"),
        ("'\\ud800' == ''", "column 1: a string holds half of a surrogate pair"),
        ("has(message)", "column 1: has takes one field, as in has(message.gate)"),
        ("message.x.all(1, true)", "column 1: all takes a variable and a condition"),
        ("message.x.all(message, true)", "column 1: all takes a variable and a condition"),
        ("(" * 40 + "true" + ")" * 40, "column 34: the expression is nested deeper than 32 levels"),
        ("true || " * 600 + "true", "column 1: the expression is 4804 characters long; 4096 is the limit"),
    ],
)
def test_parse_refuses_with_a_place(text: str, problem: str) -> None:
    with pytest.raises(ContractInvalid) as refused:
        Expression.parse(text)
    (found,) = refused.value.problems
    assert found.startswith(problem)


def test_source_that_explodes_is_refused() -> None:
    nested = "true"
    for _ in range(15):
        nested = f"({nested} ? message.delay > 1 : false)"
    for text in (nested, " == ".join(["(message.delay > 1)"] * 30)):
        (found,) = Expression.parse(text).check(SCHEMA)
        assert found.endswith("the expression is too complex; split it into several rules")


@pytest.mark.parametrize("scale", [-1, 10**9])
def test_a_decimal_beyond_reason_is_not_computed_with(scale: int) -> None:
    decimal = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": scale}
    schema = {"type": "record", "name": "R", "fields": [{"name": "d", "type": decimal}]}
    (problem,) = Expression.parse("double(message.d) > 1.0").check(schema)
    assert problem.startswith("column 1: double converts numbers, not a value that rules cannot look into")


def test_rules_apply_to_records_only() -> None:
    assert Expression.parse("true").check("string") == [
        "column 1: rules apply to records, the schema is of another type"
    ]


def test_what_is_no_schema_and_what_contains_itself() -> None:
    assert Expression.parse("true").check({"type": "record", "name": "R"}) == [
        "the record: record R has no list of fields"
    ]
    loop = {"type": "record", "name": "L", "fields": [{"name": "next", "type": ["null", "L"]}]}
    assert Expression.parse("message.next == null").check(loop) == []
    assert Expression.parse("message.next.next == null").check(loop) == [
        "column 1: a value that rules cannot look into has no field next"
    ]


def test_texts_of_a_rule_stay_texts() -> None:
    hostile = "'); import os  # \\\\"
    text = 'message.carrier == "\'); import os  # \\\\\\\\"'
    assert holds(text, carrier=hostile)
    assert not holds(text)


def test_long_chains_are_not_deep() -> None:
    assert holds(" || ".join(["message.delay == 1"] * 150 + ["true"]))


def test_equal_text_is_an_equal_expression() -> None:
    assert Expression.parse("true") == Expression.parse("true")
    assert hash(Expression.parse("1 == 1")) == hash(Expression.parse("1 == 1"))
