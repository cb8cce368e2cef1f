"""Sampled values as the properties of a document: the narrowest types that hold all of them and that Avro has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mesh.contract.fields import AVRO_NAME
from mesh.contract.infer.profile import Profile
from mesh.contract.infer.texts import said_by
from mesh.errors import ContractInvalid

Node = dict[str, Any]

_LONGEST = (1 << 63) - 1
# Up to here a double holds every whole number.
_EXACT = 1 << 53
# An object with more names than this, most of them missing in any one record, is a map.
_MOST_FIELDS = 50
_PLAIN = {"boolean": "boolean", "integer": "long", "number": "double", "text": "string"}
_WORDS = {"boolean": ("boolean", "boolean"), "integer": ("integer", "long"), "number": ("number", "double")}


def infer_properties(records: Profile, source: str, *, numbers: bool) -> list[Node]:
    """The properties of records; ``numbers`` where numbers can only be texts, as in CSV.

    Raises ContractInvalid with every field that has no type in Avro, or no name.
    """
    reading = _Reading(source, numbers)
    properties = list(reading.properties(records, ""))
    if reading.problems:
        raise ContractInvalid(reading.problems)
    return properties


class _Reading:
    """One sample; what cannot be said is gathered."""

    def __init__(self, source: str, numbers: bool) -> None:
        self.problems: list[str] = []
        self._source, self._numbers = source, numbers

    def properties(self, records: Profile, path: str) -> Iterator[Node]:
        for name, profile, absent in records.children():
            here = f"{path}.{name}".removeprefix(".")
            if not AVRO_NAME.fullmatch(name):
                self._problem(
                    here, f"{name!r} is not a field name; use letters, digits and underscores, no digit first"
                )
                continue
            needed = {"required": True} if not profile.nulls and not absent else {}
            yield {"name": name} | self._node(profile, here, needed)

    def _problem(self, path: str, text: str) -> None:
        self.problems.append(f"{self._source}: {path or 'the record'}: {text}")

    def _node(self, profile: Profile, path: str, needed: Node) -> Node:
        kinds = set(profile.kinds)
        if kinds == {"object"}:
            return self._object(profile, path, needed)
        if kinds == {"array"}:
            return {"logicalType": "array", "physicalType": "array"} | needed | {"items": self._items(profile, path)}
        if kinds & {"object", "array"}:
            self._problem(
                path, f"is {' and '.join(sorted(kinds))} by turns, which no field can be; make it one of them"
            )
            return {}
        return self._plain(profile, path, needed)

    def _object(self, profile: Profile, path: str, needed: Node) -> Node:
        if not _is_map(profile):
            words = {"logicalType": "object", "physicalType": "record"}
            return words | needed | {"properties": list(self.properties(profile, path))}
        kinds = {kind for _, inner, _ in profile.children() for kind in inner.kinds}
        if kinds & {"object", "array"}:
            self._problem(path, "has names that are no field names, with objects or lists inside; give it a fixed form")
        values = _union(kinds, optional=any(inner.nulls for _, inner, _ in profile.children()))
        custom = [{"property": "avroMapValues", "value": values}]
        return {"logicalType": "object", "physicalType": "map"} | needed | {"customProperties": custom}

    def _items(self, profile: Profile, path: str) -> Node:
        items = profile.items
        if items is None or not items.held:  # every list was empty, or held only nulls
            return {"logicalType": "string", "physicalType": "string"} | ({} if items is None else {"required": False})
        node = self._node(items, f"{path}[]", {})
        return node | {"required": False} if items.nulls else node

    def _plain(self, profile: Profile, path: str, needed: Node) -> Node:
        kinds = set(profile.kinds)
        if kinds == {"text"} and (said := said_by(profile.values, numbers=self._numbers)):
            return {"logicalType": said.logical, "physicalType": said.physical} | needed
        most = _EXACT if "number" in kinds else _LONGEST
        if any(isinstance(value, int) and abs(value) > most for value in profile.values):
            self._problem(path, "holds whole numbers that no number of Avro's holds; write them as texts")
        if kinds == {"integer", "number"}:
            kinds = {"number"}
        if len(kinds) > 1:
            custom = [{"property": "avroType", "value": _union(kinds, optional=not needed)}]
            return {"logicalType": "string", "physicalType": "union"} | needed | {"customProperties": custom}
        logical, physical = _WORDS.get(next(iter(kinds), "text"), ("string", "string"))
        return {"logicalType": logical, "physicalType": physical} | needed


def _is_map(profile: Profile) -> bool:
    """Whether the names of objects are data: none at all, no names for fields, or far too many."""
    names = profile.fields
    if not names or not all(AVRO_NAME.fullmatch(name) for name in names):
        return not names or all(not inner.kinds.keys() & {"object", "array"} for inner in names.values())
    return len(names) > _MOST_FIELDS and sum(each.seen for each in names.values()) < profile.kinds["object"] * 10


def _union(kinds: set[str], *, optional: bool) -> Any:
    """Avro for plain values of these kinds."""
    if {"integer", "number"} <= kinds:
        kinds = kinds - {"integer"}
    names = [avro for kind, avro in _PLAIN.items() if kind in kinds] or ["string"]
    if optional:
        return ["null", *names]
    return names[0] if len(names) == 1 else names
