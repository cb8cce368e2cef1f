"""Every class of change, on literal objects: no contract, no broker, no registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal
from uuid import UUID

import pytest

from mesh.catalog import Entry
from mesh.kafka import Acl, TopicState
from mesh.plan.changes import (
    AlterTopic,
    Change,
    CreateTopic,
    CreateUser,
    DeleteTopic,
    Grant,
    GrowTopic,
    RegisterSchema,
    Revoke,
    SetCompatibility,
    WriteEntry,
)
from mesh.plan.desired import Desired, Place, Scope, WantedSubject, WantedTopic
from mesh.plan.diff import Observed, SubjectState, diff
from mesh.types import Principal, Subject, Topic

PUBLIC = Topic("weather.observations.v1")
INGRESS = Topic("weather.observations.v1.ingress")
LOG = {"cleanup.policy": "delete", "retention.ms": "1000"}
READ = Acl("delay-desk", "Read", "Topic", PUBLIC)


def topic(name: Topic = PUBLIC, partitions: int = 3, **changed: object) -> WantedTopic:
    place = Place.INGRESS if name == INGRESS else Place.OUTPUT
    return replace(WantedTopic(name, partitions, LOG, place), **changed)  # type: ignore[arg-type]


def state(name: Topic = PUBLIC, partitions: int = 3, config: Mapping[str, str] | None = None) -> TopicState:
    return TopicState(name, UUID(int=1), partitions, 1, LOG if config is None else config)


def entry(**changed: str) -> Entry:
    first = Entry(PUBLIC, "weather.observations", "1.2.0", "active", "weather team", "nycflights", "aa" * 32, "id: x")
    return replace(first, **changed)


def changes(scope: Scope, observed: Observed) -> list[Change]:
    return list(diff(Desired((scope,)), observed).changes)


def only(scope: Scope, observed: Observed) -> Change:
    found = changes(scope, observed)
    assert len(found) == 1, found
    return found[0]


def topics(*wanted: WantedTopic) -> Scope:
    return Scope("weather.observations", topics=wanted)


def seen(*states: TopicState, records: int | None = None) -> Observed:
    held = {} if records is None else {each.name: records for each in states}
    return Observed(topics={each.name: each for each in states}, records=held)


def test_nothing_wanted_and_nothing_there_is_nothing_to_do() -> None:
    assert changes(Scope("weather"), Observed()) == []


def test_a_missing_topic_is_created() -> None:
    change = only(topics(topic()), Observed())
    assert isinstance(change, CreateTopic)
    assert change.told() == {
        "owner": "weather.observations",
        "kind": "create",
        "resource": "topic weather.observations.v1",
        "before": None,
        "after": "partitions=3 cleanup.policy=delete retention.ms=1000",
        "destructive": False,
        "loses": None,
        "impossible": None,
    }


def test_a_topic_as_wanted_is_left_alone() -> None:
    assert changes(topics(topic()), seen(state())) == []


def test_more_partitions_grow_the_topic() -> None:
    change = only(topics(topic(partitions=4)), seen(state(partitions=3)))
    assert isinstance(change, GrowTopic)
    assert (change.before, change.after, change.impossible) == ("partitions=3", "partitions=4", None)


def test_fewer_partitions_are_impossible() -> None:
    change = only(topics(topic(partitions=2)), seen(state(partitions=3)))
    assert change.impossible
    assert "new major" in change.impossible


def test_a_topic_whose_keys_must_stay_cannot_grow() -> None:
    change = only(topics(topic(partitions=4, fixed="keys would move")), seen(state(partitions=3)))
    assert isinstance(change, GrowTopic)
    assert change.impossible == "keys would move; make a new major version"


def test_growth_takes_outputs_first_and_ingress_last_across_products() -> None:
    other = Scope("weather.alerts", topics=(topic(Topic("weather.alerts.v1"), 4),))
    first = topics(topic(INGRESS, 4), topic(PUBLIC, 4))
    there = seen(state(INGRESS), state(PUBLIC), state(Topic("weather.alerts.v1")))
    order = [change.resource for change in diff(Desired((first, other)), there).changes]
    assert order == [f"topic {PUBLIC}", "topic weather.alerts.v1", f"topic {INGRESS}"]


def test_a_config_is_set_and_a_stray_one_reset() -> None:
    change = only(topics(topic()), seen(state(config={"cleanup.policy": "delete", "segment.ms": "7"})))
    assert isinstance(change, AlterTopic)
    assert change.new == {"retention.ms": "1000", "segment.ms": None}
    assert change.before == "retention.ms=(default) segment.ms=7"


def test_the_throttles_of_a_reassignment_are_not_ours() -> None:
    throttled = {**LOG, "leader.replication.throttled.replicas": "*"}
    assert changes(topics(topic()), seen(state(config=throttled))) == []


def test_a_policy_list_is_a_set() -> None:
    wanted = topic(config={"cleanup.policy": "compact,delete"})
    assert changes(topics(wanted), seen(state(config={"cleanup.policy": "delete, compact"}))) == []


@pytest.mark.parametrize(
    ("key", "before", "after", "lost"),
    [
        ("retention.ms", "1000", "999", "some of 7 records beyond retention.ms=999"),
        ("retention.ms", "-1", "1000", "some of 7 records beyond retention.ms=1000"),
        ("retention.ms", None, "1000", "some of 7 records beyond retention.ms=1000"),
        ("retention.ms", "1000", None, "some of 7 records beyond retention.ms=(default)"),
        ("retention.ms", "1000", "1001", None),
        ("retention.ms", "1000", "-1", None),
        ("retention.bytes", None, "5", "some of 7 records beyond retention.bytes=5"),
        ("retention.bytes", "5", None, None),
        ("cleanup.policy", "delete", "compact", "some of 7 records: all but the last of each key"),
        ("cleanup.policy", "compact", "delete", "some of 7 records: those beyond the retention"),
        ("cleanup.policy", None, "compact", "some of 7 records: all but the last of each key"),
        ("cleanup.policy", "compact,delete", "compact", None),
        ("max.message.bytes", "100", "99", "the room for records over 99 bytes: publishers of larger ones are refused"),
        ("max.message.bytes", "100", "101", None),
        ("min.insync.replicas", "2", "1", None),
    ],
)
def test_a_config_says_what_it_would_lose(key: str, before: str | None, after: str | None, lost: str | None) -> None:
    there = {} if before is None else {key: before}
    wanted = topic(config={} if after is None else {key: after})
    change = only(topics(wanted), seen(state(config=there), records=7))
    assert (change.loses, change.destructive) == (lost, lost is not None)


SUBJECT = WantedSubject(Subject(f"{PUBLIC}-value"), '"string"', "BACKWARD")


def subjects(registered: bool, compatibility: str | None, *conflicts: str) -> list[Change]:
    there = {SUBJECT.subject: SubjectState(registered, compatibility, conflicts)}
    return changes(Scope("p", subjects=(SUBJECT,)), Observed(subjects=there))


def test_an_unknown_subject_gets_its_mode_before_its_schema() -> None:
    assert [type(change) for change in subjects(False, None)] == [SetCompatibility, RegisterSchema]


def test_a_registered_schema_is_left_alone() -> None:
    assert subjects(True, "BACKWARD") == []


def test_another_mode_is_altered() -> None:
    (change,) = subjects(True, "FULL")
    assert (change.kind, change.before, change.after) == ("alter", "compatibility=FULL", "compatibility=BACKWARD")


def test_an_incompatible_schema_is_impossible_and_says_why() -> None:
    (change,) = subjects(False, "BACKWARD", "field wind_speed has no default")
    assert change.impossible == "not BACKWARD: field wind_speed has no default"


def test_users_and_permissions_two_products_share_are_added_once() -> None:
    group = Acl("delay-desk", "Read", "Group", "delay-desk")
    one = Scope("a.x", users=(Principal("delay-desk"),), acls=frozenset({group}))
    plan = diff(Desired((one, replace(one, owner="b.y"))), Observed())
    assert [type(change) for change in plan.changes] == [CreateUser, Grant]


def test_a_user_with_credentials_is_left_alone() -> None:
    assert changes(Scope("weather", users=(Principal("weather"),)), Observed(users=frozenset({"weather"}))) == []


def test_missing_permissions_are_granted_by_resource() -> None:
    acls = frozenset({READ, replace(READ, operation="Describe"), Acl("delay-desk", "Read", "Group", "delay-desk")})
    found = changes(Scope("weather.observations", acls=acls), Observed())
    assert [(change.resource, change.after) for change in found] == [
        ("access to group delay-desk", "delay-desk: Read"),
        (f"access to topic {PUBLIC}", "delay-desk: Describe, Read"),
    ]


def product(**changed: object) -> Scope:
    scope = Scope("weather.observations", topics=(topic(),), acls=frozenset({READ}), entry=entry())
    return replace(scope, **changed)  # type: ignore[arg-type]


def applied(*extra: Acl) -> Observed:
    return Observed(topics={PUBLIC: state()}, acls=frozenset({READ, *extra}), entries={PUBLIC: entry(applied_by="x")})


def test_an_applied_product_needs_nothing() -> None:
    assert changes(product(), applied()) == []


@pytest.mark.parametrize("pattern", ["LITERAL", "PREFIXED"])
def test_a_permission_no_contract_gives_is_revoked(pattern: Literal["LITERAL", "PREFIXED"]) -> None:
    plan = diff(Desired((product(),)), applied(Acl("stranger", "Write", "Topic", PUBLIC, pattern)))
    (change,) = plan.changes
    assert isinstance(change, Revoke)
    assert (change.before, change.destructive) == ("stranger: Write", False)
    assert plan.strays == ()


WIDE = [Acl("stranger", "Read", "Topic", "*"), Acl("stranger", "Read", "Topic", "wea", "PREFIXED")]


@pytest.mark.parametrize("acl", WIDE)
def test_a_permission_that_covers_more_than_products_is_told_and_left(acl: Acl) -> None:
    plan = diff(Desired((product(),)), applied(acl))
    assert (plan.changes, plan.strays) == ((), (acl,))


@pytest.mark.parametrize(
    "acl",
    [
        Acl("stranger", "Read", "Topic", PUBLIC, permission="Deny"),
        Acl("stranger", "Read", "Topic", "another.topic"),
        Acl("stranger", "Read", "Topic", "fleet.", "PREFIXED"),
        Acl("stranger", "Read", "Topic", "*", permission="Deny"),
        Acl("stranger", "Read", "Group", PUBLIC),
    ],
)
def test_a_denial_and_what_is_not_a_products_topic_are_not_ours(acl: Acl) -> None:
    plan = diff(Desired((product(),)), applied(acl))
    assert (plan.changes, plan.strays) == ((), ())


@pytest.mark.parametrize("field", ["version", "status", "owner", "digest"])
def test_a_changed_contract_is_recorded(field: str) -> None:
    wanted = entry(**{field: "1.3.0"})
    change = only(product(entry=wanted), applied())
    assert isinstance(change, WriteEntry)
    assert change.impossible is None


@pytest.mark.parametrize(("version", "possible"), [("1.2.1", True), ("1.10.0", True), ("1.1.9", False)])
def test_a_version_never_goes_backwards(version: str, possible: bool) -> None:
    change = only(product(entry=entry(version=version)), applied())
    assert (change.impossible is None) is possible


def test_a_product_of_another_source_is_refused_whole() -> None:
    wanted = product(entry=entry(source="somebody-else"), topics=(topic(partitions=9),))
    change = only(wanted, applied(Acl("stranger", "Write", "Topic", PUBLIC)))
    assert change.impossible
    assert "'nycflights'" in change.impossible


def test_a_retired_product_is_stopped_shut_and_then_taken_down_ingress_first() -> None:
    retired = Scope("weather.observations", entry=entry(status="retired"), gone=(INGRESS, Topic("no.such.v1"), PUBLIC))
    there = replace(applied(), topics={PUBLIC: state(), INGRESS: state(INGRESS)}, records={PUBLIC: 1234})
    plan = diff(Desired((retired,)), there)
    assert [change.kind for change in plan.changes] == ["revoke", "record", "delete", "delete"]
    deletions = [change for change in plan.changes if isinstance(change, DeleteTopic)]
    assert [change.topic for change in deletions] == [INGRESS, PUBLIC]
    assert [change.loses for change in deletions] == [
        "the topic and every record in it",
        "the topic and 1,234 records in it",
    ]
    assert plan.destructive == tuple(deletions)


def test_absence_never_deletes() -> None:
    assert diff(Desired(()), applied()).changes == ()


def test_the_catalog_is_written_after_everything_it_promises() -> None:
    scope = product(users=(Principal("delay-desk"),), subjects=(SUBJECT,), topics=(topic(INGRESS), topic()))
    order = [(change.kind, change.resource.split()[0]) for change in changes(scope, Observed())]
    assert order == [
        ("create", "user"),
        ("create", "topic"),
        ("create", "topic"),
        ("alter", "subject"),
        ("register", "subject"),
        ("grant", "access"),
        ("record", "catalog"),
    ]
