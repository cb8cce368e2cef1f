"""Late, skewed, idle, stopped and blocked: which promise is broken, and whom to ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from mesh.contract import Contract
from mesh.gate.lag import Lag
from mesh.gate.measure import Breach, breaches, promises
from mesh.gate.standing import Limits, Seen, standings
from tests.support.committing import NOW, committed
from tests.support.contracts import Draft


def product(*sla: dict[str, Any]) -> Contract:
    contract = Draft().contract()
    contract.document.source["slaProperties"] = list(sla)
    return contract


LATENCY = {"property": "latency", "value": 5, "unit": "s"}
FREQUENCY = {"property": "frequency", "value": 10, "unit": "m"}


def seen(partition: int, *, age: float = 1, event_age: float | None = None, lag: Lag | None = None) -> Seen:
    """A partition whose last record was accepted ``age`` seconds ago, ``event_age`` seconds after it had happened."""
    bounds = None if event_age is None else (NOW - int((age + event_age) * 1000), NOW - int(age * 1000))
    last = replace(committed(age, passed=3), event_time=bounds)
    window = (last,) if age <= 60 else ()
    return Seen("weather.observations", "weather.observations.v1", partition, "1.2.0", lag or Lag(), last, window)


def found(contract: Contract, *facts: Seen) -> Sequence[Breach]:
    return breaches(contract, facts, standings(facts, NOW, Limits()), NOW)


def told(contract: Contract, *facts: Seen) -> list[tuple[str, int | None, str]]:
    return [(each.clause, each.partition, str(each.cause)) for each in found(contract, *facts)]


def waiting(seconds: float) -> Lag:
    return Lag(1, NOW - int(seconds * 1000))


def test_only_promises_that_are_times_are_measured() -> None:
    other: list[dict[str, Any]] = [
        {"property": "availability", "value": 99, "unit": "%"},
        {"property": "latency", "value": "soon"},
    ]
    contract = product(*other, LATENCY, FREQUENCY, {"property": "retention", "value": 30, "unit": "d"})
    assert [(each.clause, each.seconds) for each in promises(contract)] == [
        ("latency", 5.0),
        ("frequency", 600.0),
        ("retention", 30 * 86_400.0),
    ]


def test_kept_promises_say_nothing() -> None:
    assert told(product(LATENCY, FREQUENCY), seen(0, event_age=4), seen(1, age=500)) == []


def test_late_everywhere_is_the_publisher_and_late_in_one_partition_is_skew() -> None:
    assert told(product(LATENCY), seen(0, event_age=6)) == [("latency", 0, "late")]
    assert told(product(LATENCY), seen(0, event_age=6), seen(1, event_age=2)) == [("latency", 0, "skewed")]
    both = told(product(LATENCY), seen(0, event_age=6), seen(1, event_age=7))
    assert both == [("latency", 0, "late"), ("latency", 1, "late")]


@pytest.mark.parametrize(("age", "others", "cause"), [(1, 1, "behind"), (400, 395, "stopped"), (400, 1, "blocked")])
def test_records_that_wait_are_the_gates(age: float, others: float, cause: str) -> None:
    first, *_ = found(product(LATENCY), seen(0, age=age, lag=waiting(390)), seen(1, age=others))
    assert (first.clause, first.cause, first.measured) == ("latency", cause, 390.0)


def test_silence_is_the_publishers_unless_records_wait() -> None:
    contract = product(FREQUENCY)
    assert told(contract, seen(0, age=700), seen(1, age=900)) == [("frequency", None, "idle")]
    assert told(contract, seen(0, age=700, lag=waiting(650)), seen(1, age=900)) == [("frequency", None, "stopped")]
    assert told(contract, seen(0, age=700), seen(1, age=20)) == []


def test_records_that_were_all_refused_do_not_keep_a_frequency() -> None:
    refused = replace(seen(0, age=700), last=committed(700, refused=2))
    assert told(product(FREQUENCY), refused) == [("frequency", None, "idle")]
    lately = replace(seen(1, age=20), last=committed(20, refused=2), window=(committed(20, refused=2),))
    assert told(product(FREQUENCY), seen(0, age=700), lately) == [("frequency", None, "idle")]


def test_records_deleted_before_their_time_break_a_retention() -> None:
    day = {"property": "retention", "value": 1, "unit": "d"}
    early, due = (replace(seen(0), erased_at=NOW - hours * 3_600_000) for hours in (23, 25))
    assert told(product(day), due, seen(1)) == []
    assert told(product(day), early) == [("retention", 0, "erased")]
    compacted = Draft(topic={"partitions": 1, "cleanupPolicy": "compact"}).contract()
    compacted.document.source["slaProperties"] = [day]
    assert told(compacted, early) == []


def test_of_a_product_nobody_has_used_nothing_is_said() -> None:
    never = Seen("weather.observations", "weather.observations.v1", 0, "1.2.0")
    assert told(product(LATENCY, FREQUENCY), never) == []


def test_half_of_the_ingress_retention_is_an_alarm_without_any_promise() -> None:
    contract = Draft().contract()
    half = int(contract.ingress_config["retention.ms"]) / 2000
    assert told(contract, seen(0, age=half, lag=waiting(half - 1))) == []
    (breach,) = found(contract, seen(0, age=2 * half, lag=waiting(half + 1)))
    assert (breach.clause, breach.cause) == ("ingressRetentionMs", "stopped")


def test_a_breach_is_an_event_that_names_the_clause() -> None:
    (breach,) = found(product(LATENCY), seen(2, event_age=6.5))
    assert str(breach) == "weather.observations.v1/2 breaks latency: 6.5 s, promised 5 s (late)"
    event = breach.as_event()
    assert (event["event"], event["clause"], event["partition"], event["measured"]) == ("sla.breach", "latency", 2, 6.5)
