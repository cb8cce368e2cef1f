"""Avro defaults as Python expressions of the types a model has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Context, Decimal
from typing import Any, Final
from uuid import UUID

from mesh.contract.export.constraints import is_temporal, temporal
from mesh.contract.export.layout import Group, Tree, group, quoted
from mesh.contract.export.names import attributes
from mesh.contract.shape import Array, Enum, Fixed, Map, Primitive, Record, Shape, Union, fits

ClassName = Callable[[Record], str]
"""The class that a record became."""

# Python's usual context would round at 28 digits.
_EVERY_DIGIT: Final = Context(prec=100_000)


def default_of(shape: Shape, value: Any, class_name: ClassName, *, plain: bool = False) -> Tree | None:
    """The expression of a default in Avro's JSON encoding; None where Python's type cannot hold it.

    ``plain``: as below a union of several types, where logical types mean nothing.
    """
    match shape:
        case Enum():
            return quoted(value)
        case Fixed() | Primitive():
            return _leaf(shape, value, plain=plain)
        case Array():
            return _all([("", default_of(shape.items, each, class_name, plain=plain)) for each in value], "[", "]")
        case Map():
            pairs = [
                (f"{quoted(key)}: ", default_of(shape.values, each, class_name, plain=plain))
                for key, each in value.items()
            ]
            return _all(pairs, "{", "}")
        case Union():
            branch = next(each for each in shape.branches if fits(each, value))
            several = sum(each.kind != "null" for each in shape.branches) > 1
            return default_of(branch, value, class_name, plain=plain or several)
        case Record():
            return _record(shape, value, class_name, plain=plain)


def mutable(tree: Tree) -> bool:
    """Whether each model needs a default of its own."""
    return isinstance(tree, Group) or tree in ("[]", "{}")


def _record(shape: Record, value: Mapping[str, Any], class_name: ClassName, *, plain: bool) -> Tree | None:
    names = attributes(part.name for part in shape.fields)
    given = [part for part in shape.fields if part.name in value]
    parts = [
        (f"{names[part.name]}=", default_of(part.type, value[part.name], class_name, plain=plain)) for part in given
    ]
    return _all(parts, f"{class_name(shape)}(", ")")


def _all(parts: list[tuple[str, Tree | None]], head: str, tail: str) -> Tree | None:
    found = [(prefix, part) for prefix, part in parts if part is not None]
    if len(found) < len(parts):
        return None
    return Group(head, tuple(found), tail) if found or len(head) > 1 else head + tail


def _leaf(shape: Primitive | Fixed, value: Any, *, plain: bool) -> Tree | None:
    logical = None if plain else shape.logical
    if logical is not None and logical.name == "decimal":
        unscaled = int.from_bytes(value.encode("latin-1"), "big", signed=True)
        return f'Decimal("{Decimal(unscaled).scaleb(-logical.scale, _EVERY_DIGIT)}")'
    if logical is not None and is_temporal(logical.name):
        return temporal(logical.name, value)
    if logical is not None and logical.name == "uuid":
        return _uuid(value)
    if shape.kind in ("bytes", "fixed"):
        return _bytes(value.encode("latin-1"))
    if shape.kind in ("float", "double"):
        return repr(float(value))
    return quoted(value) if shape.kind == "string" else str(value)


def _uuid(value: str) -> Tree | None:
    try:
        return group("UUID(", [quoted(str(UUID(value)))], ")") if str(UUID(value)) == value else None
    except ValueError:
        return None


def _bytes(value: bytes) -> str:
    plain = (chr(each) if 32 <= each < 127 and each not in b'"\\' else f"\\x{each:02x}" for each in value)
    return f'b"{"".join(plain)}"'
