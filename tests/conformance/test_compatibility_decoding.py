"""Schemas judged compatible really decode: random pairs and random data against an independent Avro library."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from typing import Any

import fastavro
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mesh.contract.avro import lint
from mesh.contract.compatibility import compare

PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
SYMBOLS = ("A", "B", "C", "D")
FIELDS = ("a", "b", "c", "d")
Draw = Callable[[st.SearchStrategy[Any]], Any]


class Names:
    """Named types need different names in one schema; both sides count the same way, so that they meet."""

    def __init__(self) -> None:
        self.count = 0

    def next(self) -> str:
        self.count += 1
        return f"T{self.count}"


def a_type(draw: Draw, names: Names, depth: int, *, union: bool = True) -> Any:
    kinds = (
        ["primitive", "enum", "fixed"] + (["record", "array", "map"] if depth else []) + (["union"] if union else [])
    )
    kind = draw(st.sampled_from(kinds))
    if kind == "primitive":
        return draw(st.sampled_from(PRIMITIVES))
    if kind == "enum":
        return an_enum(draw, names)
    if kind == "fixed":
        return {"type": "fixed", "name": names.next(), "size": draw(st.integers(1, 3))}
    if kind in ("record", "array", "map"):
        return a_compound(draw, kind, names, depth - 1)
    first, second = draw(st.lists(st.sampled_from(PRIMITIVES), min_size=2, max_size=2, unique=True))
    return [first, second, a_type(draw, names, 0, union=False)] if draw(st.booleans()) else [first, second]


def a_compound(draw: Draw, kind: str, names: Names, depth: int) -> Any:
    if kind == "record":
        return a_record(draw, names, depth)
    return {"type": kind, "items" if kind == "array" else "values": a_type(draw, names, depth)}


def an_enum(draw: Draw, names: Names) -> Any:
    symbols = draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, unique=True))
    default = {"default": symbols[0]} if draw(st.booleans()) else {}
    return {"type": "enum", "name": names.next(), "symbols": symbols, **default}


def a_record(draw: Draw, names: Names, depth: int) -> Any:
    name = names.next()
    wanted = draw(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=3, unique=True))
    fields = []
    for each in wanted:
        kind = a_type(draw, names, depth)
        default = {"default": DEFAULTS[kind]} if isinstance(kind, str) and draw(st.booleans()) else {}
        fields.append({"name": each, "type": kind, **default})
    return {"type": "record", "name": name, "fields": fields}


DEFAULTS: dict[str, Any] = {
    "null": None,
    "boolean": False,
    "int": 1,
    "long": 2,
    "float": 1.5,
    "double": 2.5,
    "bytes": "x",
    "string": "y",
}
WIDER = {"int": ["long", "double"], "long": ["float"], "float": ["double"], "string": ["bytes"], "bytes": ["string"]}


def changed(draw: Draw, schema: Any) -> Any:
    """The schema with changes of the kind people make, so that many pairs are compatible and many nearly so."""
    if isinstance(schema, str):
        return draw(st.sampled_from([schema, schema, *WIDER.get(schema, ()), "null"]))
    if isinstance(schema, list):
        return draw(st.permutations(schema))
    result = copy.copy(schema)
    match schema["type"]:
        case "record":
            result["fields"] = [{**each, "type": changed(draw, each["type"])} for each in schema["fields"]]
            for each in result["fields"]:
                each.pop("default", None)
            if draw(st.booleans()):
                result["fields"].append({"name": "added", "type": "int", **draw(st.sampled_from([{}, {"default": 7}]))})
            if draw(st.booleans()):
                result["fields"].pop(0)
        case "enum":
            result["symbols"] = draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, unique=True))
            result.pop("default", None)
            if draw(st.booleans()):
                result["default"] = result["symbols"][0]
        case "array":
            result["items"] = changed(draw, schema["items"])
        case "map":
            result["values"] = changed(draw, schema["values"])
    return draw(st.sampled_from([result, result, result, ["null", result]]))


def a_value(draw: Draw, schema: Any) -> Any:
    if isinstance(schema, list):
        return a_value(draw, draw(st.sampled_from(schema)))
    if isinstance(schema, str):
        return draw(VALUES[schema])
    if schema["type"] == "enum":
        return draw(st.sampled_from(schema["symbols"]))
    if schema["type"] == "fixed":
        return draw(st.binary(min_size=schema["size"], max_size=schema["size"]))
    return a_compound_value(draw, schema)


def a_compound_value(draw: Draw, schema: Any) -> Any:
    if schema["type"] == "record":
        return {each["name"]: a_value(draw, each["type"]) for each in schema["fields"]}
    if schema["type"] == "array":
        return [a_value(draw, schema["items"]) for _ in range(draw(st.integers(0, 2)))]
    return {key: a_value(draw, schema["values"]) for key in draw(st.lists(st.sampled_from("kl"), unique=True))}


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**53), 2**53),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "bytes": st.text(max_size=5).map(str.encode),
    "string": st.text(max_size=5),
}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(st.data())
def test_compatible_pairs_decode(data: st.DataObject) -> None:
    writer = a_record(data.draw, Names(), 2)
    reader = changed(data.draw, writer)
    assume(not lint(writer) and not lint(reader))
    assume(not compare(reader, writer))
    value = a_value(data.draw, writer)
    buffer = io.BytesIO()
    parsed = fastavro.parse_schema(copy.deepcopy(writer))
    fastavro.schemaless_writer(buffer, parsed, value)
    buffer.seek(0)
    fastavro.schemaless_reader(buffer, parsed, fastavro.parse_schema(copy.deepcopy(reader)))
