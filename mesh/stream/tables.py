"""Products that are looked up: latest rows, and rows as of an event time, which wait until that time is known."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mesh.consumer.record import Record
from mesh.errors import UsageError
from mesh.stream.times import epoch_ms
from mesh.stream.watermark import BEGINNING

Key = tuple[Any, ...]


class Waiting(BaseException):
    """A lookup cannot be answered yet: the table's event time has not come so far. The record comes again."""

    def __init__(self, product: str, asof: int) -> None:
        self.product, self.asof = product, asof
        super().__init__(f"{product} is not known as of {asof} ms yet")


@dataclass(frozen=True, slots=True, order=True)
class _Row:
    time: int
    partition: int
    offset: int
    known: int = field(compare=False)
    """The event time from which on it is seen: its own, or that of its partition when it came too late."""
    record: Record = field(compare=False)


class Table:
    """The rows of one product.

    An answer as of an event time *t* takes rows of that time or earlier, and has to be the same whenever it is asked.
    So it waits until every partition has come past *t* (``lateness`` allows for rows out of order), and a row that came
    after its partition had passed the row's own time is seen only as of the time its partition had reached: whoever
    asked before could not have seen it.
    """

    def __init__(
        self, product: str, partitions: int, key: Callable[[Record], Any], *, lateness: int = 0, history: bool = True
    ) -> None:
        self.product = product
        self._key, self._lateness, self._history = key, lateness, history
        self._marks = dict.fromkeys(range(partitions), BEGINNING)
        self._rows: dict[Key, list[_Row]] = {}
        self._latest: dict[Key, Record] = {}
        self.complete = False

    def take(self, record: Record) -> None:
        """The next row of its partition."""
        self.complete = False
        key = as_key(self._key(record))
        if record.value is None:
            self._latest.pop(key, None)
            return
        self._latest[key] = record
        if self._history and record.event_time is not None:
            self._remember(key, record, epoch_ms(record.event_time))

    def _remember(self, key: Key, record: Record, time: int) -> None:
        at = record.coordinate
        mark = self._marks[at.partition]
        insort(self._rows.setdefault(key, []), _Row(time, at.partition, at.offset, max(time, mark), record))
        self._marks[at.partition] = max(mark, time - self._lateness)

    def __len__(self) -> int:
        return len(self._latest)

    @property
    def mark(self) -> int:
        """The event time that every partition has reached, in milliseconds."""
        return min(self._marks.values())

    def grant(self) -> None:
        """Take the table as complete as it is, until its next row: that row may change answers given meanwhile."""
        self.complete = True

    def is_known(self, asof: int) -> bool:
        """Whether an answer as of this time cannot change any more, or was granted."""
        return self.complete or self.mark > asof

    def find(self, key: Any, asof: datetime | None = None) -> Record | None:
        """The latest row of a key, or the latest as of an event time; raises Waiting."""
        wanted = as_key(key)
        if asof is None:
            return self._latest.get(wanted)
        if not self._history:
            raise UsageError(
                f"{self.product} names no event time in its contract; look up its latest row, without asof"
            )
        time = epoch_ms(asof)
        if not self.is_known(time):
            raise Waiting(self.product, time)
        rows = self._rows.get(wanted, ())
        return next((row.record for row in reversed(rows) if row.time <= time and row.known <= time), None)


class Tables:
    """Every table of a processor, by product name."""

    def __init__(self, tables: Iterable[Table] = ()) -> None:
        self._tables = {table.product: table for table in tables}

    def __getitem__(self, product: str) -> Table:
        try:
            return self._tables[product]
        except KeyError:
            known = ", ".join(sorted(self._tables)) or "none"
            raise UsageError(
                f"{product} cannot be looked up; name it among its contract's derivation inputs (tables: {known})"
            ) from None

    def __iter__(self) -> Any:
        return iter(self._tables.values())


def as_key(key: Any) -> Key:
    """A key as tables hold it: one field is a tuple of one."""
    return tuple(key) if isinstance(key, (tuple, list)) else (key,)
