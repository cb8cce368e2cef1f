"""The client's own record, as the rest of the mesh may see it: raw and read-only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Protocol, Self

from mesh.types import Headers


class Message(Protocol):
    """A fetched record. Methods, because that is what the client gives, and wrapping each would cost the hot path."""

    def topic(self) -> str: ...

    def partition(self) -> int: ...

    def offset(self) -> int: ...

    def key(self) -> bytes | None: ...

    def value(self) -> bytes | None: ...

    def headers(self) -> list[tuple[str, bytes | None]] | None: ...

    def timestamp(self) -> tuple[int, int]:
        """Kind and milliseconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive records of one partition as columns of one length; times are milliseconds since the epoch.

    Each fact of a record is asked of the client once: the hot path would otherwise ask three times.
    """

    offsets: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Sequence[Headers]
    times: Sequence[int]

    @classmethod
    def of(cls, records: Sequence[Message]) -> Self:
        """The columns of fetched records."""
        return cls(
            [record.offset() for record in records],
            [record.key() for record in records],
            [record.value() for record in records],
            [record.headers() or () for record in records],
            [record.timestamp()[1] for record in records],
        )

    def __len__(self) -> int:
        return len(self.offsets)

    def first(self, rows: int) -> Run:
        """The first records."""
        return Run(self.offsets[:rows], self.keys[:rows], self.values[:rows], self.headers[:rows], self.times[:rows])

    def only(self, rows: Sequence[bool]) -> Run:
        """The records whose row is true."""
        return Run(
            list(compress(self.offsets, rows)),
            list(compress(self.keys, rows)),
            list(compress(self.values, rows)),
            list(compress(self.headers, rows)),
            list(compress(self.times, rows)),
        )
