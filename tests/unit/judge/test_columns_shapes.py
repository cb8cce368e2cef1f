"""Collections, decimals and patterns in columns: the same rows pass, and what is refused has the same reasons."""

from __future__ import annotations

import json
import random
import tracemalloc
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import re2

from benchmarks import orders
from mesh.contract import Contract
from mesh.judge import Batch, Judge
from mesh.judge.columns import ColumnSift
from mesh.judge.columns.column import Text, text_of
from mesh.judge.columns.patterns import compile_pattern
from mesh.judge.columns.wire import Wire
from tests.support.columns import KEY, VALUE, Pair, broken

TEXT = {"logicalType": "string", "physicalType": "string"}
NUMBER = {"logicalType": "integer", "physicalType": "long"}


def contract(properties: list[dict[str, Any]], *rules: str) -> Contract:
    """A contract over these fields."""
    topic = {"property": "topic", "value": {"partitions": 1, "cleanupPolicy": "delete"}}
    schema = {
        "name": "R",
        "physicalName": "test.shapes.v1",
        "physicalType": "topic",
        "logicalType": "object",
        "customProperties": [topic],
        "properties": properties,
        "quality": [
            {"id": f"rule{number}", "type": "custom", "engine": "cel", "implementation": {"expression": rule}}
            for number, rule in enumerate(rules)
        ],
    }
    head = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "x", "name": "x", "version": "1.0.0"}
    return Contract.parse(json.dumps({**head, "status": "active", "domain": "test", "schema": [schema]}))


def array(name: str, items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "logicalType": "array", "physicalType": "array", "items": items, **more}


LINES = contract(
    [
        {"name": "number", "required": True, **NUMBER},
        array(
            "tags",
            {**TEXT, "logicalTypeOptions": {"minLength": 2, "pattern": "^[a-zé]+$"}},
            logicalTypeOptions={"maxItems": 3},
        ),
        array(
            "lines",
            {
                "logicalType": "object",
                "physicalType": "record",
                "properties": [
                    {"name": "count", "required": True, **NUMBER, "logicalTypeOptions": {"minimum": 1}},
                    {"name": "note", **TEXT, "logicalTypeOptions": {"maxLength": 4}},
                    array("codes", {**TEXT, "logicalTypeOptions": {"pattern": "^[A-Z]+$"}}),
                ],
            },
            required=True,
            logicalTypeOptions={"minItems": 1},
        ),
        {
            "name": "price",
            "logicalType": "number",
            "physicalType": "bytes/decimal(6,2)",
            "logicalTypeOptions": {"minimum": 0.01, "maximum": 999.99, "multipleOf": 0.05},
        },
    ],
    "message.number > 0",
    "size(message.lines) <= message.number",
)  # fmt: skip

LINE: dict[str, Any] = {"count": 1, "note": None, "codes": None}
RECORD: dict[str, Any] = {
    "number": 5,
    "tags": ["ab", "été"],
    "lines": [LINE, {"count": 70, "note": "éé", "codes": ["A", "BC", "D"]}],
    "price": Decimal("12.35"),
}


def judges(known: Contract) -> tuple[Judge, Judge]:
    """With columns and without."""
    both = Judge(known), Judge(known, columns=False)
    for judge in both:
        judge.learn(VALUE, known.value_schema_json)
        judge.learn(KEY, known.key_schema_json, key=True)
    assert isinstance(both[0]._sift, ColumnSift)
    return both


@pytest.mark.parametrize(
    ("change", "clauses"),
    [
        ({}, 0),
        ({"tags": None, "price": None}, 0),
        ({"tags": []}, 0),
        ({"tags": ["ab"] * 3}, 0),
        ({"tags": ["ab"] * 4}, 1),
        ({"tags": ["ab", "a", "ab"]}, 1),
        ({"tags": ["ab", "AB"]}, 1),
        ({"tags": ["a", "ab", "A", "a"]}, 3),
        ({"lines": []}, 1),
        ({"lines": [LINE | {"note": "long note"}]}, 1),
        ({"lines": [LINE | {"count": 0}, LINE | {"note": "fives"}]}, 2),
        ({"lines": [LINE, LINE | {"codes": ["A", "b"]}]}, 1),
        ({"lines": [LINE | {"codes": ["A"] * 4}, LINE | {"codes": ["A", "B", "c"]}, LINE]}, 1),
        ({"number": 1}, 1),
        ({"number": -1}, 2),
        ({"price": Decimal("0.01")}, 1),
        ({"price": Decimal("0.00")}, 1),
        ({"price": Decimal("-0.05")}, 1),
        ({"price": Decimal("999.95")}, 0),
        ({"price": Decimal("1000.00")}, 1),
    ],
)
def test_clauses_below_collections_and_on_decimals(change: dict[str, Any], clauses: int) -> None:
    pair = Pair(LINES)
    values = [pair.value(RECORD | each) for each in ({}, change, {}, {"tags": None}, change)] * 30
    keys: list[bytes | None] = [None] * len(values)
    assert pair.same(values, keys).doubtful == ([row for row in range(150) if row % 5 in (1, 4)] if clauses else [])
    columns, rows = (judge.judge(Batch(keys, values, [()] * len(values))) for judge in judges(LINES))
    assert columns == rows
    assert len(columns.findings.get(1, ())) == clauses


def test_broken_collections() -> None:
    pair, chance = Pair(LINES), random.Random(3)
    good = [pair.value(RECORD), pair.value(RECORD | {"tags": [], "lines": RECORD["lines"] * 2, "price": None})]
    columns, rows = judges(LINES)
    for _ in range(4):
        values = list(broken(good * 250, chance))
        keys: list[bytes | None] = [None] * len(values)
        outcome = pair.same(values, keys, exact=False)
        assert 0 < len(values) - len(outcome.doubtful) < 250
        batch = Batch(keys, values, [()] * len(values))
        assert columns.judge(batch) == rows.judge(batch)


def test_a_collection_of_many_items_among_small_ones() -> None:
    pair = Pair(LINES)
    long = RECORD | {"number": 9999, "lines": [LINE | {"count": n + 1} for n in range(3000)]}
    values = [pair.value(long if row == 50 else RECORD) for row in range(120)]
    assert pair.same(values, [None] * 120, exact=False).doubtful == []
    assert pair.by_columns(Batch([None] * 120, values, [()] * 120)).doubtful == [50]
    columns, rows = (judge.judge(Batch([None] * 120, values, [()] * 120)) for judge in judges(LINES))
    assert columns == rows
    assert not columns.findings


def texts_of(texts: list[str]) -> Text:
    raws = [text.encode() for text in texts]
    wire = Wire(raws, 0)
    column, bad = text_of(wire, wire.starts, wire.sizes, None)
    assert not bad
    return column


def test_peak_memory_of_a_batch() -> None:
    pair = Pair(LINES)
    records = [RECORD | {"number": row + 2, "tags": ["ab", "tag"] if row % 2 else None} for row in range(5000)]
    for known, values in (
        (LINES, [pair.value(record) for record in records]),
        (orders.orders_contract(), orders.wire(orders.orders_contract(), 5000)),
    ):
        judge, batch = judges(known)[0], Batch([None] * 5000, values, [()] * 5000)
        judge.learn(orders.VALUE, known.value_schema_json)
        assert len(judge.judge(batch).findings) <= 100
        tracemalloc.start()
        judge.judge(batch)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 20 * sum(map(len, values))


TABLES = (
    "^ORD-[0-9]{10}$",
    "^[A-Z]{3}-[0-9]{4,6}$",
    "^N[0-9][0-9A-Z]{0,4}$",
    "^[A-Z0-9]{3}$",
    "^[a-z]+$",
    "^[a-z]*$",
    "^$",
    "^a?b$",
    r"^\d{3}\.\d{2}$",
    r"^[\d.-]{2,}x$",
    "^[A-Za-z0-9_]{8}-[0-9]{8}$",
    "^[a-z]{70,80}$",
    "^[ -~]{0,63}$",
    "^[ -~]{0,64}$",
)


@pytest.mark.parametrize("pattern", TABLES[:11] + TABLES[12:])
def test_patterns_by_tables(pattern: str) -> None:
    found, chance = compile_pattern(pattern), random.Random(pattern)
    assert found is not None
    letters = "abzABZ019-._ N/:@[`{~\x7f\x00é空"
    texts = [
        "",
        "ORD-0123456789",
        "ABC-1234",
        "ABC-123456",
        "N1",
        "N12345",
        "123.45",
        "--x",
        "b",
        "ab",
        "A1Z",
        "N1ÿ2",
        "N12ÿ",
        "ÿ",
    ]
    texts += ["Abc_0123-01234567", *("z" * size for size in (7, 8, 9, 15, 16, 17, 62, 63, 64, 65, 200))]
    for text in list(texts):
        texts += [
            text + "\n",
            text + "x",
            text[:-1],
            *(
                text[:at] + each + text[at + 1 :]
                for at in range(min(len(text), 20))
                for each in chance.choices(letters, k=2)
            ),
        ]
    search = re2.compile(pattern).search
    got = found.ask(texts_of(texts), lambda text: search(text) is not None).tolist()
    assert got == [search(text) is not None for text in texts]
    assert any(got)


@pytest.mark.parametrize(
    "pattern",
    ["abc", "^abc", "abc$", "^a|b$", "^(ab)$", "^a+b+$", "^a.c$", "^[^a]$", "^é$", "^a{2}{3}$", "^a+?$", r"^\w$",
     r"^a\$", "^[a-zA-Z0-9_.-]$", "^[[:alpha:]]$", r"^[\w]$", "^[]a]$", "^a{1000}$", TABLES[11], "^ab?c?$"],
)  # fmt: skip
def test_patterns_for_re2(pattern: str) -> None:
    assert compile_pattern(pattern) is None


@pytest.mark.parametrize("end", ["", "é", "空", "😀"])
def test_lengths_are_characters_wherever_the_character_lies(end: str) -> None:
    texts = ["x" * before + end + "y" * after for before in range(20) for after in (0, 1, 7, 8, 9, 30, 130)]
    column = texts_of(texts)
    assert np.array_equal(column.lengths, [len(text) for text in texts])
