"""Where a derived product comes from: the processor that makes it and the products it is made from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mesh.contract.document import Place, Problems
from mesh.contract.fields import custom, custom_place
from mesh.errors import UsageError
from mesh.types import ProductName, ProductTopics

PROPERTY = "derivation"
INDIRECT: Final = {
    "join": "JOIN",
    "group": "GROUP_BY",
    "filter": "FILTER",
    "sort": "SORT",
    "window": "WINDOW",
    "conditional": "CONDITIONAL",
}
"""The lists of input fields that decide about whole records, and OpenLineage's word for each."""

_KNOWN = ("processor", "inputs", "repartition", *INDIRECT)
_NAME = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)?")


@dataclass(frozen=True, slots=True)
class Derivation:
    """What makes a product. Records may name parents in the public topics of ``inputs`` and in no others.

    ``processor`` is a part of every record's identity, so renaming it makes all outputs new ones. ``repartition`` says
    that the processor keys its input anew, through a topic of its own.
    """

    processor: str
    inputs: tuple[ProductName, ...]
    repartition: bool = False

    @property
    def judged(self) -> dict[str, object]:
        """What the verdict on a record depends on, as JSON."""
        return {"processor": self.processor, "inputs": [str(each) for each in self.inputs]}


def read_derivation(
    record: Mapping[str, Any], topics: ProductTopics, place: Place, problems: Problems
) -> Derivation | None:
    """The ``derivation`` of the schema object; None for a product of source. What is wrong goes to ``problems``."""
    node = custom(record).get(PROPERTY)
    here = custom_place(record, place, PROPERTY)
    if node is None:
        return None
    if not isinstance(node, dict):
        problems.add(here, "derivation is a mapping: {processor: name, inputs: [domain.product, ...]}")
        return None
    for key in node:
        if key not in _KNOWN:
            problems.add((*here, key), f"{key!r} says nothing about a derivation; write one of {', '.join(_KNOWN)}")
    processor = node.get("processor", str(topics.product))
    if not isinstance(processor, str) or not _NAME.fullmatch(processor):
        problems.add((*here, "processor"), f"{processor!r} is not the name of a processor; use lower case and hyphens")
    for key in INDIRECT:
        if key in node and not isinstance(node[key], list):
            problems.add((*here, key), f"{key} is a list of fields of inputs: [domain.product.field, ...]")
    repartition = node.get("repartition", False)
    if not isinstance(repartition, bool):
        problems.add((*here, "repartition"), "repartition is true or false")
    return Derivation(str(processor), _inputs(node, topics, here, problems), repartition is True)


def column_lists(record: Mapping[str, Any], place: Place) -> Iterator[tuple[str, object, Place]]:
    """What the lists of fields of a derivation hold: the subtype, the text and its place."""
    node = custom(record).get(PROPERTY)
    here = custom_place(record, place, PROPERTY)
    for key, subtype in INDIRECT.items():
        given = node.get(key) if isinstance(node, dict) else None
        for index, each in enumerate(given if isinstance(given, list) else ()):
            yield subtype, each, (*here, key, index)


def _inputs(
    node: Mapping[str, Any], topics: ProductTopics, place: Place, problems: Problems
) -> tuple[ProductName, ...]:
    given = node.get("inputs", [])
    if not isinstance(given, list) or not given:
        problems.add((*place, "inputs"), "inputs names the products it is made from: [domain.product, ...]")
        return ()
    found: list[ProductName] = []
    for index, each in enumerate(given):
        here = (*place, "inputs", index)
        try:
            name = ProductName.parse(str(each))
        except UsageError as error:
            problems.add(here, str(error))
            continue
        if name == topics.product or name in found:
            problems.add(here, f"{name} is named twice, or is the product itself")
        found.append(name)
    return tuple(found)
