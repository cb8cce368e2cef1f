"""Encoders of one schema as straight-line Python: a third of the time of checking a record and then writing it.

Generated, like the decoders of ``mesh.judge``; the source holds names of our own and escaped literals only. An encoder
takes the values that come nearly always (exact types, every field there) and raises ``Unusual`` for all others, which
``mesh.judge.RowCodec`` then encodes or refuses: it stays the one authority for what is of a schema.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, TypeAlias

from mesh.contract.shape import Array, Enum, Fixed, Map, Primitive, Record, Shape, Union
from mesh.errors import EncodingRefused
from mesh.judge.strict import strict

Encode: TypeAlias = Callable[[Any], bytes]


class Unusual(Exception):
    """A value that the compiled encoder leaves to the exact one."""


UNUSUAL: Final = (Unusual, EncodingRefused, KeyError, TypeError, ValueError, OverflowError)
"""What a compiled encoder raises; the exact one then says what is wrong, if anything is."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_INT: Final = 1 << 31
_LONG: Final = 1 << 63
# Numbers of one and two bytes, nearly all there are in records, come from a table.
_TABLE: Final = range(-8192, 8192)
_PAIR: Final = (1 << 14) - 1
_LARGEST_FLOAT: Final = 3.4028234663852886e38
_EXACT: Final = 1 << 53


def compile_encoder(shape: Shape) -> Encode | None:
    """The encoder of a shape; None for shapes with unions of several types, which need the exact one anyway."""
    source = _Source()
    try:
        lines = source.write(shape, "r", "x", top=True)
    except Unusual:
        return None
    main = "\n".join(["def encode(r):", *_indented(lines), "    return x"])
    space: dict[str, Any] = dict(source.constants)
    exec("\n".join([*source.functions, main]), space)  # noqa: S102  (generated above from the shape)
    encode: Encode = space["encode"]
    return encode


def varint(number: int) -> bytes:
    """A whole number as Avro writes it; raises Unusual for one that does not fit 64 bits."""
    return _varint()(number)


@cache
def _varint() -> Callable[[int], bytes]:
    """Up to six bytes, which timestamps of this century have, come two by two from tables: a third of the time."""
    pairs = [bytes((each & 127 | 128, each >> 7 | 128)) for each in range(1 << 14)]
    last = [bytes((each,)) if each < 128 else bytes((each & 127 | 128, each >> 7)) for each in range(1 << 14)]

    def written(number: int) -> bytes:
        rest = number << 1 ^ number >> 63
        if rest < 1 << 14:
            return last[rest]
        if rest < 1 << 28:
            return pairs[rest & _PAIR] + last[rest >> 14]
        if rest < 1 << 42:
            return pairs[rest & _PAIR] + pairs[rest >> 14 & _PAIR] + last[rest >> 28]
        return _long(number, rest)

    return written


def _long(number: int, rest: int) -> bytes:
    if not -_LONG <= number < _LONG:
        raise Unusual
    out = bytearray()
    while rest > 127:
        out.append(rest & 127 | 128)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def _int(number: int) -> bytes:
    if not -_INT <= number < _INT:
        raise Unusual
    return varint(number)


def _millis(write: Callable[[int], bytes]) -> Callable[[datetime], bytes]:
    def millis(moment: datetime) -> bytes:
        since = moment - _EPOCH
        micros = since.microseconds
        if micros % 1000:
            raise Unusual
        return write(since.days * 86_400_000 + since.seconds * 1000 + micros // 1000)

    return millis


def _micros(moment: datetime) -> bytes:
    since = moment - _EPOCH
    return varint((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


@cache
def _table() -> dict[int, bytes]:
    return {number: varint(number) for number in _TABLE}


def _constants() -> dict[str, object]:
    return {
        "small": _table().get,
        "int_": _int,
        "long_": _varint(),
        "millis": _millis(_varint()),
        "micros": _micros,
        "datetime": datetime,
        "double_": struct.Struct("<d").pack,
        "float_": struct.Struct("<f").pack,
        "join": b"".join,
        "Unusual": Unusual,
    }


@dataclass(slots=True)
class _Source:
    """Collects the source of one schema. Writers read the variable ``v`` and leave bytes in the variable ``x``."""

    constants: dict[str, object] = field(default_factory=_constants)
    functions: list[str] = field(default_factory=list)
    _names: int = 0

    def name(self, stem: str) -> str:
        self._names += 1
        return f"{stem}{self._names}"

    def write(self, shape: Shape, v: str, x: str, *, top: bool = False) -> list[str]:
        match shape:
            case Record():
                lines = self._record(shape, v, x, top=top)
            case Union():
                lines = self._union(shape, v, x)
            case Array():
                lines = [f"{x} = {self._array(shape)}({v})"]
            case Map():
                lines = [f"{x} = {self._map(shape)}({v})"]
            case Enum():
                symbols = self.name("symbols")
                self.constants[symbols] = {text: varint(number) for number, text in enumerate(shape.symbols)}
                lines = [f"{x} = {symbols}[{v}]"]
            case Fixed():
                refused = f"if type({v}) is not bytes or len({v}) != {shape.size}: raise Unusual"
                lines = [*self._plain(shape, v), refused, f"{x} = {v}"]
            case Primitive() if shape.kind in ("int", "long"):
                lines = [*self._plain(shape, v), *_number(shape, v, x)]
            case Primitive():
                lines = [*self._plain(shape, v), *_primitive(shape.kind, v, x)]
        return lines

    def _plain(self, shape: Primitive | Fixed, v: str) -> list[str]:
        """Logical types are the exact encoder's business: what they allow, and what Python's own types mean."""
        if shape.logical is None or _is_instant(shape):
            return []
        check = self.name("plain")
        self.constants[check] = strict(shape)
        return [f"{v} = {check}({v})"]

    def _record(self, shape: Record, v: str, x: str, *, top: bool) -> list[str]:
        absent = {part.name: None for part in shape.fields if part.has_default and _first_null(part.type)}
        lines = [f"if type({v}) is not dict: raise Unusual"]
        if top and absent:
            absent_name = self.name("absent")
            self.constants[absent_name] = absent
            lines.append(f"if len({v}) != {len(shape.fields)}: {v} = {absent_name} | {v}")
        lines.append(f"if len({v}) != {len(shape.fields)}: raise Unusual")
        parts = []
        for part in shape.fields:
            value, written = self.name("v"), self.name("x")
            lines += [f"{value} = {v}[{part.name!r}]", *self.write(part.type, value, written)]
            parts.append(written)
        return [*lines, f"{x} = join(({''.join(f'{each}, ' for each in parts)}))"]

    def _union(self, shape: Union, v: str, x: str) -> list[str]:
        others = [(number, branch) for number, branch in enumerate(shape.branches) if branch.kind != "null"]
        if len(others) != 1 or len(shape.branches) > 2:
            raise Unusual
        number, branch = others[0]
        lines = [*self.write(branch, v, x), f"{x} = {varint(number)!r} + {x}"]
        if len(shape.branches) == 1:
            return lines
        return [f"if {v} is None: {x} = {varint(1 - number)!r}", "else:", *_indented(lines)]

    def _array(self, shape: Array) -> str:
        body = [*self.write(shape.items, "item", "x"), "out.append(x)"]
        return self._blocks("list", "for item in v:", body)

    def _map(self, shape: Map) -> str:
        key = _primitive("string", "key", "x")
        body = [*key, "out.append(x)", *self.write(shape.values, "item", "x"), "out.append(x)"]
        return self._blocks("dict", "for key, item in v.items():", body)

    def _blocks(self, kind: str, loop: str, body: list[str]) -> str:
        name = self.name("blocks")
        lines = [
            f"def {name}(v):",
            f"    if type(v) is not {kind}: raise Unusual",
            "    if not v: return b'\\x00'",
            "    out = [small(len(v)) or long_(len(v))]",
            f"    {loop}",
            *_indented(body, 2),
            "    out.append(b'\\x00')",
            "    return join(out)",
        ]
        self.functions.append("\n".join(lines))
        return name


def _primitive(kind: str, v: str, x: str) -> list[str]:
    if kind in ("string", "bytes"):
        python, encoded = ("str", f"{v}.encode()") if kind == "string" else ("bytes", v)
        length = f"(small(len({x})) or long_(len({x})))"
        return [f"if type({v}) is not {python}: raise Unusual", f"{x} = {encoded}", f"{x} = {length} + {x}"]
    fits, written = _FLAT[kind]
    return [f"if {fits.format(v=v)}: {x} = {written.format(v=v)}", "else: raise Unusual"]


_FLAT: Final = {
    "double": (f"type({{v}}) is float or (type({{v}}) is int and {-_EXACT} <= {{v}} <= {_EXACT})", "double_({v})"),
    "float": (f"type({{v}}) is float and {-_LARGEST_FLOAT!r} <= {{v}} <= {_LARGEST_FLOAT!r}", "float_({v})"),
    "boolean": ("type({v}) is bool", "b'\\x01' if {v} else b'\\x00'"),
    "null": ("{v} is None", "b''"),
}
"""For each kind, when it is the usual value and how it is written."""


def _number(shape: Primitive, v: str, x: str) -> list[str]:
    lines = [f"if type({v}) is int: {x} = small({v}) or {shape.kind}_({v})", "else: raise Unusual"]
    if _is_instant(shape):
        unit = str(shape.logical).removeprefix("timestamp-")
        return [f"if type({v}) is datetime: {x} = {unit}({v})", f"el{lines[0]}", lines[1]]
    return lines


def _is_instant(shape: Primitive | Fixed) -> bool:
    return shape.kind == "long" and str(shape.logical) in ("timestamp-millis", "timestamp-micros")


def _first_null(shape: Shape) -> bool:
    return isinstance(shape, Union) and shape.branches[0].kind == "null"


def _indented(lines: list[str], levels: int = 1) -> list[str]:
    return ["    " * levels + line for line in lines]
