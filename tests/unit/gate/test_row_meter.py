"""Reading public topics for rules over many records: once, then what came since, never more than there is room for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from mesh.contract import Contract
from mesh.errors import NotAuthorised
from mesh.gate.rows import RowMeter
from mesh.gate.sets import Measured
from mesh.judge.frame import frame
from mesh.judge.rows import RowCodec
from mesh.types import SchemaId, TopicPartition
from tests.support.committing import NOW
from tests.unit.gate.test_set_measure import DAILY, HOUR, PAIRS, product


@dataclass
class Log:
    """Committed records of one public topic by partition: offset, key, value, time."""

    records: dict[int, list[tuple[int, bytes | None, bytes | None, int]]] = field(default_factory=dict)
    reads: list[tuple[int, int, int]] = field(default_factory=list)
    refused: bool = False

    def bounds(self, place: TopicPartition) -> tuple[int, int]:
        if self.refused:
            raise NotAuthorised("somebody", f"read {place.topic}", "TOPIC_AUTHORIZATION_FAILED")
        held = self.records.get(place.partition, [])
        return (held[0][0], held[-1][0] + 1) if held else (0, 0)

    def offset_at(self, place: TopicPartition, timestamp_ms: int) -> int:
        later = (at for at, _, _, when in self.records.get(place.partition, []) if when >= timestamp_ms)
        return next(later, self.bounds(place)[1])

    def read(self, place: TopicPartition, start: int, end: int) -> Iterator[Any]:
        self.reads.append((place.partition, start, end))
        for at, key, value, when in self.records.get(place.partition, []):
            if start <= at < end:
                yield _message(place.partition, at, key, value, when)


def _message(partition: int, at: int, key: bytes | None, value: bytes | None, when: int) -> Any:
    facts = {"partition": partition, "offset": at, "key": key, "value": value, "timestamp": (1, when)}
    return SimpleNamespace(**{name: (lambda fact=fact: fact) for name, fact in facts.items()})


@dataclass
class Schemas:
    """A registry of one schema."""

    text: str

    def ids(self, subject: str) -> dict[SchemaId, int]:
        raise AssertionError(subject)

    def schema(self, schema_id: SchemaId) -> str:
        assert schema_id == 7
        return self.text


class Desk:
    """A product, its log, and the meter that reads it."""

    def __init__(self, *quality: dict[str, Any], most: int = 100, **draft: Any) -> None:
        self.contract: Contract = product(*quality, **draft)
        self.codec, self.log = RowCodec(self.contract.value_schema), Log()
        self.meter = RowMeter(self.log, Schemas(self.contract.value_schema_json), most)  # type: ignore[arg-type]

    def write(self, partition: int, station: str, speed: float, hours: float = 0.0, key: bytes | None = None) -> None:
        held = self.log.records.setdefault(partition, [])
        value = frame(SchemaId(7), self.codec.encode({"station": station, "speed": speed}))
        held.append((held[-1][0] + 1 if held else 0, key, value, NOW - int(hours * HOUR)))

    def look(self) -> list[Measured]:
        found, unread = self.meter.measure([self.contract], NOW)
        assert not unread
        return found


def test_duplicates_are_found_across_partitions_and_later_looks_read_only_what_came() -> None:
    desk = Desk(PAIRS)
    desk.write(0, "A", 1.0)
    desk.write(1, "B", 1.0)
    assert [(each.value, each.kept) for each in desk.look()] == [(0, True)]
    desk.log.reads.clear()
    desk.write(2, "A", 1.0)
    assert [(each.value, each.kept) for each in desk.look()] == [(1, False)]
    assert desk.log.reads == [(2, 0, 1)]


def test_only_the_period_is_read() -> None:
    desk = Desk(DAILY)
    for hours in (50, 30, 5, 4):
        desk.write(0, "A", 1.0, hours)
    (found,) = desk.look()
    assert (found.value, found.kept, found.complete) == (2, False, True)
    assert desk.log.reads[0] == (0, 2, 4)


def test_no_more_is_read_than_there_is_room_for() -> None:
    desk = Desk(PAIRS, most=10)
    for number in range(40):
        desk.write(number % 2, "A", float(number))
    (found,) = desk.look()
    assert (found.rows, found.complete, found.kept) == (10, False, None)
    assert sum(end - start for _, start, end in desk.log.reads) == 10


def test_a_compacted_product_is_measured_on_its_last_rows() -> None:
    desk = Desk({"id": "count", "metric": "rowCount", "mustBe": 1}, topic={"partitions": 1, "cleanupPolicy": "compact"})
    for speed in (1.0, 2.0):
        desk.write(0, "A", speed, key=b"A")
    assert [(each.value, each.kept) for each in desk.look()] == [(1, True)]
    desk.log.records[0].append((2, b"A", None, NOW))
    assert [(each.value, each.kept) for each in desk.look()] == [(0, False)]


def test_a_topic_that_was_made_again_is_read_from_its_beginning() -> None:
    desk = Desk(PAIRS)
    for _ in range(3):
        desk.write(0, "A", 1.0)
    assert desk.look()[0].value == 2
    desk.log.records.clear()
    desk.write(0, "A", 1.0)
    assert desk.look()[0].value == 0


def test_who_may_not_read_is_told_so() -> None:
    desk = Desk(PAIRS)
    desk.log.refused = True
    found, unread = desk.meter.measure([desk.contract], NOW)
    assert found == []
    assert list(unread) == [desk.contract.topics.public]


def test_products_without_such_rules_are_not_read_at_all() -> None:
    desk = Desk()
    desk.write(0, "A", 1.0)
    assert desk.look() == []
    assert desk.log.reads == []


@pytest.mark.parametrize("value", [b"", b"\x00\x00", b"\x00\x00\x00\x00\x07"])
def test_a_record_that_cannot_be_read_is_a_row_and_equals_nothing(value: bytes) -> None:
    desk = Desk(PAIRS)
    desk.log.records[0] = [(0, None, value, NOW), (1, None, value, NOW)]
    assert [(each.rows, each.value) for each in desk.look()] == [(2, 0)]
