"""Rules over many records, measured on rows: counts, repeats, periods, and what nobody can know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mesh.contract import Contract
from mesh.gate.sets import Measured, Rows, broken, measurable, period_of
from tests.support.committing import NOW
from tests.support.contracts import Draft

PAIRS = {"id": "pairs", "metric": "duplicateValues", "arguments": {"properties": ["station", "speed"]}, "mustBe": 0}
DAILY = {"id": "daily", "metric": "rowCount", "mustBeGreaterThan": 2, "scheduler": "cron", "schedule": "0 0 * * *"}
HOUR = 3_600_000


def product(*quality: dict[str, Any], **draft: Any) -> Contract:
    contract = Draft(**draft).contract()
    text = contract.document.source
    text["schema"][0]["quality"] = list(quality)
    return Contract.parse(contract.document.dump())


def filled(contract: Contract, *rows: Sequence[Any], most: int = 100) -> Rows:
    """Rows of (hours ago, station, speed)."""
    found = Rows(contract, most)
    for number, (hours, station, speed) in enumerate(rows):
        found.take((0, number), NOW - int(hours * HOUR), {"station": station, "speed": speed})
    return found


def only(rows: Rows) -> Measured:
    (found,) = rows.measure(NOW)
    return found


def test_rows_that_repeat_the_named_fields_are_counted_beyond_the_first() -> None:
    rows = filled(product(PAIRS), (3, "A", 1.0), (2, "A", 2.0), (1, "A", 1.0), (0, "A", 1.0), (0, "B", 1.0))
    found = only(rows)
    assert (found.rule.id, found.value, found.rows, found.complete, found.kept) == ("pairs", 2, 5, True, False)


def test_a_null_equals_nothing() -> None:
    assert only(filled(product(PAIRS), (1, None, 1.0), (0, None, 1.0))).value == 0


def test_a_share_is_of_the_rows() -> None:
    share = PAIRS | {"mustBe": None, "mustBeLessThan": 30, "unit": "percent"}
    del share["mustBe"]
    found = only(filled(product(share), (3, "A", 1.0), (2, "A", 1.0), (1, "B", 1.0), (0, "C", 1.0)))
    assert (found.value, found.kept) == (25.0, True)


def test_duplicates_are_looked_for_within_the_period_alone() -> None:
    daily = PAIRS | {"scheduler": "cron", "schedule": "0 0 * * *"}
    assert only(filled(product(daily), (30, "A", 1.0), (1, "A", 1.0))).value == 0
    assert only(filled(product(daily), (23, "A", 1.0), (1, "A", 1.0))).value == 1


def test_a_row_count_is_of_the_period_once_the_product_is_older() -> None:
    young = only(filled(product(DAILY), (5, "A", 1.0)))
    assert (young.value, young.kept) == (1, None)
    old = only(filled(product(DAILY), (30, "A", 1.0), (5, "A", 1.0)))
    assert (old.rows, old.value, old.kept) == (1, 1, False)
    full = only(filled(product(DAILY), (30, "A", 1.0), (5, "A", 1.0), (4, "A", 1.0), (3, "A", 1.0)))
    assert (full.value, full.kept) == (3, True)


def test_a_day_without_any_row_is_told_of_a_product_that_had_some() -> None:
    rows = filled(product(DAILY), (30, "A", 1.0))
    assert (only(rows).value, only(rows).kept) == (0, False)
    assert Rows(product(DAILY), 10).measure(NOW) == []


def test_a_young_product_that_has_enough_already_keeps_the_rule() -> None:
    assert only(filled(product(DAILY), (3, "A", 1.0), (2, "A", 1.0), (1, "A", 1.0))).kept is True


def test_the_period_of_a_count_is_else_the_promised_frequency() -> None:
    contract = product({"id": "count", "metric": "rowCount", "mustBeGreaterThan": 0}, PAIRS)
    assert [period_of(contract, rule) for rule in contract.set_rules] == [None, None]
    contract.document.source["slaProperties"] = [{"property": "frequency", "value": 1, "unit": "h"}]
    assert [period_of(contract, rule) for rule in contract.set_rules] == [3_600.0, None]


def test_memory_is_bounded_and_what_was_left_out_is_told() -> None:
    rows = filled(product(PAIRS), *((0, "A", float(number)) for number in range(50)), most=20)
    found = only(rows)
    assert (found.rows, found.complete, found.value, found.kept) == (20, False, 0, None)


def test_what_is_broken_already_is_broken_whatever_was_left_out() -> None:
    found = only(filled(product(PAIRS), *((0, "A", 1.0) for _ in range(50)), most=20))
    assert (found.complete, found.value, found.kept) == (False, 19, False)


def test_a_compacted_product_has_one_row_for_a_key() -> None:
    rows = Rows(product({"id": "count", "metric": "rowCount", "mustBe": 1}), 10)
    rows.take((0, b"k"), NOW, None)
    rows.take((0, b"k"), NOW, None)
    assert (only(rows).value, only(rows).kept) == (1, True)
    rows.take((0, b"other"), NOW, None)
    assert only(rows).kept is False
    rows.drop((0, b"other"))
    assert only(rows).kept is True


def test_what_cannot_be_measured_is_left_out() -> None:
    extra = {"name": "tags", "logicalType": "array", "physicalType": "array", "items": {"logicalType": "string"}}
    contract = product(
        {"id": "sql", "type": "sql", "query": "select 1", "mustBe": 1},
        {"id": "items", "metric": "duplicateValues", "arguments": {"properties": ["tags[]"]}, "mustBe": 0},
        DAILY,
        extra=[extra],
    )
    assert [rule.id for rule in measurable(contract)] == ["daily"]


@pytest.mark.parametrize("kept", [True, None])
def test_only_what_is_certainly_broken_is_told(kept: bool | None) -> None:
    found = only(filled(product(PAIRS), (0, "A", 1.0), (0, "A", 1.0)))
    other = Measured(found.product, found.topic, found.rule, None, 1, 0, complete=True, kept=kept)
    (breach,) = broken([found, other])
    assert str(breach) == ("weather.observations.v1 breaks pairs: 1 of 2 rows, promised exactly 0 (records)")
    event = breach.as_event()
    assert (event["event"], event["clause"], event["cause"], event["measured"]) == (
        "rule.breach",
        "pairs",
        "records",
        1,
    )
    assert "A" not in str(event.values())
