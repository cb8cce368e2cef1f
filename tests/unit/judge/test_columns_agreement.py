"""Columns pass exactly the rows that the row judge passes: the demo's contracts, generated ones, broken bodies."""

from __future__ import annotations

import json
import math
import random
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from mesh.contract import Contract
from mesh.judge import Batch
from tests.support.columns import GOOD, Pair, broken, demo

MUTATIONS = 12_000
"""Per contract of the demo."""
PART = 2_000
QUICK = (Phase.explicit, Phase.reuse, Phase.generate)
"""Contracts are slow to draw: what fails is shown as it is."""


@cache
def pair(name: str) -> Pair:
    return Pair(demo(name))


def good(name: str) -> tuple[list[bytes], list[bytes | None]]:
    records = [pair(name).complete(record) for record in GOOD[name]]
    return [pair(name).value(record) for record in records], [pair(name).key(record) for record in records]


@pytest.mark.parametrize("name", sorted(GOOD))
def test_good_records_pass_in_columns(name: str) -> None:
    values, keys = good(name)
    assert pair(name).same(values, keys).doubtful == []
    assert pair(name).same(values[:1], keys[:1]).doubtful == []
    assert pair(name).same([], []).doubtful == []


@pytest.mark.parametrize("name", sorted(GOOD))
def test_broken_bodies(name: str) -> None:
    values, keys = good(name)
    chance, copies = random.Random(name), PART // len(values)
    passed = 0
    for _ in range(MUTATIONS // PART):
        passed += PART - len(pair(name).same(list(broken(values * copies, chance)), keys * copies).doubtful)
    assert 0 < passed < MUTATIONS / 4


@pytest.mark.parametrize("name", sorted(GOOD))
def test_broken_keys(name: str) -> None:
    values, keys = good(name)
    chance = random.Random(name)
    others: list[bytes | None] = [*keys, None, b"", b"\x00", b"\x00\x00\x00\x00\x07" + (keys[0] or b"")[5:], keys[0]]
    others += broken([key for key in keys if key] * 300, chance)
    bodies = [values[row % len(values)] for row in range(len(others))]
    passed = len(others) - len(pair(name).same(bodies, others).doubtful)
    assert 2 <= passed < len(others) / 4


def test_broken_bodies_cost_only_themselves() -> None:
    name = "operations/flights"
    values, keys = good(name)
    chance = random.Random(1)
    for _ in range(40):
        batch, wrong = values * 20, sorted(chance.sample(range(40), 6))
        for row in wrong:
            batch[row] = next(iter(broken([batch[row]], chance)))
        assert set(pair(name).same(batch, keys * 20).doubtful) <= set(wrong)


SYMBOLS = [{"property": "avroSymbols", "value": ["N", "EAST", "S"]}]
FIELDS: dict[str, tuple[dict[str, Any], list[dict[str, Any]], st.SearchStrategy[Any]]] = {
    "int": (
        {"logicalType": "integer", "physicalType": "int"},
        [{"minimum": -5}, {"maximum": 8191}, {"exclusiveMinimum": 0, "maximum": 64}, {"multipleOf": 3}, {}],
        st.sampled_from([0, 1, -1, 3, -5, -6, 63, 64, 65, 8191, 8192, (1 << 31) - 1, -(1 << 31)]),
    ),
    "long": (
        {"logicalType": "integer", "physicalType": "long"},
        [{"minimum": 0}, {"exclusiveMaximum": 1 << 53}, {"maximum": (1 << 62) + 1}, {"multipleOf": 1000}, {}],
        st.sampled_from([0, 1000, -1, 1 << 53, (1 << 53) + 1, (1 << 62) + 1, (1 << 62) + 2, (1 << 63) - 1, -(1 << 63)]),
    ),
    "double": (
        {"logicalType": "number", "physicalType": "double"},
        [{"minimum": 0}, {"exclusiveMinimum": 0, "maximum": 99.5}, {"multipleOf": 0.1}, {}],
        st.sampled_from([0.0, -0.0, 0.1, 0.3, 0.25, 99.5, 99.6, 5e-324, 1e300, math.inf, -math.inf, math.nan]),
    ),
    "float": (
        {"logicalType": "number", "physicalType": "float"},
        [{"minimum": 0.1}, {"exclusiveMaximum": 1.5}, {}],
        st.sampled_from([0.0, 0.5, 1.5, -1.0, 0.100000001490116, math.inf, math.nan]),
    ),
    "string": (
        {"logicalType": "string", "physicalType": "string"},
        [
            {"minLength": 2},
            {"maxLength": 4},
            {"pattern": "^[A-Z]+$"},
            {"pattern": "é"},
            {"minLength": 7, "maxLength": 9, "pattern": "."},
            {"values": ["AB", "", "ABCDEFGHIJ", "\x00"]},
            {},
        ],
        st.sampled_from(["", "A", "AB", "ab", "éé", "ééé", "空港空", "ABCDEFG", "ABCDEFGH", "ABCDEFGHIJ", "\x00"])
        | st.text(max_size=12),
    ),
    "enum": (
        {"logicalType": "string", "physicalType": "enum", "customProperties": SYMBOLS},
        [{"pattern": "S"}, {"values": ["N", "S"]}, {}],
        st.sampled_from(["N", "EAST", "S"]),
    ),
    "boolean": ({"logicalType": "boolean", "physicalType": "boolean"}, [{}], st.booleans()),
    "bytes": (
        {"logicalType": "string", "physicalType": "bytes"},
        [{"minLength": 1}, {"maxLength": 2}, {}],
        st.binary(max_size=3),
    ),
    "millis": (
        {"logicalType": "timestamp", "physicalType": "long/timestamp-millis"},
        [{"minimum": "2000-01-01T00:00:00Z"}, {}],
        st.sampled_from([0, -1, 946684799999, 946684800000, 1357034400123]),
    ),
    "micros": (
        {"logicalType": "timestamp", "physicalType": "long/timestamp-micros"},
        [{}],
        st.sampled_from([0, -1, -1000, -1001, 1357034400123456]),
    ),
}  # fmt: skip


@st.composite
def properties(draw: st.DrawFn, depth: int = 1) -> tuple[list[dict[str, Any]], dict[str, st.SearchStrategy[Any]]]:
    """The fields of a record, and values for each."""
    parts, values = [], {}
    for number in range(draw(st.integers(1, 6))):
        name = f"f{depth}{number}"
        required = draw(st.booleans())
        if depth and draw(st.integers(0, 5)) == 0:
            inner, drawn = draw(properties(depth - 1))
            part: dict[str, Any] = {"logicalType": "object", "physicalType": "record", "properties": inner}
            value: st.SearchStrategy[Any] = st.fixed_dictionaries(drawn)
        else:
            kind = draw(st.sampled_from(sorted(FIELDS)))
            plain, options, value = FIELDS[kind]
            part = {**plain, **_options(dict(draw(st.sampled_from(options))))}
        parts.append({"name": name, "required": required, **part})
        values[name] = value if required else st.none() | value
    return parts, values


def _options(options: dict[str, Any]) -> dict[str, Any]:
    listed = options.pop("values", None)
    part: dict[str, Any] = {"logicalTypeOptions": options} if options else {}
    if listed is not None:
        part["quality"] = [{"metric": "invalidValues", "arguments": {"validValues": listed}, "mustBe": 0}]
    return part


@st.composite
def contracts(draw: st.DrawFn) -> tuple[Contract, st.SearchStrategy[dict[str, Any]]]:
    """A contract over such fields, sometimes with a key and an event time, and records for it."""
    parts, values = draw(properties())
    plain = [part for part in parts if part["physicalType"] in ("int", "long", "string", "enum") and part["required"]]
    for position, part in enumerate(draw(st.lists(st.sampled_from(plain), unique_by=id)) if plain else []):
        part |= {"primaryKey": True, "primaryKeyPosition": position + 1}
    times = [part["name"] for part in parts if "timestamp" in part["physicalType"] and part["required"]]
    custom: list[dict[str, Any]] = [{"property": "topic", "value": {"partitions": 1, "cleanupPolicy": "delete"}}]
    if times:
        custom.append({"property": "eventTime", "value": draw(st.sampled_from(times))})
    numbers = [part["name"] for part in parts if part["logicalType"] == "integer"]
    rules = [
        f"message.{name} == null || message.{name} / 7 * 7 <= {bound}" for name in numbers for bound in (8000, 1 << 60)
    ]
    for name in (part["name"] for part in parts if part["logicalType"] == "timestamp"):
        rules.append(f"message.{name} == null || message.{name} >= timestamp('1969-12-31T23:59:59.999Z')")
        rules.append(f"message.{name} == null || message.{name}.getFullYear() <= 2012")
    schema = {
        "name": "R",
        "physicalName": "test.drawn.v1",
        "physicalType": "topic",
        "logicalType": "object",
        "customProperties": custom,
        "properties": parts,
        "quality": [
            {"id": f"rule{number}", "type": "custom", "engine": "cel", "implementation": {"expression": rule}}
            for number, rule in enumerate(draw(st.lists(st.sampled_from(rules), unique=True)) if rules else [])
        ],
    }
    head = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "x", "name": "x", "version": "1.0.0"}
    document = {**head, "status": "active", "domain": "test", "schema": [schema]}
    return Contract.parse(json.dumps(document)), st.fixed_dictionaries(values)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), phases=QUICK)
@given(st.data())
def test_drawn_contracts(data: st.DataObject) -> None:
    contract, records = data.draw(contracts())
    both = Pair(contract)
    drawn = data.draw(st.lists(records, min_size=1, max_size=12))
    values, keys = [both.value(record) for record in drawn], [both.key(record) for record in drawn]
    exact = not any(clause.expression for clause in contract.clauses)
    outcome = both.same(values, keys, exact=exact)
    event(f"passed: {10 * (len(drawn) - len(outcome.doubtful)) // len(drawn) * 10}%")
    chance = random.Random(data.draw(st.integers(0, 1 << 32)))
    both.same(list(broken(values * 20, chance)), keys * 20, exact=exact)


def test_rows_of_a_larger_batch() -> None:
    name = "operations/flights"
    values, keys = good(name)
    batch = Batch([None, *keys, None, *keys], [None, *values, b"\x01", *values], [()] * 6)
    times: list[int | None] = [-1] * 6
    doubtful: list[int] = []
    pair(name).columns([1, 2, 5], batch, times, doubtful)
    assert (doubtful, times[:3], times[5]) == ([], [-1, 1357035300000, 1357035300000], 1357035300000)


def test_long_keys_in_another_order_and_an_overflow() -> None:
    head = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "x", "name": "x", "version": "1.0.0"}
    topic = [{"property": "topic", "value": {"partitions": 1, "cleanupPolicy": "delete"}}]
    plain = {"logicalType": "string", "physicalType": "string", "primaryKey": True}
    properties = [
        {"name": "a", **plain, "required": True, "primaryKeyPosition": 2},
        {"name": "b", **plain, "required": True, "primaryKeyPosition": 1},
        {"name": "c", **plain, "required": True, "primaryKeyPosition": 3},
    ]
    schema: dict[str, Any] = {"name": "R", "physicalName": "test.drawn.v1", "physicalType": "topic"}
    schema |= {"logicalType": "object", "customProperties": topic, "properties": properties}
    rule = {"expression": "size(message.a) * 9223372036854775807 <= 9 || message.a == 'x'"}
    schema["quality"] = [{"id": "wraps", "type": "custom", "engine": "cel", "implementation": rule}]
    document = {**head, "status": "active", "domain": "test", "schema": [schema]}
    both = Pair(Contract.parse(json.dumps(document)))
    records = [{"a": "x", "b": "y" * 9, "c": "z"}, {"a": "", "b": "", "c": "z" * 40}]
    values, keys = [both.value(record) for record in records], [both.key(record) for record in records]
    assert both.same(values, keys, exact=False).doubtful == []
    overflowing = records[0] | {"a": "vw"}
    assert both.same([both.value(overflowing)], [both.key(overflowing)]).doubtful == [0]
    assert both.same(values, keys[::-1]).doubtful == [0, 1]
    assert both.same(values[1:], [both.key(records[1] | {"c": "z" * 12 + "y" + "z" * 27})]).doubtful == [0]


@pytest.mark.parametrize("name", sorted(GOOD))
@pytest.mark.parametrize("octet", [0x00, 0x01, 0x7F, 0x80, 0xFF])
def test_cursors_that_run_off_the_last_record(name: str, octet: int) -> None:
    values, keys = good(name)
    head = values[0][:5]
    for size in (*range(12), 40, 100, 300):
        pair(name).same([values[0], head + bytes([octet]) * size], keys[:1] * 2)
        pair(name).same([head + bytes([octet]) * size], keys[:1])
