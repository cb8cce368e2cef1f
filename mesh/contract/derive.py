"""The Avro schemas of a contract, derived from its fields: the same document always gives the same text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mesh.contract.avro import AvroSchema
from mesh.contract.document import Problems
from mesh.contract.fields import AVRO_NAME, Field

NO_KEY: AvroSchema = "null"
"""The key schema of a product without a primary key: its records have null keys."""

# What a custom property says of a named type, and Avro's word for it.
_OF_NAMED = {"avroDoc": "doc", "avroTypeAliases": "aliases"}


@dataclass(frozen=True, slots=True)
class RecordName:
    """The name of the record a product's values are."""

    name: str
    namespace: str
    doc: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def header(self) -> dict[str, Any]:
        """The first entries of a record schema of that name."""
        header: dict[str, Any] = {"type": "record", "name": self.name, "namespace": self.namespace}
        return header | ({"doc": self.doc} if self.doc else {}) | ({"aliases": [*self.aliases]} if self.aliases else {})


def derive_value(record: RecordName, fields: Sequence[Field], problems: Problems) -> dict[str, Any]:
    """The value schema."""
    deriving = _Deriving(record.name, problems)
    deriving.known[f"{record.namespace}.{record.name}".removeprefix(".")] = None
    return record.header | {"fields": [deriving.entry(field, record.namespace) for field in fields]}


def derive_key(record: RecordName, key: Sequence[Field], problems: Problems) -> AvroSchema:
    """The key schema: one key field gives its type, several a record in the order of positions, none gives null."""
    deriving = _Deriving(f"{record.name}Key", problems)
    if not key:
        return NO_KEY
    if len(key) == 1:
        return deriving.plain(key[0], "")
    header = RecordName(f"{record.name}Key", record.namespace).header
    return header | {"fields": [{"name": field.name, "type": deriving.plain(field, record.namespace)} for field in key]}


def path_name(stem: str, path: str) -> str:
    """The name of a nested type that is given none."""
    steps = path.replace("[]", ".item").replace("{}", ".value").split(".")
    return stem + "".join(word[:1].upper() + word[1:] for step in steps for word in step.split("_"))


class _Deriving:
    """Derivation of one schema.

    Nested types are named by ``avroName``, else by their path below ``stem``, so that no two share a name by chance.
    Those that share one on purpose are one type: it is defined where it comes first and named from then on. To see
    whether they are the same, they are derived with ``expand``: in full, without docs and aliases.
    """

    def __init__(self, stem: str, problems: Problems, *, expand: bool = False) -> None:
        self._stem, self._problems, self._expand = stem, problems, expand
        self.known: dict[str, Any] = {}

    def entry(self, field: Field, namespace: str) -> dict[str, Any]:
        """A field of a record, with the null branch, the doc, the aliases and the default its contract gives it."""
        plain = self.plain(field, namespace)
        entry: dict[str, Any] = {"name": field.name, "type": plain}
        if field.description and not self._expand:
            entry["doc"] = field.description
        if "avroAliases" in field.custom:
            entry["aliases"] = field.custom["avroAliases"]
        given = {"default": field.custom["avroDefault"]} if "avroDefault" in field.custom else {}
        if field.required:
            return entry | given
        if _says_null(plain):  # a raw type that has its own null stays in the order it was written
            first = plain[0] if isinstance(plain, list) else plain
            return entry | (given or ({"default": None} if first == "null" else {}))
        if field.custom.get("avroNull") == "last":
            return entry | {"type": _nullable(plain, first=False)} | given
        # A default belongs to the first branch of a union, so a default that is not null moves null to the end.
        default = given.get("default")
        return entry | {"type": _nullable(plain, first=default is None), "default": default}

    def plain(self, field: Field, namespace: str) -> AvroSchema:
        """The type of a field without its null branch; ``namespace`` is the one around it."""
        if "avroType" in field.custom:
            raw: AvroSchema = field.custom["avroType"]
            return raw
        shape = field.physical
        if shape.base in ("record", "enum", "fixed"):
            return self._named(field, namespace)
        if shape.base == "array":
            return {"type": "array", "items": self._inner(field.items, namespace) if field.items else "string"}
        if shape.base == "map":
            values = self._inner(field.values, namespace) if field.values else None
            return {"type": "map", "values": values or field.custom.get("avroMapValues", "string")}
        logical = _logical(field)
        return {"type": shape.base, **logical} if logical else shape.base

    def _named(self, field: Field, namespace: str) -> AvroSchema:
        own = str(field.custom.get("avroNamespace", namespace))
        name = str(field.custom.get("avroName") or path_name(self._stem, field.path))
        full = f"{own}.{name}".removeprefix(".")
        if self._expand or "avroName" not in field.custom:
            return self._definition(field, name, own)
        whole = _Deriving(self._stem, self._problems, expand=True)._definition(field, name, own)
        if full in self.known:
            if self.known[full] != whole:
                self._problems.add(field.place, f"{field.path}: another type is already named {full}; give it another")
            return full
        self.known[full] = whole
        return self._definition(field, name, own)

    def _definition(self, field: Field, name: str, namespace: str) -> dict[str, Any]:
        kind, said = field.physical.base, field.custom
        schema: dict[str, Any] = {"type": kind, "name": name}
        schema |= {"namespace": namespace} if "avroNamespace" in said or self._expand else {}
        schema |= {word: said[key] for key, word in _OF_NAMED.items() if key in said and not self._expand}
        if kind == "record":
            if not field.fields:
                self._problems.add(field.place, f"{field.path} is a record without properties")
            return schema | {"fields": [self.entry(child, namespace) for child in field.fields]}
        if kind == "fixed":
            return schema | {"size": field.physical.size} | _logical(field)
        default = {"default": said["avroEnumDefault"]} if "avroEnumDefault" in said else {}
        return schema | {"symbols": self._symbols(field)} | default | _logical(field)

    def _inner(self, inner: Field, namespace: str) -> AvroSchema:
        plain = self.plain(inner, namespace)
        if inner.required or _says_null(plain):
            return plain
        return _nullable(plain, first=inner.custom.get("avroNull") != "last")

    def _symbols(self, field: Field) -> list[str]:
        symbols = field.custom.get("avroSymbols") or field.choices or _valid_values(field)
        bad = [symbol for symbol in symbols if not (isinstance(symbol, str) and AVRO_NAME.fullmatch(symbol))]
        if bad or not symbols:
            told = f"{bad[0]!r} is not an Avro symbol" if bad else "an enum needs avroSymbols in its customProperties"
            self._problems.add(field.place, f"{field.path}: {told}")
        return list(symbols)


def _valid_values(field: Field) -> list[Any]:
    for item in field.quality:
        arguments = item.get("arguments", {})
        if item.get("metric") == "invalidValues" and "validValues" in arguments:
            return list(arguments["validValues"])
    return []


def _says_null(plain: AvroSchema) -> bool:
    return plain == "null" or (isinstance(plain, list) and "null" in plain)


def _nullable(plain: AvroSchema, *, first: bool) -> AvroSchema:
    branches = plain if isinstance(plain, list) else [plain]
    return ["null", *branches] if first else [*branches, "null"]


def _logical(field: Field) -> dict[str, Any]:
    shape = field.physical
    name = field.custom.get("avroLogicalType", shape.logical)
    if name == "decimal" and shape.precision is not None:
        return {"logicalType": name, "precision": shape.precision, "scale": shape.scale}
    return {"logicalType": name} if name else {}
