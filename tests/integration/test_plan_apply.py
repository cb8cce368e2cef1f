"""Plans on a real Kafka with a real registry: what applying makes, what it refuses, and what a second time does."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from mesh.access import AUDIT
from mesh.errors import IncompatibleChange, NotAuthorised, RequestRefused
from mesh.kafka import Acl, Admin, Connection, LogReader, TopicState, verify_credentials
from mesh.plan import Change, Plan, Site, apply, survey
from mesh.types import TopicPartition
from tests.support.broker import eventually, permit
from tests.support.contracts import Draft
from tests.support.mesh import RunningMesh

pytestmark = pytest.mark.broker


class Crash(Exception):
    """The process ends here."""


class Team:
    """A domain of its own with one product, and a folder it applies from."""

    def __init__(self, mesh: RunningMesh, site: Site) -> None:
        self.mesh, self.site, self.salt = mesh, site, secrets.token_hex(4)
        self.domain = f"t{self.salt}"
        self.draft = Draft(product=f"{self.domain}.observations", topic={"partitions": 2}, readers=[f"r{self.salt}"])

    @property
    def public(self) -> str:
        return f"{self.domain}.observations.v1"

    def change(self, **changed: Any) -> None:
        self.draft = replace(self.draft, **changed)

    def plan(self, source: str = "tests") -> Plan:
        return survey(self.site, [self.draft.contract()], source)

    def apply(self, source: str = "tests", **options: Any) -> list[Change]:
        """Apply the contract as it is now; the steps in the order they were taken."""
        taken: list[Change] = []
        apply(self.plan(source), self.site, taken=taken.append, **options)
        return taken

    def topics(self) -> dict[str, TopicState]:
        kinds = ("", ".ingress", ".quarantine", ".lineage", ".commands", ".state")
        return self.site.admin.topics([self.public + kind for kind in kinds])


@pytest.fixture(scope="module")
def site(mesh: RunningMesh) -> Iterator[Site]:
    """One way in for all tests of this module: every domain lives on the same cluster."""
    with Site.open(mesh.settings, "any") as one:
        yield one


@pytest.fixture
def team(mesh: RunningMesh, site: Site) -> Team:
    return Team(mesh, site)


def test_applying_makes_everything_and_a_second_time_nothing(team: Team) -> None:
    taken = team.apply()
    assert {change.kind for change in taken} == {"create", "alter", "register", "grant", "record"}
    assert team.plan().changes == ()
    assert team.apply() == []
    topics = team.topics()
    assert {name.removeprefix(team.public): topic.partitions for name, topic in topics.items()} == {
        "": 2,
        ".ingress": 2,
        ".quarantine": 2,
        ".lineage": 2,
        ".commands": 2,
    }
    assert topics[f"{team.public}.ingress"].config["compression.type"] == "uncompressed"
    assert topics[f"{team.public}.ingress"].config["message.timestamp.type"] == "LogAppendTime"


def test_the_schemas_belong_to_the_product_and_share_their_ids(team: Team) -> None:
    team.apply()
    registry = team.site.registry
    for part in ("key", "value"):
        public, ingress = (registry.latest(f"{team.public}{kind}-{part}") for kind in ("", ".ingress"))
        assert public.id == ingress.id
        assert public.product == ingress.product == f"{team.domain}.observations"
    assert registry.compatibility(f"{team.public}-value") == "BACKWARD_TRANSITIVE"
    assert registry.latest(f"{team.public}.lineage-value").product == f"{team.domain}.observations"


def test_the_principals_can_log_in_with_the_secrets_that_were_kept(team: Team) -> None:
    team.apply()
    for principal in (team.domain, f"r{team.salt}"):
        connection = Connection.of(team.mesh.settings, principal)
        eventually(lambda who=connection: verify_credentials(who))  # type: ignore[misc]


def test_the_catalog_says_what_was_applied_by_whom(team: Team) -> None:
    team.apply()
    with team.mesh.catalog() as catalog:
        catalog.refresh()
        contract = team.draft.contract()
        assert catalog.contracts()[contract.product] == contract
        entry = catalog.entry(contract.product)
    assert entry is not None
    assert (entry.source, entry.applied_by, entry.version) == ("tests", team.mesh.admin.principal, "1.2.0")
    assert entry.applied_at.endswith("Z")


def audited(team: Team) -> list[dict[str, Any]]:
    with LogReader(team.mesh.admin) as reader:
        events = [json.loads(each.value() or b"") for each in reader.read(TopicPartition(AUDIT, 0), 0, 1 << 60)]
    return [event for event in events if any(team.domain in change["owner"] for change in event.get("changes", ()))]


def test_the_audit_holds_the_intent_before_and_the_end_after(team: Team) -> None:
    with pytest.raises(Crash):
        crashing(team, after=3)
    assert [event["event"] for event in audited(team)] == ["apply"]
    taken = team.apply()
    events = audited(team)
    assert [event["event"] for event in events] == ["apply", "apply", "applied"]
    assert events[-1]["actor"] == team.mesh.admin.principal
    assert len(events[-1]["changes"]) == len(taken)
    team.apply()
    assert len(audited(team)) == 3


def crashing(team: Team, after: int) -> None:
    taken = 0

    def count(_: Change) -> None:
        nonlocal taken
        taken += 1
        if taken == after:
            raise Crash

    apply(team.plan(), team.site, taken=count)


@pytest.mark.parametrize("after", [1, 9, 20])
def test_a_crash_in_the_middle_is_completed_by_the_next_apply(team: Team, after: int) -> None:
    whole = team.plan().changes
    with pytest.raises(Crash):
        crashing(team, after)
    # A broker hears of what the controller has just done within moments.
    eventually(lambda: team.plan().changes == whole[after:])
    team.apply()
    assert team.plan().changes == ()


def test_partitions_grow_outputs_first_and_ingress_last(team: Team) -> None:
    team.apply()
    team.change(topic={"partitions": 3}, version="1.3.0")
    grown = [change.resource for change in team.apply() if change.kind == "grow"]
    assert len(grown) == 5
    assert grown[-1] == f"topic {team.public}.ingress"
    assert {topic.partitions for topic in team.topics().values()} == {3}
    assert team.plan().changes == ()


@pytest.mark.parametrize(
    ("topic", "reaction", "reason"),
    [
        ({"partitions": 1}, "quarantine", "cannot take partitions away"),
        ({"partitions": 3}, "hold-key", "holds keys"),
        ({"partitions": 3, "cleanupPolicy": "compact"}, "quarantine", "compacted"),
    ],
)
def test_partitions_that_cannot_change_are_refused(
    team: Team, topic: dict[str, Any], reaction: str, reason: str
) -> None:
    team.apply()
    team.change(topic=topic, reaction=reaction)
    with pytest.raises(IncompatibleChange, match=reason):
        team.apply(allow_destructive=True)
    assert {topic.partitions for topic in team.topics().values()} == {2}


def test_losing_data_is_refused_until_it_is_allowed(team: Team) -> None:
    team.change(topic={"partitions": 2, "retentionMs": 86_400_000})
    team.apply()
    team.change(topic={"partitions": 2, "retentionMs": 3_600_000}, version="1.3.0")
    before = team.topics()
    with pytest.raises(IncompatibleChange, match=r"would lose .*retention.ms=3600000"):
        team.apply()
    assert team.topics() == before
    team.apply(allow_destructive=True)
    assert team.topics()[team.public].config["retention.ms"] == "3600000"
    assert team.plan().changes == ()


def test_a_compacted_product_is_another_policy_and_says_what_goes(team: Team) -> None:
    team.apply()
    team.change(topic={"partitions": 2, "cleanupPolicy": "compact"}, version="1.3.0")
    (change,) = team.plan().destructive
    assert change.loses
    assert "all but the last of each key" in change.loses


TEMPERATURE = {"name": "temperature", "logicalType": "number", "physicalType": "double"}


def test_a_schema_evolves_within_its_mode_only(team: Team) -> None:
    team.apply()
    team.change(extra=[TEMPERATURE], version="1.3.0")
    assert [change.kind for change in team.apply()] == ["register", "register", "record"]
    team.change(extra=[{**TEMPERATURE, "logicalType": "string", "physicalType": "string"}], version="1.4.0")
    with pytest.raises(IncompatibleChange, match="temperature"):
        team.apply()
    assert len(team.site.registry.versions(f"{team.public}-value")) == 2
    assert {change.kind for change in team.plan().impossible} == {"register"}


def test_a_subject_somebody_took_before_is_taken_over(team: Team) -> None:
    registry, subject = team.site.registry, f"{team.public}-value"
    registry.register(subject, '"int"')
    registry.register(f"{team.public}-key", team.draft.contract().key_schema_json)
    team.apply()
    assert registry.latest(subject).product == f"{team.domain}.observations"
    assert registry.latest(f"{team.public}-key").product == f"{team.domain}.observations"
    assert team.plan().changes == ()


def test_drift_is_reported_and_mended(team: Team) -> None:
    team.apply()
    admin = team.site.admin
    admin.set_config(f"{team.public}.ingress", {"compression.type": "producer", "segment.ms": "100000"})
    stray = Acl("stranger", "Write", "Topic", team.public)
    permit(admin, [stray])
    admin.delete_acls([Acl(f"r{team.salt}", "Read", "Topic", team.public)])
    eventually(lambda: stray in admin.acls())
    assert [change.kind for change in team.apply()] == ["alter", "grant", "revoke"]
    eventually(lambda: stray not in admin.acls())
    assert team.plan().changes == ()


def test_a_reader_whose_grant_has_ended_is_shut_out(team: Team) -> None:
    team.apply()
    team.change(readers=[], version="1.3.0")
    team.apply()
    reader = f"r{team.salt}"
    eventually(lambda: not [a for a in team.site.admin.acls() if a.principal == reader and a.resource == "Topic"])


def test_another_source_is_refused_and_changes_nothing(team: Team) -> None:
    team.apply()
    team.change(topic={"partitions": 3})
    with pytest.raises(IncompatibleChange, match="applied from 'tests'"):
        team.apply(source="elsewhere")
    assert {topic.partitions for topic in team.topics().values()} == {2}


def test_a_version_does_not_go_back(team: Team) -> None:
    team.apply()
    team.change(version="1.1.0")
    with pytest.raises(IncompatibleChange, match="older than the applied"):
        team.apply()


def test_only_the_platform_applies(team: Team) -> None:
    team.apply()
    connection = Connection.of(team.mesh.settings, team.domain)
    eventually(lambda: verify_credentials(connection))
    with Site.open(team.mesh.settings, team.domain, team.domain) as site, pytest.raises(NotAuthorised):
        survey(site, [team.draft.contract()], "tests")


def test_a_retired_product_is_taken_down_when_that_is_allowed(team: Team) -> None:
    team.apply()
    team.change(status="retired", version="1.3.0")
    with pytest.raises(IncompatibleChange, match="would lose the topic"):
        team.apply()
    assert len(team.topics()) == 5
    team.apply(allow_destructive=True)
    eventually(lambda: not team.topics())
    assert team.plan().changes == ()
    with team.mesh.catalog() as catalog:
        catalog.refresh()
        assert team.draft.contract().product not in catalog.contracts()
        entry = catalog.entry(team.draft.contract().product)
    assert entry is not None
    assert entry.retired


def test_a_topic_the_broker_refuses_is_told_in_words(team: Team) -> None:
    team.change(topic={"partitions": 2, "config": {"segment.bytes": "1"}})
    with pytest.raises(RequestRefused, match="segment"):
        team.apply()
    with Admin(team.mesh.admin) as admin:
        assert team.public not in admin.topic_names()
