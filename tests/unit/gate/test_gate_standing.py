"""Running, idle, late, stopped and blocked partitions are told apart by what Kafka holds."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mesh.gate.lag import Lag
from mesh.gate.standing import Limits, Seen, State, standings
from mesh.lineage import Stop, StopCause
from tests.support.committing import NOW, committed

LIMITS = Limits(window=60, late=10, stalled=20)


def seen(
    partition: int = 0, *, lag: Lag | None = None, age: float | None = 1.0, in_window: bool = True, trouble: str = ""
) -> Seen:
    last = committed(age) if age is not None else None
    window = (last,) if last is not None and in_window else ()
    name = "weather.observations"
    return Seen(name, f"{name}.v1", partition, "1.3.0", lag or Lag(), last, window, trouble)


def state(*facts: Seen) -> State:
    return standings(facts, NOW, LIMITS)[0].state


def waiting(seconds: float) -> Lag:
    return Lag(5, NOW - int(seconds * 1000))


def test_counts_and_the_rate_are_those_of_the_window() -> None:
    window = (committed(3, passed=110, refused=2), committed(1, passed=6, refused=2, sequence=1))
    (told,) = standings([Seen("a.b", "a.b.v1", 0, "9.9.9", Lag(), window[-1], window)], NOW, LIMITS)
    assert (told.accepted, told.refused, told.rate) == (116, 4, 2.0)
    assert told.clauses == {"speed.maximum": 4}
    assert (told.contract, told.build, told.gate) == ("1.2.0", "0.1.0+abc", "_mesh.gate.default.0")


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        (seen(), State.RUNNING),
        (seen(age=3_600, in_window=False), State.IDLE),
        (seen(age=None), State.IDLE),
        (seen(lag=waiting(9)), State.RUNNING),
        (seen(lag=waiting(11)), State.LATE),
        (seen(lag=waiting(500), age=19), State.LATE),
        (seen(lag=waiting(19), age=400), State.LATE),
        (seen(lag=waiting(21), age=400), State.STOPPED),
        (seen(lag=waiting(21), age=None), State.STOPPED),
        (seen(lag=Lag(5), age=400), State.STOPPED),
        (seen(trouble="there is no topic x"), State.BLOCKED),
    ],
)
def test_the_states_of_one_partition(fact: Seen, expected: State) -> None:
    assert state(fact) is expected


def test_a_partition_that_others_pass_by_is_blocked_and_one_beside_a_dead_gate_is_stopped() -> None:
    left = seen(lag=waiting(60), age=400)
    assert state(left, seen(1, age=1)) is State.BLOCKED
    # The gate died right after that record had come: what it did for others before says nothing.
    assert state(left, seen(1, age=55)) is State.STOPPED


def stopped(cause: StopCause, *, resumed: bool = False) -> Stop:
    since = NOW - 120_000
    return Stop(cause=cause, offset=5, reason="why", contract_version="1.2.0", since=since, resumed=resumed)


def test_a_partition_that_its_contract_stopped_is_halted_and_says_what_to_do() -> None:
    last = replace(committed(400), stop=stopped(StopCause.HALT), keys_held=2, records_parked=7)
    halted = replace(seen(lag=waiting(60), age=400), last=last)
    (told,) = standings([halted], NOW, LIMITS)
    assert (told.state, told.healthy, told.keys_held, told.records_parked) == (State.HALTED, False, 2, 7)
    assert told.reason == (
        "why, 120 s ago; next: mesh quarantine list weather.observations state=open,"
        " then mesh gate resume weather.observations --partition 0"
    )
    full = replace(halted, last=replace(last, stop=stopped(StopCause.FULL)))
    assert "it goes on when some are settled" in standings([full], NOW, LIMITS)[0].reason
    resumed = replace(halted, last=replace(last, stop=stopped(StopCause.HALT, resumed=True)))
    assert state(resumed) is State.STOPPED


def test_a_new_record_after_an_idle_day_is_not_late() -> None:
    assert state(seen(lag=waiting(0.1), age=86_400, in_window=False)) is State.RUNNING


def test_a_broker_with_a_clock_ahead_makes_no_negative_wait() -> None:
    assert Lag(1, NOW + 5_000).seconds(NOW) == 0


def test_a_wait_nobody_knows_is_null_in_json() -> None:
    (told,) = standings([seen(lag=Lag(5), age=None)], NOW, LIMITS)
    assert json.loads(json.dumps(told.as_json(), allow_nan=False))["lag_seconds"] is None
    assert not told.healthy
    assert told.contract == "1.3.0"
