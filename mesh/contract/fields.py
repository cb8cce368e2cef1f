"""The fields of a product as its contract describes them, and the words for their physical types."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from mesh.contract.document import Place, Problems

AVRO_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# Reasons may show values of these classifications, and of fields without one; of others they say only the clause.
_SHOWN = frozenset({"public", "internal"})

_STRINGS = ("string", "string/uuid", "bytes", "fixed", "enum")
_TIMESTAMPS = tuple(
    f"long/{kind}-{unit}" for kind in ("timestamp", "local-timestamp") for unit in ("millis", "micros", "nanos")
)
_PHYSICAL = {
    "string": _STRINGS,
    "integer": ("int", "long"),
    "number": ("float", "double", "bytes/decimal", "fixed/decimal"),
    "boolean": ("boolean",),
    "date": ("int/date", "string"),
    "time": ("int/time-millis", "long/time-micros", "string"),
    "timestamp": (*_TIMESTAMPS, "string"),
    "object": ("record", "map"),
    "array": ("array",),
    "map": ("map",),
    "vector": ("array",),
}
_DEFAULTS = {
    "string": "string",
    "integer": "long",
    "number": "double",
    "boolean": "boolean",
    "date": "int/date",
    "time": "int/time-millis",
    "timestamp": "long/timestamp-millis",
    "object": "record",
    "array": "array",
    "map": "map",
    "vector": "array",
}
_AVRO_PROPERTIES = (
    *("avroType", "avroDefault", "avroLogicalType", "avroNamespace", "avroName", "avroAliases", "avroTypeAliases"),
    *("avroDoc", "avroSymbols", "avroEnumDefault", "avroMapValues", "avroNull"),
)
_ELEMENTS = {"float32": "float", "float64": "double"}
_WIDTHS = {"int": "i32", "long": "i64", "float": "f32", "double": "f64"}
_SHAPE = re.compile(
    r"(?P<base>[a-z]+)(?:\((?P<size>\d+)\))?(?:/(?P<logical>[a-z-]+)(?:\((?P<args>\d+(?:,\s*\d+)?)\))?)?"
)


@dataclass(frozen=True, slots=True)
class PhysicalType:
    """A ``physicalType`` taken apart: ``fixed(16)``, ``long/timestamp-millis``, ``bytes/decimal(10,2)``."""

    base: str
    logical: str | None = None
    size: int | None = None
    precision: int | None = None
    scale: int = 0

    @classmethod
    def parse(cls, text: str) -> PhysicalType:
        """Raises ValueError for a word that is not one of the physical types of the mesh."""
        match = _SHAPE.fullmatch(text)
        if not match:
            raise ValueError(text)
        size, args = match["size"], [int(number) for number in (match["args"] or "").split(",") if number]
        shape = cls(match["base"], match["logical"], int(size) if size else None, *args)
        if not shape.sound or shape.word not in {word for words in _PHYSICAL.values() for word in words}:
            raise ValueError(text)
        return shape

    @property
    def word(self) -> str:
        """The type without its numbers, as in the table of types."""
        return f"{self.base}/{self.logical}" if self.logical else self.base

    @property
    def sound(self) -> bool:
        """Whether the numbers are there exactly where the type needs them."""
        decimal = self.logical == "decimal"
        within = self.precision is not None and 0 <= self.scale <= self.precision and self.precision > 0
        return (self.base == "fixed") == bool(self.size) and (within if decimal else self.precision is None)


@dataclass(frozen=True, slots=True)
class Field:
    """One field. ``path`` is dotted from the record; the items of an array are ``path[]``, a map's values ``path{}``.

    ``options`` are the ``logicalTypeOptions``, ``choices`` the values of ``enum``, ``custom`` the custom properties by
    name, ``place`` where the document says it.
    """

    name: str
    path: str
    logical_type: str
    physical_type: str
    required: bool
    unique: bool
    options: Mapping[str, Any]
    classification: str | None
    description: str
    custom: Mapping[str, Any]
    place: Place
    quality: tuple[Mapping[str, Any], ...] = ()
    fields: tuple[Field, ...] = ()
    items: Field | None = None
    values: Field | None = None
    choices: tuple[Any, ...] = ()

    @property
    def physical(self) -> PhysicalType:
        """The physical type taken apart."""
        return PhysicalType.parse(self.physical_type)

    @property
    def sensitive(self) -> bool:
        """Whether reasons, logs and traces must not show its values: classified other than public or internal."""
        if self.values is not None and any(field.sensitive for field in self.values.walk()):
            return True
        return self.classification is not None and self.classification not in _SHOWN

    def walk(self) -> Iterator[Field]:
        """This field and all below it, parents first; what is inside a map is not, because no path leads there."""
        yield self
        for child in (*self.fields, *((self.items,) if self.items else ())):
            yield from child.walk()


def custom(node: Mapping[str, Any]) -> dict[str, Any]:
    """The ``customProperties`` of a part of a document, by name."""
    return {entry["property"]: entry["value"] for entry in node.get("customProperties", ())}


def custom_place(node: Mapping[str, Any], place: Place, name: str) -> Place:
    """Where a custom property of a part stands, for messages."""
    for index, entry in enumerate(node.get("customProperties", ())):
        if entry["property"] == name:
            return (*place, "customProperties", index, "value")
    return place


def read_fields(nodes: Sequence[Mapping[str, Any]], parent: str, place: Place, problems: Problems) -> tuple[Field, ...]:
    """The fields of a record; what is wrong with them goes to ``problems``."""
    found: dict[str, Place] = {}
    for index, node in enumerate(nodes):
        here = (*place, index)
        if node["name"] in found:
            problems.add(
                (*here, "name"), f"the field {node['name']} is already there in line {_line(problems, found, node)}"
            )
        found.setdefault(node["name"], here)
    return tuple(_read(node, parent, (*place, index), problems) for index, node in enumerate(nodes))


def _line(problems: Problems, found: Mapping[str, Place], node: Mapping[str, Any]) -> int:
    return problems.document.line(found[node["name"]])


def _read(node: Mapping[str, Any], parent: str, place: Place, problems: Problems) -> Field:
    name = str(node["name"])
    if not AVRO_NAME.fullmatch(name):
        problems.add(
            (*place, "name"), f"{name!r} is not a field name; use letters, digits and underscores, no digit first"
        )
    return _field(node, name, f"{parent}.{name}".removeprefix("."), place, problems)


def _field(node: Mapping[str, Any], name: str, path: str, place: Place, problems: Problems) -> Field:
    logical = str(node.get("logicalType", ""))
    if not logical:
        problems.add(place, f"{path} has no logicalType; write one of {', '.join(_PHYSICAL)}")
    _check_custom(node, place, problems)
    return Field(
        name=name,
        path=path,
        logical_type=logical,
        physical_type=_physical(node, logical, path, place, problems),
        required=bool(node.get("required", False)),
        unique=bool(node.get("unique", False)),
        options=_options(node, logical, path, place, problems),
        classification=node.get("classification"),
        description=_one_line(node.get("description")),
        custom=custom(node),
        place=place,
        quality=tuple(node.get("quality", ())),
        fields=read_fields(node.get("properties", ()), path, (*place, "properties"), problems),
        items=_items(node, path, place, problems),
        values=_map_values(node, path, place, problems),
        choices=tuple(entry["value"] for entry in node.get("enum", ())),
    )


def _check_custom(node: Mapping[str, Any], place: Place, problems: Problems) -> None:
    """A misspelt detail of Avro would silently be left out, so near misses are refused."""
    for name, value in custom(node).items():
        here = custom_place(node, place, name)
        close = get_close_matches(name, _AVRO_PROPERTIES, n=1, cutoff=0.8)
        if close and name not in _AVRO_PROPERTIES:
            problems.add(here, f"the custom property {name} is not known; did you mean {close[0]}?")
        elif name == "avroNull" and value != "last":
            problems.add(here, f"avroNull is {value!r}; write last, or leave it out: null comes first by default")


def _options(node: Mapping[str, Any], logical: str, path: str, place: Place, problems: Problems) -> dict[str, Any]:
    """The options; a vector's are those of the array it becomes."""
    options = dict(node.get("logicalTypeOptions", {}))
    if logical != "vector":
        return options
    if options.get("elementType", "float32") not in _ELEMENTS:
        told = f"Avro has no vectors of {options['elementType']}; write float32, float64 or an array"
        problems.add((*place, "logicalTypeOptions", "elementType"), f"{path}: {told}")
    size = options.get("dimensions")
    return {} if size is None else {"minItems": size, "maxItems": size}


def _items(node: Mapping[str, Any], path: str, place: Place, problems: Problems) -> Field | None:
    if node.get("logicalType") == "vector":
        element = _ELEMENTS.get(node.get("logicalTypeOptions", {}).get("elementType", "float32"), "float")
        number = {"logicalType": "number", "physicalType": element, "required": True}
        return _field(number, "items", f"{path}[]", place, problems)
    if "items" not in node:
        if node.get("logicalType") == "array" and "avroType" not in custom(node):
            problems.add(place, f"{path} is an array without items")
        return None
    # An array of T is an array of values: its items are null only where the contract says required: false.
    items = {"required": True, **node["items"]}
    return _field(items, "items", f"{path}[]", (*place, "items"), problems)


def _map_values(node: Mapping[str, Any], path: str, place: Place, problems: Problems) -> Field | None:
    if "map" not in node:
        return None
    here = (*place, "map")
    if node["map"]["key"].get("logicalType", "string") != "string":
        problems.add((*here, "key"), f"{path}: the keys of an Avro map are strings; write logicalType: string")
    value = {"required": True, **node["map"]["value"]}
    return _field(value, "value", f"{path}{{}}", (*here, "value"), problems)


def _physical(node: Mapping[str, Any], logical: str, path: str, place: Place, problems: Problems) -> str:
    default = _DEFAULTS.get(logical, "string")
    text = str(node.get("physicalType", default))
    here = (*place, "physicalType")
    if "avroType" in custom(node):  # the raw Avro type is the truth; the word only describes it
        return text
    try:
        shape = PhysicalType.parse(text)
    except ValueError:
        problems.add(here, f"{text!r} is not a physical type; for {logical or 'this field'} write {_allowed(logical)}")
        return default
    if logical in _PHYSICAL and shape.word not in _PHYSICAL[logical]:
        problems.add(here, f"{path} is {logical}, which {text} cannot hold; write {_allowed(logical)}")
        return default
    _check_width(node, shape, place, problems)
    return text


def _check_width(node: Mapping[str, Any], shape: PhysicalType, place: Place, problems: Problems) -> None:
    width, wanted = _WIDTHS.get(shape.word), node.get("logicalTypeOptions", {}).get("format")
    if width and wanted and wanted != width:
        text = f"format {wanted} is not the width of physicalType {shape.word} ({width}); use minimum and maximum"
        problems.add((*place, "logicalTypeOptions", "format"), text)


def _allowed(logical: str) -> str:
    words = _PHYSICAL.get(logical) or tuple(word for words in _PHYSICAL.values() for word in words)
    shown = [word.replace("fixed", "fixed(n)").replace("decimal", "decimal(p,s)") for word in words]
    return " or ".join((", ".join(shown[:-1]), shown[-1])) if len(shown) > 1 else shown[0]


def _one_line(text: object) -> str:
    return " ".join(str(text).split()) if text else ""
