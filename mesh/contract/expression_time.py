"""Timestamps and durations of the rule language: whole nanoseconds, their texts, ranges and parts.

A timestamp is the nanoseconds since 1970-01-01T00:00:00Z, within the years 1 to 9999; a duration is nanoseconds within
64 bits, some 292 years (language definition of CEL, "Overflow", and its conformance tests ``timestamps.textproto``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

SECOND: Final = 1_000_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
EARLIEST: Final = -62_135_596_800 * SECOND
LATEST: Final = 253_402_300_800 * SECOND - 1
SHORTEST: Final = -(1 << 63)
"""The duration furthest below zero."""
LONGEST: Final = (1 << 63) - 1

RANGES: Final = {"timestamp": (EARLIEST, LATEST), "duration": (SHORTEST, LONGEST)}
"""The first and last nanosecond of each kind."""
SUMS: Final = {
    ("timestamp", "+", "duration"): "timestamp",
    ("duration", "+", "timestamp"): "timestamp",
    ("timestamp", "-", "duration"): "timestamp",
    ("timestamp", "-", "timestamp"): "duration",
    ("duration", "+", "duration"): "duration",
    ("duration", "-", "duration"): "duration",
}
"""What sums and differences are of."""
UNITS: Final = {"ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 1_000_000, "s": SECOND, "m": MINUTE, "h": HOUR}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MOMENT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII
)  # RFC 3339
_PART: Final = re.compile(r"(\d{1,20})?(?:\.(\d{0,20}))?(ns|us|µs|μs|ms|s|m|h)", re.ASCII)  # as Go's time.ParseDuration
_OFFSET: Final = re.compile(r"([+-]?)(\d\d):(\d\d)", re.ASCII)

Part = Callable[[int], int]
"""Says one part of a timestamp, or one measure of a duration."""


def timestamp_of(text: str) -> int | None:
    """The timestamp that RFC 3339 writes so; None for what is none, or lies outside the years 1 to 9999."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return None
    day, clock, fraction, sign, hours, minutes = found.groups()
    try:
        seconds = (datetime.fromisoformat(f"{day}T{clock}+00:00") - _EPOCH) // _MICROSECOND * 1000
    except ValueError:
        return None
    offset = _clock(sign, hours, minutes) if sign else 0
    if offset is None:
        return None
    moment = seconds + int((fraction or "").ljust(9, "0")) - offset
    return moment if EARLIEST <= moment <= LATEST else None


def duration_of(text: str) -> int | None:
    """The duration that CEL writes so, as in ``1h30m`` or ``-1.5s``; None for what is none or beyond 64 bits."""
    rest, total = text[1:] if text[:1] in ("+", "-") else text, 0
    if rest == "0":
        return 0
    at = 0
    while at < len(rest):
        part = _PART.match(rest, at)
        if part is None or not (part[1] or part[2]):
            return None
        whole, fraction, unit = part[1] or "0", part[2] or "", UNITS[part[3]]
        total += int(whole) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)
        at = part.end()
    total = -total if text[:1] == "-" else total
    return total if rest and SHORTEST <= total <= LONGEST else None


READ: Final[dict[str, Callable[[str], int | None]]] = {"timestamp": timestamp_of, "duration": duration_of}
"""What reads the text of each kind."""


def offset_of(zone: str) -> int | None:
    """The nanoseconds that a zone is ahead of UTC; None for what is not ``UTC`` or an offset such as ``-05:00``."""
    if zone in ("UTC", "Z"):
        return 0
    found = _OFFSET.fullmatch(zone)
    return _clock(*found.groups()) if found else None


def _clock(sign: str, hours: str, minutes: str) -> int | None:
    if int(hours) > 23 or int(minutes) > 59:
        return None
    size = int(hours) * HOUR + int(minutes) * MINUTE
    return -size if sign == "-" else size


def civil(days: int) -> tuple[int, int, int]:
    """Year, month and day of a number of days since the epoch, in the proleptic Gregorian calendar of any year."""
    # The calendar repeats every 400 years of 146,097 days; Python's own ends at the years 1 and 9999.
    cycle, day = divmod(days + 719_162, 146_097)
    found = datetime.fromordinal(day + 1)
    return found.year + 400 * cycle, found.month, found.day


def _day_of_year(days: int) -> int:
    cycle_day = (days + 719_162) % 146_097
    return datetime.fromordinal(cycle_day + 1).timetuple().tm_yday - 1


TIMESTAMP_PARTS: Final[dict[str, Part]] = {
    "getFullYear": lambda moment: civil(moment // DAY)[0],
    "getMonth": lambda moment: civil(moment // DAY)[1] - 1,
    "getDate": lambda moment: civil(moment // DAY)[2],
    "getDayOfMonth": lambda moment: civil(moment // DAY)[2] - 1,
    "getDayOfWeek": lambda moment: (moment // DAY + 4) % 7,
    "getDayOfYear": lambda moment: _day_of_year(moment // DAY),
    "getHours": lambda moment: moment % DAY // HOUR,
    "getMinutes": lambda moment: moment % HOUR // MINUTE,
    "getSeconds": lambda moment: moment % MINUTE // SECOND,
    "getMilliseconds": lambda moment: moment % SECOND // 1_000_000,
}
"""The parts of a timestamp in UTC; months, days of the month and of the year, and of the week (Sunday) count from 0."""

DURATION_PARTS: Final[dict[str, tuple[int, int]]] = {
    "getHours": (HOUR, 0),
    "getMinutes": (MINUTE, 0),
    "getSeconds": (SECOND, 0),
    "getMilliseconds": (1_000_000, 1000),
}
"""The measures of a duration: the unit, and what the number of units is taken modulo (0: it is the whole duration)."""


def duration_part(name: str) -> Part:
    """A measure of durations, truncated toward zero."""
    unit, modulus = DURATION_PARTS[name]

    def part(length: int) -> int:
        size = abs(length) // unit
        size = size % modulus if modulus else size
        return -size if length < 0 else size

    return part


def timestamp_part(name: str, offset: int) -> Part:
    """A part of timestamps, in a zone that is so many nanoseconds ahead of UTC."""
    part = TIMESTAMP_PARTS[name]
    return part if not offset else lambda moment: part(moment + offset)


def written(moment: int) -> str:
    """A timestamp as RFC 3339 writes it."""
    seconds, rest = divmod(moment, SECOND)
    text = (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]
    return f"{text}.{rest:09d}".rstrip("0") + "Z" if rest else f"{text}Z"
