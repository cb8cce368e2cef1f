"""Avro schemas said as documents: what is derived from the document is the schema again."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.contract import Contract, Document
from mesh.contract.avro import canonical_form, lint
from mesh.contract.document import Problems
from mesh.contract.infer import Origin, RecordSchema, draft_of_schema, read_schema
from mesh.contract.reading import read_promise
from mesh.errors import ContractInvalid
from mesh.types import ProductName
from tests.support.documents import PLAIN

ORIGIN = Origin("a.avsc", ProductName("geo", "places"))

LEAVES: list[Any] = [
    *("boolean", "int", "long", "float", "double", "bytes", "string", {"type": "string"}),
    {"type": "int", "logicalType": "date"},
    {"type": "int", "logicalType": "time-millis"},
    {"type": "long", "logicalType": "time-micros"},
    *(
        {"type": "long", "logicalType": f"{kind}timestamp-{unit}"}
        for kind in ("", "local-")
        for unit in ("millis", "nanos")
    ),
    {"type": "string", "logicalType": "uuid"},
    {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2},
    {"type": "bytes", "logicalType": "big-decimal"},
    {"type": "map", "values": "long"},
    {"type": "map", "values": ["null", {"type": "array", "items": "string"}]},
    ["int", "string"],
    ["int"],
    ["string", "null", "long"],
]
DEFAULTS = {"boolean": True, "int": 1, "long": -1, "float": 0.5, "double": 2, "bytes": "ÿ", "string": "x"}


class Names:
    """Names for types, each used once, and what is defined so far."""

    def __init__(self) -> None:
        self.count = 0
        self.known: list[str] = []

    def fresh(self, namespace: str | None) -> dict[str, str]:
        self.count += 1
        return {"name": f"T{self.count}"} | ({"namespace": namespace} if namespace else {})


@st.composite
def types(draw: st.DrawFn, depth: int, names: Names, around: str) -> Any:
    kinds = ["leaf", "leaf", "enum", "fixed", "known"] + (["record", "array", "map of records"] if depth else [])
    kind = draw(st.sampled_from(kinds))
    if kind == "leaf":
        return draw(st.sampled_from(LEAVES))
    if kind == "known":
        return draw(st.sampled_from(names.known)) if names.known else "string"
    if kind == "array":
        return {"type": "array", "items": draw(nullable(depth - 1, names, around))}
    if kind == "map of records":
        return {"type": "map", "values": draw(records(depth - 1, names, around))}
    if kind == "record":
        return draw(records(depth - 1, names, around))
    head = names.fresh(draw(st.sampled_from([None, "x.y"])))
    told: list[dict[str, Any]] = [{}, {"aliases": ["Was"]}, {"doc": "a type"}]
    made: dict[str, Any] = {"type": kind} | head | draw(st.sampled_from(told))
    made |= {"symbols": ["A", "B"]} if kind == "enum" else {"size": 8}
    if draw(st.booleans()):
        fixed: dict[str, Any] = {"logicalType": "decimal", "precision": 18, "scale": 3}
        made |= {"default": "B"} if kind == "enum" else fixed
    names.known.append(f"{head.get('namespace', around)}.{head['name']}")
    return made


@st.composite
def nullable(draw: st.DrawFn, depth: int, names: Names, around: str) -> Any:
    made = draw(types(depth, names, around))
    if isinstance(made, list):
        return made
    return draw(st.sampled_from([made, made, ["null", made], [made, "null"]]))


@st.composite
def records(draw: st.DrawFn, depth: int, names: Names, around: str, root: str | None = None) -> Any:
    head = names.fresh(root or draw(st.sampled_from([None, "x.y"])))
    inside = head.get("namespace", around)
    fields = []
    for name in draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=3, unique=True)):
        type_ = draw(nullable(depth, names, inside))
        fields.append({"name": name, "type": type_} | draw(details(type_)))
    names.known.append(f"{inside}.{head['name']}")
    return {"type": "record"} | head | {"fields": fields}


def details(type_: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Docs, aliases and defaults that fit."""
    first = type_[0] if isinstance(type_, list) else type_
    others = [{"doc": "said"}, {"aliases": ["was"]}]
    if first == "null":
        others += [{"default": None}]
    elif isinstance(first, str) and first in DEFAULTS:
        others += [{"default": DEFAULTS[first]}]
    if isinstance(type_, list) and len(type_) == 2 and type_[1] == "null":
        others += [{"default": None}]
    return st.sampled_from([{}, *others])


@st.composite
def schemas(draw: st.DrawFn) -> Any:
    namespace = draw(st.sampled_from(["geo", "a.b"]))
    return draw(records(3, Names(), namespace, root=namespace))


def again(said: RecordSchema) -> dict[str, Any]:
    """The schema derived from what was said, without asking whether the standard takes it."""
    source = copy.deepcopy(PLAIN)
    custom = [{"property": "avroNamespace", "value": said.namespace}]
    source["schema"][0] |= {"name": said.name, "properties": said.properties, "customProperties": custom}
    document = Document(source)
    problems = Problems(document)
    promise = read_promise(document, problems)
    problems.settle()
    return promise.value_schema


def spelled(schema: Any, namespace: str = "") -> Any:
    """All that a reader or a rule could mind, spelled out: logical types, defaults, aliases, docs, full names."""
    if isinstance(schema, list):
        return [spelled(branch, namespace) for branch in schema]
    if isinstance(schema, str):
        return schema if schema in DEFAULTS or schema == "null" or "." in schema else f"{namespace}.{schema}"
    kind = schema["type"]
    if set(schema) == {"type"}:
        return spelled(kind, namespace)
    kept = {
        key: value for key, value in schema.items() if key not in ("name", "namespace", "fields", "items", "values")
    }
    if "name" in schema:
        namespace = schema.get("namespace", namespace)
        kept["name"] = f"{namespace}.{schema['name']}"
    for inner in ("items", "values"):
        if inner in schema:
            kept[inner] = spelled(schema[inner], namespace)
    if "fields" in schema:
        kept["fields"] = [_field(each, namespace) for each in schema["fields"]]
    return kept


def _field(schema: dict[str, Any], namespace: str) -> dict[str, Any]:
    type_ = spelled(schema["type"], namespace)
    # A document gives every optional field the default null, which no reader can mind.
    given = {"default": None} if isinstance(type_, list) and type_[0] == "null" and "default" not in schema else {}
    return {**schema, **given, "type": type_}


@settings(max_examples=120, deadline=None)
@given(schemas())
def test_a_schema_said_as_a_document_is_derived_again(schema: Any) -> None:
    if lint(schema):
        with pytest.raises(ContractInvalid):
            read_schema(schema, "a.avsc")
        return
    derived = again(read_schema(schema, "a.avsc"))
    assert canonical_form(derived) == canonical_form(schema)
    assert spelled(derived) == spelled(schema)


def test_items_that_may_be_null_and_are_of_a_type_a_map_defines_stay_so() -> None:
    inner = {"type": "record", "name": "Leg", "fields": [{"name": "a", "type": "boolean"}]}
    fields = [
        {"name": "b", "type": {"type": "map", "values": inner}},
        {"name": "c", "type": {"type": "array", "items": ["null", "Leg"]}},
        {"name": "d", "type": {"type": "array", "items": ["Leg", "null"]}},
        {"name": "e", "type": {"type": "array", "items": "Leg"}},
    ]
    schema = {"type": "record", "name": "Trip", "namespace": "geo", "fields": fields}
    assert canonical_form(again(read_schema(schema, "a.avsc"))) == canonical_form(schema)


@settings(max_examples=6, deadline=None)
@given(schemas().filter(lambda schema: not lint(schema)))
def test_the_whole_draft_keeps_the_standard(schema: Any) -> None:
    text = draft_of_schema(ORIGIN, read_schema(schema, "a.avsc"))
    assert canonical_form(Contract.parse(text).value_schema) == canonical_form(schema)


LINKED = {"type": "record", "name": "L", "fields": [{"name": "next", "type": ["null", "L"]}]}
EMPTY = {"type": "record", "name": "R", "fields": [{"name": "a", "type": {"type": "array", "items": "null"}}]}
CLASH = {"type": "record", "name": "R", "fields": [{"name": "aB", "type": "int"}, {"name": "ab", "type": "int"}]}


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (LINKED, "a.avsc: next: L contains itself"),
        (EMPTY, "a.avsc: a: its items take no bytes"),
        (CLASH, "a.avsc: ab: the name collides with aB"),
        ("string", "a.avsc: the schema is not a record"),
        ({"type": "array", "items": "int"}, "a.avsc: the schema is not a record"),
        ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "itn"}]}, "a.avsc: a: 'itn' is not an Avro"),
        (7, "a.avsc: the record: 7 is not an Avro type"),
    ],
)
def test_what_cannot_be_said_is_refused_with_its_path(schema: Any, told: str) -> None:
    with pytest.raises(ContractInvalid) as raised:
        read_schema(schema, "a.avsc")
    assert str(raised.value).startswith(told)


def test_a_logical_type_on_the_wrong_type_means_nothing() -> None:
    field = {"name": "a", "type": {"type": "string", "logicalType": "date"}}
    said = read_schema({"type": "record", "name": "R", "fields": [field]}, "a.avsc")
    assert said.properties == [{"name": "a", "logicalType": "string", "physicalType": "string", "required": True}]
