"""HTML from values: whatever comes from a document is text, never markup."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_LINK: Final = re.compile(r"(?:https?://|mailto:)\S+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Markup:
    """Markup that is written as it stands; made by the functions of this module only."""

    text: str

    def __bool__(self) -> bool:
        return bool(self.text)


Part = Markup | str


def written(part: object) -> str:
    """A part as HTML: markup as it is, all else escaped. What cannot be seen, and could turn a line round, is a box."""
    if isinstance(part, Markup):
        return part.text
    text = part if isinstance(part, str) else str(part)
    seen = "".join(each if each.isprintable() or each in "\n\t" else "\ufffd" for each in text)
    return html.escape(seen, quote=True)


def element(name: str, *parts: object, **attributes: str) -> Markup:
    """An element; an attribute whose name is a word of Python has an underscore behind it."""
    given = "".join(f' {key.rstrip("_")}="{written(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{given}>{''.join(map(written, parts))}</{name}>")


def joined(parts: Iterable[object], separator: str = "\n") -> Markup:
    """Parts one after the other; the separator is text."""
    return Markup(html.escape(separator).join(written(part) for part in parts))


def section(title: str, *parts: Markup) -> Markup:
    """A section with a heading; nothing where there is nothing to say."""
    told = [part for part in parts if part]
    return element("section", "\n", element("h2", title), "\n", joined(told), "\n") if told else Markup("")


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
    """A table whose first column names its rows; nothing without rows, and no column that is empty in all of them."""
    cells = [[written(cell) for cell in row] for row in rows]
    kept = [index for index in range(len(heads)) if any(row[index] for row in cells)]
    if not cells or not kept:
        return Markup("")
    head = element("tr", *(element("th", heads[index], scope="col") for index in kept))
    body = [_row([Markup(row[index]) for index in kept]) for row in cells]
    parts = ("\n", element("thead", head), "\n", element("tbody", "\n", joined(body), "\n"), "\n")
    return element("div", element("table", *parts), class_="table")


def _row(cells: Sequence[Markup]) -> Markup:
    first = element("th", cells[0], scope="row")
    return element("tr", first, *(element("td", cell) for cell in cells[1:]))


def paragraph(text: object) -> Markup:
    """A paragraph; nothing where there is no text."""
    return element("p", text) if text else Markup("")


def code(text: object) -> Markup:
    """A name or an expression."""
    return element("code", text)


def link(address: str, text: str = "") -> Markup:
    """A link, where the address is of a kind that only leads somewhere; else the address as text."""
    shown = text or address
    if _LINK.fullmatch(address):
        return element("a", shown, href=address, rel="noreferrer")
    return Markup(written(shown if shown == address else f"{shown} ({address})"))
