"""Documents as YAML that a person would have written: short lists and settings on one line, long texts folded."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

WIDTH = 120
_Place = tuple[str | int, ...]

# What fits a line is written on one: settings under these keys, entries of these lists.
_SETTINGS = frozenset({"logicalTypeOptions", "arguments", "implementation", "items", "key", "value"})
_ENTRIES = frozenset({"customProperties", "slaProperties", "support", "members", "enum", "authoritativeDefinitions"})
# Words that are the same whether quoted or not, and the exceptions.
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_MEANT = frozenset({"y", "n", "yes", "no", "true", "false", "on", "off", "null"})
# YAML ends a key that is not set apart at 1,024 characters.
_LONGEST_KEY = 1_000


@dataclass(frozen=True, slots=True)
class Remarks:
    """Comments by path: ``before`` an entry, and ``after`` the last line of a mapping, indented as its keys are."""

    before: Mapping[_Place, Sequence[str]] = field(default_factory=dict)
    after: Mapping[_Place, Sequence[str]] = field(default_factory=dict)


NOTHING = Remarks()


def written_out(document: Mapping[str, Any], remarks: Remarks = NOTHING) -> str:
    """The YAML text of a document of JSON values, in the order of its keys; parsing gives the same values again."""
    if _has_long_keys(document):
        return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)
    lines = [*_comments(remarks.before.get(()), 0), *_Writing(remarks).mapping(document, (), 0)]
    return "\n".join(lines) + "\n" if document else "{}\n"


class _Dumper(yaml.SafeDumper):
    """The safe dumper that writes shared values out instead of naming them."""

    def ignore_aliases(self, data: object) -> bool:
        return True


class _Writing:
    """One document on its way to text."""

    def __init__(self, remarks: Remarks) -> None:
        self._remarks = remarks

    def mapping(self, node: Mapping[str, Any], place: _Place, indent: int) -> Iterator[str]:
        for key, value in node.items():
            here, head = (*place, key), f"{' ' * indent}{_flow(key)}:"
            yield from _comments(self._remarks.before.get(here), indent)
            yield from self._entry(head, value, here, indent, key)
        yield from _comments(self._remarks.after.get(place), indent)

    def _entry(self, head: str, value: Any, place: _Place, indent: int, key: str) -> Iterator[str]:
        """An entry behind ``head``: beside it where it fits and suits, else below it."""
        if isinstance(value, str):
            yield from _text(head, value, indent + 2)
            return
        if not isinstance(value, dict | list) or not value or self._beside(head, value, place, key):
            yield f"{head} {_flow(value)}"
            return
        yield head
        if isinstance(value, dict):
            yield from self.mapping(value, place, indent + 2)
        else:
            yield from self._items(value, place, indent + 2)

    def _beside(self, head: str, value: Any, place: _Place, key: str) -> bool:
        suits = _plain_list(value) if isinstance(value, list) else key in _SETTINGS
        return suits and not self._remarked(place) and len(head) + len(_flow(value)) < WIDTH

    def _items(self, node: Sequence[Any], place: _Place, indent: int) -> Iterator[str]:
        listed_in = place[-1]
        for index, value in enumerate(node):
            here, dash = (*place, index), f"{' ' * indent}-"
            yield from _comments(self._remarks.before.get(here), indent)
            if isinstance(value, dict) and value and not self._on_a_line(dash, value, here, listed_in):
                first, *rest = self.mapping(value, here, indent + 2)
                yield f"{dash} {first.lstrip()}"
                yield from rest
            else:
                yield from self._entry(dash, value, here, indent, "value" if listed_in in _ENTRIES else "")

    def _on_a_line(self, dash: str, value: Any, place: _Place, listed_in: object) -> bool:
        return listed_in in _ENTRIES and not self._remarked(place) and len(dash) + len(_flow(value)) < WIDTH

    def _remarked(self, place: _Place) -> bool:
        """Whether something is to be said inside."""
        places = (*self._remarks.before, *self._remarks.after)
        return any(each[: len(place)] == place and each != place for each in places) or place in self._remarks.after


def _comments(lines: Sequence[str] | None, indent: int) -> Iterator[str]:
    for line in lines or ():
        yield f"{' ' * indent}# {line}".rstrip()


def _plain_list(value: Sequence[Any]) -> bool:
    return not any(isinstance(each, dict | list) and each for each in value)


def _text(head: str, text: str, indent: int) -> Iterator[str]:
    """A text behind its key or dash: as it stands, in lines of its own, folded, or quoted."""
    if "\n" in text:
        lines = text.split("\n")
        if _literal(lines):
            yield f"{head} |" if text.endswith("\n") else f"{head} |-"
            yield from (f"{' ' * indent}{line}".rstrip() for line in (lines[:-1] if not lines[-1] else lines))
            return
    elif len(head) + len(text) >= WIDTH and text.isprintable() and " ".join(text.split()) == text:
        yield f"{head} >-"
        folded = textwrap.wrap(text, WIDTH - indent, break_long_words=False, break_on_hyphens=False)
        yield from (f"{' ' * indent}{line}" for line in folded)
        return
    yield f"{head} {_scalar(text)}"


def _literal(lines: Sequence[str]) -> bool:
    """Whether lines can stand as they are, without saying how far they are indented or what ends them."""
    spaced = any(line != line.strip() for line in lines)
    ends_plainly = lines[-1] != "" or (len(lines) > 1 and lines[-2] != "")
    return lines[0] != "" and ends_plainly and not spaced and all(line.isprintable() for line in lines)


def _scalar(value: object, *, flow: bool = False) -> str:
    """A value without parts on one line; inside brackets more has to be quoted."""
    if isinstance(value, str) and _WORD.fullmatch(value) and value.lower() not in _MEANT:
        return value
    style = '"' if isinstance(value, str) and not value.isprintable() else None
    dumped: str = yaml.dump(
        [value], Dumper=_Dumper, allow_unicode=True, width=math.inf, default_flow_style=flow, default_style=style
    )
    return dumped.rstrip("\n")[1:-1] if flow else dumped.rstrip("\n").removeprefix("- ")


def _flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value, flow=True)


def _has_long_keys(node: Any) -> bool:
    if isinstance(node, dict):
        return any(len(key) > _LONGEST_KEY or _has_long_keys(value) for key, value in node.items())
    return isinstance(node, list) and any(map(_has_long_keys, node))
