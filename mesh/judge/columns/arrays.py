"""Names for the NumPy arrays of the column engine; one entry per record of a batch."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Bools: TypeAlias = npt.NDArray[np.bool_]
Ints: TypeAlias = npt.NDArray[np.int64]
Counts: TypeAlias = npt.NDArray[np.int32]
Doubles: TypeAlias = npt.NDArray[np.float64]
Words: TypeAlias = npt.NDArray[np.uint64]
Octets: TypeAlias = npt.NDArray[np.uint8]

HIGH_BITS: Final = np.uint64(0x8080808080808080)
"""The highest bit of each byte of a word."""

KEEP: Final[Words] = np.array([(1 << 8 * size) - 1 for size in range(9)], np.uint64)
"""``KEEP[n]`` masks all but the first n bytes of a word."""


def flip(mask: Bools) -> Bools:
    """Not."""
    return np.logical_not(mask)


class Unsupported(Exception):
    """The columns cannot hold a schema or say a clause: the rows do."""
