"""Avro schemas as values: their text, canonical form and fingerprint, and the lint that refuses unsafe ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from fastavro.schema import SchemaParseException, UnknownType, parse_schema, to_parsing_canonical_form

from mesh.contract.shape import shape_of
from mesh.errors import ContractInvalid

AvroSchema: TypeAlias = str | dict[str, Any] | list[Any]
"""A schema in parsed-JSON form: a type name, an object, or a union."""

# Decoders recurse by nesting: a few thousand levels end the interpreter without an exception.
MAX_NESTING = 64

_NAMED = ("record", "error", "enum", "fixed")


def text(schema: AvroSchema) -> str:
    """The one JSON text of a schema: compact, keys in the order they were written."""
    return json.dumps(schema, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_form(schema: AvroSchema) -> str:
    """Avro's Parsing Canonical Form. The schema must have passed ``lint``."""
    return str(to_parsing_canonical_form(json.loads(text(schema))))


def fingerprint(schema: AvroSchema) -> str:
    """SHA-256 of the canonical form, in hex. The schema must have passed ``lint``."""
    return hashlib.sha256(canonical_form(schema).encode()).hexdigest()


def lint(schema: object) -> list[str]:
    """What is wrong or unsafe, each ``path: text``; empty for a schema that may be registered. Never raises."""
    walk = _Walk()
    walk.visit(schema, "", 0, None)
    if walk.problems:
        return walk.problems
    broken = _broken(schema)
    return broken or [*walk.zero_width_arrays(), *_collisions(walk.columns)]


def _broken(schema: Any) -> list[str]:
    """What keeps a schema from being Avro: our own reading names the place, fastavro's says whether we can decode."""
    try:
        shape_of(schema)
        parse_schema(json.loads(text(schema)))
    except ContractInvalid as error:
        return list(error.problems)
    except UnknownType as error:
        return [f"the record: {error.name!r} is not an Avro type"]
    except (SchemaParseException, ValueError, KeyError, TypeError, AttributeError) as error:
        return [f"the record: not an Avro schema: {error}"]
    return []


def _collisions(columns: list[str]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for path in columns:
        flat = path.replace(".", "_").casefold()
        if flat in seen and seen[flat] != path:
            yield f"{path}: the name collides with {seen[flat]} when nested fields become columns; rename one"
        seen.setdefault(flat, path)


class _Walk:
    """One pass over a schema: recursion, nesting, and what the later checks need."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.columns: list[str] = []
        self._named: dict[str, Any] = {}
        self._open: list[str] = []
        self._arrays: list[tuple[str, Any, str | None]] = []

    def visit(self, schema: Any, path: str, depth: int, namespace: str | None) -> None:
        if depth > MAX_NESTING:
            self._add(path, f"nested more than {MAX_NESTING} levels deep")
        elif isinstance(schema, list):
            for branch in schema:
                self.visit(branch, path, depth, namespace) if not isinstance(branch, list) else self._union(path)
        elif isinstance(schema, str):
            self._reference(schema, path, namespace)
        elif isinstance(schema, Mapping):
            self._complex(schema, path, depth, namespace)
        else:
            self._add(path, f"{schema!r} is not an Avro type")

    def zero_width_arrays(self) -> Iterator[str]:
        """Arrays whose items take no bytes: a few bytes may claim any number of them."""
        for path, items, namespace in self._arrays:
            if self._zero_width(items, namespace):
                yield f"{path or 'the record'}: its items take no bytes, so a few bytes could claim any number of them"

    def _union(self, path: str) -> None:
        self._add(path, "a union may not hold a union")

    def _add(self, path: str, text: str) -> None:
        self.problems.append(f"{path or 'the record'}: {text}")

    def _reference(self, name: str, path: str, namespace: str | None) -> None:
        if _full_name(name, namespace) in self._open:
            self._add(path, f"{name} contains itself; recursive schemas are refused, give the structure a bound")

    def _complex(self, schema: Mapping[str, Any], path: str, depth: int, namespace: str | None) -> None:
        kind = schema.get("type")
        if not isinstance(kind, str):
            self.visit(kind, path, depth + 1, namespace)
        elif kind in _NAMED:
            self._definition(schema, kind, path, depth, namespace)
        elif kind == "array":
            self._arrays.append((path, schema.get("items"), namespace))
            self.visit(schema.get("items"), f"{path}[]", depth + 1, namespace)
        elif kind == "map":
            self.visit(schema.get("values"), f"{path}{{}}", depth + 1, namespace)
        else:
            self._reference(kind, path, namespace)

    def _definition(self, schema: Mapping[str, Any], kind: str, path: str, depth: int, namespace: str | None) -> None:
        name = _full_name(str(schema.get("name", "")), schema.get("namespace", namespace))
        self._named[name] = schema
        if kind not in ("record", "error"):
            return
        self._open.append(name)
        fields = schema.get("fields")
        for field in fields if isinstance(fields, list) else []:
            self._field(field, path, depth, name.rpartition(".")[0] or None)
        self._open.pop()

    def _field(self, field: Any, path: str, depth: int, namespace: str | None) -> None:
        if not isinstance(field, Mapping) or "type" not in field:
            self._add(path, "every field needs a name and a type")
            return
        here = f"{path}.{field.get('name')}".removeprefix(".")
        self.columns.append(here)
        self.visit(field["type"], here, depth + 1, namespace)

    def _zero_width(self, schema: Any, namespace: str | None) -> bool:
        if isinstance(schema, str):
            found = self._named.get(_full_name(schema, namespace))
            return schema == "null" or (found is not None and self._zero_width(found, namespace))
        if not isinstance(schema, Mapping):
            return False
        kind = schema.get("type")
        if kind in ("record", "error"):
            return all(self._zero_width(field["type"], namespace) for field in schema["fields"])
        if kind == "fixed":
            return bool(schema.get("size") == 0)
        return self._zero_width(kind, namespace) if kind not in ("enum", "array", "map") else False


def _full_name(name: str, namespace: str | None) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"
