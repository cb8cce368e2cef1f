"""The audit log takes changes of any number: what one record cannot hold follows in the next."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, cast

from mesh.kafka import Producer
from mesh.plan.audit import record
from mesh.plan.changes import Change


@dataclass
class Recorder:
    """A producer that keeps what is written."""

    values: list[bytes] = field(default_factory=list)

    def write(self, topic: str, *, key: bytes, value: bytes) -> None:
        self.values.append(value)


@dataclass
class Told:
    """A change, as far as the log is concerned."""

    number: int

    def told(self) -> dict[str, Any]:
        return {"number": self.number, "text": "x" * 1_000}


def written(count: int) -> list[dict[str, Any]]:
    recorder = Recorder()
    changes = cast("list[Change]", [Told(number) for number in range(count)])
    record(cast("Producer", recorder), "apply", "someone", "now", changes)
    assert max(map(len, recorder.values)) < 1_000_000
    return [json.loads(value) for value in recorder.values]


def test_a_few_changes_are_one_record() -> None:
    (only,) = written(3)
    assert [each["number"] for each in only["changes"]] == [0, 1, 2]


def test_no_change_is_one_record_too() -> None:
    assert [each["changes"] for each in written(0)] == [[]]


def test_thousands_of_changes_are_several_records_in_order() -> None:
    parts = written(3_000)
    assert len(parts) == 4
    assert [each["number"] for part in parts for each in part["changes"]] == list(range(3_000))
    assert {(part["event"], part["actor"], part["at"]) for part in parts} == {("apply", "someone", "now")}
