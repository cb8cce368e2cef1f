"""What contracts ask for: topics, subjects, users, and the order of the scopes."""

from __future__ import annotations

from mesh.catalog import Entry
from mesh.contract import Contract
from mesh.plan.desired import Desired, Place, WantedTopic, desired
from tests.support.contracts import Draft

MANIFEST = '"bytes"'
HOUR, WEEK, MONTH = 3_600_000, 604_800_000, 2_592_000_000


def wanted(*contracts: Contract) -> Desired:
    return desired(contracts, "team-weather", MANIFEST)


def topics(draft: Draft) -> dict[str, WantedTopic]:
    return {topic.name: topic for scope in wanted(draft.contract()).scopes for topic in scope.topics}


def test_the_topics_of_a_product() -> None:
    found = topics(Draft(topic={"partitions": 3, "retentionMs": HOUR, "maxMessageBytes": 5_000}))
    assert {name: dict(topic.config) for name, topic in found.items()} == {
        "_mesh.audit": {"cleanup.policy": "delete", "retention.ms": "-1"},
        "_mesh.weather.catalog": {"cleanup.policy": "compact"},
        "weather.observations.v1": {
            "cleanup.policy": "delete",
            "max.message.bytes": str(5_000 + 65_536),
            "message.timestamp.type": "CreateTime",
            "retention.ms": str(HOUR),
        },
        "weather.observations.v1.quarantine": {
            "cleanup.policy": "delete",
            "max.message.bytes": str(5_000 + 65_536),
            "retention.ms": str(MONTH),
        },
        "weather.observations.v1.lineage": {
            "cleanup.policy": "delete",
            "max.message.bytes": str(8 * 1024 * 1024),
            "retention.ms": "-1",
        },
        "weather.observations.v1.commands": {"cleanup.policy": "delete", "retention.ms": "-1"},
        "weather.observations.v1.ingress": {
            "cleanup.policy": "delete",
            "compression.type": "uncompressed",
            "max.message.bytes": "5000",
            "message.timestamp.type": "LogAppendTime",
            "retention.ms": str(WEEK),
        },
    }
    assert {topic.partitions for name, topic in found.items() if name.startswith("weather")} == {3}
    assert {topic.partitions for name, topic in found.items() if name.startswith("_mesh")} == {1}
    assert [name for name, topic in found.items() if topic.place is Place.INGRESS] == [
        "weather.observations.v1.ingress"
    ]


def test_the_quarantine_is_kept_as_long_as_the_product() -> None:
    def kept(draft: Draft) -> str:
        return topics(draft)["weather.observations.v1.quarantine"].config["retention.ms"]

    assert kept(Draft(topic={"retentionMs": 2 * MONTH})) == str(2 * MONTH)
    assert kept(Draft(topic={"retentionMs": -1})) == "-1"
    assert kept(Draft()) == str(MONTH)


def test_state_is_compacted_and_only_there_to_hold_keys() -> None:
    assert "weather.observations.v1.state" not in topics(Draft())
    assert topics(Draft(reaction="hold-key"))["weather.observations.v1.state"].config["cleanup.policy"] == "compact"


def test_partitions_are_fixed_where_keys_would_move() -> None:
    def fixed(draft: Draft) -> set[bool]:
        return {topic.fixed is not None for name, topic in topics(draft).items() if name.startswith("weather")}

    assert fixed(Draft()) == {False}
    assert fixed(Draft(topic={"cleanupPolicy": "compact"})) == {True}
    assert fixed(Draft(reaction="hold-key")) == {True}


def test_ingress_and_public_topic_share_their_schemas() -> None:
    contract = Draft().contract()
    subjects = {each.subject: each.schema for scope in wanted(contract).scopes for each in scope.subjects}
    assert subjects == {
        "weather.observations.v1.ingress-key": contract.key_schema_json,
        "weather.observations.v1.ingress-value": contract.value_schema_json,
        "weather.observations.v1-key": contract.key_schema_json,
        "weather.observations.v1-value": contract.value_schema_json,
        "weather.observations.v1.lineage-value": MANIFEST,
    }


def test_a_product_without_a_key_has_no_key_subject() -> None:
    subjects = [each.subject for scope in wanted(Draft(key=None).contract()).scopes for each in scope.subjects]
    assert not [subject for subject in subjects if subject.endswith("-key")]


def test_domains_and_readers_are_users() -> None:
    found = wanted(Draft(readers=["fleet", "delay-desk"]).contract(), Draft(product="fleet.aircraft").contract())
    assert {user for scope in found.scopes for user in scope.users} == {"weather", "fleet", "delay-desk"}


def test_no_users_where_the_broker_keeps_none() -> None:
    found = desired([Draft(readers=["delay-desk"]).contract()], "s", MANIFEST, users=False)
    assert not [user for scope in found.scopes for user in scope.users]


def test_the_platform_comes_first_and_each_domain_once() -> None:
    drafts = [Draft(product=name) for name in ("weather.observations", "fleet.aircraft", "weather.alerts")]
    owners = [scope.owner for scope in wanted(*(draft.contract() for draft in drafts)).scopes]
    assert owners == ["(mesh)", "fleet", "fleet.aircraft", "weather", "weather.alerts", "weather.observations"]


def test_two_majors_of_a_product_live_side_by_side() -> None:
    found = wanted(Draft(version="2.0.0").contract(), Draft().contract())
    entries = [scope.entry.topic for scope in found.scopes if scope.entry]
    assert entries == ["weather.observations.v1", "weather.observations.v2"]


def test_a_retired_product_keeps_its_entry_alone() -> None:
    contract = Draft(status="retired", readers=["delay-desk"]).contract()
    scope = wanted(contract).scopes[-1]
    assert (scope.topics, scope.subjects, scope.users, scope.acls) == ((), (), (), frozenset())
    assert scope.entry == Entry.of(contract, "team-weather")
    assert scope.gone[0] == contract.topics.ingress
    assert set(scope.gone) >= {contract.topics.public, contract.topics.quarantine, contract.topics.lineage}
