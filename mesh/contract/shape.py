"""The shape of an Avro schema: its types with names resolved, and whether the defaults fit them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from mesh.errors import ContractInvalid

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Deeper than any schema the lint lets in; only logs written by another registry come near it.
_DEEPEST = 200


@dataclass(eq=False, slots=True)
class Primitive:
    """A type without parts; ``logical`` is its logical type, decimals with precision and scale."""

    kind: str
    logical: Logical | None = None


@dataclass(frozen=True, slots=True)
class Logical:
    """A logical type. ``precision`` and ``scale`` mean something for decimals only."""

    name: str
    precision: int = 0
    scale: int = 0

    def __str__(self) -> str:
        return f"decimal({self.precision},{self.scale})" if self.name == "decimal" else self.name


@dataclass(eq=False, slots=True)
class Fixed:
    """A named run of ``size`` bytes."""

    name: str
    aliases: tuple[str, ...]
    size: int
    logical: Logical | None = None
    kind: str = "fixed"


@dataclass(eq=False, slots=True)
class Enum:
    """A named list of symbols; ``default`` is what a reader takes for a symbol it does not know."""

    name: str
    aliases: tuple[str, ...]
    symbols: tuple[str, ...]
    default: str | None
    kind: str = "enum"


@dataclass(eq=False, slots=True)
class Array:
    """A list of one type."""

    items: Shape
    kind: str = "array"


@dataclass(eq=False, slots=True)
class Map:
    """A mapping from strings to one type."""

    values: Shape
    kind: str = "map"


@dataclass(eq=False, slots=True)
class Union:
    """One of several types."""

    branches: tuple[Shape, ...]
    kind: str = "union"


@dataclass(eq=False, slots=True)
class RecordField:
    """A field of a record."""

    name: str
    aliases: tuple[str, ...]
    type: Shape
    has_default: bool


@dataclass(eq=False, slots=True)
class Record:
    """A named list of fields, filled after the record is known by name, because a field may refer to it."""

    name: str
    aliases: tuple[str, ...]
    fields: tuple[RecordField, ...] = ()
    kind: str = "record"


Shape: TypeAlias = Primitive | Fixed | Enum | Array | Map | Union | Record
Named: TypeAlias = Fixed | Enum | Record


def shape_of(schema: object) -> Shape:
    """The shape of a schema in parsed-JSON form; raises ContractInvalid with ``path: text`` for what is not Avro."""
    return _Reader().read(schema, "", None, 0)


def _refuse(path: str, text: str) -> ContractInvalid:
    return ContractInvalid([f"{path or 'the record'}: {text}"])


@dataclass(slots=True)
class _Reader:
    named: dict[str, Named] = field(default_factory=dict)

    def read(self, schema: object, path: str, namespace: str | None, depth: int) -> Shape:
        if depth > _DEEPEST:
            raise _refuse(path, f"nested more than {_DEEPEST} levels deep")
        if isinstance(schema, str):
            return self._by_name(schema, path, namespace)
        if isinstance(schema, list):
            return self._union(schema, path, namespace, depth)
        if isinstance(schema, Mapping):
            return self._complex(schema, path, namespace, depth)
        raise _refuse(path, f"{schema!r} is not an Avro type")

    def _by_name(self, name: str, path: str, namespace: str | None) -> Shape:
        if name in PRIMITIVES:
            return Primitive(name)
        found = self.named.get(_qualified(name, namespace)) or self.named.get(name)
        if found is None:
            raise _refuse(path, f"{name!r} is not an Avro type and no type of that name was defined before")
        return found

    def _complex(self, schema: Mapping[str, object], path: str, namespace: str | None, depth: int) -> Shape:
        match schema.get("type"):
            case "record" | "error" | "enum" | "fixed" as kind:
                return self._definition(kind, schema, path, namespace, depth)
            case "array":
                return Array(self.read(schema.get("items"), f"{path}[]", namespace, depth + 1))
            case "map":
                return Map(self.read(schema.get("values"), f"{path}{{}}", namespace, depth + 1))
            case str() as name if name in PRIMITIVES:
                return Primitive(name, _logical(schema))
            case inner:
                return self.read(inner, path, namespace, depth + 1)

    def _definition(
        self, kind: str, schema: Mapping[str, object], path: str, namespace: str | None, depth: int
    ) -> Named:
        if kind == "enum":
            return self._enum(schema, path, namespace)
        if kind == "fixed":
            return self._fixed(schema, path, namespace)
        return self._record(schema, path, namespace, depth)

    def _union(self, branches: list[object], path: str, namespace: str | None, depth: int) -> Union:
        shapes = tuple(self.read(branch, path, namespace, depth + 1) for branch in branches)
        seen: set[str] = set()
        for shape in shapes:
            label = shape.name if isinstance(shape, Fixed | Enum | Record) else shape.kind
            if label == "union" or label in seen:
                raise _refuse(path, "a union may not hold a union" if label == "union" else f"two branches are {label}")
            seen.add(label)
        if not shapes:
            raise _refuse(path, "a union needs at least one branch")
        return Union(shapes)

    def _record(self, schema: Mapping[str, object], path: str, namespace: str | None, depth: int) -> Record:
        name, aliases = self._identity(schema, path, namespace)
        record = Record(name, aliases)
        self._define(record, path)
        fields = schema.get("fields")
        if not isinstance(fields, list):
            raise _refuse(path, f"record {name} has no list of fields")
        record.fields = tuple(self._field(each, path, _namespace(name), depth) for each in fields)
        names = [each.name for each in record.fields]
        if twice := next((each for each in names if names.count(each) > 1), None):
            raise _refuse(path, f"field {twice} is defined twice")
        return record

    def _field(self, schema: object, path: str, namespace: str | None, depth: int) -> RecordField:
        if not isinstance(schema, Mapping) or "type" not in schema:
            raise _refuse(path, "every field needs a name and a type")
        name = _valid(schema.get("name"), path)
        here = f"{path}.{name}".removeprefix(".")
        shape = self.read(schema["type"], here, namespace, depth + 1)
        if "default" in schema and not fits(shape, schema["default"]):
            raise _refuse(here, f"the default {schema['default']!r} does not fit {describe(shape)}")
        return RecordField(name, _strings(schema, "aliases", here), shape, "default" in schema)

    def _enum(self, schema: Mapping[str, object], path: str, namespace: str | None) -> Enum:
        name, aliases = self._identity(schema, path, namespace)
        symbols, default = _strings(schema, "symbols", path), schema.get("default")
        if not symbols or len(set(symbols)) != len(symbols):
            raise _refuse(path, f"enum {name} needs a list of different symbols")
        for symbol in symbols:
            _valid(symbol, path)
        if default is not None and default not in symbols:
            raise _refuse(path, f"the default {default!r} of enum {name} is none of its symbols")
        enum = Enum(name, aliases, symbols, default if isinstance(default, str) else None)
        self._define(enum, path)
        return enum

    def _fixed(self, schema: Mapping[str, object], path: str, namespace: str | None) -> Fixed:
        name, aliases = self._identity(schema, path, namespace)
        size = schema.get("size")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise _refuse(path, f"fixed {name} needs a size in bytes")
        fixed = Fixed(name, aliases, size, _logical(schema))
        self._define(fixed, path)
        return fixed

    def _identity(self, schema: Mapping[str, object], path: str, namespace: str | None) -> tuple[str, tuple[str, ...]]:
        given, own = schema.get("name"), schema.get("namespace", namespace)
        if not isinstance(given, str):
            raise _refuse(path, f"the {schema['type']} has no name")
        name = _qualified(given, own if isinstance(own, str) else None)
        for part in name.split("."):
            _valid(part, path)
        return name, tuple(_qualified(alias, _namespace(name)) for alias in _strings(schema, "aliases", path))

    def _define(self, shape: Named, path: str) -> None:
        if shape.name in self.named:
            raise _refuse(path, f"the name {shape.name} is defined twice")
        self.named[shape.name] = shape


def _valid(name: object, path: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _refuse(path, f"{name!r} is not an Avro name; letters, digits and _ only, no digit first")
    return name


def _qualified(name: str, namespace: str | None) -> str:
    return name.removeprefix(".") if "." in name or not namespace else f"{namespace}.{name}"


def _namespace(name: str) -> str | None:
    return name.rpartition(".")[0] or None


def _strings(schema: Mapping[str, object], key: str, path: str) -> tuple[str, ...]:
    found = schema.get(key) or []
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise _refuse(path, f"{key} must be a list of names")
    return tuple(found)


def _logical(schema: Mapping[str, object]) -> Logical | None:
    name = schema.get("logicalType")
    if not isinstance(name, str):
        return None
    if name != "decimal":
        return Logical(name)
    precision, scale = schema.get("precision"), schema.get("scale", 0)
    return Logical(name, precision, scale) if isinstance(precision, int) and isinstance(scale, int) else None


def describe(shape: Shape) -> str:
    """A shape in a few words for a message."""
    match shape:
        case Fixed() | Enum() | Record():
            return f"{shape.kind} {shape.name}"
        case Union():
            return f"union of {', '.join(describe(branch) for branch in shape.branches)}"
        case Primitive(logical=Logical() as logical):
            return f"{shape.kind} ({logical})"
    return shape.kind


def fits(shape: Shape, value: object) -> bool:
    """Whether a default, in Avro's JSON encoding, is a value of the type. A union takes a value of any branch."""
    match shape:
        case Primitive() | Fixed() | Enum():
            return _fits_leaf(shape, value)
        case Array():
            return isinstance(value, list) and all(fits(shape.items, each) for each in value)
        case Map():
            return isinstance(value, Mapping) and all(fits(shape.values, each) for each in value.values())
        case Union():
            return any(fits(branch, value) for branch in shape.branches)
        case Record():
            return isinstance(value, Mapping) and all(_fits_field(each, value) for each in shape.fields)


def _fits_leaf(shape: Primitive | Fixed | Enum, value: object) -> bool:
    if isinstance(shape, Enum):
        return value in shape.symbols
    if isinstance(shape, Fixed):
        return _is_bytes(value) and len(str(value)) == shape.size
    return _fits_primitive(shape.kind, value)


def _fits_field(part: RecordField, value: Mapping[str, object]) -> bool:
    return fits(part.type, value[part.name]) if part.name in value else part.has_default


def _fits_primitive(kind: str, value: object) -> bool:
    match kind:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "int" | "long":
            bits = 31 if kind == "int" else 63
            return isinstance(value, int) and not isinstance(value, bool) and -(1 << bits) <= value < 1 << bits
        case "float" | "double":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
    return _is_bytes(value)


def _is_bytes(value: object) -> bool:
    return isinstance(value, str) and all(ord(character) < 256 for character in value)
