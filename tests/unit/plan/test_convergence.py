"""Whatever is there: an applied plan leaves nothing to do, and neither does a crash followed by a second plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.contract import Contract
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
from mesh.plan.desired import Desired, desired
from mesh.plan.diff import Observed, SubjectState, diff
from mesh.types import Topic
from tests.support.contracts import Draft

NOTHING = SubjectState(registered=False)


def after(changes: Iterable[Change], observed: Observed) -> Observed:
    """What a cluster that obeys would hold after these changes."""
    for change in changes:
        observed = step(change, observed)
    return observed


def step(change: Change, seen: Observed) -> Observed:  # noqa: PLR0911 - one return for each kind of change
    match change:
        case CreateTopic(topic=topic):
            return with_topic(seen, TopicState(topic.name, UUID(int=0), topic.partitions, 1, dict(topic.config)))
        case GrowTopic(topic=topic):
            return with_topic(seen, replace(seen.topics[topic.name], partitions=topic.partitions))
        case AlterTopic(topic=name, new=new):
            config = {key: value for key, value in {**seen.topics[name].config, **new}.items() if value is not None}
            return with_topic(seen, replace(seen.topics[name], config=config))
        case DeleteTopic(topic=name):
            return replace(seen, topics={key: each for key, each in seen.topics.items() if key != name})
        case CreateUser(principal=principal):
            return replace(seen, users=seen.users | {principal})
        case Grant(acls=acls):
            return replace(seen, acls=seen.acls | set(acls))
        case Revoke(acls=acls):
            return replace(seen, acls=seen.acls - set(acls))
        case SetCompatibility(subject=subject):
            state = replace(seen.subjects.get(subject.subject, NOTHING), compatibility=subject.compatibility)
            return replace(seen, subjects={**seen.subjects, subject.subject: state})
        case RegisterSchema(subject=subject):
            state = replace(seen.subjects.get(subject.subject, NOTHING), registered=True)
            return replace(seen, subjects={**seen.subjects, subject.subject: state})
        case WriteEntry(entry=entry):
            written = replace(entry, applied_at="now", applied_by="x")
            return replace(seen, entries={**seen.entries, Topic(entry.topic): written})
    raise AssertionError(change)


def with_topic(seen: Observed, state: TopicState) -> Observed:
    return replace(seen, topics={**seen.topics, state.name: state})


NAMES = st.sampled_from(["weather.observations", "weather.alerts", "fleet.aircraft"])
TOPICS = st.fixed_dictionaries(
    {"partitions": st.integers(1, 3), "cleanupPolicy": st.sampled_from(["delete", "compact"])},
    optional={"maxMessageBytes": st.sampled_from([2_000, 9_000])},
)
DRAFTS = st.builds(
    Draft,
    product=NAMES,
    version=st.sampled_from(["1.0.0", "1.1.0", "2.0.0"]),
    status=st.sampled_from(["active", "active", "active", "retired"]),
    topic=TOPICS,
    readers=st.lists(st.sampled_from(["fleet", "delay-desk", "auditors"]), unique=True),
    reaction=st.sampled_from(["quarantine", "warn", "hold-key"]),
    key=st.sampled_from(["station", "station", None]),
)


@cache
def parsed(text: str) -> Contract:
    """Validating a document takes longer than everything that is tested here."""
    return Contract.parse(text)


def wanted(drafts: Iterable[Draft]) -> Desired:
    contracts = [parsed(draft.text) for draft in drafts if not unkeyed(draft)]
    return desired({each.topics.public: each for each in contracts}.values(), "here", '"bytes"')


def unkeyed(draft: Draft) -> bool:
    """Contracts that the contract itself refuses: what needs keys and has none."""
    return draft.key is None and (draft.topic["cleanupPolicy"] == "compact" or draft.reaction == "hold-key")


# A busy machine is not a bug, and the first example of a contract pays for reading it.
CALM = settings(deadline=None, max_examples=60)
STRAY = Acl("stranger", "Write", "Topic", "weather.observations.v1")
MESHES = st.lists(DRAFTS, max_size=4).map(wanted)


@CALM
@given(before=MESHES, now=MESHES, stray=st.booleans())
def test_an_applied_plan_leaves_only_what_is_impossible(before: Desired, now: Desired, stray: bool) -> None:
    there = after(diff(before, Observed()).changes, Observed(acls=frozenset({STRAY} if stray else ())))
    plan = diff(now, there)
    possible = [change for change in plan.changes if not change.impossible]
    assert diff(now, after(possible, there)).changes == plan.impossible


@CALM
@given(now=MESHES)
def test_a_new_mesh_needs_one_plan(now: Desired) -> None:
    plan = diff(now, Observed())
    assert plan.impossible == ()
    assert plan.destructive == ()
    assert diff(now, after(plan.changes, Observed())).changes == ()


@CALM
@given(now=MESHES, data=st.data())
def test_a_second_plan_completes_what_a_crash_left(now: Desired, data: st.DataObject) -> None:
    plan = diff(now, Observed())
    crash = data.draw(st.integers(0, len(plan.changes)))
    left = after(plan.changes[:crash], Observed())
    rest = diff(now, left)
    assert rest.changes == plan.changes[crash:]
    assert diff(now, after(rest.changes, left)).changes == ()


@CALM
@given(now=MESHES)
def test_the_records_that_start_the_gates_come_last(now: Desired) -> None:
    kinds = [change.kind for change in diff(now, Observed()).changes]
    assert "record" not in kinds[: len(kinds) - kinds.count("record")]
