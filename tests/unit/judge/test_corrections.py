"""Corrections: suggested where the contract leads there, never a value that may not be shown, never a guess."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mesh.contract import Contract
from mesh.judge import RowCodec
from mesh.judge.rules import Clauses
from mesh.types import Finding
from tests.support.documents import Workbench


def judged(field: dict[str, Any], value: Any) -> list[Finding]:
    contract = Workbench().fields({"name": "it", **field})
    codec = RowCodec(contract.value_schema)
    record = codec.decode(codec.encode({"ref": "a", "fee": None, "it": value}))
    assert isinstance(record, dict)
    return list(Clauses(contract).findings(record))


def text(**options: Any) -> dict[str, Any]:
    return {"logicalType": "string", "logicalTypeOptions": options}


def number(physical: str, **options: Any) -> dict[str, Any]:
    return {"logicalType": "number", "physicalType": physical, "logicalTypeOptions": options}


def whole(**options: Any) -> dict[str, Any]:
    return {"logicalType": "integer", "physicalType": "int", "logicalTypeOptions": options}


def one_of(*values: Any, logical: str = "string", **more: Any) -> dict[str, Any]:
    rule = {"metric": "invalidValues", "arguments": {"validValues": list(values)}, "mustBe": 0}
    return {"logicalType": logical, "quality": [rule], **more}


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        (whole(minimum=0, maximum=2359), 2400, "2359"),
        (whole(minimum=0), -4, "0"),
        (whole(exclusiveMinimum=0), 0, "1"),
        (whole(minimum=0, maximum=360, multipleOf=10), 274, "270"),
        (whole(minimum=5, multipleOf=10), 3, None),  # 5 is no multiple, and further away lies only a guess
        (number("double", maximum=250), 1048.36, "250.0"),
        (number("double", exclusiveMaximum=250), 250.0, None),  # there is no number next to it
        (number("double", maximum=250), float("nan"), None),
        (number("double", multipleOf=0.25), 1.3, "1.25"),
        (number("double", multipleOf=1e308), 1.7e308, None),  # the nearest multiple is no double
        (number("bytes/decimal(6,2)", exclusiveMaximum=100), "100.00", "99.99"),
        (text(pattern="^[A-Z]{3}$"), " jfk", "'JFK'"),
        (text(pattern="^[A-Z]{3}$"), "J F K", "'JFK'"),
        (text(pattern="^[A-Z]{3}$"), "kennedy", None),
        (text(maxLength=3), "abc  ", "'abc'"),
        (text(maxLength=3), "abcd", None),
        (text(minLength=3), "ab", None),
        (one_of("EWR", "JFK", "LGA"), "jfk", "'JFK'"),
        (one_of("EWR", "JFK", "LGA"), "JFKX", "'JFK'"),
        (one_of("EWR", "JFK", "LGA"), "JKF", "'JFK'"),
        (one_of("EWR", "JFK", "LGA"), "BOS", None),
        (one_of("AB", "AC"), "AX", None),  # as near to one as to the other
        (one_of("Żółw", "kot"), "żołw", "'Żółw'"),
        (one_of(1, 2, logical="integer", physicalType="int"), 3, None),
        (one_of("EWR"), "E" * 5000, None),
    ],
)
def test_the_nearest_value_that_keeps_every_clause_of_the_field(
    field: dict[str, Any], value: Any, expected: str | None
) -> None:
    found = judged(field, Decimal(value) if isinstance(value, str) and "." in value else value)
    assert found
    assert found[0].correction == expected


@pytest.mark.parametrize("classification", ["restricted", "confidential"])
def test_a_classified_value_is_not_told_by_its_correction(classification: str) -> None:
    (finding,) = judged({**one_of("positive", "negative"), "classification": classification}, "Positive")
    assert (finding.correction, "ositive" in finding.reason.partition("not one of")[0]) == (None, False)
    (shown,) = judged({**one_of("positive", "negative"), "classification": "public"}, "Positive")
    assert shown.correction == "'positive'"


@pytest.fixture(scope="module")
def order() -> Contract:
    item = {
        "logicalType": "object",
        "properties": [
            {"name": "sku", "logicalType": "string", "logicalTypeOptions": {"pattern": "^[A-Z]+$"}},
            {"name": "codes", "logicalType": "array", "items": {"logicalType": "integer", "physicalType": "int",
             "logicalTypeOptions": {"minimum": 0}}},
            {"name": "seen", "logicalType": "boolean", "quality": [{"metric": "nullValues", "mustBe": 0}]},
        ],
    }  # fmt: skip
    return Workbench().fields({"name": "lines", "logicalType": "array", "items": item})


def test_paths_lead_to_the_item_that_breaks_a_clause_first(order: Contract) -> None:
    good = {"sku": "A", "codes": [1, 2], "seen": True}
    lines = [good, {"sku": "b", "codes": None, "seen": True}, {"sku": None, "codes": [3, -1, -2], "seen": None}]
    found = list(Clauses(order).findings({"ref": "a", "fee": None, "lines": lines}))
    assert [(each.clause, each.path, each.correction) for each in found] == [
        ("lines[].sku.pattern", "lines[1].sku", "'B'"),
        ("lines[].codes[].minimum", "lines[2].codes[1]", "0"),
        ("lines[].seen.required", "lines[2].seen", None),
    ]
