"""Event time as whole milliseconds since the Unix epoch, in which windows and watermarks are reckoned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from mesh.errors import UsageError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def epoch_ms(moment: datetime) -> int:
    """Whole milliseconds, rounded down; a time without a zone is UTC."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MILLISECOND


def moment(ms: int) -> datetime:
    """The inverse of ``epoch_ms``, in UTC."""
    return _EPOCH + timedelta(milliseconds=ms)


def duration_ms(duration: timedelta, what: str, *, positive: bool = False) -> int:
    """A duration in milliseconds; raises UsageError where it is negative, or zero although it must be positive."""
    found = duration // _MILLISECOND
    if found < 0 or (positive and found == 0):
        raise UsageError(f"{what} is {duration}; it must be {'positive' if positive else 'zero or more'}")
    return found
