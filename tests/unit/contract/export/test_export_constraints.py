"""What models made from contracts refuse is what the judge refuses, as far as pydantic has words for it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import pytest
import re2
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from mesh.contract import Contract
from mesh.contract.export import pydantic_module
from mesh.contract.export.patterns import rust_pattern
from tests.support.documents import Workbench
from tests.support.judging import Court
from tests.support.modules import model_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


EDGES: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "int_closed": (
        {"logicalType": "integer", "physicalType": "int", "logicalTypeOptions": {"minimum": -3, "maximum": 12}},
        [-4, -3, 12, 13, -(1 << 31), (1 << 31) - 1],
    ),
    "int_wide": (
        {"logicalType": "integer", "physicalType": "int", "logicalTypeOptions": {"minimum": -1 << 40, "maximum": 5}},
        [-1 << 31, 5, 6],
    ),
    "long_open": (
        {"logicalType": "integer", "logicalTypeOptions": {"exclusiveMinimum": 0, "multipleOf": 5}},
        [-5, 0, 5, 7, (1 << 63) - 1, (1 << 63) - 3],
    ),
    "double": (
        {"logicalType": "number", "logicalTypeOptions": {"minimum": 0.1, "exclusiveMaximum": 1e16}},
        [0.1, 0.09999, 1e16, 9999999999999998.0, float("nan"), float("inf"), -0.0],
    ),
    "decimal": (
        {
            "logicalType": "number",
            "physicalType": "bytes/decimal(6,2)",
            "logicalTypeOptions": {"minimum": 0.1, "maximum": 500},
        },
        [Decimal(text) for text in ("0.1", "0.09", "500", "500.01", "1E+2", "0.10", "-1")],
    ),
    "day": (
        {"logicalType": "date", "logicalTypeOptions": {"minimum": "2013-01-01", "exclusiveMaximum": "2014-01-01"}},
        [date(2012, 12, 31), date(2013, 1, 1), date(2013, 12, 31), date(2014, 1, 1)],
    ),
    "clock": (
        {"logicalType": "time", "logicalTypeOptions": {"minimum": "06:00:00", "maximum": "22:30:00.5"}},
        [time(5, 59, 59), time(6), time(22, 30, 0, 500000), time(22, 30, 0, 501000)],
    ),
    "moment": (
        {
            "logicalType": "timestamp",
            "physicalType": "long/timestamp-micros",
            "logicalTypeOptions": {"minimum": "2013-01-01T00:00:00.000001Z"},
        },
        [datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 1, 1, 0, 0, 0, 1, tzinfo=UTC)],
    ),
    "wall": (
        {
            "logicalType": "timestamp",
            "physicalType": "long/local-timestamp-millis",
            "logicalTypeOptions": {"exclusiveMaximum": "2013-01-01T12:30:00"},
        },
        [datetime(2013, 1, 1, 12, 30), datetime(2013, 1, 1, 12, 29, 59)],
    ),
    "text": (
        {"logicalType": "string", "logicalTypeOptions": {"minLength": 1, "maxLength": 3, "pattern": "^\\w*$"}},
        ["", "a", "abc", "abcd", "a b", "\u00e9", "a\n", "\u0663"],
    ),
    "pieces": (
        {"logicalType": "string", "physicalType": "bytes", "logicalTypeOptions": {"minLength": 1, "maxLength": 2}},
        [b"", b"\x00", b"\xff\xff", b"abc"],
    ),
    "choice": (
        {
            "logicalType": "string",
            "quality": [{"metric": "invalidValues", "arguments": {"validValues": ["a", 'b"']}, "mustBe": 0}],
        },
        ["a", 'b"', "b", ""],
    ),
    "number_choice": (
        {
            "logicalType": "integer",
            "quality": [{"metric": "invalidValues", "arguments": {"validValues": [1, 5]}, "mustBe": 0}],
        },
        [1, 5, 2],
    ),
    "fewer": (
        {
            "logicalType": "string",
            "physicalType": "enum",
            "quality": [{"metric": "invalidValues", "arguments": {"validValues": ["A"]}, "mustBe": 0}],
            "customProperties": [{"property": "avroSymbols", "value": ["A", "B"]}],
        },
        ["A", "B"],
    ),
    "rows": (
        {
            "logicalType": "array",
            "items": {"logicalType": "integer", "logicalTypeOptions": {"maximum": 3}},
            "logicalTypeOptions": {"minItems": 1, "maxItems": 2},
        },
        [[], [1], [1, 2, 3], [3, 4], [3]],
    ),
    "inner": (
        {
            "logicalType": "object",
            "properties": [{"name": "x", "logicalType": "integer", "logicalTypeOptions": {"maximum": 3}}],
        },
        [{"x": 3}, {"x": 4}, {"x": None}],
    ),
    "not_null": (
        {"logicalType": "integer", "quality": [{"metric": "nullValues", "mustBe": 0}]},
        [1],
    ),
}


@cache
def bounded(reaction: str | None = None) -> Contract:
    custom = [{"property": "reaction", "value": reaction}] if reaction else []
    fields = []
    for name, (node, _) in EDGES.items():
        marked = dict(node, name=name)
        marked["customProperties"] = [*node.get("customProperties", ()), *custom]
        marked["quality"] = [dict(each, customProperties=custom) for each in node.get("quality", ())]
        fields.append({key: value for key, value in marked.items() if value != []})
    return Workbench().fields(*fields)


SOUND: dict[str, Any] = {
    "ref": "r",
    "int_closed": 0,
    "int_wide": 0,
    "long_open": 5,
    "double": 1.0,
    "decimal": Decimal(1),
    "day": date(2013, 5, 1),
    "clock": time(12),
    "moment": datetime(2013, 5, 1, tzinfo=UTC),
    "wall": None,
    "text": "a",
    "pieces": b"a",
    "choice": "a",
    "number_choice": 1,
    "fewer": "A",
    "rows": [1],
    "inner": None,
    "not_null": 1,
}


@pytest.mark.parametrize("name", sorted(EDGES))
def test_a_model_takes_exactly_what_the_judge_takes(name: str, folder: Path) -> None:
    court = Court(bounded())
    model = bounded_model(folder)
    verdicts = set()
    for value in [*EDGES[name][1], None]:
        record = SOUND | {name: value}
        good = not court.of_record(record)
        assert accepts(model, record) == good, f"{name}: {value!r}"
        verdicts.add(good)
    assert verdicts == {True, False}


@cache
def bounded_model(folder: Path) -> type[BaseModel]:
    return model_of(bounded(), folder)


def accepts(model: type[BaseModel], record: dict[str, Any]) -> bool:
    try:
        model.model_validate(record)
    except ValidationError:
        return False
    return True


def test_a_rule_that_only_warns_does_not_keep_a_record_from_its_readers(folder: Path) -> None:
    contract = bounded("warn")
    model = model_of(contract, folder)
    court = Court(contract)
    for name in EDGES.keys() - {"inner", "rows"}:  # what is below them is marked apart
        for value in EDGES[name][1]:
            record = SOUND | {name: value}
            assert not any(finding.refuses for finding in court.of_record(record))
            assert accepts(model, record), f"{name}: {value!r}"


def test_a_bound_beyond_the_type_does_not_widen_it(folder: Path) -> None:
    assert accepts(bounded_model(folder), SOUND | {"int_wide": -1 << 31})
    assert not accepts(bounded_model(folder), SOUND | {"int_wide": (-1 << 31) - 1})


def test_nothing_is_converted_and_no_other_field_is_taken(folder: Path) -> None:
    model = bounded_model(folder)
    assert accepts(model, SOUND)
    for wrong in ({"int_closed": True}, {"int_closed": 1.0}, {"text": b"a"}, {"day": "2013-05-01"}, {"extra": 1}):
        assert not accepts(model, SOUND | wrong), wrong
    assert not accepts(model, SOUND | {"moment": datetime(2013, 5, 1)})


PATTERNS = [
    *(
        "^a+$",
        "\\d",
        "[\\d]",
        "\\w{2}",
        "\\s",
        "[\\s,]",
        "a|b",
        "^(?:ab)*$",
        "(?i)k",
        "[[:alpha:]]",
        "\\.",
        "\\$",
        "a{2,3}",
    ),
    *(
        "\\D",
        "\\W",
        "\\S",
        "\\b",
        "\\B",
        "[^\\d]",
        "[a&&b]",
        "[%--b]",
        "[a~~b]",
        "[[a]",
        "[]a]",
        "[^]a]",
        "\\x41",
        "a{,2}",
    ),
    *(
        "\\pL",
        "\\Qa.b\\E",
        "\\C",
        "{",
        "a{",
        "}",
        "[a-]",
        "\\-",
        "\\/",
        "(?s).",
        ".",
        "(?P<n>a)",
        "(?:a{2}){2}",
        "\\z",
        "\\A",
    ),
]
TEXTS = ["", "a", "aa", "ab", "b", "A", "K", "\u212a", "1", "\u0663", "_", "\u00e9", " ", "\u00a0", "\n", "a\n", "\v"]
TEXTS += ["[", "]", "&", "-", "~", "{", "a{,2}", ".", "$", "/", "a.b", "aaaa", "\U0001f6eb", "\\"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_means_the_same_in_both_engines_or_is_left_out(pattern: str) -> None:
    program = re2.compile(pattern)
    rust = rust_pattern(pattern)
    if rust is None:
        return
    adapter: TypeAdapter[str] = TypeAdapter(Annotated[str, Field(pattern=rust)])
    for text in [*TEXTS, *("".join(pair) for pair in product(TEXTS[:8], TEXTS[5:12]))]:
        assert bool(program.search(text)) == fits_pattern(adapter, text), f"{pattern!r} as {rust!r}: {text!r}"


def fits_pattern(adapter: TypeAdapter[str], text: str) -> bool:
    try:
        adapter.validate_python(text)
    except ValidationError:
        return False
    return True


def test_of_two_patterns_the_second_is_left_to_the_mesh(folder: Path) -> None:
    second = {"id": "z", "metric": "invalidValues", "arguments": {"pattern": "z$"}, "mustBe": 0}
    field = {"name": "both", "logicalType": "string", "logicalTypeOptions": {"pattern": "^a"}, "quality": [second]}
    contract = Workbench().fields(field)
    assert "Rules that the mesh alone checks: z." in pydantic_module(contract)
    model = model_of(contract, folder)
    assert accepts(model, {"ref": "r", "both": "a"})
    assert not accepts(model, {"ref": "r", "both": "z"})


def test_usual_patterns_are_not_left_out() -> None:
    usual = ["^[A-Z0-9]{2}$", "^N[0-9][0-9A-Z]{0,4}$", "^\\d{4}-\\d{2}$", "^[^@\\s]+@[^@\\s]+$", "^(EUR|USD)$", "a\\.b"]
    assert None not in [rust_pattern(pattern) for pattern in usual]
