"""The parts of a document that a policy is judged for, and the places its findings point at."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mesh.contract.document import Place

EACH = ("fields", "rules")
"""Words for parts at every depth: the properties of all schema objects, and all their quality items."""

STEP = r"[A-Za-z_][\w-]*(?:\[\])?"
_AT = re.compile(r"([A-Za-z_][\w-]*)|\[([\w -]+)\]")
# By what the standard's lists name their entries.
_NAMES = ("property", "name", "id", "role", "channel", "server")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a document; ``path`` is the dotted path of the field it is or belongs to, else its own."""

    place: Place
    value: Any
    path: str = ""


def parts(source: Mapping[str, Any], foreach: str) -> Iterator[Part]:
    """The parts that ``foreach`` names; the whole document if it names none."""
    if foreach == "fields":
        yield from _fields(source)
    elif foreach == "rules":
        yield from _rules(source)
    else:
        yield from _along([Part((), source)], foreach.split(".") if foreach else [])


def place_at(source: Mapping[str, Any], part: Part, at: str) -> Place:
    """Where ``at`` points within a part: names and ``[entry]`` by position or by the entry's own name."""
    place, value = part.place, part.value
    for word, entry in _AT.findall(at):
        step = word or _index(value, entry)
        if step is None:
            break
        place = (*place, step)
        value = value.get(step) if isinstance(value, dict) else value[step] if isinstance(step, int) else None
    return place


def _index(value: Any, entry: str) -> int | None:
    if not isinstance(value, list):
        return None
    if entry.isdecimal():
        return int(entry) if int(entry) < len(value) else None
    named = (
        index
        for index, each in enumerate(value)
        if isinstance(each, dict) and entry in (each.get(name) for name in _NAMES)
    )
    return next(named, None)


def _along(found: list[Part], steps: list[str]) -> list[Part]:
    for step in steps:
        name, every = step.removesuffix("[]"), step.endswith("[]")
        found = [below for part in found for below in _below(part, name, every)]
    return found


def _below(part: Part, name: str, every: bool) -> Iterator[Part]:
    value = part.value.get(name) if isinstance(part.value, dict) else None
    if value is None:
        return
    place = (*part.place, name)
    if not every:
        yield Part(place, value)
    elif isinstance(value, list):
        yield from (Part((*place, index), entry) for index, entry in enumerate(value))


def _fields(source: Mapping[str, Any]) -> Iterator[Part]:
    for part in _along([Part((), source)], ["schema[]"]):
        yield from _properties(part, "")


def _properties(part: Part, above: str) -> Iterator[Part]:
    for child in _below(part, "properties", True):
        yield from _field(child, f"{above}.{child.value.get('name', '')}".removeprefix("."))


def _field(part: Part, path: str) -> Iterator[Part]:
    found = Part(part.place, part.value, path)
    yield found
    yield from _properties(found, path)
    for items in _below(found, "items", False):
        yield from _field(items, f"{path}[]")


def _rules(source: Mapping[str, Any]) -> Iterator[Part]:
    owners = [Part(part.place, part.value) for part in _along([Part((), source)], ["schema[]"])]
    for owner in (*_fields(source), *owners):
        for rule in _below(owner, "quality", True):
            yield Part(rule.place, rule.value, owner.path)
