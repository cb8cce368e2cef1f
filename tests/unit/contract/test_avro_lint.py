"""Schemas that would hurt whoever decodes with them are refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.contract.avro import MAX_NESTING, lint


def record(*fields: Any, name: str = "R", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields), **more}


def field(name: str, type_: Any) -> dict[str, Any]:
    return {"name": name, "type": type_}


def nested(levels: int) -> Any:
    schema: Any = "int"
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return record(field("a", schema))


EMPTY = record(name="Empty")
LINKED = record(field("next", ["null", "R"]))
MUTUAL = record(field("b", record(field("a", ["null", "R"]), name="B")))


@pytest.mark.parametrize("schema", ["int", "null", ["null", "string"], record(field("a", "int")), nested(60)])
def test_plain_schemas_pass(schema: Any) -> None:
    assert lint(schema) == []


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (LINKED, "next: R contains itself"),
        (MUTUAL, "b.a: R contains itself"),
        (record(field("a", {"type": "map", "values": "R"})), "a{}: R contains itself"),
        (record(field("a", "n.R"), namespace="n"), "a: n.R contains itself"),
        (record(field("a", {"type": "array", "items": "null"})), "a: its items take no bytes"),
        (record(field("a", {"type": "array", "items": EMPTY})), "a: its items take no bytes"),
        (record(field("e", EMPTY), field("a", {"type": "array", "items": "Empty"})), "a: its items take no bytes"),
        (
            record(field("a", {"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}})),
            "a: its items take no bytes",
        ),
        (
            record(field("a", {"type": "array", "items": record(field("n", "null"), name="N")})),
            "a: its items take no bytes",
        ),
        (nested(MAX_NESTING + 1), f"a{'[]' * (MAX_NESTING)}: nested more than"),
        (
            record(field("a_b", "int"), field("a", record(field("b", "int"), name="A"))),
            "a.b: the name collides with a_b",
        ),
        (record(field("Ab", "int"), field("aB", "int")), "aB: the name collides with Ab"),
        (record(field("a", "itn")), "a: 'itn' is not an Avro type"),
        (record(field("a", "int"), field("a", "int")), "the record: field a is defined twice"),
        (record({"name": "a", "type": "int", "default": "x"}), "a: the default 'x' does not fit int"),
        ({"type": "enum", "name": "E", "symbols": ["A", "A"]}, "the record: enum E needs a list of different symbols"),
        (["int", "int"], "the record: two branches are int"),
        (record(field("a-b", "int")), "the record: 'a-b' is not an Avro name"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": 4}, "the record: not an Avro schema"),
        (record({"name": "a"}), "the record: every field needs a name and a type"),
        (["int", ["string"]], "the record: a union may not hold a union"),
        (3, "the record: 3 is not an Avro type"),
        (None, "the record: None is not an Avro type"),
        ({"type": "record"}, "the record: the record has no name"),
    ],
)
def test_unsafe_and_broken_schemas_are_refused(schema: Any, told: str) -> None:
    problems = lint(schema)
    assert problems
    assert problems[0].startswith(told)


def test_a_union_in_an_array_takes_bytes() -> None:
    assert lint(record(field("a", {"type": "array", "items": ["null", "int"]}))) == []


def test_thousands_of_levels_do_not_end_the_interpreter() -> None:
    assert "nested more than" in lint(nested(5000))[0]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["record", "array", "map", "enum", "R"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "name", "fields", "items", "values", "symbols", "size", "default"]), inner
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_lint_never_raises(schema: Any) -> None:
    assert isinstance(lint(schema), list)
