"""How an intake asks for records, by how much it reads."""

from __future__ import annotations

from typing import Any

import pytest

from mesh.kafka import Connection
from mesh.kafka import intake as module
from mesh.kafka.intake import GroupProtocol, Intake, Membership


class Recorded:
    """Stands for the client: keeps what it was made with."""

    made: dict[str, Any]

    def __init__(self, settings: dict[str, Any]) -> None:
        Recorded.made = settings

    def subscribe(self, names: list[str], **_: object) -> None: ...


def asked(monkeypatch: pytest.MonkeyPatch, topics: int, protocol: GroupProtocol = "classic") -> dict[str, Any]:
    monkeypatch.setattr(module, "Consumer", Recorded)
    membership = Membership(lambda _: {}, lambda _: None, lambda _: None)
    intake = Intake(Connection("127.0.0.1:1", "PLAINTEXT"), "g", "m", membership, protocol)
    intake.subscribe(f"d.p{number}.v1.ingress" for number in range(topics))
    return Recorded.made


def test_with_few_topics_a_single_record_comes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "fetch.min.bytes" not in asked(monkeypatch, 50)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_with_many_topics_records_are_gathered_for_a_moment(
    monkeypatch: pytest.MonkeyPatch, protocol: GroupProtocol
) -> None:
    made = asked(monkeypatch, 51, protocol)
    assert made["fetch.min.bytes"] > 10_000
    assert made["fetch.wait.max.ms"] <= 200
