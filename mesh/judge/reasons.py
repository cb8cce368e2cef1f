"""Sentences for findings; a value is shown only where its classification allows, and 80 characters of it at most."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from mesh.contract.clauses import Clause, ClauseKind
from mesh.contract.fields import Field
from mesh.contract.shape import Shape
from mesh.judge.logical import for_people

LONGEST: Final = 80
_MOST_VALUES: Final = 10

_SENTENCES: Final = {
    ClauseKind.REQUIRED: "{v} is missing",
    ClauseKind.MINIMUM: "{v} is below the minimum of {a}",
    ClauseKind.MAXIMUM: "{v} is above the maximum of {a}",
    ClauseKind.EXCLUSIVE_MINIMUM: "{v} is not above {a}",
    ClauseKind.EXCLUSIVE_MAXIMUM: "{v} is not below {a}",
    ClauseKind.MULTIPLE_OF: "{v} is not a multiple of {a}",
    ClauseKind.MIN_LENGTH: "{v} is shorter than {a}",
    ClauseKind.MAX_LENGTH: "{v} is longer than {a}",
    ClauseKind.PATTERN: "{v} does not match {a}",
    ClauseKind.VALUES: "{v} is not one of {a}",
    ClauseKind.MIN_ITEMS: "{v} has fewer than {a} items",
    ClauseKind.MAX_ITEMS: "{v} has more than {a} items",
    ClauseKind.UNIQUE_ITEMS: "{v} holds an item twice",
}
_COLLECTIONS: Final = (ClauseKind.MIN_ITEMS, ClauseKind.MAX_ITEMS, ClauseKind.UNIQUE_ITEMS)


def hidden_paths(fields: Sequence[Field]) -> frozenset[str]:
    """The paths whose values nobody may show: classified themselves, or below what is."""
    return frozenset(below.path for top in fields for field in top.walk() if field.sensitive for below in field.walk())


def reason(clause: Clause, value: object, shape: Shape, *, hidden: bool) -> str:
    """Why a value breaks a clause. ``shape`` is the value's, without null."""
    if clause.kind is ClauseKind.REQUIRED:
        return "the field is missing"
    if isinstance(value, float) and math.isnan(value) and not hidden:
        return f"it is not a number (NaN), so it does not keep {clause.kind} {clause.argument}"
    told = _subject(clause, value, shape, hidden=hidden)
    return _SENTENCES[clause.kind].format(v=told, a=_argument(clause, shape))


def rule_reason(clause: Clause, *, undecided: bool) -> str:
    """Why a rule over the record is not kept; it shows the rule and no value."""
    text = str(clause.argument)
    if undecided:
        return f"the rule has no outcome here (null, overflow, division by zero or a missing key): {text}"
    return f"the rule does not hold: {text}"


def places_at(record: object, path: str) -> Iterator[tuple[str, object]]:
    """The values a dotted path leads to, each with its own path; null stops the way, except at its end."""
    yield from _descend(record, "", path.replace("[]", ".[]").split("."))


def _descend(value: object, path: str, segments: Sequence[str]) -> Iterator[tuple[str, object]]:
    if not segments:
        yield path, value
    elif segments[0] == "[]" and isinstance(value, list):
        for position, item in enumerate(value):
            yield from _descend(item, f"{path}[{position}]", segments[1:])
    elif isinstance(value, Mapping):
        below = f"{path}.{segments[0]}" if path else segments[0]
        yield from _descend(value.get(segments[0]), below, segments[1:])


def _subject(clause: Clause, value: object, shape: Shape, *, hidden: bool) -> str:
    if clause.kind in _COLLECTIONS:
        return "the list"
    return "the value" if hidden else shown(value, shape)


def shown(value: object, shape: Shape) -> str:
    """A value for people, 80 characters of it at most."""
    convert = for_people(shape)
    seen = convert(value) if convert else value
    text = repr(seen[: LONGEST + 1]) if isinstance(seen, str | bytes) else str(seen)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _argument(clause: Clause, shape: Shape) -> str:
    argument = clause.argument
    if clause.kind is ClauseKind.PATTERN:
        return str(argument)
    if clause.kind is ClauseKind.VALUES and isinstance(argument, tuple):
        shown = [_bound(value, shape) for value in argument[:_MOST_VALUES]]
        return ", ".join(shown) + (" ..." if len(argument) > _MOST_VALUES else "")
    if clause.kind in (ClauseKind.MIN_LENGTH, ClauseKind.MAX_LENGTH):
        return f"{argument} {'bytes' if shape.kind == 'bytes' else 'characters'}"
    return _bound(argument, shape)


def _bound(argument: object, shape: Shape) -> str:
    convert = for_people(shape) if isinstance(argument, int) else None
    return str(convert(argument)) if convert else str(argument)
