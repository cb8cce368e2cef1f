"""Values of a rule per row: what they are, where they are null, and where they are an error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from mesh.contract.expression_code import HIGHEST, LOWEST
from mesh.judge.columns.arrays import Bools, Unsupported
from mesh.judge.columns.scene import Scene

_CONSTANTS: Final = {bool: "bool", int: "int", float: "double", str: "string", type(None): "null"}
ANY: Final = 1 << 63
"""The reach of an integer of which nothing is known."""


class Got(NamedTuple):
    """Values per row, and where they are null or an error; None where that is nowhere. Texts are their column."""

    values: Any
    null: Bools | None = None
    error: Bools | None = None


@dataclass(frozen=True, slots=True)
class Operand:
    """What computes a value; operands of one key are the same. ``reach`` is an integer's largest magnitude."""

    kind: str
    key: str
    run: Callable[[Scene], Got]
    reach: int = ANY
    is_constant: bool = False
    constant: Any = None
    symbols: tuple[str, ...] = ()

    def of(self, scene: Scene) -> Got:
        """The values, computed once per batch."""
        return scene.once(self.key, lambda: self.run(scene))

    def sure(self, scene: Scene) -> Got:
        """The values where null is an error."""
        got = self.of(scene)
        return Got(got.values, None, join(got.null, got.error))


def join(left: Bools | None, right: Bools | None) -> Bools | None:
    """Where either is."""
    if left is None or right is None:
        return right if left is None else left
    return left | right


def fits(number: float) -> bool:
    """Whether a double holds it."""
    return float(number) == number


def constant(value: Any) -> Operand:
    """A constant; raises Unsupported for an integer beyond 64 bits."""
    kind = _CONSTANTS[type(value)]
    if kind == "int" and not LOWEST <= value <= HIGHEST:
        raise Unsupported("an integer beyond 64 bits")
    reach = abs(value) if kind == "int" else ANY
    return Operand(kind, f"{kind} {value!r}", lambda scene: Got(value), reach, is_constant=True, constant=value)
