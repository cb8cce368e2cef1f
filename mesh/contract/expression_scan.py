"""The text of an expression, taken from left to right; where it stops being CEL, the place is told."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Final

from mesh.contract.expression_tree import Literal, Place
from mesh.errors import ContractInvalid

_SPACE: Final = re.compile(r"(?:[\t\n\f\r ]+|//[^\n]*)+")
_WORD: Final = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
_QUOTED: Final = (
    r'"""(?:\\.|[^\\])*?"""' "|" r"'''(?:\\.|[^\\])*?'''" "|" r'"(?:\\.|[^"\\\n])*"' "|" r"'(?:\\.|[^'\\\n])*'"
)
_EXPONENT: Final = r"[eE][+-]?[0-9]+"
_WHOLE: Final = r"-?(?:0x[0-9a-fA-F]+|[0-9]+)"
_LITERAL: Final = re.compile(
    rf"(?P<bytes>[bB][rR]?(?:{_QUOTED}))|(?P<string>[rR]?(?:{_QUOTED}))|(?P<unsigned>{_WHOLE}[uU])"
    rf"|(?P<double>-?(?:[0-9]+\.[0-9]*(?:{_EXPONENT})?|\.[0-9]+(?:{_EXPONENT})?|[0-9]+{_EXPONENT}))"
    rf"|(?P<integer>{_WHOLE})|(?P<word>(?:true|false|null)\b)",
    re.DOTALL,
)
_WORDS: Final = {"true": True, "false": False, "null": None}
_ESCAPE: Final = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2}|.)", re.DOTALL)
_PLAIN_ESCAPES: Final = {**dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True)), **{c: c for c in "\\'\"`?"}}
_REFUSED: Final = {
    "unsigned": "an unsigned number is not part of the rule language; write 5, not 5u",
    "bytes": "a bytes literal is not part of the rule language; compare size(...), or give the field the type string",
}


def refused(at: Place, reason: str) -> ContractInvalid:
    """The error for one fault at one place."""
    return ContractInvalid([f"{at}: {reason}"])


class Scanner:
    """A position in a text. Everything taken has the white space and the comments before it passed over."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    @property
    def place(self) -> Place:
        """Where the next token begins."""
        self._pass_space()
        line = self._text.count("\n", 0, self._at) + 1
        return Place(line, self._at - self._text.rfind("\n", 0, self._at))

    def _pass_space(self) -> None:
        if found := _SPACE.match(self._text, self._at):
            self._at = found.end()

    def take(self, symbols: re.Pattern[str]) -> str:
        """The next token if it is one of these, else an empty text."""
        self._pass_space()
        found = symbols.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found.group()

    def takes(self, symbol: str) -> bool:
        """Whether the next token is this one; if so, it is taken."""
        self._pass_space()
        if not self._text.startswith(symbol, self._at):
            return False
        self._at += len(symbol)
        return True

    def expect(self, symbol: str) -> None:
        """Take a token that has to be there; raises ContractInvalid."""
        if not self.takes(symbol):
            raise self.unexpected()

    def word(self) -> str:
        """Take a name if there is one, else give an empty text."""
        return self.take(_WORD)

    def literal(self) -> Literal | None:
        """Take a number, a text, a truth or null if there is one; raises ContractInvalid for what rules do not take."""
        at = self.place
        found = _LITERAL.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        kind, text = str(found.lastgroup), found.group()
        if kind in _REFUSED:
            raise refused(at, _REFUSED[kind])
        if kind == "word":
            return Literal(at, _WORDS[text])
        return Literal(at, _READERS[kind](text, at))

    def end(self) -> None:
        """Nothing may follow; raises ContractInvalid."""
        self._pass_space()
        if self._at < len(self._text):
            raise self.unexpected()

    def unexpected(self) -> ContractInvalid:
        """What comes next is not CEL here."""
        at, rest = self.place, self._text[self._at :].split("\n")[0].strip()
        if self._at >= len(self._text):
            return refused(Place(1, len(self._text) + 1), "the expression is not valid CEL: it ends too early")
        return refused(at, f"the expression is not valid CEL: {rest[:20]!r} is not expected here")


def _integer(text: str, at: Place) -> int:
    number = int(text, 16) if "0x" in text else int(text)
    if not -(1 << 63) <= number < 1 << 63:
        raise refused(at, f"{text} does not fit 64 bits")
    return number


def _double(text: str, at: Place) -> float:
    number = float(text)
    if math.isinf(number):
        raise refused(at, f"{text} is too large for a double")
    return number


def _string(text: str, at: Place) -> str:
    raw = text[0] in "rR"
    quoted = text[1:] if raw else text
    width = 3 if quoted[:3] in ("'''", '"""') and len(quoted) >= 6 else 1
    body = quoted[width:-width]
    value = body if raw else _ESCAPE.sub(lambda match: _unescape(match.group(1), at), body)
    if any(0xD800 <= ord(char) < 0xE000 for char in value):
        raise refused(at, "a string holds half of a surrogate pair")
    return value


_READERS: Final[Mapping[str, Callable[[str, Place], int | float | str]]] = {
    "integer": _integer,
    "double": _double,
    "string": _string,
}


def _unescape(code: str, at: Place) -> str:
    if code in _PLAIN_ESCAPES:
        return _PLAIN_ESCAPES[code]
    number = int(code[1:], 16) if code[0] in "xuU" and len(code) > 1 else int(code, 8) if len(code) == 3 else -1
    if not 0 <= number <= 0x10FFFF:
        raise refused(at, f"\\{code} is not an escape of CEL")
    return chr(number)
