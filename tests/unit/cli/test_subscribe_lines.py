"""Records as lines of JSON."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from mesh.cli.subscribe import line
from mesh.consumer import Record
from mesh.types import Coordinate, ProductName, SchemaId

MOMENT = datetime(2013, 1, 31, 10, 0, 0, 500_000, tzinfo=UTC)


def record(value: dict[str, Any] | None, key: Any = "k") -> Record:
    place = Coordinate("a.b.v1", 0, 7)
    return Record(value, key, ProductName("a", "b"), place, MOMENT, (), SchemaId(1), 0)


def test_every_type_has_its_text() -> None:
    value = {
        "moment": MOMENT,
        "wall": datetime(2013, 1, 31, 10),
        "day": date(2013, 1, 31),
        "clock": time(10),
        "price": Decimal("10.10"),
        "id": UUID(int=1),
        "raw": b"ab",
        "text": "é",
        "deep": [{"at": MOMENT}],
    }
    assert json.loads(line(record(value))) == {
        "value": {
            "moment": "2013-01-31T10:00:00.500000Z",
            "wall": "2013-01-31T10:00:00",
            "day": "2013-01-31",
            "clock": "10:00:00",
            "price": "10.10",
            "id": "00000000-0000-0000-0000-000000000001",
            "raw": "YWI=",
            "text": "é",
            "deep": [{"at": "2013-01-31T10:00:00.500000Z"}],
        },
        "key": "k",
        "product": "a.b",
        "coordinate": "a.b.v1/0/7",
        "event_time": "2013-01-31T10:00:00.500000Z",
    }


def test_a_retraction_is_a_null_value() -> None:
    assert json.loads(line(record(None, {"part": 1})))["value"] is None


def test_numbers_that_json_does_not_have_are_text() -> None:
    text = line(record({"a": float("nan"), "b": [float("inf")], "c": -1.5}))
    assert json.loads(text, parse_constant=lambda name: name + "!")["value"] == {"a": "nan", "b": ["inf"], "c": -1.5}
