"""Column by column: what a field is fed by, back to the sources, and what is fed by it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mesh.contract import Contract
from mesh.contract.mapping import ColumnInput
from mesh.errors import NotFound
from mesh.types import ProductName

Column = tuple[ProductName, str]
"""A product and the dotted path of one of its fields; an empty path stands for whole records."""


@dataclass(frozen=True, slots=True)
class ColumnEdge:
    """One input field feeds one output field. ``depth`` counts hops from the field that was asked about.

    An empty ``path`` says that the input decides about whole records. ``masked`` is true from the first masking on the
    way. ``source_version`` and ``version`` are those of the contracts; empty for a product that is not known.
    """

    product: ProductName
    path: str
    version: str
    source: ColumnInput
    source_version: str
    processor: str
    depth: int
    masked: bool

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "depth": self.depth,
            "to": {"product": str(self.product), "version": self.version, "field": self.path or None},
            "from": {
                "product": str(self.source.product),
                "version": self.source_version,
                "field": self.source.path,
            },
            "processor": self.processor,
            "type": self.source.kind,
            "subtype": self.source.subtype,
            "masking": self.source.masking,
            "masked": self.masked,
            "description": self.source.description,
        }


def column_sources(known: Mapping[ProductName, Contract], product: ProductName, path: str) -> list[ColumnEdge]:
    """Everything that feeds a field, hop by hop to products of source; raises NotFound for an unknown field."""
    _require(known, product, path)
    return list(_walk((product, path), lambda each: _feeding(known, each)))


def column_uses(known: Mapping[ProductName, Contract], product: ProductName, path: str) -> list[ColumnEdge]:
    """Everything that a field feeds, hop by hop; raises NotFound for an unknown field."""
    _require(known, product, path)
    return list(_walk((product, path), lambda each: _fed(known, each), forth=True))


def _require(known: Mapping[ProductName, Contract], product: ProductName, path: str) -> None:
    contract = known.get(product)
    if contract is None:
        raise NotFound("product", str(product), "is its contract applied? (mesh apply)")
    if contract.field(path) is None:
        paths = ", ".join(field.path for top in contract.fields for field in top.walk())
        raise NotFound("field", f"{product}.{path}", f"it has {paths}")


def _walk(
    start: Column, following: Callable[[Column], Iterable[ColumnEdge]], *, forth: bool = False
) -> Iterator[ColumnEdge]:
    """Breadth first, every column once; what is masked on one way only may still show on the other."""
    seen: set[tuple[Column, bool]] = {(start, False)}
    level: list[tuple[Column, bool]] = [(start, False)]
    shown: set[tuple[ProductName, str, ColumnInput, bool]] = set()
    depth = 0
    while level:
        depth += 1
        reached: list[tuple[Column, bool]] = []
        for column, masked in level:
            for edge in following(column):
                hidden = masked or edge.source.masking
                told = edge.product, edge.path, edge.source, hidden
                if told not in shown:
                    shown.add(told)
                    yield replace(edge, depth=depth, masked=hidden)
                next_column = (edge.product, edge.path) if forth else (edge.source.product, edge.source.path)
                if (next_column, hidden) not in seen:
                    seen.add((next_column, hidden))
                    reached.append((next_column, hidden))
        level = reached


def _feeding(known: Mapping[ProductName, Contract], column: Column) -> Iterator[ColumnEdge]:
    """The edges into one column: its own, those of the fields inside it, and those of the whole record."""
    product, path = column
    contract = known.get(product)
    if contract is None:
        return
    for output, inputs in contract.mapping.fields.items():
        if not path or output == path or _inside(output, path) or _inside(path, output):
            yield from _edges(known, contract, output, inputs)
    yield from _edges(known, contract, "", contract.mapping.every)


def _fed(known: Mapping[ProductName, Contract], column: Column) -> Iterator[ColumnEdge]:
    product, path = column
    for contract in known.values():
        for output, inputs in (*contract.mapping.fields.items(), ("", contract.mapping.every)):
            taken = [each for each in inputs if each.product == product and _touches(each.path, path)]
            yield from _edges(known, contract, output, taken)


def _touches(one: str, other: str) -> bool:
    return not other or one == other or _inside(one, other) or _inside(other, one)


def _inside(path: str, outer: str) -> bool:
    return path.startswith((f"{outer}.", f"{outer}["))


def _edges(
    known: Mapping[ProductName, Contract], contract: Contract, output: str, inputs: Iterable[ColumnInput]
) -> Iterator[ColumnEdge]:
    processor = contract.derivation.processor if contract.derivation else ""
    for each in inputs:
        source = known.get(each.product)
        version = source.version if source else ""
        yield ColumnEdge(contract.product, output, contract.version, each, version, processor, 1, each.masking)
