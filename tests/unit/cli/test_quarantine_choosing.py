"""Words choose records; a word that chooses nothing is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mesh.cli.quarantine.choosing import choose, moment
from mesh.cli.quarantine.computing import Computation
from mesh.cli.quarantine.correcting import Setting
from mesh.errors import UsageError
from mesh.gate.quarantine import State
from mesh.types import Coordinate, ProductName


def test_a_product_and_words_become_a_selection() -> None:
    chosen = choose(["a.b", "clause=x", "clause=y", "key=k=1", "schema=3", "version=1.0.0", "since=2026-01-01"])
    assert chosen.product == ProductName("a", "b")
    selection = chosen.selection
    assert (selection.clauses, selection.key, selection.schema_id) == (("x", "y"), "k=1", 3)
    assert (selection.version, selection.since) == ("1.0.0", datetime(2026, 1, 1, tzinfo=UTC))
    assert set(selection.states) == set(State)


def test_coordinates_name_their_product() -> None:
    chosen = choose(["a.b.v2.quarantine/0/5", "a.b.v2.quarantine/1/6", "state=open"])
    assert chosen.product == ProductName("a", "b")
    assert chosen.selection.coordinates == (
        Coordinate("a.b.v2.quarantine", 0, 5),
        Coordinate("a.b.v2.quarantine", 1, 6),
    )
    assert chosen.selection.states == (State.OPEN,)


@pytest.mark.parametrize(("text", "ago"), [("90s", 90), ("5m", 300), ("12h", 43_200), ("2d", 172_800)])
def test_an_age_is_a_time_before_now(text: str, ago: int) -> None:
    assert abs(datetime.now(UTC) - timedelta(seconds=ago) - moment(text)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["key=x"],
        ["a.b", "c.d"],
        ["a.b", "color=1"],
        ["a.b", "key=1", "key=2"],
        ["a.b", "since=soon"],
        ["a.b", "x/y"],
    ],
)
def test_a_wrong_word_is_told(words: list[str]) -> None:
    with pytest.raises(UsageError):
        choose(words)


def test_settings_are_values_or_expressions() -> None:
    assert (Setting.parse("a.b=1=2").path, Setting.parse("a.b=1=2").text) == ("a.b", "1=2")
    assert Setting.parse("a=x").expression is None
    assert Setting.parse("a := message.b + 1").expression is not None
    for wrong in ("a", "=1", "1a=2", "a:=message.", "a:="):
        with pytest.raises(UsageError):
            Setting.parse(wrong)


TIMES: dict[str, Any] = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "fine", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}]},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "n", "type": "long"},
    ],
}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("at:=message.at - duration('1h')", 1_699_996_400_000),
        ("fine:=message.at", 1_700_000_000_000_000),
        ("day:=message.at", 19_675),
        ("n:=message.n * 2", 10),
        ("at:=message.n", 5),
        ("n:=message.at", None),
        ("n:=message.at - message.at", None),
        ("n:=message.n / 0", None),
    ],
)
def test_computed_times_are_in_the_unit_of_their_field(setting: str, value: int | None) -> None:
    record = {"at": 1_700_000_000_000, "fine": None, "day": 0, "n": 5}
    parsed = Setting.parse(setting)
    assert parsed.expression is not None
    computation = Computation(TIMES)
    if value is None:
        with pytest.raises(UsageError):
            computation.value(parsed.path, parsed.expression, record)
    else:
        assert computation.value(parsed.path, parsed.expression, record) == value
