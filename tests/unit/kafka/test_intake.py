"""How an intake asks for records, by how much it reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pytest
from confluent_kafka import TopicPartition as ClientTopicPartition

from mesh.kafka import Connection
from mesh.kafka import intake as module
from mesh.kafka.intake import GroupProtocol, Intake, Membership
from mesh.types import TopicPartition


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


class Leaving(Recorded):
    """A client that is given partitions while it leaves the group, and gives them back."""

    def subscribe(self, names: list[str], **calls: Any) -> None:
        self.calls = calls

    def assignment_comes(self, *places: ClientTopicPartition) -> None:
        self.calls["on_assign"](self, list(places))

    def incremental_assign(self, places: list[ClientTopicPartition]) -> None: ...

    def pause(self, places: list[ClientTopicPartition]) -> None: ...

    def resume(self, places: list[ClientTopicPartition]) -> None: ...

    def close(self) -> None:
        late = ClientTopicPartition("d.p.v1.ingress", 1)
        self.assignment_comes(late)
        self.calls["on_revoke"](self, [ClientTopicPartition("d.p.v1.ingress", 0), late])


def test_what_a_client_is_given_while_it_leaves_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Consumer", Leaving)
    told: list[tuple[str, list[int]]] = []

    def assigned(partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        told.append(("assigned", [each.partition for each in partitions]))
        return dict.fromkeys(partitions, 5)

    def revoked(partitions: Collection[TopicPartition]) -> None:
        told.append(("revoked", [each.partition for each in partitions]))

    intake = Intake(Connection("127.0.0.1:1", "PLAINTEXT"), "g", "m", Membership(assigned, revoked, revoked))
    intake.subscribe(["d.p.v1.ingress"])
    client: Any = intake._consumer
    client.assignment_comes(ClientTopicPartition("d.p.v1.ingress", 0))
    intake.close()
    assert told == [("assigned", [0]), ("revoked", [0])]
