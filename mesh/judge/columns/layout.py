"""How bodies of one schema are read into columns, and which column is which field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np

from mesh.contract.shape import Enum, Fixed, Logical, Primitive, Record, Shape, Union
from mesh.judge.columns.arrays import Bools, Unsupported
from mesh.judge.columns.column import Column, Real, Symbol, Truth, Whole
from mesh.judge.columns.cursor import Cursor

Reader: TypeAlias = Callable[[Cursor, "Bools | None"], None]
"""Reads one field of every record, where the second argument is true."""

_LONGEST_NUMBER: Final = 10
_ROOM: Final = {"boolean": 1, "float": 4, "double": 8}
_DEEPEST: Final = 64


@dataclass(frozen=True, slots=True)
class Slot:
    """One column: its number, the number of the record's it is below (-1: none), and what it holds."""

    number: int
    parent: int
    shape: Shape
    nullable: bool
    logical: str = ""


@dataclass(slots=True)
class Layout:
    """The columns of a schema by dotted path, and what reads them.

    ``room`` is how many bytes a cursor may run behind its record.
    """

    slots: dict[str, Slot] = field(default_factory=dict)
    room: int = 0
    _readers: list[tuple[str, Reader]] = field(default_factory=list)

    @classmethod
    def of(cls, record: Record, key: Sequence[str]) -> Layout:
        """Lay out; raises Unsupported for shapes that columns cannot hold. The places of key fields are kept."""
        layout = cls()
        for part in record.fields:
            reader = layout._read(part.type, part.name, -1, 0)
            layout._readers.append((part.name if part.name in key else "", reader))
        return layout

    def read(self, cursor: Cursor) -> None:
        """Read all fields."""
        for mark, reader in self._readers:
            begin = cursor.at
            reader(cursor, None)
            if mark:
                cursor.marks[mark] = begin, cursor.at

    def _read(self, shape: Shape, path: str, parent: int, depth: int) -> Reader:
        inner, null = shape, -1
        if isinstance(shape, Union):
            inner, null = _nullable(shape, path)
            self.room += 1
        logical = inner.logical if isinstance(inner, Primitive | Fixed) else None
        if depth > _DEEPEST or (logical is not None and logical.name == "decimal"):
            raise Unsupported(f"{path}: too deep, or a decimal")
        slot = Slot(len(self.slots), parent, inner, null >= 0, logical.name if isinstance(logical, Logical) else "")
        self.slots[path] = slot
        reader = self._value(slot, path, depth)
        return reader if null < 0 else _optional(reader, null)

    def _value(self, slot: Slot, path: str, depth: int) -> Reader:
        match slot.shape:
            case Record(fields=fields):
                parts = [self._read(part.type, f"{path}.{part.name}", slot.number, depth + 1) for part in fields]
                return _record(slot.number, parts)
            case Enum(symbols=symbols):
                self.room += _LONGEST_NUMBER
                return _enum(slot.number, symbols)
            case Fixed(size=size):
                return _stored(slot.number, lambda cursor, live: cursor.fixed(live, size))
            case Primitive(kind=kind) if kind in _READERS:
                self.room += _ROOM.get(kind, _LONGEST_NUMBER)
                return _stored(slot.number, _READERS[kind])
        raise Unsupported(f"{path}: {slot.shape.kind}")

    def parents(self, slot: Slot) -> Iterator[Slot]:
        """The records around a field, from within."""
        by_number = {each.number: each for each in self.slots.values()}
        while slot.parent >= 0:
            slot = by_number[slot.parent]
            yield slot


def _nullable(union: Union, path: str) -> tuple[Shape, int]:
    branches = union.branches
    nulls = [number for number, branch in enumerate(branches) if branch.kind == "null"]
    if len(branches) != 2 or len(nulls) != 1:
        raise Unsupported(f"{path}: a union of several types")
    return branches[1 - nulls[0]], nulls[0]


def _optional(inner: Reader, null: int) -> Reader:
    def read(cursor: Cursor, live: Bools | None) -> None:
        inner(cursor, cursor.branch(live, some=2 * (1 - null), null=2 * null))

    return read


def _record(number: int, parts: Sequence[Reader]) -> Reader:
    def read(cursor: Cursor, live: Bools | None) -> None:
        cursor.columns[number] = Column(live)
        for part in parts:
            part(cursor, live)

    return read


def _stored(number: int, make: Callable[[Cursor, Bools | None], Column]) -> Reader:
    def read(cursor: Cursor, live: Bools | None) -> None:
        cursor.columns[number] = make(cursor, live)

    return read


def _enum(number: int, symbols: tuple[str, ...]) -> Reader:
    def read(cursor: Cursor, live: Bools | None) -> None:
        values = cursor.number(live, narrow=True)
        if values.max(initial=0) >= len(symbols) or values.min(initial=0) < 0:
            cursor.fail((values < 0) | (values >= len(symbols)), live)
        cursor.columns[number] = Symbol(live, values, symbols)

    return read


def _boolean(cursor: Cursor, live: Bools | None) -> Column:
    octets = cursor.octet(live)
    if octets.max(initial=0) > 1:
        cursor.fail(octets > 1, live)
    return Truth(live, octets == np.uint8(1))


_READERS: Final[dict[str, Callable[[Cursor, Bools | None], Column]]] = {
    "int": lambda cursor, live: Whole(live, cursor.number(live, narrow=True)),
    "long": lambda cursor, live: Whole(live, cursor.number(live, narrow=False)),
    "float": lambda cursor, live: Real(live, cursor.float(live)),
    "double": lambda cursor, live: Real(live, cursor.double(live)),
    "boolean": _boolean,
    "string": lambda cursor, live: cursor.text(live),
    "bytes": lambda cursor, live: cursor.blob(live),
}
