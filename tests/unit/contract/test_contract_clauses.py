"""Rules of a document become clauses with an argument in the terms records are judged in."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from mesh.contract import Clause, ClauseKind
from mesh.types import Reaction
from tests.support.documents import Workbench


def field(logical: str, physical: str, **more: Any) -> dict[str, Any]:
    return {"name": "x", "logicalType": logical, "physicalType": physical} | more


def clauses(bench: Workbench, *fields: dict[str, Any], **record: Any) -> dict[str, Clause]:
    found = bench.fields(*fields, **record).clauses
    return {clause.id: clause for clause in found if clause.id != "ref.required"}


@pytest.mark.parametrize(
    ("logical", "physical", "option", "value", "argument"),
    [
        ("integer", "int", "minimum", 1, 1),
        ("integer", "long", "maximum", 5.0, 5),
        ("integer", "int", "exclusiveMinimum", 0, 0),
        ("integer", "int", "multipleOf", 10, 10),
        ("number", "double", "minimum", 1, 1.0),
        ("number", "double", "exclusiveMaximum", 1.5, 1.5),
        ("number", "bytes/decimal(4,2)", "maximum", 0.1, Decimal("0.1")),
        ("string", "string", "minLength", 2, 2),
        ("string", "bytes", "maxLength", 2, 2),
        ("string", "string", "pattern", "^a+$", "^a+$"),
        ("date", "int/date", "minimum", "1970-01-02", 1),
        ("date", "string", "minimum", "1970-01-02", "1970-01-02"),
        ("time", "int/time-millis", "maximum", "01:00:00.5", 3_600_500),
        ("timestamp", "long/timestamp-millis", "minimum", "1970-01-01T00:00:01.5Z", 1500),
        ("timestamp", "long/timestamp-millis", "minimum", "1969-12-31T23:59:59.999Z", -1),
        ("timestamp", "long/timestamp-micros", "maximum", "1970-01-01T01:00:00+01:00", 0),
    ],
)
def test_an_option_is_a_clause(
    bench: Workbench, logical: str, physical: str, option: str, value: Any, argument: Any
) -> None:
    found = clauses(bench, field(logical, physical, logicalTypeOptions={option: value}))
    clause = found[f"x.{option}"]
    assert (clause.path, clause.kind, clause.argument) == ("x", ClauseKind(option), argument)
    assert type(clause.argument) is type(argument)
    assert clause.reaction is Reaction.QUARANTINE


@pytest.mark.parametrize(
    ("logical", "physical", "options", "told"),
    [
        ("integer", "int", {"minimum": 0.5}, "minimum 0.5 is not a whole number"),
        ("integer", "int", {"minimum": 5, "maximum": 3}, "minimum 5 is above maximum 3"),
        ("string", "string", {"minLength": 5, "maxLength": 3}, "minLength 5 is above maxLength 3"),
        ("string", "string", {"pattern": "(?=a)"}, "'(?=a)' is not an RE2 pattern"),
        ("string", "bytes", {"pattern": "a"}, "a pattern needs text, bytes is none"),
        ("string", "fixed(3)", {"minLength": 2}, "minLength needs text or bytes of free length"),
        ("date", "int/date", {"minimum": "soon"}, "'soon' is not an ISO 8601 date"),
        ("timestamp", "long/timestamp-millis", {"minimum": "soon"}, "'soon' is not an ISO 8601 timestamp"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(
    bench: Workbench, logical: str, physical: str, options: dict[str, Any], told: str
) -> None:
    problems = bench.field_problems(field(logical, physical, logicalTypeOptions=options))
    assert [told in problem for problem in problems] == [True]


def test_options_about_the_number_of_fields_are_refused(bench: Workbench) -> None:
    inner = [{"name": "y", "logicalType": "string"}]
    problems = bench.field_problems(
        field("object", "record", properties=inner, logicalTypeOptions={"minProperties": 1})
    )
    assert "minProperties says nothing about an Avro record" in problems[0]


def test_required_fields_are_clauses_at_every_depth(bench: Workbench) -> None:
    inner = [{"name": "y", "logicalType": "string", "required": True}]
    found = clauses(bench, field("object", "record", properties=inner))
    assert list(found) == ["x.y.required"]


def test_items_of_arrays_have_clauses_of_their_own(bench: Workbench) -> None:
    items = {"logicalType": "string", "physicalType": "string", "logicalTypeOptions": {"minLength": 1}}
    options = {"minItems": 1, "uniqueItems": True}
    found = clauses(bench, field("array", "array", items=items, logicalTypeOptions=options))
    assert {name: clause.path for name, clause in found.items()} == {
        "x.minItems": "x",
        "x.uniqueItems": "x",
        "x[].minLength": "x[]",
    }


def library(metric: str, **more: Any) -> dict[str, Any]:
    return {"metric": metric, "mustBe": 0} | more


def test_valid_values_patterns_and_null_values_hold_per_record(bench: Workbench) -> None:
    items = [
        library("invalidValues", arguments={"validValues": ["a", "b"]}, description="a or b"),
        library("invalidValues", arguments={"pattern": "^[ab]$"}, id="one_letter"),
        library("nullValues"),
    ]
    found = clauses(bench, field("string", "string", quality=items))
    assert {name: (clause.kind.value, clause.argument) for name, clause in found.items()} == {
        "x.values": ("values", ("a", "b")),
        "one_letter": ("pattern", "^[ab]$"),
        "x.required": ("required", True),
    }
    assert found["x.values"].description == "a or b"


def test_values_that_stand_for_missing_ones_are_a_rule(bench: Workbench) -> None:
    item = library("missingValues", arguments={"missingValues": ["", "n/a 'x'", None]})
    found = clauses(bench, field("string", "string", quality=[item]))
    assert [(clause.id, clause.kind.value) for clause in found.values()] == [
        ("x.required", "required"),
        ("x.missingValues", "cel"),
    ]
    rule = found["x.missingValues"].expression
    assert rule is not None
    schema = {"type": "record", "name": "R", "fields": [{"name": "x", "type": ["null", "string"]}]}
    assert [rule.compile(schema)({"x": value}) for value in ("a", "", "n/a 'x'", None)] == [True, False, False, True]


@pytest.mark.parametrize("threshold", [{"mustBeLessOrEqualTo": 0}, {"mustBeLessThan": 1}, {"mustBe": 0}])
def test_none_at_all_is_said_in_several_ways(bench: Workbench, threshold: dict[str, Any]) -> None:
    item = {"metric": "nullValues", **threshold}
    assert list(clauses(bench, field("string", "string", quality=[item]))) == ["x.required"]


def test_values_take_the_type_of_the_field(bench: Workbench) -> None:
    item = library("invalidValues", arguments={"validValues": [1, 2.5]})
    assert clauses(bench, field("number", "double", quality=[item]))["x.values"].argument == (1.0, 2.5)
    bad = library("invalidValues", arguments={"validValues": [True]})
    assert "the valid value True is no integer" in bench.field_problems(field("integer", "int", quality=[bad]))[0]


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (library("invalidValues"), "needs arguments validValues or pattern"),
        (library("invalidValues", arguments={"validValues": []}), "validValues needs a list of values"),
        (library("invalidValues", arguments={"validValues": ["a"], "pattern": "a"}), "are two rules"),
        (library("missingValues"), "missingValues needs the argument missingValues, a list"),
        (library("missingValues", arguments={"missingValues": [-1]}), "a string is never in a list of int"),
        ({"metric": "invalidValues", "mustBe": None}, "mustBe compares with a number; write one"),
        ({"metric": "rowCount", "mustNotBe": "few"}, "mustNotBe compares with a number; write one"),
    ],
)
def test_library_items_that_say_nothing_are_refused(bench: Workbench, item: dict[str, Any], told: str) -> None:
    problems = bench.field_problems(field("string", "string", quality=[item]))
    assert [told in problem for problem in problems] == [True]


def test_rules_over_sets_never_gate(bench: Workbench) -> None:
    quality = [
        {"id": "few", "metric": "invalidValues", "arguments": {"pattern": "a"}, "mustBeLessThan": 5, "unit": "percent"},
        {"metric": "duplicateValues", "mustBe": 0},
        {"id": "scarce", "metric": "nullValues", "mustBeLessThan": 1, "unit": "percent"},
        {"id": "fresh", "type": "sql", "query": "select 1", "mustBe": 1},
        {"type": "text", "description": "be nice"},
    ]
    contract = bench.fields(
        field("string", "string", quality=quality, unique=True),
        quality=[{"metric": "rowCount", "mustBeGreaterThan": 1}],
    )
    assert [clause.id for clause in contract.clauses] == ["ref.required"]
    told = [(rule.id, rule.path, rule.metric) for rule in contract.set_rules]
    assert told == [
        ("x.unique", "x", "unique"),
        ("few", "x", "invalidValues"),
        ("x.duplicateValues", "x", "duplicateValues"),
        ("scarce", "x", "nullValues"),
        ("fresh", "x", "sql"),
        ("rowCount", "", "rowCount"),
    ]


def cel(expression: Any, **more: Any) -> dict[str, Any]:
    return {"id": "rule", "type": "custom", "engine": "cel", "implementation": {"expression": expression}} | more


def test_a_cel_rule_is_a_clause_with_its_expression(bench: Workbench) -> None:
    clause = clauses(bench, quality=[cel("message.ref != ''", description="has a reference")])["rule"]
    assert (clause.path, clause.kind, clause.argument) == ("", ClauseKind.CEL, "message.ref != ''")
    assert clause.description == "has a reference"
    assert clause.expression is not None
    assert clause.expression.compile(bench.contract().value_schema)({"ref": "a", "fee": None})


def test_a_cel_rule_on_a_property_has_its_path(bench: Workbench) -> None:
    assert clauses(bench, field("integer", "int", quality=[cel("message.x == 1")]))["rule"].path == "x"


@pytest.mark.parametrize(
    ("item", "told"),
    [
        (
            cel("message.nope == 1"),
            "c.yaml:25: schema[0].quality[0].implementation.expression: column 1: there is no field nope",
        ),
        (cel("message.ref =="), "schema[0].quality[0].implementation.expression: column "),
        (cel("message.ref > 3"), "cannot compare a string and an integer"),
        (cel(""), "a cel rule needs its expression"),
        (cel("message.ref == ''", id=None), "a cel rule needs an id"),
        (
            cel("message.ref == ''", customProperties=[{"property": "reaction", "value": "shout"}]),
            "'shout' is not a reaction",
        ),
    ],
)
def test_a_cel_rule_that_cannot_hold_is_refused(bench: Workbench, item: dict[str, Any], told: str) -> None:
    item = {key: value for key, value in item.items() if value is not None}
    problems = bench.field_problems(quality=[item])
    assert len(problems) == 1
    assert told in problems[0]


def test_reactions_come_from_the_item_and_from_the_property(bench: Workbench) -> None:
    warn, mark = ([{"property": "reaction", "value": word}] for word in ("warn", "mark"))
    found = clauses(
        bench,
        field("integer", "int", logicalTypeOptions={"minimum": 0}, customProperties=warn, required=True),
        quality=[cel("message.x != 3", customProperties=mark)],
    )
    reactions = {name: clause.reaction.value for name, clause in found.items()}
    assert reactions == {"x.required": "quarantine", "x.minimum": "warn", "rule": "mark"}


def test_holding_keys_needs_a_key(bench: Workbench) -> None:
    def change(source: dict[str, Any]) -> None:
        del source["schema"][0]["properties"][0]["primaryKey"]
        hold = [{"property": "reaction", "value": "hold-key"}]
        bench.extend(source, quality=[cel("message.ref != ''", customProperties=hold)])

    assert "the clause rule holds keys, but the product has none" in bench.problems(change)[0]


def test_two_clauses_never_share_an_id(bench: Workbench) -> None:
    item = library("invalidValues", arguments={"pattern": "b"})
    problems = bench.field_problems(field("string", "string", logicalTypeOptions={"pattern": "a"}, quality=[item]))
    assert [("the clause x.pattern is already there in line" in problem) for problem in problems] == [True]
