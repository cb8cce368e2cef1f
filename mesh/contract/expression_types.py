"""Types of the rule language, and the type that each Avro schema has in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

_WORDS: Final = {
    "int": "an integer",
    "bool": "a boolean",
    "bytes": "bytes",
    "null": "null",
    "opaque": "a value that rules cannot look into",
}

AvroSchema = object
"""A parsed-JSON Avro schema: a name, a branch list or a mapping."""


@dataclass(frozen=True, slots=True)
class Type:
    """What a value is: ``int``, ``double``, ``string``, ``bool``, ``bytes``, ``null``, ``list``, ``map``, ``record``,
    or ``opaque`` (a shape that rules can only compare with null)."""

    kind: str
    nullable: bool = False
    item: Type | None = None
    fields: Mapping[str, Type] = field(default_factory=dict)
    reach: int = 1 << 63
    """The largest magnitude an integer of the type can have; bounds that cannot be left need no check."""

    def __str__(self) -> str:
        name = _WORDS.get(self.kind, f"a {self.kind}")
        return f"{name} of {self.item.kind}" if self.item else name

    @property
    def numeric(self) -> bool:
        """Whether order and arithmetic apply."""
        return self.kind in ("int", "double")

    @property
    def scalar(self) -> bool:
        """Whether the value is one thing, not a collection."""
        return self.kind in ("int", "double", "string", "bool", "bytes")

    @property
    def sure(self) -> Type:
        """The same type without null."""
        return replace(self, nullable=False) if self.nullable else self

    @property
    def maybe(self) -> Type:
        """The same type with null."""
        return self if self.nullable or self.kind == "null" else replace(self, nullable=True)

    @property
    def element(self) -> Type:
        """What a list or the values of a map hold; ``opaque`` for everything else."""
        return self.item or OPAQUE

    @property
    def has_double(self) -> bool:
        """Whether a NaN can be in it: Python's containers take the same NaN for equal, CEL does not."""
        return self.kind == "double" or (self.item is not None and self.item.has_double)


INT: Final = Type("int")
DOUBLE: Final = Type("double")
STRING: Final = Type("string")
BOOL: Final = Type("bool")
NULL: Final = Type("null")
OPAQUE: Final = Type("opaque", nullable=True)

_PRIMITIVES: Final = {
    "null": NULL,
    "boolean": BOOL,
    "int": Type("int", reach=1 << 31),
    "long": INT,
    "float": DOUBLE,
    "double": DOUBLE,
    "string": STRING,
    "enum": STRING,
    "bytes": Type("bytes"),
    "fixed": Type("bytes"),
}


class SchemaTypes:
    """Reads one Avro schema; named types are resolved by their full name, as they are met."""

    def __init__(self) -> None:
        self._named: dict[str, Type] = {}

    def read(self, schema: AvroSchema, namespace: str = "") -> Type:
        """The type of a schema; what rules cannot look into (wide unions, decimals, recursion) becomes ``opaque``."""
        if isinstance(schema, str):
            return self._by_name(schema, namespace)
        if isinstance(schema, list):
            return self._union(schema, namespace)
        if not isinstance(schema, Mapping):
            return OPAQUE
        if schema.get("logicalType") == "decimal":
            return Type("opaque")
        return self._complex(schema, namespace)

    def _by_name(self, name: str, namespace: str) -> Type:
        known = _PRIMITIVES.get(name)
        return known or self._named.get(_full_name(name, namespace)) or self._named.get(name) or OPAQUE

    def _union(self, branches: list[AvroSchema], namespace: str) -> Type:
        types = [self.read(branch, namespace) for branch in branches]
        others = [t for t in types if t.kind != "null"]
        if not others:
            return NULL
        if len(others) > 1:
            return OPAQUE
        return others[0].maybe if len(others) < len(types) else others[0]

    def _complex(self, schema: Mapping[str, AvroSchema], namespace: str) -> Type:
        kind = schema.get("type")
        if kind == "record":
            return self._record(schema, namespace)
        if kind == "array":
            return Type("list", item=self.read(schema.get("items"), namespace))
        if kind == "map":
            return Type("map", item=self.read(schema.get("values"), namespace))
        known = self.read(kind, namespace)
        if kind in ("enum", "fixed"):
            self._named[_schema_name(schema, namespace)] = known
        return known

    def _record(self, schema: Mapping[str, AvroSchema], namespace: str) -> Type:
        full = _schema_name(schema, namespace)
        inner = full.rpartition(".")[0]
        self._named[full] = OPAQUE
        fields = schema.get("fields")
        entries = fields if isinstance(fields, list) else []
        self._named[full] = Type("record", fields={f["name"]: self.read(f["type"], inner) for f in entries})
        return self._named[full]


def _full_name(name: str, namespace: str) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"


def _schema_name(schema: Mapping[str, AvroSchema], namespace: str) -> str:
    given = schema.get("namespace")
    return _full_name(str(schema.get("name")), str(given) if given is not None else namespace)
