"""How far a reader of partitions is behind: in records, and by the time the oldest unread one has waited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mesh.errors import BrokerError, DeadlineExceeded, RequestRefused
from mesh.kafka import Admin, LogReader
from mesh.types import TopicPartition

_READ_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Lag:
    """``records`` counts offsets from the oldest unread record; ``since`` is when the broker took it, epoch ms.

    ``since`` is None where nothing waits, and where the record that waits cannot be read.
    """

    records: int = 0
    since: int | None = None

    def seconds(self, now_ms: int) -> float:
        """How long the oldest unread record has waited; infinite when nobody can say."""
        if not self.records:
            return 0.0
        return max(0.0, (now_ms - self.since) / 1000) if self.since is not None else float("inf")


class LagMeter:
    """Measures lag by reading the one record that waits longest. Not for use by two threads at once."""

    def __init__(self, admin: Admin, reader: LogReader) -> None:
        self._admin, self._reader = admin, reader

    def measure(self, positions: Mapping[TopicPartition, int]) -> dict[TopicPartition, Lag]:
        """The lag behind the next offset of each partition; raises what ``Admin.ends`` does."""
        ends = self._admin.ends(positions, committed=True)
        return {
            partition: self._waiting(partition, at, ends[partition]) if at < ends[partition] else Lag()
            for partition, at in positions.items()
        }

    def _waiting(self, partition: TopicPartition, start: int, end: int) -> Lag:
        try:
            oldest = next(self._reader.read(partition, start, end, _READ_SECONDS), None)
        except (BrokerError, DeadlineExceeded, RequestRefused):
            return Lag(end - start)
        # Only markers of a publisher's transactions lie there: nothing waits.
        return Lag(end - oldest.offset(), oldest.timestamp()[1]) if oldest is not None else Lag()
