"""Health and readiness say what they mean, over real HTTP."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mesh.contract import Contract
from mesh.errors import SettingsError
from mesh.gate.health import STUCK_SECONDS, GateHealth, serving_health
from mesh.gate.step import GateStep
from mesh.gate.uptake import Uptake
from mesh.types import TopicPartition

PLACE = TopicPartition("a.b.v1.ingress", 0)


@dataclass
class Frozen:
    at: float = 1_000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


@dataclass
class Step:
    joined: bool = True
    trouble: dict[str, str] = field(default_factory=dict)

    def positions(self) -> Mapping[TopicPartition, int]:
        return {PLACE: 5}

    def troubles(self) -> Mapping[str, str]:
        return self.trouble


def ask(port: int, path: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.load(refusal)


def test_a_gate_that_serves_everything_is_healthy_and_ready() -> None:
    health = GateHealth(lambda: "", Frozen())
    health.serving(Step())
    with serving_health(health, "0") as port:
        assert ask(port, "/health") == (200, {"ok": True, "reasons": []})
        assert ask(port, "/ready?verbose") == (200, {"ok": True, "reasons": [], "partitions": 1})
        assert ask(port, "/other")[0] == 404
    with pytest.raises(OSError, match="refused"):
        ask(port, "/health")


def test_what_is_wrong_is_said_and_only_a_stuck_loop_asks_for_a_restart() -> None:
    clock, step, away = Frozen(), Step(joined=False, trouble={"a.b.v1.ingress": "no room"}), ["registry away"]
    health = GateHealth(lambda: away[0], clock)
    assert health.ready() == ["the group has not given it its partitions yet", "registry away"]
    health.serving(step)
    assert health.ready()[-1] == "a.b.v1.ingress: no room"
    assert health.alive() == []
    with serving_health(health, "127.0.0.1:0") as port:
        assert ask(port, "/ready")[0] == 503
        assert ask(port, "/health")[0] == 200
    clock.at += STUCK_SECONDS + 1
    assert health.alive() == [f"the loop has not turned for {STUCK_SECONDS + 1:.0f} s"]
    assert health.ready()[0] == health.alive()[0]
    health.turned()
    step.joined, step.trouble, away[0] = True, {}, ""
    assert health.alive() == health.ready() == []


def test_a_place_that_is_none_or_taken_is_said() -> None:
    health = GateHealth(lambda: "", Frozen())
    for place in ("here", "70000", ":", ""):
        with pytest.raises(SettingsError, match="write a port"), serving_health(health, place):
            pass
    with (
        serving_health(health, "0") as port,
        pytest.raises(SettingsError, match="choose another port"),
        serving_health(health, str(port)),
    ):
        pass


class NoContracts:
    """A catalog in which nothing was applied."""

    def refresh(self) -> None: ...

    def live(self) -> Mapping[str, Contract]:
        return {}


def test_a_gate_that_has_not_read_the_contracts_yet_is_not_ready_even_if_there_are_none() -> None:
    clock, nothing = Frozen(), cast("Any", SimpleNamespace(stops=None))
    contracts, uptake = cast("Any", NoContracts()), Uptake(nothing, clock)
    step = GateStep("_mesh.gate.default.0", contracts, nothing, uptake, nothing, nothing, clock)
    assert not step.joined
    assert list(step.inputs()) == []
    assert step.joined
