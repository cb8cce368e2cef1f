"""How bodies of one schema are read into columns, and which column is which field.

Every shape of Avro has a form here but decimals in fixed fields of more than eight bytes, unions of more than 64
branches, records more than 64 deep and more than 4,096 columns: a contract with one of those is judged by the rows. Of
the others the rows judge single records: decimals of more than eight bytes, collections in several blocks, maps with
two keys of one length and beginning, and collections far longer than those of their batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from mesh.contract.shape import Array, Enum, Fixed, Logical, Map, Primitive, Record, Shape, Union
from mesh.judge.columns.arrays import Unsupported
from mesh.judge.columns.column import Column, plain
from mesh.judge.columns.cursor import Cursor
from mesh.judge.columns.readers import (
    DECIMAL,
    READERS,
    Reader,
    chosen,
    collection,
    decimals,
    enum,
    nothing,
    optional,
    record_of,
    stored,
)
from mesh.judge.columns.runs import Below
from mesh.judge.columns.varints import SHORTEST_LONG

_LONGEST_NUMBER: Final = 10
_ROOM: Final = {"boolean": 1, "float": 4, "double": 8, "string": SHORTEST_LONG}
_PLAIN: Final = ("int", "long", "float", "double", "boolean", "string", "enum")
_DEEPEST: Final = 64
_MOST_COLUMNS: Final = 4096
# Indexes of fewer branches are one byte.
_MOST_BRANCHES: Final = 64


@dataclass(frozen=True, slots=True)
class Slot:
    """One column: its number, the number of the record's it is below (-1: none), and what it holds.

    ``owner`` is the number of the collection whose items it holds; -1 where it has an entry per record of the batch.
    """

    number: int
    parent: int
    shape: Shape
    nullable: bool
    logical: str = ""
    owner: int = -1


@dataclass(slots=True)
class Layout:
    """The columns of a schema by dotted path, and what reads them.

    ``room`` is how many bytes a cursor may run behind its record. Columns of items are kept only where somebody asked
    for them by ``slot``.
    """

    slots: dict[str, Slot] = field(default_factory=dict)
    room: int = 0
    _readers: list[tuple[str, Reader]] = field(default_factory=list)
    _owner: int = -1
    _kept: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, record: Record, key: Sequence[str]) -> Layout:
        """Lay out; raises Unsupported for shapes that columns cannot hold. The places of key fields are kept."""
        layout = cls()
        for part in record.fields:
            reader = layout._read(part.type, part.name, -1, 0)
            layout._readers.append((part.name if part.name in key else "", reader))
        return layout

    def slot(self, path: str) -> Slot | None:
        """The column of a path, which will be there when records have been read."""
        slot = self.slots.get(path)
        if slot is not None and slot.owner >= 0:
            self._kept |= {slot.number, *self.owners(slot), *self._records(slot)}
        return slot

    def _records(self, slot: Slot) -> Iterator[int]:
        """The numbers of the records around a column: whether they are null is asked with it."""
        parents = {each.number: each.parent for each in self.slots.values()}
        number = slot.parent
        while number >= 0:
            yield number
            number = parents[number]

    def read(self, cursor: Cursor) -> None:
        """Read all fields."""
        for mark, reader in self._readers:
            begin = cursor.at
            reader(cursor, None)
            if mark:
                cursor.marks[mark] = begin, cursor.at

    def _read(self, shape: Shape, path: str, parent: int, depth: int) -> Reader:
        inner, null = _nullable(shape)
        logical = inner.logical if isinstance(inner, Primitive | Fixed) else None
        if depth > _DEEPEST or len(self.slots) > _MOST_COLUMNS:
            raise Unsupported(f"{path}: too deep, or too many columns")
        name = logical.name if isinstance(logical, Logical) else ""
        slot = Slot(len(self.slots), parent, inner, null >= 0, name, self._owner)
        self.slots[path] = slot
        reader = self._decimal(slot, logical, path) if logical and name == "decimal" else self._value(slot, path, depth)
        if null < 0 or isinstance(inner, Union):
            return reader
        self.room += 1
        return optional(reader, null)

    def _value(self, slot: Slot, path: str, depth: int) -> Reader:  # noqa: PLR0911  (one for each shape)
        match slot.shape:
            case Record(fields=fields):
                parts = [self._read(part.type, f"{path}.{part.name}", slot.number, depth + 1) for part in fields]
                return record_of(slot.number, parts)
            case Enum(symbols=symbols):
                self.room += _LONGEST_NUMBER
                return enum(slot.number, symbols)
            case Fixed(size=size):
                return stored(slot.number, lambda cursor, live: cursor.fixed(live, size))
            case Array(items=items):
                return self._collection(slot, [(f"{path}[]", items)], depth)
            case Map(values=values):
                return self._collection(slot, [(f"{path}{{key}}", Primitive("string")), (f"{path}{{}}", values)], depth)
            case Union(branches=branches) if len(branches) <= _MOST_BRANCHES:
                self.room += 1
                return chosen(
                    slot.number,
                    [self._read(branch, f"{path}|{place}", -1, depth + 1) for place, branch in enumerate(branches)],
                    next((place for place, branch in enumerate(branches) if branch.kind == "null"), -1),
                )
            case Primitive(kind="null"):
                return nothing(slot.number)
            case Primitive(kind=kind) if kind in READERS:
                self.room += _ROOM.get(kind, _LONGEST_NUMBER)
                return stored(slot.number, READERS[kind])
        raise Unsupported(f"{path}: {slot.shape.kind}")

    def _decimal(self, slot: Slot, logical: Logical, path: str) -> Reader:
        size = slot.shape.size if isinstance(slot.shape, Fixed) else -1
        if size > DECIMAL:
            raise Unsupported(f"{path}: a decimal of {size} bytes")
        self.room += _LONGEST_NUMBER
        return decimals(slot.number, size, logical)

    def _collection(self, slot: Slot, parts: Sequence[tuple[str, Shape]], depth: int) -> Reader:
        around, self._owner, first = self._owner, slot.number, len(self.slots)
        readers = [self._read(shape, path, -1, depth + 1) for path, shape in parts]
        self._owner = around
        self.room += 2 * _LONGEST_NUMBER + 1
        below = [each for each in self.slots.values() if each.number >= first]
        scopes = {each.number: each.owner for each in below}
        texts = {each.number for each in below if each.owner == slot.number and each.shape.kind == "string"}
        key = first if isinstance(slot.shape, Map) else -1
        self._kept.add(key)
        return collection(slot.number, readers, Below(scopes, texts, self._kept), key)

    def value(self, path: str) -> Callable[[Sequence[Column], int], object] | None:
        """What gives one value as the row decoder does; None where only decoding can: collections, bytes, unions."""
        slot = self.slots[path]
        at = slot.number
        if slot.shape.kind in _PLAIN:
            return lambda columns, row: plain(columns[at], row)
        if not isinstance(slot.shape, Record):
            return None
        parts = {part.name: self.value(f"{path}.{part.name}") for part in slot.shape.fields}
        known = {name: part for name, part in parts.items() if part is not None}
        if len(known) < len(parts):
            return None

        def value(columns: Sequence[Column], row: int) -> object:
            live = columns[at].live
            some = live is None or live[row]
            return {name: part(columns, row) for name, part in known.items()} if some else None

        return value

    def owners(self, slot: Slot) -> Iterator[int]:
        """The numbers of the collections around a column, from within."""
        if slot.owner >= 0:
            yield slot.owner
            yield from self.owners_of(slot.owner)

    def owners_of(self, number: int) -> Iterator[int]:
        """The numbers of the collections around the column of a number, from within."""
        owners = {each.number: each.owner for each in self.slots.values()}
        while (number := owners[number]) >= 0:
            yield number


def _nullable(shape: Shape) -> tuple[Shape, int]:
    """What is not null, and the index of null in the union around it; -1 where there is none."""
    if not isinstance(shape, Union):
        return shape, -1
    nulls = [number for number, branch in enumerate(shape.branches) if branch.kind == "null"]
    null = nulls[0] if nulls else -1
    return (shape.branches[1 - null], null) if nulls and len(shape.branches) == 2 else (shape, null)
