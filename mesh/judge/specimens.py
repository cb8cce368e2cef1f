"""Random values of a schema that lie around the constants of given clauses: at, just below and just beyond them."""

from __future__ import annotations

import importlib
import math
import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from decimal import Decimal
from random import Random
from typing import Any, Final

from mesh.contract import Clause, ClauseKind
from mesh.contract.expression_tree import Literal
from mesh.contract.shape import Array, Enum, Fixed, Map, Primitive, Record, Shape, Union, shape_of

_LONGEST: Final = 200
_RANGES: Final = {"int": (-(1 << 31), (1 << 31) - 1), "long": (-(1 << 63), (1 << 63) - 1)}
_ALPHABET: Final = string.ascii_letters + string.digits + " -_./:é"


def parts(tree: Any) -> Iterator[Any]:
    """A tree's nodes, and everything below them."""
    if isinstance(tree, tuple):
        for each in tree:
            yield from parts(each)
    elif is_dataclass(tree):
        yield tree
        for each in fields(tree):
            if each.name != "at":
                yield from parts(getattr(tree, each.name))


class Specimens:
    """Makes records of one schema."""

    def __init__(self, schema: Any, clauses: Sequence[Clause], random: Random) -> None:
        self._shape = shape_of(schema)
        self._random = random
        found = [constant for clause in clauses for constant in _constants(clause)]
        self._numbers = [each for each in found if isinstance(each, int | float | Decimal)] or [0, 100]
        self._texts = [each for each in found if isinstance(each, str)]
        self._patterns = [pattern for clause in clauses for pattern in _patterns(clause)]
        near = {int(each) + step for each in self._numbers for step in (-1, 0, 1)}
        self._lengths = sorted({0, 1, 2, *(each for each in near if 0 <= each <= _LONGEST)})

    def record(self) -> dict[str, Any]:
        """A record of the schema as plain values; logical types are what they are stored as."""
        value = self._value(self._shape)
        return value if isinstance(value, dict) else {}

    def notable(self, field: str) -> list[Any]:
        """The values of a field of the record between which the clauses may tell, as far as they are few."""
        assert isinstance(self._shape, Record)  # noqa: S101  (the value of a product is a record by derivation)
        shape = next(each.type for each in self._shape.fields if each.name == field)
        found = self._notable(shape)
        return [value for place, value in enumerate(found) if value not in found[:place]]

    def _notable(self, shape: Shape) -> list[Any]:  # noqa: PLR0911  (one for each type)
        match shape:
            case Union():
                return [value for branch in shape.branches for value in self._notable(branch)]
            case Enum():
                return list(shape.symbols)
            case Primitive(kind="null"):
                return [None]
            case Primitive(kind="boolean"):
                return [False, True]
            case Primitive(kind="int" | "long"):
                low, high = _RANGES[shape.kind]
                return sorted({math.floor(each) + step for each in self._inside(low, high) for step in (-1, 0, 1)})
            case Primitive(kind="float" | "double"):
                return sorted({float(each) + step for each in self._numbers for step in (-1, 0, 1)})
            case Primitive(kind="string"):
                return [*self._texts, "", *(self._text() for _ in range(6))]
        return [self._value(shape) for _ in range(6)]

    def _inside(self, low: int, high: int) -> list[int | float | Decimal]:
        return [each for each in self._numbers if low < each < high]

    def _value(self, shape: Shape) -> Any:  # noqa: PLR0911  (one for each type)
        match shape:
            case Union():
                return self._value(self._random.choice(shape.branches))
            case Record():
                return {each.name: self._value(each.type) for each in shape.fields}
            case Array():
                return [self._value(shape.items) for _ in range(min(12, self._random.choice(self._lengths)))]
            case Map():
                keys = {self._text() for _ in range(self._random.randrange(4))}
                return {key: self._value(shape.values) for key in keys}
            case Enum():
                return self._random.choice(shape.symbols)
            case Fixed():
                return self._bytes(shape.logical.scale if shape.logical else None, shape.size)
            case Primitive():
                return self._primitive(shape)

    def _primitive(self, shape: Primitive) -> Any:
        match shape.kind:
            case "null":
                return None
            case "boolean":
                return self._random.random() < 0.5
            case "int" | "long":
                low, high = _RANGES[shape.kind]
                return max(low, min(high, math.floor(self._number())))
            case "float" | "double":
                return float(self._number())
            case "string":
                return self._text()
        return self._bytes(shape.logical.scale if shape.logical else None, None)

    def _number(self) -> int | float | Decimal:
        """A number at a constant, close to it, between two, or anywhere."""
        one, other = self._random.choice(self._numbers), self._random.choice(self._numbers)
        match self._random.randrange(6):
            case 0:
                return one
            case 1:
                return one + self._random.choice((-1, 1))
            case 2:
                return math.nextafter(float(one), self._random.choice((-math.inf, math.inf)))
            case 3:
                return (float(one) + float(other)) / 2
            case 4:
                return self._random.randrange(-20, 200)
        return self._random.uniform(-2, 3) * (abs(float(one)) + 1)

    def _text(self) -> str:
        match self._random.randrange(4):
            case 0 if self._texts:
                return self._random.choice(self._texts)
            case 1 if self._texts:
                return self._worn(self._random.choice(self._texts))
            case 2 | 3 if self._patterns:
                made = _Matching(self._random).of(self._random.choice(self._patterns))
                return made if self._random.random() < 0.7 else self._worn(made)
        return "".join(self._random.choices(_ALPHABET, k=self._random.choice(self._lengths)))

    def _worn(self, text: str) -> str:
        """A text with one place changed, added or lost."""
        at, letter = self._random.randrange(len(text) + 1), self._random.choice(_ALPHABET)
        return self._random.choice(
            (
                text[:at] + letter + text[at:],
                text[:at] + text[at + 1 :],
                text[:at] + letter + text[at + 1 :],
                text.upper(),
            )
        )

    def _bytes(self, scale: int | None, size: int | None) -> bytes:
        if scale is None:
            return self._random.randbytes(self._random.choice(self._lengths) if size is None else size)
        unscaled = int(Decimal(str(self._number())) * 10**scale)
        needed = size or (unscaled.bit_length() // 8 + 1)
        bound = 1 << (8 * needed - 1)
        return max(-bound, min(bound - 1, unscaled)).to_bytes(needed, "big", signed=True)


def _constants(clause: Clause) -> Iterator[Any]:
    if clause.expression is not None:
        for part in parts(clause.expression.tree):
            if isinstance(part, Literal) and part.value is not None and not isinstance(part.value, bool):
                yield part.value
                if isinstance(part.value, int | float):
                    yield -part.value
    elif isinstance(clause.argument, tuple):
        yield from clause.argument
    elif clause.argument is not True and clause.kind is not ClauseKind.PATTERN:
        yield clause.argument


def _patterns(clause: Clause) -> Iterator[str]:
    if clause.kind is ClauseKind.PATTERN:
        yield str(clause.argument)
    for part in parts(clause.expression.tree) if clause.expression else ():
        if getattr(part, "function", "") == "matches":
            yield from (str(each.value) for each in part.arguments if isinstance(each, Literal))


class _Matching:
    """Texts that a pattern matches, for the part of its language that contracts use; others are only near."""

    _MOST: Final = 3

    def __init__(self, random: Random) -> None:
        self._random = random

    def of(self, pattern: str) -> str:
        try:
            # The parser of the standard library's own patterns, which RE2's are with few exceptions.
            return self._all(importlib.import_module("re._parser").parse(pattern))
        except re.error:
            return pattern

    def _all(self, parsed: Any) -> str:
        return "".join(self._one(str(operation), argument) for operation, argument in parsed)

    def _one(self, operation: str, argument: Any) -> str:  # noqa: PLR0911  (one for each construct)
        match operation:
            case "LITERAL":
                return chr(argument)
            case "NOT_LITERAL":
                return self._random.choice([each for each in _ALPHABET if ord(each) != argument])
            case "ANY":
                return self._random.choice(_ALPHABET)
            case "IN":
                return self._among(argument)
            case "BRANCH":
                return self._all(self._random.choice(argument[1]))
            case "SUBPATTERN":
                return self._all(argument[3])
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                low, high, inner = argument
                most = min(int(high), low + self._MOST)
                return "".join(self._all(inner) for _ in range(self._random.randint(low, most)))
        return ""

    def _among(self, choices: Any) -> str:
        """A character of a class; of one that is negated, any that is not in it."""
        named = [(str(operation), argument) for operation, argument in choices]
        members = [letter for operation, argument in named for letter in self._members(operation, argument)]
        if ("NEGATE", None) in named:
            return self._random.choice([each for each in _ALPHABET if each not in members] or ["~"])
        return self._random.choice(members or ["?"])

    @staticmethod
    def _members(operation: str, argument: Any) -> str:
        match operation:
            case "LITERAL":
                return chr(argument)
            case "RANGE":
                return "".join(map(chr, range(argument[0], min(argument[1], argument[0] + 255) + 1)))
            case "CATEGORY":
                known = {"CATEGORY_DIGIT": string.digits, "CATEGORY_SPACE": " \t"}
                return known.get(str(argument), string.ascii_letters + string.digits + "_")
        return ""
