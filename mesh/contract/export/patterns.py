"""RE2 patterns in the words of pydantic's engine, which is Rust's: only where both mean the same."""

from __future__ import annotations

import re
from typing import Final

# In RE2 these mean ASCII (https://github.com/google/re2/wiki/Syntax), in Rust all of Unicode.
_CLASSES: Final = {"d": "0-9", "w": "0-9A-Za-z_", "s": "\\t\\n\\f\\r "}
_PLAIN: Final = re.compile(r"[^\\\[\]{}]")
_COUNT: Final = re.compile(r"\{\d+(?:,\d*)?\}")
_SAME_ESCAPES: Final = "tnrfAz"
_POSIX: Final = re.compile(r"\[:\^?[a-z]+:\]")
_SETS: Final = ("&&", "--", "~~")


def rust_pattern(pattern: str) -> str | None:
    """The same pattern for Rust's engine; None for one that could mean something else there."""
    if re.search(r"\(\?[^:)]*x", pattern):
        return None
    written, at = "", 0
    while at < len(pattern):
        found = _class(pattern, at) if pattern[at] == "[" else _outside(pattern, at)
        if found is None:
            return None
        text, at = found
        written += text
    return written


def _outside(pattern: str, at: int) -> tuple[str, int] | None:
    if pattern[at] == "\\":
        return _escape(pattern, at, "[{}]")
    if count := _COUNT.match(pattern, at):
        return count[0], count.end()
    return (pattern[at], at + 1) if _PLAIN.match(pattern[at]) else None


def _class(pattern: str, at: int) -> tuple[str, int] | None:
    written, at = "[", at + 1
    if pattern.startswith("^", at):
        written, at = "[^", at + 1
    first = at
    while at < len(pattern):
        if pattern[at] == "]" and at > first:
            return written + "]", at + 1
        found = _within(pattern, at)
        if found is None:
            return None
        text, at = found
        written += text
    return None


def _within(pattern: str, at: int) -> tuple[str, int] | None:
    """One part of a class. Rust nests classes and has operations on them, so what could be one is not taken over."""
    if pattern[at] == "\\":
        return _escape(pattern, at, "{}")
    if posix := _POSIX.match(pattern, at):
        return posix[0], posix.end()
    if pattern[at] in "[]" or pattern.startswith(_SETS, at):
        return None
    return pattern[at], at + 1


def _escape(pattern: str, at: int, around: str) -> tuple[str, int] | None:
    letter = pattern[at + 1 : at + 2]
    if letter in _CLASSES:
        return around.format(_CLASSES[letter]), at + 2
    if letter and (letter in _SAME_ESCAPES or (letter.isascii() and not letter.isalnum() and letter not in "<> ")):
        return "\\" + letter, at + 2
    return None
