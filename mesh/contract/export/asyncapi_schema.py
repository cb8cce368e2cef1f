"""Avro schemas as AsyncAPI documents hold them: the payload's as Avro, the key's as JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mesh.contract.export.writing import Node
from mesh.contract.fields import AVRO_NAME
from mesh.contract.shape import Array, Enum, Fixed, Map, Primitive, Record, Shape, Union

AVRO_FORMAT: Final = "application/vnd.apache.avro+json;version=1.9.0"

_NESTED: Final = ("items", "values")
_PRIMITIVE: Final[Mapping[str, Node]] = {
    "null": {"type": "null"},
    "boolean": {"type": "boolean"},
    "int": {"type": "integer", "minimum": -(1 << 31), "maximum": (1 << 31) - 1},
    "long": {"type": "integer", "minimum": -(1 << 63), "maximum": (1 << 63) - 1},
    "float": {"type": "number"},
    "double": {"type": "number"},
    "bytes": {"type": "string", "contentEncoding": "base64"},
    "string": {"type": "string"},
}


def json_schema(shape: Shape) -> Node:
    """A shape as JSON Schema (draft 7), for tools that show keys; what counts is the Avro schema beside it."""
    match shape:
        case Record():
            needed = [part.name for part in shape.fields if not part.has_default]
            parts = {part.name: json_schema(part.type) for part in shape.fields}
            return {"type": "object", "properties": parts, **({"required": needed} if needed else {})}
        case Enum():
            return {"type": "string", "enum": list(shape.symbols)}
        case Array():
            return {"type": "array", "items": json_schema(shape.items)}
        case Map():
            return {"type": "object", "additionalProperties": json_schema(shape.values)}
        case Union():
            return {"anyOf": [json_schema(branch) for branch in shape.branches]}
        case Fixed() | Primitive():
            return _leaf(shape)


def _leaf(shape: Primitive | Fixed) -> Node:
    node = dict(_PRIMITIVE.get(shape.kind, _PRIMITIVE["bytes"]))
    told = f"{shape.kind}, {shape.logical}" if shape.logical else shape.kind
    return node | ({"description": f"Avro {told}"} if shape.logical or shape.kind == "fixed" else {})


def portable_avro(schema: Any) -> Any:
    """The schema in the words that AsyncAPI's own schema of Avro knows, which are fewer than Avro's.

    Full names are split into name and namespace; aliases in another namespace, which only readers of older data need,
    are left out.
    """
    if isinstance(schema, list):
        return [portable_avro(branch) for branch in schema]
    if not isinstance(schema, Mapping):
        return schema
    node = _named(dict(schema))
    for part in _NESTED:
        if part in node:
            node[part] = portable_avro(node[part])
    if "fields" in node:
        node["fields"] = [_simple_aliases({**part, "type": portable_avro(part["type"])}, "") for part in node["fields"]]
    return node


def _named(node: Node) -> Node:
    name = str(node.get("name", ""))
    if "." in name:
        namespace, _, simple = name.rpartition(".")
        node |= {"name": simple, "namespace": namespace}
    return _simple_aliases(node, str(node.get("namespace") or ""))


def _simple_aliases(node: Node, namespace: str) -> Node:
    if "aliases" not in node:
        return node
    short = [str(alias).removeprefix(f"{namespace}.") for alias in node["aliases"]]
    return node | {"aliases": [alias for alias in short if AVRO_NAME.fullmatch(alias)]}
