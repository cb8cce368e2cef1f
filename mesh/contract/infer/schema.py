"""An Avro schema as the properties of a document, from which the same schema is derived again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mesh.contract import avro
from mesh.contract.derive import path_name
from mesh.contract.shape import PRIMITIVES
from mesh.errors import ContractInvalid

Node = dict[str, Any]

_PLAIN = {
    "boolean": ("boolean", "boolean"),
    "int": ("integer", "int"),
    "long": ("integer", "long"),
    "float": ("number", "float"),
    "double": ("number", "double"),
    "bytes": ("string", "bytes"),
    "string": ("string", "string"),
}
_LOGICAL = {
    "int/date": "date",
    "int/time-millis": "time",
    "long/time-micros": "time",
    "string/uuid": "string",
    **{
        f"long/{kind}timestamp-{unit}": "timestamp" for kind in ("", "local-") for unit in ("millis", "micros", "nanos")
    },
}
_NAMED = ("record", "error", "enum", "fixed")
_KINDS = (*_NAMED, "array", "map")
_KNOWN = {"decimal", *(word.partition("/")[2] for word in _LOGICAL)}


@dataclass(frozen=True, slots=True)
class RecordSchema:
    """A record schema in a document's terms; ``properties`` are ODCS properties in the order of the fields.

    A ``namespace`` of None is the one that the product's domain gives.
    """

    name: str
    namespace: str | None
    doc: str
    aliases: tuple[str, ...]
    properties: list[Node]


def read_schema(schema: Any, source: str) -> RecordSchema:
    """Say a record schema in a document's terms; raises ContractInvalid, naming the path, for what cannot be said."""
    unsafe = avro.lint(schema)
    if unsafe:
        raise ContractInvalid([f"{source}: {text}" for text in unsafe])
    if not isinstance(schema, dict) or schema.get("type") not in ("record", "error"):
        raise ContractInvalid([f"{source}: the schema is not a record, so its fields have no names; wrap it in one"])
    name, namespace = _identity(schema, "")
    reading = _Reading(name, bool(set(_references(schema)) - PRIMITIVES))
    properties = [reading.field(each, namespace, "") for each in schema["fields"]]
    return RecordSchema(name, namespace, schema.get("doc") or "", tuple(schema.get("aliases", ())), properties)


@dataclass(slots=True)
class _Reading:
    """One walk; ``defined`` holds the named types met so far, those inside a raw ``avroType`` as None.

    Where no type is used by its name, types that have the name they would be given are not named again.
    """

    stem: str
    by_name: bool
    defined: dict[str, tuple[Mapping[str, Any], str] | None] = field(default_factory=dict)

    def field(self, schema: Mapping[str, Any], namespace: str, path: str) -> Node:
        here, type_ = f"{path}.{schema['name']}".removeprefix("."), schema["type"]
        doc = {"description": schema["doc"]} if schema.get("doc") else {}
        raw = _odd_default(schema)
        node = {"name": schema["name"]} | doc | (self._raw if raw else self._type)(type_, namespace, here)
        if "default" in schema and (raw or not _optional(type_) or schema["default"] is not None):
            _say(node, avroDefault=schema["default"])
        elif "default" not in schema and _last(type_):
            _say(node, avroNull="last")
        if schema.get("aliases"):
            _say(node, avroAliases=schema["aliases"])
        return node

    def _type(self, type_: Any, namespace: str, path: str) -> Node:
        """The node of a type: its words, whether it is required, and what is below it."""
        if isinstance(type_, list):
            if not _optional(type_):
                return self._raw(type_, namespace, path)
            (other,) = (branch for branch in type_ if branch != "null")
            return self._single(other, namespace, path, required=False)
        return self._single(type_, namespace, path, required=True)

    def _single(self, type_: Any, namespace: str, path: str, *, required: bool) -> Node:
        if isinstance(type_, str):
            return self._by_name(type_, namespace, path, required=required)
        kind = type_["type"]
        if not isinstance(kind, str):
            below = self._type(kind, namespace, path)
            return below if required else {key: value for key, value in below.items() if key != "required"}
        if kind in _NAMED:
            return self._named(type_, namespace, path, required=required)
        needed = {"required": True} if required else {}
        if kind in ("array", "map"):
            return self._collection(type_, namespace, path, needed)
        if kind in PRIMITIVES:
            return self._primitive(type_, path, needed)
        return self._by_name(kind, namespace, path, required=required)

    def _collection(self, type_: Mapping[str, Any], namespace: str, path: str, needed: Node) -> Node:
        if type_["type"] == "array":
            items = self._items(type_["items"], namespace, path)
            return {"logicalType": "array", "physicalType": "array"} | needed | {"items": items}
        self._note_raw(type_["values"], namespace)
        return _said({"logicalType": "object", "physicalType": "map"} | needed, avroMapValues=type_["values"])

    def _items(self, items: Any, namespace: str, path: str) -> Node:
        node = self._type(items, namespace, f"{path}[]")
        if _last(items):
            _say(node, avroNull="last")
        # Items are required unless the document says otherwise, just as fields are the other way round.
        if node.pop("required", False) or _is_raw_union(node):
            return node
        words = {key: node.pop(key) for key in ("logicalType", "physicalType")}
        return words | {"required": False} | node

    def _primitive(self, type_: Mapping[str, Any], path: str, needed: Node) -> Node:
        kind, logical = type_["type"], type_.get("logicalType")
        word = f"{kind}/{logical}"
        if word in _LOGICAL:
            return {"logicalType": _LOGICAL[word], "physicalType": word} | needed
        if word == "bytes/decimal":
            return {"logicalType": "number", "physicalType": f"{word}{_precision(type_)}"} | needed
        if kind == "null":
            return self._raw("null", "", path)
        node = self._plain(kind) | needed
        return _said(node, avroLogicalType=logical) if _unheard(logical) else node

    def _by_name(self, name: str, namespace: str, path: str, *, required: bool) -> Node:
        if name == "null":
            return self._raw("null", namespace, path)
        needed = {"required": True} if required else {}
        if name in PRIMITIVES:
            return self._plain(name) | needed
        full = name if "." in name or not namespace else f"{namespace}.{name}"
        known = self.defined.get(full)
        if known is None:
            return _said({"logicalType": "string", "physicalType": "union"} | needed, avroType=full)
        definition, around = known
        return self._named(definition, around, path, required=required, again=namespace)

    def _named(
        self, type_: Mapping[str, Any], namespace: str, path: str, *, required: bool, again: str | None = None
    ) -> Node:
        """A record, enum or fixed; ``again`` is the namespace around a further use of it."""
        name, own = _identity(type_, namespace)
        self.defined.setdefault(f"{own}.{name}".removeprefix("."), (type_, namespace))
        around = namespace if again is None else again
        names = {"avroName": name} if self.by_name or name != path_name(self.stem, path) else {}
        names |= {"avroNamespace": own} if own != around else {}
        names |= {"avroTypeAliases": type_["aliases"]} if type_.get("aliases") else {}
        names |= {"avroDoc": type_["doc"]} if type_.get("doc") else {}
        needed = {"required": True} if required else {}
        if type_["type"] == "enum":
            default = {"avroEnumDefault": type_["default"]} if type_.get("default") is not None else {}
            node = {"logicalType": "string", "physicalType": "enum"} | needed
            return _said(node, **names, avroSymbols=type_["symbols"], **default)
        if type_["type"] == "fixed":
            return _said(self._fixed(type_) | needed, **names, **_of_fixed(type_))
        node = _said({"logicalType": "object", "physicalType": "record"} | needed, **names)
        return node | {"properties": [self.field(each, own, path) for each in type_["fields"]]}

    def _fixed(self, type_: Mapping[str, Any]) -> Node:
        size = f"fixed({type_['size']})"
        if type_.get("logicalType") == "decimal":
            return {"logicalType": "number", "physicalType": f"{size}/decimal{_precision(type_)}"}
        return {"logicalType": "string", "physicalType": size}

    def _plain(self, kind: str) -> Node:
        logical, physical = _PLAIN[kind]
        return {"logicalType": logical, "physicalType": physical}

    def _raw(self, type_: Any, namespace: str, path: str) -> Node:
        """What ODCS has no words for, as it is; its rules can only be written in CEL."""
        self._note_raw(type_, namespace)
        needed = {} if type_ == "null" or "null" in type_ else {"required": True}
        return _said({"logicalType": "string", "physicalType": "union"} | needed, avroType=type_)

    def _note_raw(self, type_: Any, namespace: str) -> None:
        """Take note of the types that a raw part defines, because only it says what they are."""
        if isinstance(type_, list):
            for branch in type_:
                self._note_raw(branch, namespace)
        elif isinstance(type_, dict):
            around = namespace
            if not isinstance(type_["type"], str):
                self._note_raw(type_["type"], namespace)
            elif type_["type"] in _NAMED:
                name, around = _identity(type_, namespace)
                self.defined.setdefault(f"{around}.{name}".removeprefix("."), None)
            for part in (*(each["type"] for each in type_.get("fields", ())), type_.get("items"), type_.get("values")):
                self._note_raw(part, around)


def _references(schema: Any) -> Iterator[str]:
    """Every type that a schema names, primitives included."""
    if isinstance(schema, str):
        yield schema
    elif isinstance(schema, list):
        for branch in schema:
            yield from _references(branch)
    elif schema is not None:
        kind = schema["type"]
        below = [each["type"] for each in schema.get("fields", ())] if kind in _NAMED else []
        for part in (*below, schema.get("items"), schema.get("values"), None if kind in _KINDS else kind):
            yield from _references(part)


def _identity(schema: Mapping[str, Any], namespace: str) -> tuple[str, str]:
    """Name and namespace of a named type."""
    stem, _, name = str(schema["name"]).rpartition(".")
    return name, stem or str(schema.get("namespace", namespace))


def _optional(type_: Any) -> bool:
    """Whether a type is a union of null and one other."""
    return isinstance(type_, list) and len(type_) == 2 and "null" in type_ and type_[0] != type_[1]


def _odd_default(schema: Mapping[str, Any]) -> bool:
    """Whether a default is of the second branch: a document would put that branch first."""
    type_ = schema["type"]
    if "default" not in schema or not _optional(type_):
        return False
    return bool((type_[0] == "null") != (schema["default"] is None))


def _last(type_: Any) -> bool:
    return _optional(type_) and bool(type_[1] == "null")


def _precision(type_: Mapping[str, Any]) -> str:
    return f"({type_['precision']},{type_.get('scale', 0)})"


def _of_fixed(type_: Mapping[str, Any]) -> Node:
    logical = type_.get("logicalType")
    return {"avroLogicalType": logical} if isinstance(logical, str) and logical != "decimal" else {}


def _unheard(logical: object) -> bool:
    """A logical type of somebody's own; a known one on the wrong type means nothing (Avro 1.12, "Logical Types")."""
    return isinstance(logical, str) and logical not in _KNOWN


def _is_raw_union(node: Node) -> bool:
    """Whether a node says its type as it is, null included; one that only names a type does not."""
    return any(
        each["property"] == "avroType" and (isinstance(each["value"], list) or each["value"] == "null")
        for each in node.get("customProperties", ())
    )


def _say(node: Node, **custom: Any) -> None:
    """Add custom properties."""
    entries = [{"property": name, "value": value} for name, value in custom.items()]
    node["customProperties"] = [*node.get("customProperties", ()), *entries]


def _said(node: Node, **custom: Any) -> Node:
    if custom:
        _say(node, **custom)
    return node
