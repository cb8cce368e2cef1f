"""What keeps a product from being taken up: partitions nobody leads, and transactions somebody else has open."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, cast

import pytest

from mesh.errors import BrokerError, DeadlineExceeded
from mesh.gate.product import GatedProduct
from mesh.gate.recovery import Recovery
from mesh.types import TopicPartition
from tests.support.contracts import Draft
from tests.support.stepping import Logs

CONTRACT = Draft(topic={"partitions": 1}).contract()
PRODUCT = GatedProduct(CONTRACT, cast("Any", None))
INGRESS, PUBLIC = TopicPartition(CONTRACT.topics.ingress, 0), TopicPartition(CONTRACT.topics.public, 0)


class Unready(Logs):
    """Where partitions have no leader, or are readable up to an open transaction only."""

    def __init__(self) -> None:
        super().__init__(CONTRACT)
        self.dark: list[TopicPartition] = []
        self.uncommitted: dict[TopicPartition, int] = {}

    def leaderless(self, names: Iterable[str]) -> list[TopicPartition]:
        return [place for place in self.dark if place.topic in names]

    def ends(self, places: Iterable[TopicPartition], *, committed: bool) -> Mapping[TopicPartition, int]:
        assert not self.dark, "who asks for offsets waits for a leader"
        ends = dict(super().ends(places, committed=committed))
        return ends if committed else ends | {tp: at for tp, at in self.uncommitted.items() if tp in ends}


def recovery(logs: Unready) -> Recovery:
    return Recovery(cast("Any", logs), cast("Any", logs))


def test_a_partition_nobody_leads_is_told_and_not_asked_about() -> None:
    logs = Unready()
    taking = recovery(logs)
    logs.dark = [PUBLIC]
    with pytest.raises(BrokerError, match="the brokers that hold it are away") as caught:
        taking.recover({INGRESS: PRODUCT}, {INGRESS: None}, time.monotonic() + 60)
    assert caught.value.code == "LEADER_NOT_AVAILABLE"
    assert str(PUBLIC) in (taking.obstacle(PRODUCT) or "")
    logs.dark = []
    assert taking.obstacle(PRODUCT) is None


def test_what_was_open_is_an_obstacle_until_it_ends_and_newer_transactions_are_not() -> None:
    logs = Unready()
    taking = recovery(logs)
    logs.uncommitted = {PUBLIC: 5}
    with pytest.raises(DeadlineExceeded, match="an open transaction on"):
        taking.recover({INGRESS: PRODUCT}, {INGRESS: None}, time.monotonic())
    logs.uncommitted = {PUBLIC: 7}
    assert f"an open transaction on {PUBLIC} " in (taking.obstacle(PRODUCT) or "")
    logs.ends_at[PUBLIC.topic] = 5
    assert taking.obstacle(PRODUCT) is None


def test_a_topic_that_was_made_again_has_nothing_open_of_the_former_one() -> None:
    logs = Unready()
    taking = recovery(logs)
    logs.uncommitted = {PUBLIC: 5}
    with pytest.raises(DeadlineExceeded):
        taking.recover({INGRESS: PRODUCT}, {INGRESS: None}, time.monotonic())
    logs.uncommitted = {}
    assert taking.obstacle(PRODUCT) is None
