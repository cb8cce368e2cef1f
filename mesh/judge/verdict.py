"""What goes into the judge and what comes out: a batch of records as bytes, and what is wrong with which."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, NamedTuple

from mesh.types import Finding, Headers

_REFUSES: Final = attrgetter("refuses")


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one product as they lie in Kafka; a row is an index into three sequences of one length."""

    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    headers: Sequence[Headers]

    def __len__(self) -> int:
        return len(self.values)


class Suspicion(NamedTuple):
    """The numbers of the clauses a record may break, and the fields they look at; None if only decoding gives those."""

    clauses: Sequence[int]
    fields: Mapping[str, object] | None


class Doubts(list[int]):
    """Rows that may not pass; ``suspicions`` are of those of which everything else is known, event time and all."""

    def __init__(self) -> None:
        super().__init__()
        self.suspicions: dict[int, Suspicion] = {}


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The findings of a batch by row, for rows that have any, and the event time of every row.

    ``event_times`` are milliseconds since the Unix epoch; None where the record has none or could not be read.
    """

    findings: Mapping[int, tuple[Finding, ...]]
    event_times: Sequence[int | None]

    def refused(self, row: int) -> bool:
        """Whether the record stays off the public topic; one with mere warnings does not."""
        return any(finding.refuses for finding in self.findings.get(row, ()))

    @property
    def refusals(self) -> frozenset[int]:
        """The rows that are refused."""
        return frozenset(row for row, found in self.findings.items() if any(map(_REFUSES, found)))

    def first(self, rows: int, without: Collection[int] = ()) -> Verdicts:
        """Those of the first rows; nothing is said of the rows ``without``."""
        found = {row: each for row, each in self.findings.items() if row < rows and row not in without}
        return Verdicts(found, self.event_times[:rows])
