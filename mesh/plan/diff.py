"""What is, beside what should be: the changes between them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

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
from mesh.plan.desired import Desired, Scope, WantedSubject, WantedTopic
from mesh.plan.losses import loss
from mesh.types import Principal, Subject, Topic

# Partition reassignment tools set these while they work and take them away themselves.
_NOT_OURS = frozenset({"leader.replication.throttled.replicas", "follower.replication.throttled.replicas"})


@dataclass(frozen=True, slots=True)
class SubjectState:
    """A subject as the registry has it, asked about the schema it should hold.

    ``conflicts`` are the registry's reasons against that schema; empty when it is registered or may be.
    """

    registered: bool
    compatibility: str | None = None
    conflicts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Observed:
    """What is on one cluster, as far as a desired state is concerned; ``records`` counts those a topic holds."""

    topics: Mapping[str, TopicState] = field(default_factory=dict)
    records: Mapping[str, int] = field(default_factory=dict)
    users: frozenset[str] = frozenset()
    acls: frozenset[Acl] = frozenset()
    subjects: Mapping[Subject, SubjectState] = field(default_factory=dict)
    entries: Mapping[Topic, Entry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes between what is and what should be, in the order in which they are safe.

    ``strays`` are permissions that open topics of these products to whom no contract does, by a prefix or a wildcard
    that covers more than them: not ours to take away, and nothing to keep quiet about.
    """

    changes: tuple[Change, ...]
    strays: tuple[Acl, ...] = ()

    @property
    def impossible(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.impossible)

    @property
    def destructive(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.destructive)

    def owned(self) -> dict[str, list[Change]]:
        """The changes by owner, in the order of their owners' names."""
        by_owner = sorted(self.changes, key=lambda change: change.owner)
        return {owner: list(changes) for owner, changes in groupby(by_owner, key=lambda change: change.owner)}


def diff(wanted: Desired, observed: Observed) -> Plan:
    """Every change that is needed, none that is not: a plan of an applied plan is empty."""
    found: list[Change] = []
    seen = _Seen(set(observed.users), set(observed.acls))
    for scope in wanted.scopes:
        refused = _foreign(scope, observed)
        found += [refused] if refused else _scope(scope, wanted, observed, seen)
    return Plan(tuple(sorted(found, key=lambda change: change.rank)), tuple(_strays(wanted, observed)))


def _strays(wanted: Desired, observed: Observed) -> Iterator[Acl]:
    names = {name for scope in wanted.scopes if scope.entry is not None for name in _topic_names(scope)}
    for acl in sorted(_ungiven(wanted, observed)):
        wide = acl.name == "*" or (acl.pattern == "PREFIXED" and any(name.startswith(acl.name) for name in names))
        if names and wide and acl.name not in names:
            yield acl


def _ungiven(wanted: Desired, observed: Observed) -> set[Acl]:
    """Permissions on topics that no contract gives. Denials are an operator's word against everybody's, and stay."""
    extra = observed.acls - wanted.acls
    return {acl for acl in extra if acl.resource == "Topic" and acl.permission == "Allow"}


def _topic_names(scope: Scope) -> set[str]:
    return {topic.name for topic in scope.topics} | set(scope.gone)


@dataclass(slots=True)
class _Seen:
    """What two scopes may both ask for and only one of them adds."""

    users: set[str]
    acls: set[Acl]


def _scope(scope: Scope, wanted: Desired, observed: Observed, seen: _Seen) -> Iterator[Change]:
    for topic in scope.topics:
        yield from _topic(scope.owner, topic, observed)
    for subject in scope.subjects:
        yield from _subject(scope.owner, subject, observed)
    yield from _users(scope, seen)
    yield from _grants(scope, seen)
    yield from _revocations(scope, wanted, observed)
    yield from _deletions(scope, observed)
    yield from _entry(scope, observed)


def _foreign(scope: Scope, observed: Observed) -> Change | None:
    """The refusal of a product that another source applied: one change, and none of its others."""
    recorded = observed.entries.get(Topic(scope.entry.topic)) if scope.entry else None
    if scope.entry is None or recorded is None or recorded.source == scope.entry.source:
        return None
    reason = f"it was applied from {recorded.source!r}, and this is {scope.entry.source!r}; apply it from there"
    return WriteEntry(owner=scope.owner, entry=scope.entry, old=recorded, impossible=reason)


def _topic(owner: str, topic: WantedTopic, observed: Observed) -> Iterator[Change]:
    state = observed.topics.get(topic.name)
    if state is None:
        yield CreateTopic(owner=owner, topic=topic)
        return
    if state.partitions != topic.partitions:
        reason = _ungrowable(topic, state)
        yield GrowTopic(owner=owner, topic=topic, partitions=state.partitions, impossible=reason)
    new = _settings(topic, state)
    if new:
        old = {key: state.config.get(key) for key in new}
        held = observed.records.get(topic.name)
        loses = "; ".join(text for key in new if (text := loss(key, old[key], new[key], held)))
        yield AlterTopic(owner=owner, topic=topic.name, place=topic.place, old=old, new=new, loses=loses or None)


def _ungrowable(topic: WantedTopic, state: TopicState) -> str | None:
    if state.partitions > topic.partitions:
        return "Kafka cannot take partitions away; make a new major version"
    return topic.fixed and f"{topic.fixed}; make a new major version"


def _settings(topic: WantedTopic, state: TopicState) -> dict[str, str | None]:
    changed: dict[str, str | None] = {
        key: value for key, value in topic.config.items() if not _equal(state.config.get(key), value)
    }
    stray = state.config.keys() - topic.config.keys() - _NOT_OURS
    return changed | dict.fromkeys(sorted(stray))


def _equal(one: str | None, other: str) -> bool:
    return one is not None and {each.strip() for each in one.split(",")} == {each.strip() for each in other.split(",")}


def _subject(owner: str, subject: WantedSubject, observed: Observed) -> Iterator[Change]:
    state = observed.subjects.get(subject.subject, SubjectState(registered=False))
    if state.compatibility != subject.compatibility:
        yield SetCompatibility(owner=owner, subject=subject, old=state.compatibility)
    if not state.registered:
        reason = f"not {subject.mode}: {'; '.join(state.conflicts)}" if state.conflicts else None
        yield RegisterSchema(owner=owner, subject=subject, impossible=reason)


def _users(scope: Scope, seen: _Seen) -> Iterator[Change]:
    for principal in scope.users:
        if principal not in seen.users:
            seen.users.add(principal)
            yield CreateUser(owner=scope.owner, principal=Principal(principal))


def _grants(scope: Scope, seen: _Seen) -> Iterator[Change]:
    missing = scope.acls - seen.acls
    seen.acls |= missing
    for acls in _by_resource(missing):
        yield Grant(owner=scope.owner, acls=acls)


def _revocations(scope: Scope, wanted: Desired, observed: Observed) -> Iterator[Change]:
    """Permissions on a product's topics that no contract gives: by hand, or of a reader whose role has ended."""
    if scope.entry is None:
        return
    topics = _topic_names(scope)
    stray = {acl for acl in _ungiven(wanted, observed) if acl.name in topics}
    for acls in _by_resource(stray):
        yield Revoke(owner=scope.owner, acls=acls)


def _by_resource(acls: Iterable[Acl]) -> Iterator[tuple[Acl, ...]]:
    ordered = sorted(acls, key=lambda acl: (acl.resource, acl.name, acl.pattern, acl))
    for _, members in groupby(ordered, key=lambda acl: (acl.resource, acl.name, acl.pattern)):
        yield tuple(members)


def _deletions(scope: Scope, observed: Observed) -> Iterator[Change]:
    for position, name in enumerate(scope.gone):
        if name in observed.topics:
            held = observed.records.get(name)
            loses = "the topic and every record in it" if held is None else f"the topic and {held:,} records in it"
            yield DeleteTopic(owner=scope.owner, topic=name, position=position, loses=loses)


def _entry(scope: Scope, observed: Observed) -> Iterator[Change]:
    if scope.entry is None:
        return
    recorded = observed.entries.get(Topic(scope.entry.topic))
    if recorded is not None and recorded.same_as(scope.entry):
        return
    reason = None
    if recorded is not None and _version(scope.entry.version) < _version(recorded.version):
        reason = f"version {scope.entry.version} is older than the applied {recorded.version}"
    yield WriteEntry(owner=scope.owner, entry=scope.entry, old=recorded, impossible=reason)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text.partition("-")[0]))
