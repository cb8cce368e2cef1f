"""Whether data written with one schema can be read with another: one small rule object per Avro change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import ClassVar, Protocol

from mesh.contract.shape import (
    Array,
    Enum,
    Fixed,
    Map,
    Primitive,
    Record,
    RecordField,
    Shape,
    Union,
    describe,
    shape_of,
)

# A schema may use one named type in many places; without a bound the same fault is told for each of them.
_MOST = 100
_DEEPEST = 400


class Mode(StrEnum):
    """A compatibility mode: who must be able to read whose data, and how far back."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"

    @property
    def backward(self) -> bool:
        """Whether the new schema must read data of the earlier ones."""
        return self.value.startswith(("BACKWARD", "FULL"))

    @property
    def forward(self) -> bool:
        """Whether the earlier schemas must read data of the new one."""
        return self.value.startswith(("FORWARD", "FULL"))

    @property
    def transitive(self) -> bool:
        """Whether all earlier schemas count, and not only the last."""
        return self.value.endswith("_TRANSITIVE")


class Direction(StrEnum):
    """Which schema reads in the pair that does not fit."""

    BACKWARD = "the new schema cannot read data of the earlier one"
    FORWARD = "the earlier schema cannot read data of the new one"


@dataclass(frozen=True, slots=True)
class Incompatibility:
    """One reason why a reader cannot read a writer's data. ``against`` is the index of the earlier schema."""

    rule: str
    path: str
    reason: str
    direction: Direction = Direction.BACKWARD
    against: int = -1

    def __str__(self) -> str:
        return f"{self.path or 'the record'}: {self.reason} ({self.rule}; {self.direction.value})"


class Rule(Protocol):
    """One thing that can keep a reader from a writer's data, judged on two types that stand at the same place."""

    name: ClassVar[str]

    def broken(self, reader: Shape, writer: Shape) -> str | None:
        """Why the reader cannot read what the writer wrote here, parts not looked at; None when it can."""


# What a reader may make of a narrower writer type; everything else must be of the same kind.
_PROMOTIONS: Mapping[str, frozenset[str]] = {
    "long": frozenset({"int"}),
    "float": frozenset({"int", "long"}),
    "double": frozenset({"int", "long", "float"}),
    "string": frozenset({"bytes"}),
    "bytes": frozenset({"string"}),
}


class TypeChanged:
    """The kinds differ and Avro has no promotion between them."""

    name: ClassVar[str] = "type_changed"

    def broken(self, reader: Shape, writer: Shape) -> str | None:
        if reader.kind == writer.kind or writer.kind in _PROMOTIONS.get(reader.kind, ()):
            return None
        return f"{describe(writer)} cannot be read as {describe(reader)}"


class NameChanged:
    """Named types must have the same name, namespaces aside, or the reader an alias with the writer's full name."""

    name: ClassVar[str] = "name_changed"

    def broken(self, reader: Shape, writer: Shape) -> str | None:
        if not isinstance(reader, Record | Enum | Fixed) or not isinstance(writer, Record | Enum | Fixed):
            return None
        if _simple(reader.name) == _simple(writer.name) or writer.name in reader.aliases:
            return None
        return f"{describe(writer)} is called {reader.name} by the reader, which has no alias for it"


class FixedSizeChanged:
    """A fixed is read with the size it was written with."""

    name: ClassVar[str] = "fixed_size_changed"

    def broken(self, reader: Shape, writer: Shape) -> str | None:
        if not isinstance(reader, Fixed) or not isinstance(writer, Fixed) or reader.size == writer.size:
            return None
        return f"{writer.size} bytes cannot be read as {reader.size} bytes"


class EnumSymbolsMissing:
    """Every symbol that may have been written is known to the reader, or the reader's enum has a default."""

    name: ClassVar[str] = "enum_symbols_missing"

    def broken(self, reader: Shape, writer: Shape) -> str | None:
        if not isinstance(reader, Enum) or not isinstance(writer, Enum) or reader.default is not None:
            return None
        missing = [symbol for symbol in writer.symbols if symbol not in reader.symbols]
        return f"the reader's enum has no default and lacks {', '.join(missing)}" if missing else None


class LogicalTypeChanged:
    """Two different logical types give the same number another meaning.

    Avro itself falls back to the underlying type, which would read seconds as days or cents as pounds in silence. A
    logical type that is added or taken away changes nothing that was written, and neither does a wider decimal.
    """

    name: ClassVar[str] = "logical_type_changed"

    def broken(self, reader: Shape, writer: Shape) -> str | None:
        if not isinstance(reader, Primitive | Fixed) or not isinstance(writer, Primitive | Fixed):
            return None
        wanted, written = reader.logical, writer.logical
        if wanted is None or written is None or wanted == written:
            return None
        widened = wanted.name == written.name and wanted.scale == written.scale and wanted.precision > written.precision
        return None if widened else f"{written} would be read as {wanted}"


RULES: tuple[Rule, ...] = (
    TypeChanged(),
    NameChanged(),
    FixedSizeChanged(),
    EnumSymbolsMissing(),
    LogicalTypeChanged(),
)
FIELD_WITHOUT_DEFAULT = "field_without_default"
UNION_BRANCH_MISSING = "union_branch_missing"
TOO_DEEP = "too_deep"


def compare(reader: object, writer: object) -> tuple[Incompatibility, ...]:
    """Why ``reader`` cannot read data of ``writer``; empty when it can. Raises ContractInvalid for what is not Avro."""
    return _Resolution().resolve(shape_of(reader), shape_of(writer), 0)


def check(mode: Mode | str, new: object, earlier: Sequence[object]) -> tuple[Incompatibility, ...]:
    """Why ``new`` may not follow ``earlier`` (oldest first) under ``mode``; empty when it may.

    Schemas are in parsed-JSON form. Raises ContractInvalid for what is not Avro.
    """
    return tuple(_checked(Mode(mode), new, earlier))


def _checked(mode: Mode, new: object, earlier: Sequence[object]) -> Iterator[Incompatibility]:
    first = 0 if mode.transitive else max(0, len(earlier) - 1)
    for against in range(first, len(earlier)):
        if mode.backward:
            yield from (replace(each, against=against) for each in compare(new, earlier[against]))
        if mode.forward:
            for each in compare(earlier[against], new):
                yield replace(each, direction=Direction.FORWARD, against=against)


def _simple(name: str) -> str:
    return name.rpartition(".")[2]


Found = tuple[Incompatibility, ...]


@dataclass(slots=True)
class _Resolution:
    """Walks both schemas together. A pair of types is judged once, however often it occurs: paths are relative."""

    judged: dict[tuple[int, int], Found] = field(default_factory=dict)

    def resolve(self, reader: Shape, writer: Shape, depth: int) -> Found:
        if depth > _DEEPEST:
            return (Incompatibility(TOO_DEEP, "", f"types refer to each other more than {_DEEPEST} levels deep"),)
        pair = (id(reader), id(writer))
        if pair not in self.judged:
            # A type that contains itself meets its own pair again; it holds there if it holds everywhere else.
            self.judged[pair] = ()
            self.judged[pair] = tuple(self._resolved(reader, writer, depth))[:_MOST]
        return self.judged[pair]

    def _resolved(self, reader: Shape, writer: Shape, depth: int) -> Iterator[Incompatibility]:
        if isinstance(writer, Union):
            for branch in writer.branches:
                yield from self._any(reader, branch, depth)
        elif isinstance(reader, Union):
            yield from self._any(reader, writer, depth)
        else:
            yield from self._same_place(reader, writer, depth)

    def _any(self, reader: Shape, writer: Shape, depth: int) -> Found:
        """Findings of a writer's type against a reader that may offer several: the first that fits wins."""
        if not isinstance(reader, Union):
            return self.resolve(reader, writer, depth + 1)
        nearest: Found = ()
        for branch in reader.branches:
            found = self.resolve(branch, writer, depth + 1)
            if not found:
                return ()
            if branch.kind == writer.kind and NameChanged().broken(branch, writer) is None:
                nearest = found
        missing = f"the reader has no branch for {describe(writer)}; it reads {describe(reader)}"
        return nearest or (Incompatibility(UNION_BRANCH_MISSING, "", missing),)

    def _same_place(self, reader: Shape, writer: Shape, depth: int) -> Iterator[Incompatibility]:
        broken = [(rule.name, reason) for rule in RULES if (reason := rule.broken(reader, writer))]
        yield from (Incompatibility(name, "", reason) for name, reason in broken)
        match reader, writer:
            case Array(), Array():
                yield from _below("[]", self.resolve(reader.items, writer.items, depth + 1))
            case Map(), Map():
                yield from _below("{}", self.resolve(reader.values, writer.values, depth + 1))
            case Record(), Record() if not broken:
                yield from self._fields(reader, writer, depth)

    def _fields(self, reader: Record, writer: Record, depth: int) -> Iterator[Incompatibility]:
        written = {each.name: each for each in writer.fields}
        for wanted in reader.fields:
            source = _source(wanted, written)
            if source is not None:
                yield from _below(wanted.name, self.resolve(wanted.type, source.type, depth + 1))
            elif not wanted.has_default:
                missing = "the writer has no such field and the reader no default for it"
                yield Incompatibility(FIELD_WITHOUT_DEFAULT, wanted.name, missing)


def _source(wanted: RecordField, written: Mapping[str, RecordField]) -> RecordField | None:
    return next((written[name] for name in (wanted.name, *wanted.aliases) if name in written), None)


def _below(step: str, found: Found) -> Iterator[Incompatibility]:
    for each in found:
        joined = step + each.path if each.path.startswith(("[", "{")) or not each.path else f"{step}.{each.path}"
        yield replace(each, path=joined)
