"""Names of a generated module: none is a keyword, none hides another."""

from __future__ import annotations

import keyword
from collections.abc import Iterable
from typing import Final

from pydantic import BaseModel

RESERVED: Final = frozenset(
    {
        *("dt", "Decimal", "UUID", "Annotated", "Final", "Literal", "TypeAlias", "Union", "AwareDatetime", "BaseModel"),
        *("ConfigDict", "Field", "NaiveDatetime", "PRODUCT", "VERSION", "Int", "Long", "int", "float", "str", "bytes"),
        *("bool", "list", "dict", "self"),
    }
)
"""What a generated module imports, defines or uses itself."""

# Longer names would not leave room for a field beside them.
_LONGEST: Final = 32


class Names:
    """The names of a module's classes and aliases; they keep clear of all its fields."""

    def __init__(self, fields: Iterable[str]) -> None:
        self._taken = {*RESERVED, *fields, *(attribute(each) for each in fields)}

    def add(self, wanted: str) -> str:
        """A name in the manner of classes, numbered where it is taken."""
        plain = wanted.lstrip("_")
        stem = (plain[:1].upper() + plain[1:])[:_LONGEST]
        if not stem or stem[0].isdecimal():
            stem = f"Record{stem}"
        name, number = stem, 1
        while name in self._taken or keyword.iskeyword(name):
            number += 1
            name = f"{stem}{number}"
        self._taken.add(name)
        return name


def attribute(field: str) -> str:
    """A field's name as an attribute of a model: public, no keyword, nothing that models have themselves."""
    name = field.lstrip("_")
    if not name or name[0].isdecimal():
        name = f"field_{name}"
    while keyword.iskeyword(name) or name in RESERVED or hasattr(BaseModel, name):
        name += "_"
    return name


def attributes(fields: Iterable[str]) -> dict[str, str]:
    """The attribute of each field of one record; no two are the same."""
    fields = list(fields)
    found: dict[str, str] = {each: each for each in fields if attribute(each) == each}
    for each in fields:
        name = attribute(each)
        while each not in found and name in found.values():
            name += "_"
        found.setdefault(each, name)
    return found
