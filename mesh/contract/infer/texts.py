"""What texts say: numbers, dates, times and identifiers where all of them do, and the pattern they share."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import groupby
from typing import Any
from uuid import UUID

_WHOLE = re.compile(r"[+-]?(0|[1-9]\d{0,18})")
# No leading zeros: 007 is a code, not a number.
_NUMBER = re.compile(r"[+-]?(0|[1-9]\d*)?(\.\d*)?([eE][+-]?\d+)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"\d\d:\d\d(:\d\d(\.\d{1,6})?)?")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LONGEST = (1 << 63) - 1
_UNITS = ((3, "millis"), (6, "micros"), (9, "nanos"))

_CLASSES = (("[A-Z]", re.compile("[A-Z]")), ("[a-z]", re.compile("[a-z]")), ("[0-9]", re.compile("[0-9]")))
_SPECIAL = frozenset(r".^$*+?{}[]\|()")
_MOST_RUNS = 12
# Runs that differ by more are words, not codes.
_WIDEST = 4


@dataclass(frozen=True, slots=True)
class Said:
    """What texts say: the words of their type, and how each becomes a value."""

    logical: str
    physical: str
    value: Callable[[str], Any]


def said_by(texts: Collection[str], *, numbers: bool) -> Said | None:
    """What all of the texts say; None where they are just texts.

    ``numbers`` for the cells of a table, where a number can only be a text; elsewhere ``"12"`` was written on purpose.
    """
    found = None
    if texts and numbers:
        found = _truths(texts) or _numbers(texts)
    return found or (_moments(texts) if texts else None)


def _truths(texts: Collection[str]) -> Said | None:
    if all(text.lower() in ("true", "false") for text in texts):
        return Said("boolean", "boolean", lambda text: text.lower() == "true")
    return None


def _numbers(texts: Collection[str]) -> Said | None:
    if all(_WHOLE.fullmatch(text) and abs(int(text)) <= _LONGEST for text in texts):
        return Said("integer", "long", int)
    if all(_NUMBER.fullmatch(text) and any(letter.isdigit() for letter in text) for text in texts):
        return Said("number", "double", float)
    return None


def _moments(texts: Collection[str]) -> Said | None:
    for pattern, read, logical, physical in (
        (_DATE, date.fromisoformat, "date", "int/date"),
        (_TIME, time.fromisoformat, "time", ""),
        (_UUID, UUID, "string", "string/uuid"),
        (_MOMENT, datetime.fromisoformat, "timestamp", ""),
    ):
        if all(pattern.fullmatch(text) and _reads(read, text) for text in texts):
            return Said(logical, physical or (_clock if logical == "time" else _instant)(texts), read)
    return None


def _reads(read: Callable[[str], Any], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


def _clock(texts: Collection[str]) -> str:
    finest = max(len(text.partition(".")[2]) for text in texts)
    return "int/time-millis" if finest <= 3 else "long/time-micros"


def _instant(texts: Collection[str]) -> str:
    """The physical type of moments: local where none names a zone, and as fine as the finest."""
    matches = [found for text in texts if (found := _MOMENT.fullmatch(text))]
    digits = max(len(found[2] or ".") - 1 for found in matches)
    unit = next(name for most, name in _UNITS if digits <= most)
    local = "" if any(found[3] for found in matches) else "local-"
    return f"long/{local}timestamp-{unit}"


def pattern_of(texts: Collection[str]) -> str | None:
    """An RE2 pattern that all texts match, if they are built alike out of letters, digits and fixed characters."""
    shapes = {tuple(kind for kind, _ in _runs(text)) for text in texts}
    if len(shapes) != 1:
        return None
    (shape,) = shapes
    if not 0 < len(shape) <= _MOST_RUNS or not any(kind.startswith("[") for kind in shape):
        return None
    columns = list(zip(*([length for _, length in _runs(text)] for text in texts), strict=True))
    if any(max(lengths) - min(lengths) > _WIDEST for lengths in columns):
        return None
    return f"^{''.join(_part(kind, lengths) for kind, lengths in zip(shape, columns, strict=True))}$"


def _runs(text: str) -> list[tuple[str, int]]:
    return [(kind, len(list(run))) for kind, run in groupby(text, _class)]


def _class(letter: str) -> str:
    return next((name for name, pattern in _CLASSES if pattern.fullmatch(letter)), _fixed(letter))


def _fixed(letter: str) -> str:
    return f"\\{letter}" if letter in _SPECIAL else letter


def _part(kind: str, lengths: Sequence[int]) -> str:
    least, most = min(lengths), max(lengths)
    if least == most == 1:
        return kind
    return f"{kind}{{{least}}}" if least == most else f"{kind}{{{least},{most}}}"
