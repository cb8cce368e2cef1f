"""Values that corrections compute from the record itself, in the rule language, in the unit of their field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mesh.contract.expression import Expression
from mesh.contract.expression_probe import NoValue, Probe
from mesh.contract.expression_types import type_of
from mesh.contract.expression_writer import Writer
from mesh.contract.shape import Record, Shape, Union, shape_of
from mesh.errors import UsageError

# The rule language counts both in nanoseconds.
_NANOSECONDS: Final = {
    "timestamp": {
        **dict.fromkeys(("timestamp-millis", "local-timestamp-millis"), 1_000_000),
        **dict.fromkeys(("timestamp-micros", "local-timestamp-micros"), 1_000),
        **dict.fromkeys(("timestamp-nanos", "local-timestamp-nanos"), 1),
        "date": 86_400_000_000_000,
    },
    "duration": {"time-millis": 1_000_000, "time-micros": 1_000},
}


class Computation:
    """Computes over records of one schema, given as plain values."""

    def __init__(self, schema: object) -> None:
        self._shape = shape_of(schema)
        self._probe = Probe(schema)

    def value(self, path: str, expression: Expression, record: Mapping[str, Any]) -> Any:
        """The plain value for the field at ``path``; raises UsageError where there is none, or no such time in it."""
        value: Any = self._probe.value(expression.tree, record)
        if isinstance(value, NoValue):
            raise UsageError(f"{path}:={expression.text} has no outcome for this record")
        kind = Writer(type_of(self._shape)).value(expression.tree).type.kind
        if kind not in _NANOSECONDS or value is None:
            return value
        logical = getattr(_leaf(self._shape, path), "logical", None)
        unit = _NANOSECONDS[kind].get(logical.name) if logical is not None else None
        if unit is None:
            raise UsageError(f"{path} cannot hold a {kind}")
        return value // unit


def _leaf(shape: Shape, path: str) -> Shape | None:
    """The type of what lies at a path, without null."""
    found: Shape | None = shape
    for step in path.split("."):
        parts = {part.name: part.type for part in found.fields} if isinstance(found, Record) else {}
        found = parts.get(step)
        if isinstance(found, Union):
            others = [branch for branch in found.branches if branch.kind != "null"]
            found = others[0] if len(others) == 1 else None
    return found
