"""Every Avro shape a document can say: generated documents give schemas that hold generated values, exactly."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from datetime import UTC
from decimal import Decimal
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.contract import Contract, Document
from mesh.contract.document import Problems
from mesh.contract.reading import read_promise
from mesh.errors import ContractInvalid
from mesh.judge.rows import RowCodec
from tests.support.documents import PLAIN, Workbench

Made = tuple[dict[str, Any], st.SearchStrategy[Any]]
"""A property's node without its name, and the values it takes."""

TEXT = st.text(max_size=6)
MOMENTS = st.datetimes(timezones=st.just(UTC))
WALLS = st.datetimes()


def said(logical: str, physical: str, **custom: Any) -> dict[str, Any]:
    properties = [{"property": name, "value": value} for name, value in custom.items()]
    return {"logicalType": logical, "physicalType": physical} | ({"customProperties": properties} if custom else {})


def in_millis(value: Any) -> Any:
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    bound = 10**precision - 1
    return st.integers(-bound, bound).map(lambda number: Decimal(number).scaleb(-scale))


LEAVES: list[Made] = [
    (said("string", "string"), TEXT),
    (said("string", "string/uuid"), st.uuids()),
    (said("string", "bytes"), st.binary(max_size=6)),
    (said("string", "fixed(3)"), st.binary(min_size=3, max_size=3)),
    (said("string", "fixed(12)", avroLogicalType="duration"), st.binary(min_size=12, max_size=12)),
    (said("string", "enum", avroSymbols=["A", "B"], avroEnumDefault="B"), st.sampled_from("AB")),
    (said("integer", "int"), st.integers(-(1 << 31), (1 << 31) - 1)),
    (said("integer", "long"), st.integers(-(1 << 63), (1 << 63) - 1)),
    (said("number", "float"), st.floats(width=32, allow_nan=False)),
    (said("number", "double"), st.floats(allow_nan=False)),
    (said("number", "bytes/decimal(9,2)"), decimals(9, 2)),
    (said("number", "fixed(8)/decimal(18,6)"), decimals(18, 6)),
    (said("boolean", "boolean"), st.booleans()),
    (said("date", "int/date"), st.dates()),
    (said("time", "int/time-millis"), st.times().map(in_millis)),
    (said("time", "long/time-micros"), st.times()),
    (said("timestamp", "long/timestamp-millis"), MOMENTS.map(in_millis)),
    (said("timestamp", "long/timestamp-micros"), MOMENTS),
    (said("timestamp", "long/timestamp-nanos"), st.integers(-(1 << 63), (1 << 63) - 1)),
    (said("timestamp", "long/local-timestamp-millis"), WALLS.map(in_millis)),
    (said("timestamp", "long/local-timestamp-micros"), WALLS),
    (said("timestamp", "long/local-timestamp-nanos"), st.integers(-(1 << 63), (1 << 63) - 1)),
    (said("object", "map", avroMapValues="long"), st.dictionaries(TEXT, st.integers(0, 9), max_size=3)),
    (said("string", "union", avroType=["int", "string", "boolean"]), st.integers(0, 9) | TEXT | st.booleans()),
]


@st.composite
def made(draw: st.DrawFn, depth: int, inner: bool = False) -> Made:
    """A node and its values; ``inner`` ones are items and map values, where null is said the other way round."""
    kind = draw(st.sampled_from(["leaf", "leaf", "array", "map", "record"] if depth else ["leaf"]))
    if kind == "leaf":
        node, values = draw(st.sampled_from(LEAVES))
    elif kind == "record":
        node, values = draw(records(depth - 1))
    else:
        below, held = draw(made(depth - 1, inner=True))
        if kind == "array":
            node, values = said("array", "array") | {"items": below}, st.lists(held, max_size=3)
        else:
            key = {"logicalType": "string"}
            node = {"logicalType": "map", "map": {"key": key, "value": below}}
            values = st.dictionaries(TEXT, held, max_size=3)
    if draw(st.booleans()):
        return node | ({} if inner else {"required": True}), values
    last = draw(st.booleans())
    custom = [*node.get("customProperties", ()), *([{"property": "avroNull", "value": "last"}] if last else [])]
    return node | {"required": False} | ({"customProperties": custom} if custom else {}), st.none() | values


@st.composite
def records(draw: st.DrawFn, depth: int) -> Made:
    """A record of some fields, with names, namespaces, docs and aliases now and then."""
    parts = {name: draw(made(depth)) for name in draw(st.lists(st.sampled_from("abc"), min_size=1, unique=True))}
    nodes = [{"name": name, "description": f"the {name}"} | node for name, (node, _) in parts.items()]
    choices: list[dict[str, Any]] = [{}, {"avroNamespace": "a.b"}, {"avroTypeAliases": ["Old"], "avroDoc": "a part"}]
    custom = draw(st.sampled_from(choices))
    values = st.fixed_dictionaries({name: values for name, (_, values) in parts.items()})
    return said("object", "record", **custom) | {"properties": nodes}, values


def around(schema: Any, value: Any) -> Any:
    """What fastavro reads of what it wrote."""
    body = io.BytesIO()
    fastavro.schemaless_writer(body, schema, value)
    body.seek(0)
    return fastavro.schemaless_reader(body, schema, None)


def with_fields(node: dict[str, Any]) -> Document:
    """The plain document with the properties of a node."""
    source = copy.deepcopy(PLAIN)
    source["apiVersion"] = "v3.2.0"
    source["schema"][0]["properties"] = node["properties"]
    return Document(source)


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_what_a_document_says_holds_its_values(data: st.DataObject) -> None:
    node, values = data.draw(records(3))
    document = with_fields(node)
    problems = Problems(document)
    schema = read_promise(document, problems).value_schema  # the standard itself is the next test's: it takes longest
    problems.settle()
    parsed, value = fastavro.parse_schema(schema), data.draw(values)
    assert around(parsed, value) == value
    codec = RowCodec(schema, logical=True)
    assert codec.decode(codec.encode(value)) == value


@settings(max_examples=6, deadline=None)
@given(records(2))
def test_what_is_generated_keeps_the_standard_and_is_written_back(made: Made) -> None:
    contract = Contract.of(with_fields(made[0]))
    assert Document.parse(contract.document.dump()).source == contract.document.source


def test_a_type_named_twice_is_one_type_and_its_rules_hold_at_both_places(bench: Workbench) -> None:
    point = said("object", "record", avroName="Point", avroNamespace="geo") | {
        "required": True,
        "properties": [
            {"name": "lat", "logicalType": "number", "required": True, "logicalTypeOptions": {"maximum": 90}}
        ],
    }
    contract = bench.fields({"name": "here", **point}, {"name": "there", **point})
    here, there = contract.value_schema["fields"][-2:]
    assert (here["type"]["name"], here["type"]["namespace"], there["type"]) == ("Point", "geo", "geo.Point")
    assert {"here.lat.maximum", "there.lat.maximum"} <= {clause.id for clause in contract.clauses}
    fastavro.parse_schema(contract.value_schema)


def test_two_types_of_one_name_are_refused_at_the_second(bench: Workbench) -> None:
    first = said("string", "enum", avroName="Colour", avroSymbols=["RED"]) | {"name": "a"}
    second = said("string", "enum", avroName="Colour", avroSymbols=["BLUE"]) | {"name": "b"}
    (problem,) = bench.field_problems(first, second)
    assert "schema[0].properties[3]: b: another type is already named visas.Colour" in problem


DEFAULTS: list[tuple[dict[str, Any], Any]] = [
    (said("string", "string"), "x"),
    (said("string", "bytes"), "ÿ"),
    (said("string", "fixed(2)"), "ab"),
    (said("string", "enum", avroSymbols=["A", "B"]), "B"),
    (said("integer", "long"), -1),
    (said("number", "double"), 0.5),
    (said("boolean", "boolean"), False),
    (said("date", "int/date"), 7),
    (said("array", "array") | {"items": {"logicalType": "integer"}}, [1, 2]),
    (said("object", "map", avroMapValues="int"), {"a": 1}),
    (said("object", "record") | {"properties": [{"name": "x", "logicalType": "integer", "required": True}]}, {"x": 1}),
    (said("string", "union", avroType=["int", "string"]), 3),
]


@pytest.mark.parametrize(("node", "default"), DEFAULTS, ids=[node["physicalType"] for node, _ in DEFAULTS])
def test_a_field_of_every_type_may_have_a_default(bench: Workbench, node: dict[str, Any], default: Any) -> None:
    custom = [*node.get("customProperties", ()), {"property": "avroDefault", "value": default}]
    node = {"name": "added", "required": True, **node, "customProperties": custom}
    contract = bench.fields(node)
    assert contract.value_schema["fields"][-1]["default"] == default
    old = {**contract.value_schema, "fields": contract.value_schema["fields"][:-1]}
    body = io.BytesIO()
    fastavro.schemaless_writer(body, fastavro.parse_schema(old), {"ref": "r", "fee": None})
    body.seek(0)
    read: Any = fastavro.schemaless_reader(
        body, fastavro.parse_schema(old), fastavro.parse_schema(contract.value_schema)
    )
    assert "added" in read


def test_aliases_docs_and_key_schemas_are_said(bench: Workbench) -> None:
    key = {"type": "record", "name": "K", "fields": [{"name": "ref", "type": "string"}]}
    custom = [{"property": "avroAliases", "value": ["Request"]}, {"property": "keySchema", "value": key}]
    contract = bench.fields(
        {"name": "paid", **said("integer", "int", avroAliases=["fee_paid"])},
        description="One.",
        customProperties=custom,
    )
    assert (contract.value_schema["aliases"], contract.value_schema["doc"]) == (["Request"], "One.")
    assert contract.value_schema["fields"][-1]["aliases"] == ["fee_paid"]
    assert contract.key_schema == key


REFUSED: list[tuple[dict[str, Any], str]] = [
    (said("array", "array") | {"items": said("string", "x", avroType="null")}, "a: its items take no bytes"),
    (said("string", "x", avroType="Application"), "a: Application contains itself"),
    (
        said("object", "map", avroMapValues={"type": "array", "items": "null"}),
        "a{}: its items take no bytes",
    ),
    (said("object", "record") | {"properties": [{"name": "b", "logicalType": "string"}]}, "a_b: the name collides"),
    (said("string", "enum", avroSymbols=["A"], avroEnumDefault="Z"), "a: the default 'Z' of enum"),
    (said("integer", "int", avroDefault="x") | {"required": True}, "a: the default 'x' does not fit int"),
    (said("string", "string", avroNull="frist"), "avroNull is 'frist'; write last"),
    (said("string", "string", avroDefaults="x"), "avroDefaults is not known; did you mean avroDefault?"),
]


@pytest.mark.parametrize(("node", "told"), REFUSED, ids=[told for _, told in REFUSED])
def test_what_is_unsafe_is_refused_at_its_line_with_its_path(bench: Workbench, node: dict[str, Any], told: str) -> None:
    fields = [{"name": "a", **node}, *([{"name": "a_b", "logicalType": "string"}] if "collides" in told else [])]
    (problem,) = bench.field_problems(*fields)
    assert problem.startswith("c.yaml:")
    assert ("properties[3]" if "collides" in told else "properties[2]") in problem
    assert told in problem


def in_3_2(bench: Workbench, *fields: dict[str, Any]) -> Callable[[], Contract]:
    def change(source: dict[str, Any]) -> None:
        source["apiVersion"] = "v3.2.0"
        bench.extend(source, *fields)

    return lambda: bench.contract(change)


def test_enum_map_and_vector_of_3_2_are_avro(bench: Workbench) -> None:
    contract = in_3_2(
        bench,
        {"name": "state", "logicalType": "string", "physicalType": "enum", "enum": [{"value": "A"}, {"value": "B"}]},
        {"name": "unit", "logicalType": "string", "enum": [{"value": "m", "label": "metre"}, {"value": "ft"}]},
        {
            "name": "seen",
            "logicalType": "map",
            "map": {"key": {"logicalType": "string"}, "value": said("date", "int/date")},
        },
        {"name": "sense", "logicalType": "vector", "logicalTypeOptions": {"dimensions": 3}, "required": True},
    )()
    state, unit, seen, sense = (field["type"] for field in contract.value_schema["fields"][-4:])
    assert state[1]["symbols"] == ["A", "B"]
    assert unit == ["null", "string"]
    assert seen[1] == {"type": "map", "values": {"type": "int", "logicalType": "date"}}
    assert sense == {"type": "array", "items": "float"}
    clauses = {clause.id: clause.argument for clause in contract.clauses}
    assert clauses["unit.values"] == ("m", "ft")
    assert (clauses["sense.minItems"], clauses["sense.maxItems"]) == (3, 3)
    assert "state.values" not in clauses


def test_what_3_2_says_and_avro_cannot_is_refused(bench: Workbench) -> None:
    text, number = {"logicalType": "string"}, {"logicalType": "integer", "logicalTypeOptions": {"minimum": 0}}
    size = {"elementType": "int8", "dimensions": 2}
    wrong_key = {"name": "a", "logicalType": "map", "map": {"key": {"logicalType": "integer"}, "value": text}}
    wrong_element = {"name": "c", "logicalType": "vector", "logicalTypeOptions": size}
    with pytest.raises(ContractInvalid) as raised:
        in_3_2(bench, wrong_key, wrong_element)()
    problems = raised.value.problems
    assert "a: the keys of an Avro map are strings" in problems[0]
    assert "c: Avro has no vectors of int8" in problems[1]
    with pytest.raises(ContractInvalid) as raised:
        in_3_2(bench, {"name": "b", "logicalType": "map", "map": {"key": text, "value": number}})()
    (rule,) = raised.value.problems
    assert "b{}: rules on what is inside a map are not judged; write a cel rule on b" in rule


def test_values_of_a_map_that_are_classified_hide_the_map(bench: Workbench) -> None:
    secret = {"logicalType": "string", "classification": "restricted"}
    contract = in_3_2(
        bench, {"name": "a", "logicalType": "map", "map": {"key": {"logicalType": "string"}, "value": secret}}
    )()
    field = contract.field("a")
    assert field is not None
    assert field.sensitive
