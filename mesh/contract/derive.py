"""The Avro schemas of a contract, derived from its fields: the same document always gives the same text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.contract.avro import AvroSchema
from mesh.contract.document import Problems
from mesh.contract.fields import AVRO_NAME, Field

NO_KEY: AvroSchema = "null"
"""The key schema of a product without a primary key: its records have null keys."""


@dataclass(frozen=True, slots=True)
class RecordName:
    """The name of the record a product's values are."""

    name: str
    namespace: str
    doc: str = ""

    @property
    def header(self) -> dict[str, Any]:
        """The first entries of a record schema of that name."""
        return {"type": "record", "name": self.name, "namespace": self.namespace} | (
            {"doc": self.doc} if self.doc else {}
        )


def derive_value(record: RecordName, fields: Sequence[Field], problems: Problems) -> dict[str, Any]:
    """The value schema."""
    deriving = _Deriving(record.name, problems)
    return record.header | {"fields": [deriving.entry(field) for field in fields]}


def derive_key(record: RecordName, key: Sequence[Field], problems: Problems) -> AvroSchema:
    """The key schema: one key field gives its type, several a record in the order of positions, none gives null."""
    deriving = _Deriving(f"{record.name}Key", problems)
    if not key:
        return NO_KEY
    if len(key) == 1:
        return deriving.plain(key[0])
    header = RecordName(f"{record.name}Key", record.namespace).header
    return header | {"fields": [{"name": field.name, "type": deriving.plain(field)} for field in key]}


class _Deriving:
    """Derivation of one schema. Nested types are named by their path below ``stem``, so no two share a name."""

    def __init__(self, stem: str, problems: Problems) -> None:
        self._stem, self._problems = stem, problems

    def entry(self, field: Field) -> dict[str, Any]:
        """A field of a record, with the null branch, the doc and the default its contract gives it."""
        plain, default = self.plain(field), field.custom.get("avroDefault")
        entry: dict[str, Any] = {"name": field.name, "type": plain}
        if field.description:
            entry["doc"] = field.description
        if field.required:
            return entry if "avroDefault" not in field.custom else entry | {"default": default}
        # A default belongs to the first branch of a union, so a default that is not null moves null to the end.
        return entry | {"type": _nullable(plain, first=default is None), "default": default}

    def plain(self, field: Field) -> AvroSchema:
        """The type of a field without its null branch."""
        if "avroType" in field.custom:
            raw: AvroSchema = field.custom["avroType"]
            return raw
        shape = field.physical
        if shape.base == "record":
            return self._record(field)
        if shape.base == "array":
            return {"type": "array", "items": self._item(field.items) if field.items else "string"}
        if shape.base == "map":
            return {"type": "map", "values": field.custom.get("avroMapValues", "string")}
        if shape.base in ("enum", "fixed"):
            named = {"type": shape.base, "name": self._name(field), **_namespace(field)}
            return (
                named
                | ({"symbols": self._symbols(field)} if shape.base == "enum" else {"size": shape.size})
                | _logical(field)
            )
        logical = _logical(field)
        return {"type": shape.base, **logical} if logical else shape.base

    def _record(self, field: Field) -> dict[str, Any]:
        if not field.fields:
            self._problems.add(field.place, f"{field.path} is a record without properties")
        header = {"type": "record", "name": self._name(field), **_namespace(field)}
        return header | {"fields": [self.entry(child) for child in field.fields]}

    def _item(self, item: Field) -> AvroSchema:
        plain = self.plain(item)
        return plain if item.required else _nullable(plain, first=True)

    def _name(self, field: Field) -> str:
        steps = field.path.replace("[]", ".item").split(".")
        return self._stem + "".join(word[:1].upper() + word[1:] for step in steps for word in step.split("_"))

    def _symbols(self, field: Field) -> list[str]:
        symbols = field.custom.get("avroSymbols") or _valid_values(field)
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


def _nullable(plain: AvroSchema, *, first: bool) -> AvroSchema:
    branches = plain if isinstance(plain, list) else [plain]
    others = [branch for branch in branches if branch != "null"]
    return ["null", *others] if first else [*others, "null"]


def _namespace(field: Field) -> Mapping[str, str]:
    return {"namespace": str(field.custom["avroNamespace"])} if "avroNamespace" in field.custom else {}


def _logical(field: Field) -> dict[str, Any]:
    shape = field.physical
    name = field.custom.get("avroLogicalType", shape.logical)
    if name == "decimal" and shape.precision is not None:
        return {"logicalType": name, "precision": shape.precision, "scale": shape.scale}
    return {"logicalType": name} if name else {}
