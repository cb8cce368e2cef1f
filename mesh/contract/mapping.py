"""Which fields of a derived product's inputs feed which of its own fields, and how, as its contract declares."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final

from mesh.contract.derivation import INDIRECT, Derivation, column_lists
from mesh.contract.document import Place, Problems
from mesh.contract.fields import Field, custom_place
from mesh.errors import UsageError
from mesh.types import ProductName

PROPERTY: Final = "lineage"
DECLASSIFIED: Final = "declassified"
_KNOWN: Final = ("from", "type", "subtype", "masking", "description")
_OBJECT: Final = re.compile(r"(?P<product>[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*)(?:\.v\d+)?")


class Kind(StrEnum):
    """Whether an input's value becomes part of the output's, or only decides about it; the words are OpenLineage's."""

    DIRECT = "DIRECT"
    INDIRECT = "INDIRECT"


SUBTYPES: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.DIRECT: ("IDENTITY", "TRANSFORMATION", "AGGREGATION"),
    Kind.INDIRECT: tuple(INDIRECT.values()),
}


@dataclass(frozen=True, slots=True)
class ColumnInput:
    """One field of an input product. ``path`` is dotted as in ``Field.path``; ``place`` is where the document says it.

    ``masking`` says that the output shows nothing of the value: a hash, a bucket, a constant.
    """

    product: ProductName
    path: str
    kind: Kind
    subtype: str
    masking: bool = False
    description: str = ""
    place: Place = field(default=(), compare=False)

    def __str__(self) -> str:
        return f"{self.product}.{self.path}"


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """What feeds a derived product, column by column.

    ``fields`` holds the inputs of each mapped field by its path, ``every`` those that decide about whole records (keys
    of joins and groups, filters), ``declassified`` the reason a field gives for a lower class than its inputs have.
    """

    fields: Mapping[str, tuple[ColumnInput, ...]] = field(default_factory=dict)
    every: tuple[ColumnInput, ...] = ()
    declassified: Mapping[str, str] = field(default_factory=dict)

    def inputs(self) -> Iterator[ColumnInput]:
        """All of them."""
        for each in self.fields.values():
            yield from each
        yield from self.every


NO_MAPPING: Final = ColumnMapping()


def read_mapping(
    source: Mapping[str, Any], fields: Sequence[Field], derivation: Derivation | None, problems: Problems
) -> ColumnMapping:
    """The ``lineage`` and ``declassified`` of every field, and the derivation's lists; problems are noted."""
    reading = _Mapping(source, derivation, problems)
    found: dict[str, tuple[ColumnInput, ...]] = {}
    reasons: dict[str, str] = {}
    for each in (inner for top in fields for inner in top.walk()):
        if inputs := reading.inputs(each):
            found[each.path] = inputs
        if reason := reading.declassified(each):
            reasons[each.path] = reason
    return ColumnMapping(found, reading.every(), reasons) if derivation else NO_MAPPING


class _Mapping:
    """One reading of one document."""

    def __init__(self, source: Mapping[str, Any], derivation: Derivation | None, problems: Problems) -> None:
        self._source, self._derivation, self._problems = source, derivation, problems

    def inputs(self, output: Field) -> tuple[ColumnInput, ...]:
        """What feeds a field, in the order it says so."""
        node = _at(self._source, output.place)
        self._check_objects(node, output)
        if PROPERTY not in output.custom:
            return ()
        place, given = custom_place(node, output.place, PROPERTY), output.custom[PROPERTY]
        if self._derivation is None:
            told = f"{output.path} has lineage, but the product has no derivation; say what makes it"
            self._problems.add(place, told)
            return ()
        if not isinstance(given, list) or not given:
            self._problems.add(place, f"lineage is a list: [{{from: domain.product.{output.name}, subtype: IDENTITY}}]")
            return ()
        logic = " ".join(str(node.get("transformDescription") or node.get("transformLogic") or "").split())
        read = (self._one(each, (*place, index), logic) for index, each in enumerate(given))
        return self._distinct([each for each in read if each is not None])

    def declassified(self, output: Field) -> str:
        """The reason a field gives for its lower class; empty where it gives none."""
        if DECLASSIFIED not in output.custom:
            return ""
        reason = output.custom[DECLASSIFIED]
        if isinstance(reason, str) and reason.strip():
            return " ".join(reason.split())
        place = custom_place(_at(self._source, output.place), output.place, DECLASSIFIED)
        self._problems.add(place, f"declassified of {output.path} is the reason for it, in words")
        return ""

    def every(self) -> tuple[ColumnInput, ...]:
        """The inputs that decide about whole records."""
        if self._derivation is None:
            return ()
        found: list[ColumnInput] = []
        for subtype, text, place in column_lists(self._source["schema"][0], ("schema", 0)):
            source = self._source_of(text, place)
            if source is not None:
                found.append(ColumnInput(*source, Kind.INDIRECT, subtype, place=place))
        return self._distinct(found)

    def _check_objects(self, node: Mapping[str, Any], output: Field) -> None:
        """Topics of the mesh among the source objects of a derived product must be its inputs."""
        if self._derivation is None:
            return
        for index, each in enumerate(node.get("transformSourceObjects", ())):
            match = _OBJECT.fullmatch(str(each))
            if match and ProductName.parse(match["product"]) not in self._derivation.inputs:
                place = (*output.place, "transformSourceObjects", index)
                self._problems.add(place, self._foreign(match["product"]))

    def _one(self, node: object, place: Place, logic: str) -> ColumnInput | None:
        if not isinstance(node, dict):
            self._problems.add(place, "an entry of lineage is a mapping: {from: domain.product.field, subtype: ...}")
            return None
        for key in node:
            if key not in _KNOWN:
                told = f"{key!r} says nothing about a column; write one of {', '.join(_KNOWN)}"
                self._problems.add((*place, key), told)
        kind, subtype = self._kind(node, place)
        masking = node.get("masking", False)
        if not isinstance(masking, bool):
            self._problems.add((*place, "masking"), "masking is true or false")
        source = self._source_of(node.get("from"), (*place, "from"))
        if source is None or kind is None:
            return None
        told = " ".join(str(node.get("description", "")).split()) or logic
        return ColumnInput(*source, kind, subtype, masking is True, told, place)

    def _kind(self, node: Mapping[str, Any], place: Place) -> tuple[Kind | None, str]:
        subtype, given = node.get("subtype"), node.get("type")
        kind = next((each for each, words in SUBTYPES.items() if subtype in words), None)
        if kind is None:
            words = (word for each in SUBTYPES.values() for word in each)
            self._problems.add((*place, "subtype"), f"{subtype!r} is no subtype; write one of {', '.join(words)}")
        elif given is not None and given != kind:
            told = f"{subtype} is {kind}, not {given!r}; write type: {kind}, or leave it out"
            self._problems.add((*place, "type"), told)
        return kind, str(subtype)

    def _source_of(self, text: object, place: Place) -> tuple[ProductName, str] | None:
        parts = str(text or "").split(".", 2)
        try:
            product = ProductName.parse(".".join(parts[:2]))
            path = parts[2]
        except (UsageError, IndexError):
            self._problems.add(place, f"{text!r} is not a field of a product; write <domain>.<product>.<field>")
            return None
        if self._derivation is not None and product not in self._derivation.inputs:
            self._problems.add(place, self._foreign(str(product)))
            return None
        return product, path

    def _foreign(self, product: str) -> str:
        known = [str(each) for each in self._derivation.inputs] if self._derivation else []
        close = get_close_matches(product, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"its inputs are {', '.join(known)}"
        return f"{product} is not an input of this product; {hint}"

    def _distinct(self, found: Sequence[ColumnInput]) -> tuple[ColumnInput, ...]:
        for index, each in enumerate(found):
            if any(_same(each, other) for other in found[:index]):
                self._problems.add(each.place, f"{each} is named twice as {each.subtype}")
        return tuple(found)


def _same(one: ColumnInput, other: ColumnInput) -> bool:
    return (one.product, one.path, one.subtype) == (other.product, other.path, other.subtype)


def _at(source: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
    """The node of a document at a path; empty for items that only the reading knows."""
    node: Any = source
    for step in place:
        try:
            node = node[step]
        except (KeyError, IndexError, TypeError):
            return {}
    return node if isinstance(node, dict) else {}
