"""What a document says of rules over many records: how many, of which fields, over what time."""

from __future__ import annotations

from typing import Any

import pytest

from mesh.contract.thresholds import Threshold, period_of
from tests.support.documents import Workbench

X: dict[str, Any] = {"name": "x", "logicalType": "string", "physicalType": "string"}


def threshold(**item: Any) -> Threshold:
    found = Threshold.read(item)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("operator", "number", "within", "outside"),
    [
        ("mustBe", 3, 3, 4),
        ("mustNotBe", 3, 4, 3),
        ("mustBeGreaterThan", 3, 4, 3),
        ("mustBeGreaterOrEqualTo", 3, 3, 2),
        ("mustBeLessThan", 3, 2, 3),
        ("mustBeLessOrEqualTo", 3, 3, 4),
        ("mustBeBetween", [3, 5], 5, 6),
        ("mustNotBeBetween", [3, 5], 6, 5),
    ],
)
def test_every_operator_of_the_standard(operator: str, number: object, within: float, outside: float) -> None:
    known = threshold(**{operator: number})
    assert known.allows(within)
    assert not known.allows(outside)


@pytest.mark.parametrize(
    ("item", "still", "no_more"),
    [
        ({"mustBe": 3}, 3, 4),
        ({"mustBeLessThan": 3}, 2, 3),
        ({"mustBeLessOrEqualTo": 3}, 3, 4),
        ({"mustBeBetween": [3, 5]}, 1, 6),
    ],
)
def test_what_a_growing_count_can_still_reach(item: dict[str, Any], still: float, no_more: float) -> None:
    assert threshold(**item).allows_more_than(still)
    assert not threshold(**item).allows_more_than(no_more)


@pytest.mark.parametrize("item", [{"mustBeGreaterThan": 3}, {"mustBeGreaterOrEqualTo": 3}, {"mustNotBe": 3}])
def test_what_a_growing_count_reaches_in_the_end(item: dict[str, Any]) -> None:
    assert threshold(**item).allows_more_than(0)


def test_a_threshold_is_told_in_words() -> None:
    assert str(threshold(mustBeLessThan=1.5, unit="percent")) == "fewer than 1.5 %"
    assert str(threshold(mustBeBetween=[1000, 2000])) == "between 1,000 and 2,000"
    assert Threshold.read({"metric": "rowCount"}) is None


@pytest.mark.parametrize(
    ("schedule", "seconds"),
    [
        ("0 20 * * *", 86_400),
        ("15 * * * *", 3_600),
        ("* * * * *", 60),
        ("*/10 * * * *", 600),
        ("0 */6 * * *", 21_600),
        ("0 6 * * MON", 604_800),
        ("0 6 1 * *", None),
        ("whenever", None),
        ("", None),
    ],
)
def test_a_regular_schedule_is_a_period(schedule: str, seconds: float | None) -> None:
    assert period_of({"schedule": schedule, "scheduler": "cron"}) == seconds


def test_another_scheduler_says_nothing() -> None:
    assert period_of({"schedule": "0 20 * * *", "scheduler": "airflow"}) is None


def test_a_rule_knows_its_fields_threshold_and_period(bench: Workbench) -> None:
    quality = [
        {"id": "pairs", "metric": "duplicateValues", "arguments": {"properties": ["ref", "x"]}, "mustBe": 0},
        {"metric": "rowCount", "mustBeGreaterThan": 9, "scheduler": "cron", "schedule": "0 0 * * *"},
    ]
    own = [{"metric": "duplicateValues", "mustBeLessThan": 2, "unit": "percent"}]
    contract = bench.fields(X | {"quality": own, "unique": True}, quality=quality)
    told = {rule.id: (rule.properties, str(rule.threshold), rule.period) for rule in contract.set_rules}
    assert told == {
        "x.unique": (("x",), "exactly 0", None),
        "x.duplicateValues": (("x",), "fewer than 2 %", None),
        "pairs": (("ref", "x"), "exactly 0", None),
        "rowCount": ((), "more than 9", 86_400.0),
    }


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ({"arguments": {"properties": ["reff"]}}, "there is no field reff whose values could be compared"),
        ({}, "duplicateValues of whole records is not known"),
    ],
)
def test_duplicates_of_what_is_not_there_are_refused(bench: Workbench, item: dict[str, Any], told: str) -> None:
    problems = bench.field_problems(quality=[{"metric": "duplicateValues", "mustBe": 0} | item])
    assert [told in problem for problem in problems] == [True]
