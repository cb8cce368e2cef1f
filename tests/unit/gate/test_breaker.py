"""A breaker trips at its limits and nowhere before; what was seen is forgotten when somebody says go on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import pytest
import yaml

from mesh.contract import Contract
from mesh.gate.breaker import Limits, Stops, alarm
from mesh.judge import Verdicts
from mesh.lineage import Stop, StopCause
from mesh.types import Finding, Reaction, TopicPartition
from tests.support.contracts import Draft

PLACE = TopicPartition("weather.observations.v1.ingress", 3)


def contract(breaker: Any = None) -> Contract:
    document = yaml.safe_load(Draft().text)
    if breaker is not None:
        document["schema"][0]["customProperties"].append({"property": "breaker", "value": breaker})
    return Contract.parse(yaml.safe_dump(document))


class Desk:
    """Feeds batches to the stops of one partition."""

    def __init__(self, breaker: Any = None) -> None:
        self.contract = contract(breaker)
        self.alerts: list[str] = []
        self.stops = Stops(lambda _, number, reason: self.alerts.append(f"p{number}: {reason}"), lambda: 7.0)
        self.offset = 0

    def batch(
        self, count: int, refused: Collection[int] = (), halting: Collection[int] = (), *, committed: bool = True
    ) -> int | None:
        quarantine = {row: (Finding("speed-possible", "speed", ""),) for row in refused}
        halt = {row: (Finding("height", "", "", Reaction.HALT),) for row in halting}
        offsets: Sequence[int] = range(self.offset, self.offset + count)
        row = self.stops.row(PLACE, self.contract, Verdicts({**quarantine, **halt}, [None] * count), offsets)
        self.offset += count if row is None else row
        self.stops.ended(committed=committed)
        return row


def test_without_a_breaker_nothing_stops() -> None:
    desk = Desk()
    assert desk.batch(5_000, range(5_000)) is None
    assert (desk.stops.stands(PLACE), desk.alerts) == (False, [])


def test_a_run_stops_at_its_last_refusal_and_only_there() -> None:
    desk = Desk({"run": 5})
    assert desk.batch(4, range(4)) is None
    assert desk.batch(2, [1]) is None
    assert desk.batch(6, range(6)) == 3
    assert desk.stops.stands(PLACE)
    assert desk.alerts == ["p3: 5 refused in a row, mostly by `speed-possible`"]
    desk.stops.resume(PLACE)
    assert not desk.stops.stands(PLACE)
    assert desk.batch(4, range(4)) is None


def test_a_share_counts_the_last_records_and_not_too_few_of_them() -> None:
    desk = Desk({"share": 0.4, "of": 100})
    assert desk.batch(50, range(50)) is None
    assert desk.batch(49) is None
    assert desk.batch(200) is None
    assert desk.batch(100, range(39)) is None
    assert desk.batch(100, range(41)) == 0
    assert desk.alerts == ["p3: 41% refused, mostly by `speed-possible`"]


def test_a_halting_record_stops_before_itself_and_passes_once_somebody_says_so() -> None:
    desk = Desk()
    assert desk.batch(10, halting=[4, 6]) == 4
    desk.stops.resume(PLACE)
    assert desk.batch(6, halting=[0, 2]) == 2
    assert "weather.observations.v1.ingress/3/6 breaks `height`, which halts" in desk.alerts[1]


def test_readiness_is_told_where_it_stands_until_it_goes_on() -> None:
    desk = Desk()
    desk.batch(10, halting=[4])
    assert desk.stops.standing() == {str(PLACE): "its contract stopped it at offset 4"}
    desk.stops.resume(PLACE)
    assert desk.stops.standing() == {}


def test_of_a_transaction_that_came_to_nothing_nothing_counts() -> None:
    desk = Desk({"run": 2})
    assert desk.batch(1, [0], committed=False) is None
    assert desk.batch(1, [0]) is None
    assert desk.batch(1, [0], committed=False) == 0
    assert (desk.stops.stands(PLACE), desk.alerts) == (False, [])
    assert desk.batch(2, [0, 1]) == 1
    assert (desk.stops.stands(PLACE), len(desk.alerts)) == (True, 1)


def test_another_owner_takes_up_what_is_recorded() -> None:
    desk, other = Desk({"run": 2}), Desk({"run": 2})
    assert desk.batch(2, [0, 1]) == 1
    stop = desk.stops.stop(PLACE)
    assert stop is not None
    told = (stop.cause, stop.offset, stop.reason, stop.contract_version, stop.since, stop.resumed)
    assert told == (StopCause.BREAKER, 1, "2 refused in a row, mostly by `speed-possible`", "1.2.0", 7_000, False)
    desk.stops.forget([PLACE])
    assert not desk.stops.stands(PLACE)
    other.stops.restore(PLACE, stop)
    assert other.stops.stands(PLACE)
    assert other.alerts == []


def test_another_owner_lets_a_record_pass_that_somebody_let_go_on() -> None:
    desk, other = Desk(), Desk()
    assert desk.batch(10, halting=[4]) == 4
    stop = desk.stops.stop(PLACE)
    assert stop is not None
    other.stops.restore(PLACE, replace(stop, resumed=True))
    assert not other.stops.stands(PLACE)
    assert other.batch(10, halting=[4, 6]) == 6


def test_no_room_is_found_out_anew() -> None:
    desk = Desk()
    full = Stop(cause=StopCause.FULL, offset=3, reason="", contract_version="1.2.0", since=1)
    desk.stops.restore(PLACE, full)
    assert not desk.stops.stands(PLACE)


@pytest.mark.parametrize("breaker", ["fast", {"share": "much"}, {"run": "x"}, ["run"]])
def test_a_breaker_that_cannot_be_read_is_none(breaker: Any) -> None:
    assert Limits.read(contract(breaker)) is None


def test_the_alarm_says_what_why_since_when_and_what_next() -> None:
    assert alarm(contract(), 3, "41% refused, mostly by `speed-possible`") == (
        "weather.observations p3 stopped: 41% refused, mostly by `speed-possible` since 1.2.0;"
        " next: mesh quarantine show weather.observations state=open,"
        " then mesh gate resume weather.observations --partition 3"
    )
