"""Schemas judged compatible really decode: random pairs and random data against an independent Avro library."""

from __future__ import annotations

import copy
import io
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import product
from typing import Any

import fastavro
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from mesh.contract.avro import lint
from mesh.contract.compatibility import compare

PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
LOGICAL = "timestamp-millis"
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
        return draw(st.sampled_from([*PRIMITIVES, {"type": "long", "logicalType": LOGICAL}]))
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


def changed(draw: Draw, schema: Any) -> Any:  # noqa: PLR0912  (one for each type)
    """The schema with changes of the kind people make, so that many pairs are compatible and many nearly so."""
    if isinstance(schema, str):
        return draw(st.sampled_from([*[schema] * 8, *WIDER.get(schema, ()) * 3, *PRIMITIVES]))
    if isinstance(schema, list):
        return draw(st.permutations(schema))
    result = copy.copy(schema)
    match schema["type"]:
        case "record":
            result["fields"] = [{**each, "type": changed(draw, each["type"])} for each in schema["fields"]]
            for each in result["fields"]:
                each.pop("default", None)
            renamed(draw, result["fields"])
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
        case "fixed":
            result["size"] += draw(st.sampled_from([0, 0, 0, 1]))
        case "long":
            result["logicalType"] = draw(st.sampled_from([LOGICAL, LOGICAL, "timestamp-micros"]))
    if "name" in result:
        result |= draw(st.sampled_from(names_of(schema)))
    return draw(st.sampled_from([result, result, result, ["null", result], ["double", "string", result]]))


def names_of(schema: Any) -> list[dict[str, Any]]:
    """What may be said of a named type's name. A record keeps its namespace, or aliases below would mean others."""
    moved = [] if schema["type"] == "record" else [{"namespace": "elsewhere"}]
    return [{}, {}, {}, {}, *moved, {"name": "Other"}, {"name": "Other", "aliases": [schema["name"]]}]


def renamed(draw: Draw, fields: list[Any]) -> None:
    """Some field under another name, with an alias or without, perhaps an alias that another field's name is too."""
    how = draw(st.sampled_from(["", "", "", "renamed", "alias", "ambiguous"]))
    if how:
        first = fields[0]
        aliases = [first["name"]] if how == "alias" else [each["name"] for each in fields] if how == "ambiguous" else []
        first |= {"name": "other", "aliases": aliases}


def a_value(draw: Draw, schema: Any) -> Any:
    if isinstance(schema, list):
        return a_value(draw, draw(st.sampled_from(schema)))
    if isinstance(schema, str):
        return draw(VALUES[schema])
    if schema["type"] == "enum":
        return draw(st.sampled_from(schema["symbols"]))
    if schema["type"] == "long":
        return draw(
            st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1), timezones=st.just(UTC))
        )
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


def every_value(schema: Any) -> list[Any]:  # noqa: PLR0911  (one for each type)
    """Values that between them hold every branch and every symbol: what decodes for them decodes for all."""
    if isinstance(schema, list):
        return [(branch, value) for branch in schema for value in every_value(branch)]
    if isinstance(schema, str):
        return [ONE_OF_EACH[schema]]
    match schema["type"]:
        case "enum":
            return list(schema["symbols"])
        case "fixed":
            return [b"x" * schema["size"]]
        case "array":
            return [[each] for each in every_value(schema["items"])]
        case "map":
            return [{"k": each} for each in every_value(schema["values"])]
        case "record":
            parts = [(each["name"], every_value(each["type"])) for each in schema["fields"]]
            longest = max(len(values) for _, values in parts)
            return [{name: values[turn % len(values)] for name, values in parts} for turn in range(longest)]
    return [ONE_OF_EACH[schema["type"]]]


ONE_OF_EACH: dict[str, Any] = {
    "null": None,
    "boolean": True,
    "int": 7,
    "long": 8,
    "float": 0.5,
    "double": 0.25,
    "bytes": b"b",
    "string": "s",
}


def encoded(schema: Any, value: Any) -> bytes:  # noqa: PLR0911  (one for each type)
    """Avro's encoding, by the book: values of unions say their branch, so that no writer has to guess it."""
    if isinstance(schema, list):
        branch, inner = value
        return whole(schema.index(branch)) + encoded(branch, inner)
    kind = schema if isinstance(schema, str) else schema["type"]
    match kind:
        case "record":
            return b"".join(encoded(each["type"], value[each["name"]]) for each in schema["fields"])
        case "enum":
            return whole(schema["symbols"].index(value))
        case "fixed":
            return bytes(value)
        case "array":
            return whole(1) + encoded(schema["items"], value[0]) + whole(0)
        case "map":
            return whole(1) + whole(1) + b"k" + encoded(schema["values"], value["k"]) + whole(0)
    return primitive(kind, value)


def primitive(kind: str, value: Any) -> bytes:
    match kind:
        case "null":
            return b""
        case "boolean":
            return b"\1"
        case "int" | "long":
            return whole(value)
        case "float" | "double":
            return struct.pack("<f" if kind == "float" else "<d", value)
    raw = value if kind == "bytes" else value.encode()
    return whole(len(raw)) + bytes(raw)


def whole(number: int) -> bytes:
    assert 0 <= number < 64
    return bytes([number * 2])


def decodes(reader: Any, writer: Any) -> bool:
    """Whether another library reads every kind of value of the writer's schema, to the last byte, as the reader."""
    of_writer, of_reader = fastavro.parse_schema(copy.deepcopy(writer)), fastavro.parse_schema(copy.deepcopy(reader))
    for value in every_value(writer):
        buffer = io.BytesIO(encoded(writer, value))
        try:
            fastavro.schemaless_reader(buffer, of_writer, of_reader)
        except (fastavro.read.SchemaResolutionError, KeyError):
            return False
        assert not buffer.read()
    return True


QUIET = dict.fromkeys((HealthCheck.filter_too_much, HealthCheck.too_slow))


@settings(max_examples=100, deadline=None, suppress_health_check=list(QUIET))
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


def test_every_pair_of_primitives() -> None:
    for writer, reader in product(PRIMITIVES, PRIMITIVES):
        pair = [{"type": "record", "name": "R", "fields": [{"name": "a", "type": each}]} for each in (reader, writer)]
        assert decodes(*pair) == (not compare(*pair)), (reader, writer)


@settings(max_examples=300, deadline=None, suppress_health_check=list(QUIET))
@given(st.data())
def test_the_verdict_is_what_decoding_does(data: st.DataObject) -> None:
    writer = a_record(data.draw, Names(), 2)
    reader = changed(data.draw, writer)
    assume(not lint(writer) and not lint(reader))
    found = compare(reader, writer)
    # Avro knows no logical types when it resolves: the mesh refuses more, and says so by the rule's name.
    event(", ".join(sorted({each.rule for each in found})) or "compatible")
    assert decodes(reader, writer) == all(each.rule == "logical_type_changed" for each in found), (reader, writer)
