"""Texts that match a pattern, and texts that nearly do.

Python's own parser of regular expressions gives the tree: RE2's language is almost a part of Python's, and what comes
out is tried with RE2, so a difference between the two costs an attempt and never gives a wrong text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from random import Random
from typing import Any, Final

from mesh.contract.expression_runtime import Matches

_parser: Final[Any] = import_module("re._parser")

_MOST_REPEATS: Final = 4
_TRIES: Final = 24
_PRINTABLE: Final = [chr(code) for code in range(0x20, 0x7F)]
_ANY: Final = [*_PRINTABLE, "é", "ß", "日", "Ω"]
_CATEGORIES: Final = {
    "DIGIT": "0123456789",
    "SPACE": " \t",
    "WORD": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_",
}
# What RE2 writes otherwise than Python.
_DIALECT: Final = (
    (r"\z", r"\Z"),
    (r"\pL", "[A-Za-zäÉ]"),
    (r"\p{L}", "[A-Za-zäÉ]"),
    (r"\p{Lu}", "[A-ZÉ]"),
    (r"\p{Ll}", "[a-zä]"),
    (r"\pN", "[0-9]"),
    (r"\p{N}", "[0-9]"),
    (r"\p{Nd}", "[0-9]"),
    ("[:alpha:]", "A-Za-z"),
    ("[:digit:]", "0-9"),
    ("[:alnum:]", "A-Za-z0-9"),
    ("[:upper:]", "A-Z"),
    ("[:lower:]", "a-z"),
    ("[:space:]", " "),
    ("[:xdigit:]", "0-9A-Fa-f"),
)

# RE2 takes flags anywhere, Python at the start only; without them a pattern matches less, and that is enough.
_FLAGS: Final = re.compile(r"\(\?[a-zA-Z]+\)")


def matching(pattern: str, rng: Random) -> str | None:
    """A text in which RE2 finds the pattern; None where none was found."""
    tree, matches = _tree(pattern), _matches(pattern)
    for _ in range(_TRIES if tree is not None else 0):
        text = "".join(_texts(tree, rng))
        if matches[text]:
            return text
    return None


def near_misses(pattern: str, rng: Random) -> list[str]:
    """Texts that do not match, made from one that does by a slip: a letter too many, too few, or another."""
    good, matches = matching(pattern, rng) or "A1", _matches(pattern)
    at = rng.randrange(len(good)) if good else 0
    slips = [
        good.lower(),
        good.upper(),
        f"{good} ",
        f" {good}",
        good[:-1],
        good + good[-1:],
        good[:at] + rng.choice("-#?é0Z") + good[at + 1 :],
        good[:at] + good[at + 1 :],
        "",
        "?",
        "日本",
    ]
    return [text for text in dict.fromkeys(slips) if not matches[text]]


@lru_cache(256)
def _matches(pattern: str) -> Matches:
    return Matches(pattern)


@lru_cache(256)
def _tree(pattern: str) -> Any:
    for theirs, ours in _DIALECT:
        pattern = pattern.replace(theirs, ours)
    pattern = _FLAGS.sub("", pattern)
    try:
        return _parser.parse(pattern)
    except (re.error, OverflowError, RecursionError):
        return None


def _texts(tree: Any, rng: Random) -> Iterator[str]:
    for operation, argument in tree:
        yield from _text(str(operation), argument, rng)


def _text(operation: str, argument: Any, rng: Random) -> Iterator[str]:
    match operation:
        case "LITERAL":
            yield chr(argument)
        case "NOT_LITERAL":
            yield rng.choice([each for each in _PRINTABLE if ord(each) != argument])
        case "ANY":
            yield rng.choice(_ANY)
        case "IN":
            yield rng.choice(_members(argument))
        case "BRANCH":
            yield from _texts(rng.choice(argument[1]), rng)
        case "SUBPATTERN":
            yield from _texts(argument[-1], rng)
        case "ATOMIC_GROUP":
            yield from _texts(argument, rng)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            low, high, inner = argument
            for _ in range(_count(int(low), int(high), rng)):
                yield from _texts(inner, rng)


def _count(low: int, high: int, rng: Random) -> int:
    """How often to repeat: the ends of a range are as likely as all between, a range without end is a few."""
    high = min(high, low + _MOST_REPEATS) if high > 1 << 16 else high
    return rng.choice((low, high, rng.randint(low, high)))


def _members(items: Any) -> list[str]:
    wanted = [each for operation, argument in items for each in _member(str(operation), argument)]
    if items and str(items[0][0]) == "NEGATE":
        return [each for each in _ANY if each not in wanted] or ["\x00"]
    return wanted or ["?"]


def _member(operation: str, argument: Any) -> list[str]:
    if operation == "LITERAL":
        return [chr(argument)]
    if operation == "RANGE":
        low, high = argument
        step = max(1, (high - low) // 64)
        return [chr(code) for code in (*range(low, high + 1, step), high) if not 0xD800 <= code < 0xE000]
    if operation == "CATEGORY":
        name = str(argument).removeprefix("CATEGORY_")
        if name.startswith("NOT_"):
            return [each for each in _ANY if each not in _CATEGORIES[name.removeprefix("NOT_")]]
        return list(_CATEGORIES[name])
    return []
