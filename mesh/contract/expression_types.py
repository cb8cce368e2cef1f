"""Types of the rule language, and the type that each Avro schema has in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from mesh.contract.expression_time import DAY
from mesh.contract.shape import Array, Fixed, Logical, Map, Primitive, Record, Shape, Union

_WORDS: Final = {
    "int": "an integer",
    "bool": "a boolean",
    "bytes": "bytes",
    "null": "null",
    "opaque": "a value that rules cannot look into",
}


@dataclass(frozen=True, slots=True)
class Type:
    """What a value is: ``int``, ``double``, ``string``, ``bool``, ``bytes``, ``null``, ``timestamp``, ``duration``,
    ``decimal``, ``list``, ``map``, ``record``, or ``opaque`` (a shape that rules can only compare with null)."""

    kind: str
    nullable: bool = False
    item: Type | None = None
    fields: Mapping[str, Type] = field(default_factory=dict)
    reach: int = 1 << 63
    """The largest magnitude an integer of the type can have; bounds that cannot be left need no check."""
    unit: int = 1
    """How many nanoseconds one is, where a record holds timestamps or durations; 1 for all that is computed."""
    scale: int = 0
    """The digits of a decimal behind the point."""

    def __str__(self) -> str:
        name = _WORDS.get(self.kind, f"a {self.kind}")
        return f"{name} of {self.item.kind}" if self.item else name

    @property
    def numeric(self) -> bool:
        """Whether order and arithmetic apply."""
        return self.kind in ("int", "double")

    @property
    def scalar(self) -> bool:
        """Whether the value is one thing, not a collection."""
        return self.kind in ("int", "double", "string", "bool", "bytes", "timestamp", "duration")

    @property
    def temporal(self) -> bool:
        """Whether it is a timestamp or a duration."""
        return self.kind in ("timestamp", "duration")

    @property
    def sure(self) -> Type:
        """The same type without null."""
        return replace(self, nullable=False) if self.nullable else self

    @property
    def maybe(self) -> Type:
        """The same type with null."""
        return self if self.nullable or self.kind == "null" else replace(self, nullable=True)

    @property
    def element(self) -> Type:
        """What a list or the values of a map hold; ``opaque`` for everything else."""
        return self.item or OPAQUE

    @property
    def has_double(self) -> bool:
        """Whether a NaN can be in it: Python's containers take the same NaN for equal, CEL does not."""
        return self.kind == "double" or (self.item is not None and self.item.has_double)


INT: Final = Type("int")
DOUBLE: Final = Type("double")
STRING: Final = Type("string")
BOOL: Final = Type("bool")
NULL: Final = Type("null")
OPAQUE: Final = Type("opaque", nullable=True)
TIMESTAMP: Final = Type("timestamp")
DURATION: Final = Type("duration")

_LEAVES: Final = {
    "null": NULL,
    "boolean": BOOL,
    "int": Type("int", reach=1 << 31),
    "long": INT,
    "float": DOUBLE,
    "double": DOUBLE,
    "string": STRING,
    "enum": STRING,
    "bytes": Type("bytes"),
    "fixed": Type("bytes"),
}
_MOST_DIGITS: Final = 1000
_MILLI, _MICRO = 1_000_000, 1_000
_TEMPORAL: Final = {
    ("int", "date"): Type("timestamp", unit=DAY, reach=1 << 31),
    ("int", "time-millis"): Type("duration", unit=_MILLI, reach=1 << 31),
    ("long", "time-micros"): Type("duration", unit=_MICRO),
    ("long", "timestamp-millis"): Type("timestamp", unit=_MILLI),
    ("long", "timestamp-micros"): Type("timestamp", unit=_MICRO),
    ("long", "timestamp-nanos"): Type("timestamp"),
    ("long", "local-timestamp-millis"): Type("timestamp", unit=_MILLI),
    ("long", "local-timestamp-micros"): Type("timestamp", unit=_MICRO),
    ("long", "local-timestamp-nanos"): Type("timestamp"),
}
"""What integers of a logical type are: local times are taken for UTC, dates for their midnight, times of the day for
what passed since midnight."""


def type_of(shape: Shape, around: tuple[Shape, ...] = ()) -> Type:
    """The type of an Avro schema; what rules cannot look into (wide unions, decimals, recursion) becomes ``opaque``."""
    if any(shape is outer for outer in around):
        return OPAQUE
    around = (*around, shape)
    match shape:
        case Record():
            found = Type("record", fields={part.name: type_of(part.type, around) for part in shape.fields})
        case Union():
            found = _union([type_of(branch, around) for branch in shape.branches])
        case Array():
            found = Type("list", item=type_of(shape.items, around))
        case Map():
            found = Type("map", item=type_of(shape.values, around))
        case Primitive(logical=Logical(name="decimal") as logical) | Fixed(logical=Logical(name="decimal") as logical):
            # No number that people write has more digits; ten to the power of a scale is computed for each record.
            found = Type("decimal", scale=logical.scale) if 0 <= logical.scale <= _MOST_DIGITS else Type("opaque")
        case Primitive(kind=kind, logical=Logical(name=name)) if (kind, name) in _TEMPORAL:
            found = _TEMPORAL[kind, name]
        case _:
            found = _LEAVES[shape.kind]
    return found


def _union(branches: list[Type]) -> Type:
    others = [branch for branch in branches if branch.kind != "null"]
    if len(others) == 1:
        return others[0].maybe if len(branches) > 1 else others[0]
    return OPAQUE if others else NULL
