"""Where a bounded run stops: after the last record there is, or before the first of a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from mesh.kafka import Admin, LogReader, Message
from mesh.stream.loop.horizon import Horizon
from mesh.types import TopicPartition

PLACE = TopicPartition("a.b.v1", 0)
START = datetime(2013, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Laid:
    """A record at an offset, of an hour."""

    at: int
    hour: int | None

    def offset(self) -> int:
        return self.at


@dataclass
class Log:
    """One partition as administrator and reader see it; markers leave holes between its records."""

    records: Sequence[Laid]
    end: int
    committed_at: int | None = None

    def ends(self, places: Collection[TopicPartition], *, committed: bool) -> Mapping[TopicPartition, int]:
        assert committed
        return dict.fromkeys(places, self.end)

    def committed(self, group: str, places: Collection[TopicPartition]) -> Mapping[TopicPartition, int | None]:
        return dict.fromkeys(places, self.committed_at)

    def bounds(self, place: TopicPartition) -> tuple[int, int]:
        return 0, self.end

    def read(self, place: TopicPartition, start: int, end: int) -> Iterator[Laid]:
        return (each for each in self.records if start <= each.at < end)


def _time(message: Message) -> datetime | None:
    hour = cast("Any", message).hour
    return None if hour is None else START + timedelta(hours=hour)


def _limit(log: Log, hours: int | None) -> int | None:
    horizon = Horizon(cast("Admin", log), cast("LogReader", log), "a.c")
    horizon.extend([PLACE])
    if hours is not None:
        horizon.cut([PLACE], START + timedelta(hours=hours), _time)
    return horizon.limit(PLACE)


HOURS = [Laid(0, 0), Laid(1, 1), Laid(3, None), Laid(4, 2), Laid(6, 1), Laid(7, 5)]


@pytest.mark.parametrize(
    ("before", "limit"),
    [(None, 8), (9, 8), (5, 7), (2, 4), (1, 1), (0, 0)],
    ids=["to the end", "all are earlier", "the last is later", "a record without time is no end", "after one", "none"],
)
def test_a_run_stops_before_the_first_record_of_a_time(before: int | None, limit: int) -> None:
    assert _limit(Log(HOURS, end=9), before) == limit


def test_what_is_committed_is_not_looked_at_again() -> None:
    assert _limit(Log(HOURS, end=9, committed_at=6), 2) == 7, "the record of hour 2 was dealt with before"


def test_an_empty_log_ends_where_it_begins() -> None:
    assert _limit(Log([], end=5), 3) == 0
