"""The names a policy's conditions may use, and the keys that the standard gives to what they stand for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

from mesh.contract.expression_document import Known

PRODUCT = frozenset(
    {
        "name",
        "domain",
        "topic",
        "major",
        "owner",
        "partitions",
        "cleanup",
        "retentionDays",
        "compatibility",
        "key",
        "eventTime",
    }
)
"""What the mesh has read from the document, under the keys of the variable ``product``."""

_PARTS: dict[str, tuple[str, ...]] = {
    "fields": ("SchemaProperty", "SchemaItemProperty"),
    "rules": ("DataQuality",),
    "roles[]": ("Role",),
    "slaProperties[]": ("ServiceLevelAgreementProperty",),
    "support[]": ("SupportItem",),
}


@cache
def known_names(foreach: str) -> Known:
    """The variables and their keys for a policy judged for these parts; no key is said where any may be there."""
    document = frozenset(key for schema in _schemas() for key in schema["properties"])
    parts = _PARTS.get(foreach, ())
    return {
        "contract": document,
        "previous": document,
        "it": frozenset(key for name in parts for key in _keys(name)) if foreach else document,
        "path": frozenset(),
        "product": PRODUCT,
        "step": frozenset(),
        "changed": frozenset(),
        "required": frozenset(),
    }


@cache
def _schemas() -> tuple[dict[str, Any], ...]:
    folder = resources.files("mesh.contract").joinpath("standards")
    files = sorted(file.name for file in folder.iterdir() if file.name.startswith("odcs-json-schema-"))
    return tuple(json.loads(folder.joinpath(name).read_text("utf-8")) for name in files)


def _keys(name: str) -> Iterator[str]:
    for schema in _schemas():
        yield from _named(schema, schema["$defs"].get(name, {}))


def _named(schema: dict[str, Any], part: Any) -> Iterator[str]:
    """Every key that a part of a schema names, in whatever branch."""
    if not isinstance(part, dict):
        return
    yield from part.get("properties", {})
    branches = [branch for word in ("allOf", "anyOf", "oneOf") for branch in part.get(word, ())]
    branches += [part[word] for word in ("if", "then", "else") if word in part]
    if "$ref" in part:
        branches.append(schema["$defs"].get(str(part["$ref"]).rpartition("/")[2], {}))
    for branch in branches:
        yield from _named(schema, branch)
