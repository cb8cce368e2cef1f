"""One batch while its clauses are decided: the columns, what was computed already, and which rows are doubtful."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Final, TypeVar

import numpy as np

from mesh.judge.columns.arrays import Bools, Ints
from mesh.judge.columns.column import Column

T = TypeVar("T")
_NOBODY: Final[Ints] = np.zeros(0, np.int64)


class Scene:
    """What the masks of clauses are computed from.

    What several rules share is computed once and kept; everything else is forgotten at once, because memory that is
    used again is still in the cache. A row whose outcome columns cannot tell (an overflow, an integer
    too large for an exact comparison with a double) is doubtful: the rows decide it.
    """

    __slots__ = ("_done", "_inner", "_shared", "all", "columns", "doubt", "outer", "owners")

    def __init__(self, columns: list[Column], rows: int, shared: Set[str] = frozenset()) -> None:
        """``shared`` are the keys of what is asked for more than once."""
        self.columns = columns
        self._shared = shared
        self.all: Bools = np.ones(rows, np.bool_)
        self.doubt: Bools | None = None
        self.outer: Scene | None = None
        self.owners: Ints = _NOBODY
        self._done: dict[str, object] = {}
        self._inner: dict[int, Scene] = {}

    def inside(self, number: int, owners: Ints) -> Scene:
        """The same for the items of a collection, the column ``number``; ``owners`` are their places in this one."""
        if number not in self._inner:
            scene = self._inner[number] = Scene(self.columns, len(owners), self._shared)
            scene.outer, scene.owners = self, owners
        return self._inner[number]

    def any(self, items: Bools, owners: Ints) -> Bools:
        """Where any of the items is."""
        found = np.zeros(len(self.all), np.bool_)
        found[owners[items]] = True
        return found

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
