"""The part of a clause that a record violates is the part that was made wrong, and no hidden value is in it."""

from __future__ import annotations

from typing import Any

import pytest

from mesh.contract import Contract, Expression
from mesh.contract.expression_probe import NoValue, Probe, text_of
from mesh.contract.sample import Sample, Sampler
from mesh.errors import NotFound
from mesh.judge import explain
from mesh.testing.judging import OfflineJudge
from tests.support.documents import Workbench

FIELDS: tuple[dict[str, Any], ...] = (
    {"name": "a", "logicalType": "integer", "physicalType": "int"},
    {"name": "b", "logicalType": "integer", "physicalType": "int"},
    {"name": "secret", "logicalType": "integer", "physicalType": "int", "classification": "restricted"},
    {"name": "city", "logicalType": "string"},
    {"name": "sent", "logicalType": "timestamp"},
    {
        "name": "lines",
        "logicalType": "array",
        "items": {
            "logicalType": "object",
            "properties": [{"name": "n", "logicalType": "integer", "physicalType": "int", "required": True}],
        },
    },
)
RECORD: dict[str, Any] = {
    "ref": "r1", "fee": 10, "a": 1, "b": 2, "secret": 42, "city": "Basel", "sent": 1357034400000,
    "lines": [{"n": 1}, {"n": 2}, {"n": 3}],
}  # fmt: skip


def contract(rule: str) -> Contract:
    item = {"id": "rule", "type": "custom", "engine": "cel", "implementation": {"expression": rule}}
    return Workbench().fields(*FIELDS, quality=[item])


@pytest.mark.parametrize(
    ("rule", "changed", "parts"),
    [
        ("message.a == 1 && (message.b == 2 || message.fee > 5)", {"a": 7}, ["message.a == 1"]),
        (
            "message.a == 1 && (message.b == 2 || message.fee > 5)",
            {"b": 0, "fee": 1},
            ["message.b == 2 || message.fee > 5"],
        ),
        ("message.a == 1 && message.b == 2", {"a": 0, "b": 0}, ["message.a == 1", "message.b == 2"]),
        ("message.a == null || message.a <= 5", {"a": 6}, ["message.a <= 5"]),
        ("!has(message.a) || message.a <= 5", {"a": 6}, ["message.a <= 5"]),
        ("!(message.a > 5 || message.b > 5)", {"b": 6}, ["message.b > 5"]),
        ("message.a > 5 ? message.b == 2 : message.fee == 10", {"a": 6, "b": 1}, ["message.b == 2"]),
        ("message.a > 5 ? message.b == 2 : message.fee == 10", {"fee": 1}, ["message.fee == 10"]),
        ("message.lines.all(l, l.n < 9 && l.n > 0)", {"lines": [{"n": 1}, {"n": 9}]}, ["message.lines[1].n < 9"]),
        ("!message.lines.exists(l, l.n == 3)", {}, ["message.lines[2].n == 3"]),
        ("message.lines.exists(l, l.n == 3)", {"lines": []}, ["message.lines.exists(l, l.n == 3)"]),
        ("message.a <= 5 && message.b / message.fee >= 0", {"fee": 0}, ["message.b / message.fee >= 0"]),
        ("(message.a + 1) * 2 == 4 && message.city in ['Bern', 'Basel']", {"a": 2}, ["(message.a + 1) * 2 == 4"]),
        ("message.lines.map(l, l.n).all(n, n > 0) && message.a == 1", {"a": 2}, ["message.a == 1"]),
        ("size(message.lines.filter(l, l.n > 2)) < 1", {}, ["size(message.lines.filter(l, l.n > 2)) < 1"]),
        ("message.city.startsWith('B') && size(message.city) < 9", {"city": "Zug"}, ["message.city.startsWith('B')"]),
    ],
)
def test_the_smallest_part_that_would_have_to_change(rule: str, changed: dict[str, Any], parts: list[str]) -> None:
    told = explain(contract(rule), "rule", RECORD | changed)
    assert told is not None
    assert [part.text for part in told.parts] == parts
    assert explain(contract(f"!({rule}) || true"), "rule", RECORD | changed) is None


def test_values_and_computed_sides_are_told_in_a_sentence() -> None:
    told = explain(contract("message.a * 100 + message.b == message.fee"), "rule", RECORD)
    assert str(told) == (
        "rule: message.a * 100 + message.b == message.fee does not hold: a is 1, b is 2, fee is 10; "
        "message.a * 100 + message.b comes to 102"
    )
    text = explain(contract("message.city != 'Basel'"), "rule", RECORD)
    assert str(text) == "rule: message.city != 'Basel' does not hold: city is 'Basel'"


def test_a_part_without_an_outcome_says_so() -> None:
    told = explain(contract("message.a <= 5"), "rule", RECORD | {"a": None})
    assert str(told) == "rule: message.a <= 5 has no outcome: a is null"


def test_classified_values_are_hidden_in_every_form() -> None:
    told = explain(contract("message.secret + message.a == 7"), "rule", RECORD)
    assert told is not None
    assert told.parts[0].values == {"secret": "(not shown)", "a": "1"}
    assert "42" not in str(told)
    assert "43" not in str(told)


def test_a_list_with_classified_values_in_it_is_hidden_as_a_whole() -> None:
    inner = {"name": "iban", "logicalType": "string", "classification": "restricted"}
    accounts = {"name": "accounts", "logicalType": "array", "items": {"logicalType": "object", "properties": [inner]}}
    two = {"expression": "size(message.accounts) == 2"}
    rule = {"id": "two", "type": "custom", "engine": "cel", "implementation": two}
    told = explain(Workbench().fields(accounts, quality=[rule]), "two", RECORD | {"accounts": [{"iban": "CH93"}]})
    assert str(told) == "two: size(message.accounts) == 2 does not hold: accounts is (not shown)"


def test_a_clause_of_a_field_is_explained_by_its_finding_and_correction() -> None:
    field = {"name": "code", "logicalType": "string", "logicalTypeOptions": {"pattern": "^[A-Z]+$"}}
    of_field = Workbench().fields(field)
    told = explain(of_field, "code.pattern", {"ref": "a", "fee": None, "code": "x"})
    assert str(told) == "code.pattern: code: 'x' does not match ^[A-Z]+$; perhaps 'X'"
    assert explain(of_field, "code.pattern", {"ref": "a", "fee": None, "code": "X"}) is None
    with pytest.raises(NotFound, match="there is no clause rule"):
        explain(of_field, "rule", {})


def test_the_part_that_was_broken_on_purpose_is_the_part_that_is_blamed() -> None:
    rule = (
        "message.a != null && message.a < 100 && (message.b == null || message.b > 3) && message.lines.all(l, l.n > 0)"
    )
    of_rule = contract(rule)
    judge = OfflineJudge(of_rule)
    sampler = Sampler(of_rule, judge.broken, 5)
    for _ in range(20):
        sample = sampler.breaking("rule")
        assert isinstance(sample, Sample)
        (told,) = judge.explain(sample.record)
        for part in told.parts:
            outcome = Probe(of_rule.value_schema).value(Expression.parse(part.text).tree, sample.record)
            assert outcome is not True, f"{part.text} holds in {sample.record}"


@pytest.mark.parametrize(
    "text",
    [
        "message.a + 2 * (message.b - 1) / -message.fee % 3 >= 0 && !(message.a in [1, 2])",
        "(message.a > 1 ? message.b : message.fee) == 2 || message.city.matches('^\\\\d') || has(message.a)",
        "message.lines.all(l, l.n > 0 || l.n == -1) && size(message.lines[0].n == 1 ? 'a' : 'b\\'c') < 3",
        "message.lines.filter(l, l.n > 1).map(l, l.n * 2).exists(n, n == 4) && message.lines.exists_one(l, l.n == 2)",
        "message.a - (message.b - message.fee) == 9 && (message.a == 1 || message.b == 2) == true",
    ],
)
def test_a_part_is_written_so_that_it_reads_as_the_same(text: str) -> None:
    tree = Expression.parse(text).tree
    probe, again = Probe(contract("true || message.a == 1").value_schema), Expression.parse(text_of(tree)).tree
    assert text_of(again) == text_of(tree)
    assert probe.value(again, RECORD) == probe.value(tree, RECORD)
    assert not isinstance(probe.value(tree, RECORD), NoValue)
