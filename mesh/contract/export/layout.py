"""Python source laid out as ruff's formatter leaves it, at any line length of 88 or more."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from mesh.contract.export.writing import one_line

WIDTH: Final = 88
_STEP: Final = 4


@dataclass(frozen=True, slots=True)
class Group:
    """Something in brackets. On lines of its own each part ends in a comma, which keeps a formatter from joining them.

    ``parts`` are pairs of a prefix (``ge=``, or nothing) and what follows it.
    """

    head: str
    parts: tuple[tuple[str, Tree], ...]
    tail: str


Tree: TypeAlias = str | Group
"""An expression: text that stays on one line, or a group."""


def group(head: str, parts: Sequence[Tree], tail: str) -> Group:
    """A group of parts without prefixes."""
    return Group(head, tuple(("", part) for part in parts), tail)


def call(name: str, **arguments: Tree) -> Group:
    """A call by keyword."""
    return Group(f"{name}(", tuple((f"{key}=", part) for key, part in arguments.items()), ")")


def flat(tree: Tree) -> str:
    """The expression on one line."""
    if isinstance(tree, str):
        return tree
    return tree.head + ", ".join(prefix + flat(part) for prefix, part in tree.parts) + tree.tail


def laid_out(tree: Tree, before: str, after: str = "", indent: int = 0) -> str:
    """``before``, the expression and ``after``, on one line if it fits, else with each part of the group on its own."""
    line = " " * indent + before + flat(tree) + after
    if len(line) <= WIDTH or isinstance(tree, str) or not tree.parts:
        return line
    inner = [laid_out(part, prefix, ",", indent + _STEP) for prefix, part in tree.parts]
    return "\n".join([" " * indent + before + tree.head, *inner, " " * indent + tree.tail + after])


def quoted(text: str) -> str:
    """A string literal in the quotes a formatter would choose; what cannot be seen is written by its number."""
    mark = "'" if text.count('"') > text.count("'") else '"'
    return mark + _escaped(text).replace(mark, "\\" + mark) + mark


def docstring(text: str, indent: int = 0, more: str = "") -> str:
    """A docstring of one paragraph, wrapped; with ``more``, of two."""
    margin, lines = " " * indent, _wrapped(text, indent)
    if more:
        lines += ["", *_wrapped(more, indent), ""]
    return margin + '"""' + "\n".join([lines[0], *(margin + line if line else "" for line in lines[1:])]) + '"""'


def _wrapped(text: str, indent: int) -> list[str]:
    told = _escaped(one_line(text)) or "..."
    if '"""' in told or told[0] == '"' or told[-1] == '"':
        told = told.replace('"', '\\"')
    return textwrap.wrap(told, WIDTH - indent - 6, break_long_words=False, break_on_hyphens=False)


def _escaped(text: str) -> str:
    return "".join(_character(each) for each in text.replace("\\", "\\\\"))


def _character(each: str) -> str:
    if each.isprintable():
        return each
    if each in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[each]
    number = ord(each)
    return f"\\x{number:02x}" if number < 1 << 8 else f"\\u{number:04x}" if number < 1 << 16 else f"\\U{number:08x}"
