"""READERS: a change is allowed if and only if every registered reader can go on reading what it uses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.contract.avro import AvroSchema
from mesh.contract.compatibility.resolution import compare, sources_of
from mesh.contract.shape import PRIMITIVES, Array, Map, Record, RecordField, Shape, Union, shape_of
from mesh.errors import ContractInvalid

USED_FIELD_GONE = "used_field_gone"


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who reads a product: the schema it reads with, and the fields it cannot do without.

    ``used_fields`` are dotted paths in names of the reader's schema, ``[]`` for items of an array and ``{}`` for
    values of a map; branches of unions have no step of their own.
    """

    name: str
    schema: AvroSchema
    used_fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReaderFinding:
    """One reason why one reader cannot read data of the new schema."""

    reader: str
    rule: str
    path: str
    reason: str

    def __str__(self) -> str:
        return f"the reader {self.reader}: {self.path or 'the record'}: {self.reason} ({self.rule})"


def check_readers(new: AvroSchema, readers: Sequence[Reader]) -> tuple[ReaderFinding, ...]:
    """Why data of ``new`` would leave registered readers behind; empty when it may be written.

    Raises ContractInvalid for what is not Avro.
    """
    return tuple(finding for reader in readers for finding in _checked(new, reader))


def _checked(new: AvroSchema, reader: Reader) -> Iterator[ReaderFinding]:
    found = compare(reader.schema, new)
    for each in found:
        yield ReaderFinding(reader.name, each.rule, each.path, each.reason)
    mine, written, told = shape_of(reader.schema), shape_of(new), {each.path for each in found}
    for path in reader.used_fields:
        if path not in told and not _held(steps(path), mine, written):
            yield ReaderFinding(reader.name, USED_FIELD_GONE, path, "the reader uses this field, which is not written")


def steps(path: str) -> tuple[str, ...]:
    """A path as its steps: ``a.items[].b`` is a, items, [], b."""
    return tuple(step for step in path.replace("[]", ".[]").replace("{}", ".{}").split(".") if step)


def _held(path: tuple[str, ...], reader: Shape, writer: Shape) -> bool:
    """Whether some value of the writer's type can have a value at the path, which is said in the reader's names."""
    if isinstance(reader, Union):
        return any(_held(path, branch, writer) for branch in reader.branches)
    if isinstance(writer, Union):
        return any(_held(path, reader, branch) for branch in writer.branches)
    match reader, writer, path[:1]:
        case Array(), Array(), ("[]",):
            return _held(path[1:], reader.items, writer.items)
        case Map(), Map(), ("{}",):
            return _held(path[1:], reader.values, writer.values)
        case Record(), Record(), (name,):
            return _held_field(name, path[1:], reader, writer)
    return not path


def _held_field(name: str, rest: tuple[str, ...], reader: Record, writer: Record) -> bool:
    taken = {each.name for each in reader.fields}
    wanted: RecordField | None = next((each for each in reader.fields if each.name == name), None)
    if wanted is None:
        return False
    return any(_held(rest, wanted.type, source.type) for source in sources_of(wanted, writer, taken))


def project(schema: AvroSchema, used_fields: Sequence[str]) -> AvroSchema:
    """The part of a schema that somebody who uses only these fields reads with.

    A type that is used in two places under one name is kept whole, and so is the schema it stands in. Raises
    ContractInvalid with the paths that lead to no field.
    """
    shape, paths = shape_of(schema), [steps(each) for each in used_fields]
    missing = [each for each, path in zip(used_fields, paths, strict=True) if not path or not _held(path, shape, shape)]
    if missing:
        raise ContractInvalid([f"{each}: there is no such field to be used" for each in missing])
    return schema if _refers(schema) else _projected(schema, paths)


def _refers(schema: Any) -> bool:
    """Whether some type is used by its name, so that its definition cannot be left out."""
    if isinstance(schema, str):
        return schema not in PRIMITIVES
    if isinstance(schema, list):
        return any(map(_refers, schema))
    parts = [schema[name] for name in ("items", "values") if name in schema]
    return any(map(_refers, [*parts, *(each["type"] for each in schema.get("fields", ()))]))


def _projected(schema: Any, paths: Sequence[tuple[str, ...]]) -> Any:
    """The schema with those fields of records alone that a path goes through; a path that ends takes all below it."""
    if not all(paths) or isinstance(schema, str):
        return schema
    if isinstance(schema, list):
        return [_projected(branch, paths) for branch in schema]
    match schema["type"]:
        case "array":
            return {**schema, "items": _projected(schema["items"], _through("[]", paths))}
        case "map":
            return {**schema, "values": _projected(schema["values"], _through("{}", paths))}
        case "record":
            used = [(each, _through(each["name"], paths)) for each in schema["fields"]]
            return {
                **schema,
                "fields": [{**each, "type": _projected(each["type"], below)} for each, below in used if below],
            }
    return schema


def _through(step: str, paths: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return [path[1:] for path in paths if path[0] == step]
