"""What is made of topics, ends and manifests: positions, expired and re-created topics, lineage that cannot be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from mesh.access import product_acls
from mesh.contract import Contract
from mesh.errors import NotAuthorised
from mesh.gate.standing import Standing, State
from mesh.gate.view import GateView
from mesh.kafka import Acl, TopicState
from mesh.lineage import Manifest, Span, encode_manifest
from mesh.types import SchemaId, TopicPartition
from tests.support.committing import NOW, committed
from tests.support.contracts import Draft

CONTRACT = Draft(topic={"partitions": 1}).contract()
OTHER = Draft(product="water.levels", topic={"partitions": 1}).contract()
TOPICS = CONTRACT.topics
INGRESS, LINEAGE = TopicPartition(TOPICS.ingress, 0), TopicPartition(TOPICS.lineage, 0)


class Present:
    """The moment of these tests."""

    def now(self) -> float:
        return NOW / 1000

    def monotonic(self) -> float:
        return 0.0


@dataclass
class Topics:
    """One partition of each topic: what lies there by offset, and when it came."""

    ids: dict[str, int] = field(
        default_factory=lambda: {TOPICS.ingress: 1, TOPICS.public: 2, TOPICS.quarantine: 3, TOPICS.lineage: 4}
    )
    records: dict[TopicPartition, dict[int, tuple[bytes, int]]] = field(default_factory=dict)
    begin: int = 0
    public_begin: int = 0
    end: int = 0
    dark: set[str] = field(default_factory=set)
    denied: set[str] | None = field(default_factory=set)
    """Topics that the gate may not use; None where permissions may not be looked at."""

    def acls(self, principal: str) -> set[Acl]:
        if self.denied is None:
            raise NotAuthorised("somebody", "list ACLs", "CLUSTER_AUTHORIZATION_FAILED")
        all_of_them = product_acls(CONTRACT) | product_acls(OTHER)
        return {acl for acl in all_of_them if acl.principal == principal and acl.name not in self.denied}

    def topics(self, names: Iterable[str]) -> dict[str, TopicState]:
        wanted = [name for name in names if name in self.ids]
        return {name: TopicState(name, UUID(int=self.ids[name]), 1, 1) for name in wanted}

    def leaderless(self, names: Iterable[str]) -> list[TopicPartition]:
        return [TopicPartition(name, 0) for name in names if name in self.dark]

    def beginnings(self, places: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        assert not self.dark or not list(places), "who asks for offsets waits for a leader"
        return {place: self.public_begin if place.topic == TOPICS.public else self.begin for place in places}

    def ends(self, places: Iterable[TopicPartition], *, committed: bool) -> Mapping[TopicPartition, int]:
        assert committed
        return dict.fromkeys(places, self.end)

    def bounds(self, place: TopicPartition) -> tuple[int, int]:
        return 0, max(self.records.get(place, {}), default=-1) + 1

    def offset_at(self, place: TopicPartition, timestamp_ms: int) -> int:
        later = (at for at, (_, when) in sorted(self.records.get(place, {}).items()) if when >= timestamp_ms)
        return next(later, self.bounds(place)[1])

    def read(self, place: TopicPartition, start: int, end: int, seconds: float = 0) -> Iterator[Any]:
        for at, (value, when) in sorted(self.records.get(place, {}).items()):
            if start <= at < end:
                yield message(at, value, when)


def message(at: int, value: bytes, when: int) -> Any:
    return SimpleNamespace(offset=lambda: at, value=lambda: value, timestamp=lambda: (1, when))


def lineage(*manifests: Manifest) -> dict[int, tuple[bytes, int]]:
    """With a transaction marker after each."""
    return {2 * at: (encode_manifest(each, SchemaId(1)), each.created_at) for at, each in enumerate(manifests)}


def look(kafka: Any, *contracts: Contract) -> list[Standing]:
    return GateView(kafka, kafka, Present()).look(contracts or [CONTRACT]).partitions


def test_the_position_is_the_end_of_the_last_manifest() -> None:
    kafka = Topics(end=110)
    kafka.records[LINEAGE] = lineage(committed(30, passed=4), committed(2, passed=7))
    kafka.records[INGRESS] = {107: (b"", NOW - 2_500), 109: (b"", NOW)}
    (told,) = look(kafka)
    assert (told.state, told.lag, told.lag_seconds, told.accepted) == (State.RUNNING, 3, 2.5, 11)


def test_what_the_gate_may_not_do_is_told_at_once() -> None:
    kafka = Topics(end=107, denied={TOPICS.public, TOPICS.ingress})
    kafka.records[LINEAGE] = lineage(committed(30, passed=7))
    (told,) = look(kafka)
    assert (told.state, told.lag) == (State.BLOCKED, 0)
    assert (
        told.reason
        == f"the gate may not read {TOPICS.ingress}, write {TOPICS.public}; apply the contract again (mesh apply)"
    )


def test_who_may_not_look_at_permissions_is_told_everything_else() -> None:
    kafka = Topics(end=107, denied=None)
    kafka.records[LINEAGE] = lineage(committed(30, passed=7))
    (told,) = look(kafka)
    assert (told.state, told.reason) == (State.RUNNING, "")


def test_an_old_manifest_gives_the_position_and_counts_for_nothing() -> None:
    kafka = Topics(end=107)
    kafka.records[LINEAGE] = lineage(committed(4_000, passed=7))
    (told,) = look(kafka)
    assert (told.state, told.lag, told.accepted, told.rate, told.contract) == (State.IDLE, 0, 0, 0, "1.2.0")


def test_markers_of_publishers_are_no_lag() -> None:
    kafka = Topics(end=109)
    kafka.records[LINEAGE] = lineage(committed(400, passed=7))
    kafka.records[INGRESS] = {106: (b"", NOW - 400_000)}
    (told,) = look(kafka)
    assert (told.state, told.lag) == (State.IDLE, 0)


def test_a_product_nobody_gated_waits_from_its_first_record() -> None:
    kafka = Topics(end=5)
    kafka.records[INGRESS] = dict.fromkeys(range(5), (b"", NOW - 60_000))
    (told,) = look(kafka)
    assert (told.state, told.lag, told.lag_seconds, told.build) == (State.STOPPED, 5, 60.0, "")


def test_a_recreated_ingress_is_read_from_its_beginning() -> None:
    kafka = Topics(end=3)
    kafka.ids[TOPICS.ingress] = 77
    kafka.records[LINEAGE] = lineage(committed(1, passed=7))
    kafka.records[INGRESS] = dict.fromkeys(range(3), (b"", NOW - 1_000))
    (told,) = look(kafka)
    assert (told.state, told.lag) == (State.RUNNING, 3)


def test_unread_records_that_expired_block_it() -> None:
    kafka = Topics(begin=500, end=600)
    kafka.records[LINEAGE] = lineage(committed(1, passed=7))
    (told,) = look(kafka)
    assert told.state is State.BLOCKED
    assert "expired" in told.reason


@pytest.mark.parametrize(("begin", "broken"), [(0, False), (4, False), (5, False), (8, True), (9, True), (99, False)])
def test_public_records_that_went_too_early_are_found_by_their_manifests(begin: int, broken: bool) -> None:
    promised = Draft(topic={"partitions": 1}).contract()
    promised.document.source["slaProperties"] = [{"property": "retention", "value": 1, "unit": "h"}]
    kafka = Topics(public_begin=begin, end=107)
    # Offset 4 and offset 8 are markers of the transactions before them.
    old, young = committed(4_000, passed=4), replace(committed(70, passed=3), public=Span(5, 3))
    kafka.records[LINEAGE] = lineage(old, young)
    found = GateView(cast("Any", kafka), cast("Any", kafka), Present()).look([promised])
    assert [(each.clause, each.cause, each.measured) for each in found.breaches] == (
        [("retention", "erased", 70.0)] if broken else []
    )


def test_lineage_that_cannot_be_read_is_one_products_trouble() -> None:
    kafka = Topics()
    kafka.ids |= {name.replace("weather.observations", "water.levels"): at for name, at in kafka.ids.items()}
    kafka.records[LINEAGE] = {0: (b"no manifest", NOW)}
    first, second = look(kafka, CONTRACT, OTHER)
    assert (first.product, first.state) == ("water.levels", State.IDLE)
    assert (second.product, second.state) == ("weather.observations", State.BLOCKED)
    assert "manifest" in second.reason


def test_a_missing_topic_is_named_for_every_partition_of_the_contract() -> None:
    kafka = Topics()
    del kafka.ids[TOPICS.quarantine]
    three = replace(Draft(), topic={"partitions": 3}).contract()
    told = look(kafka, three)
    assert [(each.partition, each.state) for each in told] == [(number, State.BLOCKED) for number in range(3)]
    assert TOPICS.quarantine in told[0].reason


def test_a_partition_without_a_leader_blocks_its_product_and_is_not_asked_about() -> None:
    kafka = Topics(dark={TOPICS.quarantine})
    (standing,) = look(kafka)
    assert standing.state is State.BLOCKED
    assert standing.reason == f"nobody leads {TOPICS.quarantine}/0: the brokers that hold it are away"
