"""Python source that decodes Avro bodies of one schema exactly: straight lines for records, functions for collections.

Generated, because fastavro accepts what is not Avro (padded numbers, negative indexes, trailing bytes, ints out of
range): decoding with it, encoding again to prove the form and checking ranges takes three times as long as this, which
is exact by construction. The source holds names of our own and escaped literals only.

Accepted is the encoding with nothing left to choose: shortest numbers, indexes in range, booleans 0 or 1, UTF-8, no key
twice in a map, no decimal beyond its precision, every byte used. Two freedoms of Avro stay: arrays and maps may come in
several blocks, with or without sizes (Go's writers do that by default; a size must be true), and a NaN may be any NaN.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, Final

from mesh.contract.shape import Array, Enum, Fixed, Logical, Map, Primitive, Record, Shape, Union
from mesh.errors import ContractInvalid, MalformedBody
from mesh.judge import wire
from mesh.judge.logical import digit_limit, for_people

# As in the lint of contracts: deeper ones are refused there, so only schemas that never passed it come here.
_DEEPEST: Final = 64
# Indexes up to here are encoded in one byte.
_ONE_BYTE: Final = 64

_RUNTIME: Final[dict[str, object]] = {
    "long_": wire.long_,
    "int_": wire.int_,
    "millis": wire.millis,
    "length": wire.length,
    "block": wire.block,
    "symbol": wire.symbol,
    "decimal": wire.decimal,
    "refuse": wire.refuse,
    "double_at": struct.Struct("<d").unpack_from,
    "float_at": struct.Struct("<f").unpack_from,
}


@dataclass(slots=True)
class DecoderSource:
    """Collects the source of one schema. Readers leave a value in a variable; ``b`` is the body, ``p`` the position."""

    constants: dict[str, object] = field(default_factory=dict)
    functions: list[str] = field(default_factory=list)
    logical: bool = False
    """Whether values become Python's own types as they are read; see ``for_people``."""
    _open: list[int] = field(default_factory=list)
    _names: int = 0

    def __post_init__(self) -> None:
        self.constants |= _RUNTIME

    def name(self, stem: str) -> str:
        """A variable nobody else has."""
        self._names += 1
        return f"{stem}{self._names}"

    def read(self, shape: Shape, target: str) -> list[str]:
        """Lines that read a value of this shape into ``target``; raises ContractInvalid for recursion."""
        if id(shape) in self._open or len(self._open) > _DEEPEST:
            raise ContractInvalid([f"the record: recursive, or nested more than {_DEEPEST} levels deep"])
        self._open.append(id(shape))
        match shape:
            case Record():
                lines = self._record(shape, target)
            case Union():
                lines = self._union(shape, target)
            case Array():
                lines = [f"{target}, p = {self._array(shape)}(b, p)"]
            case Map():
                lines = [f"{target}, p = {self._map(shape)}(b, p)"]
            case Enum():
                lines = self._enum(shape, target)
            case Fixed():
                lines = [f"{target} = b[p : p + {shape.size}]", f"p += {shape.size}", *self._meaning(shape, target)]
            case Primitive():
                lines = [*self._primitive(shape, target), *self._meaning(shape, target)]
        self._open.pop()
        return lines

    def _meaning(self, shape: Fixed | Primitive, target: str) -> list[str]:
        lines = _digits(shape.logical, target)
        convert = for_people(shape) if self.logical else None
        if convert is not None:
            name = self.name("people")
            self.constants[name] = convert
            lines.append(f"{target} = {name}({target})")
        return lines

    def _record(self, shape: Record, target: str) -> list[str]:
        parts = [(part, self.name("v")) for part in shape.fields]
        lines = [line for part, variable in parts for line in self.read(part.type, variable)]
        entries = ", ".join(f"{part.name!r}: {variable}" for part, variable in parts)
        return [*lines, f"{target} = {{{entries}}}"]

    def _union(self, shape: Union, target: str) -> list[str]:
        index = self.name("i")
        lines, word = [f"{index}, p = int_(b, p)"], "if"
        narrow = len(shape.branches) <= _ONE_BYTE
        if narrow:
            lines = [f"{index} = b[p]", "p += 1"]
        # Of several types only the plain values tell which one it was.
        logical, several = self.logical, len([each for each in shape.branches if each.kind != "null"]) > 1
        self.logical = logical and not several
        for number, branch in enumerate(shape.branches):
            lines += [f"{word} {index} == {number * 2 if narrow else number}:", *indented(self.read(branch, target))]
            word = "elif"
        self.logical = logical
        return [*lines, "else:", '    refuse("a union index names no branch")']

    def _array(self, shape: Array) -> str:
        body = [*self.read(shape.items, "item"), "items.append(item)"]
        return self._blocks("[]", body)

    def _map(self, shape: Map) -> str:
        body = [
            *_sized("key", ".decode()"),
            'if key in items: refuse("a map has a key twice")',
            *self.read(shape.values, "items[key]"),
        ]
        return self._blocks("{}", body)

    def _blocks(self, empty: str, body: list[str]) -> str:
        name = self.name("blocks")
        lines = [
            f"def {name}(b, p):",
            f"    items = {empty}",
            "    while True:",
            "        count, p, end = block(b, p)",
            "        if not count: return items, p",
            "        for _ in range(count):",
            *indented(body, 3),
            '        if end >= 0 and p != end: refuse("the size of a block is not true")',
        ]
        self.functions.append("\n".join(lines))
        return name

    def _enum(self, shape: Enum, target: str) -> list[str]:
        symbols, short = self.name("symbols"), self.name("short")
        self.constants[symbols] = shape.symbols
        self.constants[short] = {number * 2: text for number, text in enumerate(shape.symbols[:_ONE_BYTE])}
        return [
            f"{target} = {short}.get(b[p])",
            f"if {target} is None: {target}, p = symbol(b, p, {symbols})",
            "else: p += 1",
        ]

    @staticmethod
    def _primitive(shape: Primitive, target: str) -> list[str]:
        kind = shape.kind
        if kind in ("int", "long"):
            millis = kind == "long" and shape.logical is not None and shape.logical.name == "timestamp-millis"
            return [f"{target}, p = millis(b, p)"] if millis else _number(kind, target)
        if kind in ("float", "double"):
            size = 4 if kind == "float" else 8
            return [f"if p + {size} > len(b): raise IndexError", f"{target} = {kind}_at(b, p)[0]", f"p += {size}"]
        if kind == "boolean":
            return ['if b[p] > 1: refuse("a boolean is neither 0 nor 1")', f"{target} = b[p] == 1", "p += 1"]
        return [f"{target} = None"] if kind == "null" else _sized(target, ".decode()" if kind == "string" else "")


def _number(kind: str, target: str) -> list[str]:
    # One byte is always shortest and in range, two are unless the second is 0; nearly all numbers of records are that.
    return [
        "n = b[p]",
        f"if n < 128: {target} = (n >> 1) ^ -(n & 1); p += 1",
        f"elif 0 < b[p + 1] < 128: n = n & 127 | b[p + 1] << 7; {target} = (n >> 1) ^ -(n & 1); p += 2",
        f"else: {target}, p = {kind}_(b, p)",
    ]


def _sized(target: str, decode: str) -> list[str]:
    # A slice behind the end is short, but then ``p`` is behind the end too: the next read or the last check sees it.
    return [
        "n = b[p]",
        "if n < 128:",
        '    if n & 1: refuse("a length is negative")',
        "    p += 1; q = p + (n >> 1)",
        "else: n, p = length(b, p); q = p + n",
        f"{target} = b[p:q]{decode}",
        "p = q",
    ]


def _digits(logical: Logical | None, target: str) -> list[str]:
    # A megabyte of digits would take minutes to become a number.
    decimal = logical is not None and logical.name == "decimal"
    return [f"decimal({target}, {digit_limit(logical)})"] if logical is not None and decimal else []


def indented(lines: list[str], levels: int = 1) -> list[str]:
    """The same lines further right."""
    return ["    " * levels + line for line in lines]


class Decoder:
    """Reads bodies of one schema as plain values: numbers for logical types, text for enums, dictionaries.

    With ``logical`` as Python's own types: datetime, Decimal, UUID, ...
    """

    def __init__(self, shape: Shape, *, logical: bool = False) -> None:
        """Compile; raises ContractInvalid for a recursive shape."""
        source = DecoderSource(logical=logical)
        lines = source.read(shape, "value")
        main = ["def read(b):", "    p = 0", *indented(lines), "    return value, p"]
        space = dict(source.constants)
        exec("\n".join([*source.functions, *main]), space)  # noqa: S102  (generated above from the shape)
        self._read: Any = space["read"]

    def decode(self, body: bytes) -> object:
        """The value; raises MalformedBody with the reason."""
        try:
            value, end = self._read(body)
        except UnicodeDecodeError:
            raise MalformedBody("a text is not UTF-8") from None
        except IndexError:
            raise MalformedBody("it ends too early") from None
        if end != len(body):
            raise MalformedBody("it ends too early" if end > len(body) else f"{len(body) - end} bytes are left over")
        return value
