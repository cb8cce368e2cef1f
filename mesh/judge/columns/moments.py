"""Timestamps and durations of rules over columns, in whole microseconds; what is finer is left to the rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from mesh.contract.expression_time import DURATION_PARTS, RANGES, READ, SECOND, SUMS, TIMESTAMP_PARTS, offset_of
from mesh.contract.expression_tree import Binary, Call, Literal, Node
from mesh.contract.expression_types import type_of
from mesh.judge.columns.arithmetic import arithmetic, call
from mesh.judge.columns.arrays import Bools, Ints, Unsupported
from mesh.judge.columns.operands import Operands
from mesh.judge.columns.scene import Scene
from mesh.judge.columns.values import ANY, Got, Operand, join

_MICRO: Final = 1000
_SECOND: Final = SECOND // _MICRO
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
KINDS: Final = ("timestamp", "duration")


def bounds(kind: str, unit: int = _MICRO) -> tuple[int, int]:
    """The lowest and highest number of units of so many nanoseconds that lie in the range of a kind."""
    low, high = RANGES[kind]
    return -(-low // unit), high // unit


class Moments(Operands):
    """Adds timestamps and durations to the values."""

    def column(self, path: str) -> Operand:
        """The column of a path, as timestamps or durations if it is of them."""
        found, type_ = super().column(path), type_of(self._layout.slots[path].shape)
        if not type_.temporal:
            return found
        if type_.unit % _MICRO:
            raise Unsupported(f"{found.key}: nanoseconds")
        (low, high), factor, read = bounds(type_.kind, type_.unit), type_.unit // _MICRO, found.run

        def run(scene: Scene) -> Got:
            got = read(scene)
            outside = _outside(got.values, low, high)
            if outside is not None and got.null is not None:
                outside = outside > got.null
            return Got(got.values * factor, got.null, join(got.error, outside))

        return Operand(type_.kind, found.key, run)

    def _operand(self, node: Node) -> Operand:
        match node:
            case Call(function="timestamp" | "duration" as kind, arguments=(argument,), method=False):
                return self._made(kind, argument)
            case Call(function=function, arguments=(argument,), method=False) if function == "int":
                inner = self.operand(argument)
                return _seconds(inner) if inner.kind == "timestamp" else call(function, inner)
            case Call(function=function, method=True) if function in TIMESTAMP_PARTS:
                return self._part(node)
            case Binary(operator="+" | "-"):
                left, right = self.operand(node.left), self.operand(node.right)
                kind_of_sum = SUMS.get((left.kind, node.operator, right.kind))
                if kind_of_sum is None:
                    return arithmetic(node.operator, left, right)
                return _sum(kind_of_sum, node.operator, left, right)
        return super()._operand(node)

    def _made(self, kind: str, argument: Node) -> Operand:
        if isinstance(argument, Literal) and isinstance(argument.value, str):
            return _constant(kind, READ[kind](argument.value))
        inner = self.operand(argument)
        if inner.kind == kind:
            return _sure(inner)
        if kind == "timestamp" and inner.kind == "int" and not inner.is_constant:
            return _from_seconds(inner)
        raise Unsupported(f"{kind} of {inner.kind}")

    def _part(self, node: Call) -> Operand:
        inner, name = self.operand(node.arguments[0]), node.function
        if inner.kind == "duration" and len(node.arguments) == 1:
            return _of(inner, name, _measure(name), 1 << 34)
        zone = node.arguments[1] if len(node.arguments) == 2 else Literal(node.at, "UTC")
        offset = offset_of(zone.value) if isinstance(zone, Literal) and isinstance(zone.value, str) else None
        if inner.kind != "timestamp" or offset is None:
            raise Unsupported(f"{name} of {inner.kind}")
        part, ahead = _PARTS[name], offset // _MICRO
        return _of(inner, f"{name}{offset or ''}", lambda values: part(values + ahead if ahead else values), 1 << 14)


def _outside(values: Ints, low: int, high: int) -> Bools | None:
    if values.min(initial=0) >= low and values.max(initial=0) <= high:
        return None
    wrong: Bools = (values < low) | (values > high)
    return wrong


def _constant(kind: str, nanos: int | None) -> Operand:
    if nanos is None or nanos % _MICRO:
        raise Unsupported(f"a {kind} finer than microseconds")
    micros = nanos // _MICRO
    return Operand(kind, f"{kind} {micros}", lambda scene: Got(micros), is_constant=True, constant=micros)


def _sure(inner: Operand) -> Operand:
    if inner.is_constant:
        return inner
    return Operand(inner.kind, f"sure({inner.key})", inner.sure)


def _of(inner: Operand, name: str, compute: Callable[[Any], Any], reach: int) -> Operand:
    if inner.is_constant:
        raise Unsupported(f"{name} of a constant")

    def run(scene: Scene) -> Got:
        got = inner.sure(scene)
        return got._replace(values=compute(got.values))

    return Operand("int", f"{name}({inner.key})", run, reach)


def _seconds(inner: Operand) -> Operand:
    return _of(inner, "int", lambda values: values // _SECOND, 1 << 38)


def _from_seconds(inner: Operand) -> Operand:
    low, high = bounds("timestamp", SECOND)

    def run(scene: Scene) -> Got:
        got = inner.sure(scene)
        return Got(got.values * _SECOND, None, join(got.error, _outside(got.values, low, high)))

    return Operand("timestamp", f"timestamp({inner.key})", run)


def _sum(kind: str, operator: str, left: Operand, right: Operand) -> Operand:
    if left.is_constant and right.is_constant:
        raise Unsupported("two constants")
    low, high = bounds(kind)

    def run(scene: Scene) -> Got:
        a, b = left.sure(scene), right.sure(scene)
        # Both are far below 2^62 where they are no error, so nothing wraps around.
        values = a.values + b.values if operator == "+" else a.values - b.values
        return Got(values, None, join(join(a.error, b.error), _outside(values, low, high)))

    return Operand(kind, f"({left.key} {operator} {right.key})", run, ANY)


def _measure(name: str) -> Callable[[Ints], Ints]:
    nanos, modulus = DURATION_PARTS[name]
    unit = nanos // _MICRO

    def part(values: Ints) -> Ints:
        size = np.abs(values) // unit
        size = size % modulus if modulus else size
        found: Ints = np.where(values < 0, -size, size)
        return found

    return part


def _days(values: Ints) -> Any:
    return (values // _DAY).astype("datetime64[D]")


def _since(values: Ints, unit: str) -> Ints:
    days = _days(values)
    found: Ints = (days - days.astype(f"datetime64[{unit}]")).astype(np.int64)
    return found


_PARTS: Final[dict[str, Callable[[Ints], Ints]]] = {
    "getFullYear": lambda values: _days(values).astype("datetime64[Y]").astype(np.int64) + 1970,
    "getMonth": lambda values: _days(values).astype("datetime64[M]").astype(np.int64) % 12,
    "getDate": lambda values: _since(values, "M") + 1,
    "getDayOfMonth": lambda values: _since(values, "M"),
    "getDayOfWeek": lambda values: (values // _DAY + 4) % 7,
    "getDayOfYear": lambda values: _since(values, "Y"),
    "getHours": lambda values: values % _DAY // _HOUR,
    "getMinutes": lambda values: values % _HOUR // _MINUTE,
    "getSeconds": lambda values: values % _MINUTE // _SECOND,
    "getMilliseconds": lambda values: values % _SECOND // 1000,
}
