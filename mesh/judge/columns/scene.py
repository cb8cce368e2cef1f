"""One batch while its clauses are decided: the columns, what was computed already, and which rows are doubtful."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import TypeVar

import numpy as np

from mesh.judge.columns.arrays import Bools
from mesh.judge.columns.column import Column

T = TypeVar("T")


class Scene:
    """What the masks of clauses are computed from.

    What several rules share is computed once and kept; everything else is forgotten at once, because memory that is
    used again is still in the cache. A row whose outcome columns cannot tell (an overflow, an integer
    too large for an exact comparison with a double) is doubtful: the rows decide it.
    """

    __slots__ = ("_done", "_shared", "all", "columns", "doubt")

    def __init__(self, columns: list[Column], rows: int, shared: Set[str] = frozenset()) -> None:
        """``shared`` are the keys of what is asked for more than once."""
        self.columns = columns
        self._shared = shared
        self.all: Bools = np.ones(rows, np.bool_)
        self.doubt: Bools | None = None
        self._done: dict[str, object] = {}

    def once(self, key: str, compute: Callable[[], T]) -> T:
        """The value of this key, computed at the first call if it is shared."""
        if key not in self._shared:
            return compute()
        if key not in self._done:
            self._done[key] = compute()
        return self._done[key]  # type: ignore[return-value]  # a key stands for one computation

    def doubtful(self, rows: Bools) -> None:
        """Leave these rows to the row judge."""
        self.doubt = rows if self.doubt is None else self.doubt | rows
