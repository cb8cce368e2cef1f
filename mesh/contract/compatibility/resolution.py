"""Avro's schema resolution: two schemas walked together, every fault with its rule and its path."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from mesh.contract.compatibility.rules import FIELD_RULES, RULES, UNION_BRANCH, matches
from mesh.contract.shape import Array, Enum, Fixed, Map, Record, RecordField, Shape, Union, shape_of

# A schema may use one named type in many places; without a bound the same fault is told for each of them.
_MOST = 100
_DEEPEST = 400
TOO_DEEP = "too_deep"


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


def compare(reader: object, writer: object) -> tuple[Incompatibility, ...]:
    """Why ``reader`` cannot read data of ``writer``; empty when it can. Raises ContractInvalid for what is not Avro."""
    return _Resolution().resolve(shape_of(reader), shape_of(writer), 0)


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
        """Findings of a writer's type against a reader that may offer several: all that a decoder might choose."""
        if not isinstance(reader, Union):
            return self.resolve(reader, writer, depth + 1)
        chosen = _chosen(reader, writer)
        if not chosen:
            return (Incompatibility(UNION_BRANCH.name, "", UNION_BRANCH.told(reader, writer)),)
        found = [each for branch in chosen for each in self.resolve(branch, writer, depth + 1)]
        return tuple(dict.fromkeys(found))

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
        taken = {each.name for each in reader.fields}
        for wanted in reader.fields:
            sources = sources_of(wanted, writer, taken)
            for rule in FIELD_RULES:
                if reason := rule.broken(wanted, sources):
                    yield Incompatibility(rule.name, wanted.name, reason)
            for source in sources[:1]:
                yield from _below(wanted.name, self.resolve(wanted.type, source.type, depth + 1))


def sources_of(wanted: RecordField, writer: Record, taken: set[str]) -> list[RecordField]:
    """The writer's fields that a reader's field is read from.

    An alias never takes what is read by its own name: ``taken`` are the names of all fields of the reader.
    """
    names = {wanted.name, *(alias for alias in wanted.aliases if alias not in taken)}
    return [each for each in writer.fields if each.name in names]


def _chosen(reader: Union, writer: Shape) -> list[Shape]:
    """The branches a decoder may read a value with.

    The specification takes the first that matches; some implementations prefer the one of the very same type. A
    schema is safe where both do, but for named types: there the full name decides, or no union of two types that
    differ only in their namespaces could be read by itself.
    """
    matching = [branch for branch in reader.branches if matches(branch, writer)]
    if isinstance(writer, Record | Enum | Fixed):
        exact = (each for each in matching if isinstance(each, Record | Enum | Fixed) and each.name == writer.name)
        return [next(exact, matching[0])] if matching else []
    same = [branch for branch in matching if branch.kind == writer.kind]
    return matching[:1] if same[:1] == matching[:1] else [*matching[:1], *same[:1]]


def _below(step: str, found: Found) -> Iterator[Incompatibility]:
    for each in found:
        joined = step + each.path if each.path.startswith(("[", "{")) or not each.path else f"{step}.{each.path}"
        yield replace(each, path=joined)
