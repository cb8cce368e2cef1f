"""Rules that cannot be kept, or say nothing, are told where they stand."""

from __future__ import annotations

from typing import Any

import pytest

from mesh.contract import Document
from mesh.contract.inspection import inspect_document
from mesh.contract.remark import Remark, Severity
from tests.support.contracts import Draft


def remarks(*fields: dict[str, Any], drafted: Draft | None = None) -> list[Remark]:
    """What is said of the rules of a contract with these fields."""
    text = (drafted or Draft(extra=fields)).text
    return list(inspect_document(Document.parse(text, "c.yaml")).remarks)


def integer(name: str = "n", **more: Any) -> dict[str, Any]:
    return {"name": name, "logicalType": "integer", "physicalType": "int", "required": True, **more}


def text(name: str = "t", **more: Any) -> dict[str, Any]:
    return {"name": name, "logicalType": "string", "physicalType": "string", "required": True, **more}


def number(**more: Any) -> dict[str, Any]:
    return {"name": "d", "logicalType": "number", "physicalType": "double", "required": True, **more}


def inner(*properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "q", "logicalType": "object", "properties": list(properties), **more}


def cel(expression: str, name: str = "rule", **more: Any) -> dict[str, Any]:
    return {"id": name, "type": "custom", "engine": "cel", "implementation": {"expression": expression}, **more}


def values(*allowed: object) -> dict[str, Any]:
    return {"metric": "invalidValues", "arguments": {"validValues": list(allowed)}, "mustBe": 0}


def symbols(name: str = "kind", **more: Any) -> dict[str, Any]:
    node = {"name": name, "logicalType": "string", "physicalType": "enum", "required": True}
    return node | {"customProperties": [{"property": "avroSymbols", "value": ["A", "B"]}]} | more


@pytest.mark.parametrize(
    ("field", "told"),
    [
        (integer(logicalTypeOptions={"minimum": 3000000000}), "no value that n can have keeps this"),
        (
            integer(logicalTypeOptions={"exclusiveMinimum": 5, "exclusiveMaximum": 6}),
            "no value of n keeps both this and n.ex",
        ),
        (integer(logicalTypeOptions={"minimum": 1, "maximum": 9, "multipleOf": 10}), "keeps both this and n.m"),
        (
            text(quality=[values("AB", "cd")], logicalTypeOptions={"pattern": "^[A-Z]+$"}),
            "the valid value 'cd' does not keep t.pa",
        ),
        (
            text(quality=[values("AB", "CDEF")], logicalTypeOptions={"maxLength": 3}),
            "the valid value 'CDEF' does not keep t.max",
        ),
        (
            integer(quality=[values(1, 50)], logicalTypeOptions={"maximum": 9}),
            "the valid value 50 does not keep n.maximum",
        ),
        (
            integer(quality=[values(20, 50)], logicalTypeOptions={"maximum": 9}),
            "no value of n keeps both this and n.maximum",
        ),
        (integer(quality=[cel("message.n == null")]), "column 1: no record fulfils this"),
        (integer(quality=[cel("message.n > 4294967296")]), "column 1: no record fulfils this"),
        (text(quality=[cel("size(message.t) < 0")]), "column 1: no record fulfils this"),
        (text(quality=[cel("true && size(message.t) < 0")]), "column 9: no record fulfils this"),
        (symbols(quality=[cel("message.kind == 'C'")]), "column 1: no record fulfils this"),
        (
            symbols(quality=[cel("message.kind == 'A' || message.kind == 'C'")]),
            "column 24: this is never true of a record",
        ),
        (
            integer(logicalTypeOptions={"maximum": 10}, quality=[cel("message.n >= 0 && message.n > 20")]),
            "column 1: no record fulfils both this and n.maximum",
        ),
        (
            integer(
                required=False, logicalTypeOptions={"maximum": 10}, quality=[cel("message.n == null || message.n > 20")]
            ),
            "column 1: no value of n but null fulfils both this and n.maximum",
        ),
        (
            integer(quality=[cel("message.n < 5", "low"), cel("message.n > 4", "high")]),
            "column 1: no record fulfils both this and low",
        ),
        (
            inner(integer(logicalTypeOptions={"maximum": 5}), quality=[cel("message.q.n > 5 || message.q == null")]),
            "column 1: no value of q but null fulfils both this and q.n.maximum",
        ),
        (
            integer(quality=[cel("message.n < 5", "low"), cel("message.n > 5", "high")]),
            "column 1: no record fulfils both this and low",
        ),
    ],
)
def test_what_no_record_can_keep_is_refused(field: dict[str, Any], told: str) -> None:
    found = remarks(field)
    assert any(told in each.message and each.refuses for each in found), [str(each) for each in found]
    lines = Draft(extra=[field]).text.splitlines()
    (error,) = (each for each in found if each.refuses)
    assert error.rule
    assert lines[error.line - 1].strip().partition(":")[0] in (*error.path.split("."), "- metric", "  - metric")


@pytest.mark.parametrize(
    ("field", "told"),
    [
        (integer(logicalTypeOptions={"minimum": -2147483648}), "every value that n can have keeps this"),
        (text(logicalTypeOptions={"minLength": 0}), "every value that t can have keeps this"),
        (integer(quality=[cel("message.n <= 5 || message.n > 5")]), "column 1: every record fulfils this"),
        (integer(quality=[cel("message.n == null || message.n > 5")]), "column 1: this is never true"),
        (integer(quality=[cel("has(message.n) && message.n > 5")]), "column 1: this is always true"),
        (
            integer(logicalTypeOptions={"minimum": 1}, quality=[cel("message.n >= 0")]),
            "column 1: every record that keeps n.minimum fulfils this",
        ),
        (integer(logicalTypeOptions={"minimum": 1, "exclusiveMinimum": 0}), "every value that keeps n."),
        (
            integer(quality=[cel("message.n > 3", "one"), cel("message.n  >  3", "two")]),
            "this says the same as one; leave one of them out",
        ),
        (
            text(
                logicalTypeOptions={"pattern": "^a"},
                quality=[{"metric": "invalidValues", "arguments": {"pattern": "^a"}, "mustBe": 0, "id": "again"}],
            ),
            "the same as t.pattern",
        ),
    ],
)
def test_what_says_nothing_is_a_warning(field: dict[str, Any], told: str) -> None:
    found = remarks(field)
    assert any(told in each.message for each in found), [str(each) for each in found]
    assert all(each.severity is Severity.WARNING for each in found)
    Draft(extra=[field]).contract()


@pytest.mark.parametrize(
    "field",
    [
        integer(logicalTypeOptions={"minimum": 1, "maximum": 12}),
        integer(logicalTypeOptions={"minimum": 1, "maximum": 10, "multipleOf": 10}),
        integer(required=False, quality=[cel("message.n == null || message.n % 100 < 60")]),
        integer(required=False, logicalTypeOptions={"maximum": 10}, quality=[cel("message.n == null")]),
        text(quality=[values("AB", "CD")], logicalTypeOptions={"pattern": "^[A-Z]+$", "maxLength": 2}),
        text(logicalTypeOptions={"pattern": "^a"}, quality=[cel("message.t.endsWith('b')")]),
        symbols(quality=[cel("message.kind == 'A' || message.station == 'x'")]),
        integer(quality=[cel("message.n % 2 == 0 && message.n % 2 == 1 || message.n > 0")]),
        integer(quality=[cel("message.n * message.n >= 0")]),
        integer(quality=[cel("message.n <= 5", "low"), cel("message.n >= 5", "high")]),
        integer(
            physicalType="long", quality=[cel("message.n + 1 > -9223372036854775807 - 1")]
        ),  # but where it overflows
        number(quality=[cel("!(message.d < 5.0) && !(message.d >= 5.0)")]),  # NaN is neither
    ],
)
def test_what_is_not_sure_is_not_told(field: dict[str, Any]) -> None:
    assert remarks(field) == []


def test_marks_that_exclude_each_other_refuse_nothing() -> None:
    mark = {"customProperties": [{"property": "reaction", "value": "mark"}]}
    low, high = cel("message.n < 5", "low", **mark), cel("message.n >= 5", "high", **mark)
    assert remarks(integer(quality=[low, high])) == []
    (found,) = remarks(integer(logicalTypeOptions={"maximum": 3}, quality=[cel("message.n > 3", "high", **mark)]))
    assert found.severity is Severity.WARNING


def test_a_rule_too_large_to_decide_costs_little() -> None:
    deep = "message.n > 0"
    for number in range(14):
        deep = f"({deep} ? message.n != {number} : message.n > {number})"
    assert [each for each in remarks(integer(quality=[cel(deep)])) if each.refuses] == []
