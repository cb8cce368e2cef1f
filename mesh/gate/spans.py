"""Reading scattered offsets of a partition: those that lie near each other in one go."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

# Records nearer to each other than this are read in one go.
_GAP: Final = 200


def spans(offsets: Collection[int]) -> Iterator[tuple[int, int]]:
    """First and last offset of groups without a large gap."""
    low = high = -1
    for offset in sorted(offsets):
        if low >= 0 and offset - high > _GAP:
            yield low, high
            low = offset
        low, high = (offset if low < 0 else low), offset
    if low >= 0:
        yield low, high
