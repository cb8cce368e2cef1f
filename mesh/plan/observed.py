"""Reads what is on a cluster and in its registry, only as far as a desired state is concerned."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from mesh.catalog import registered_readers
from mesh.contract import Contract
from mesh.contract.compatibility import Reader, check_readers
from mesh.contract.compatibility import check as check_schema
from mesh.kafka import Admin, TopicState
from mesh.lineage import manifest_schema_json
from mesh.plan.desired import UNKNOWN_READERS, Desired, WantedSubject, desired
from mesh.plan.diff import Observed, Plan, SubjectState, diff
from mesh.plan.site import Site
from mesh.registry import RegistryClient
from mesh.types import ProductTopics, Topic, TopicPartition


def survey(site: Site, contracts: Iterable[Contract], source: str) -> Plan:
    """The changes that would make the cluster what the contracts of ``source`` say.

    Raises NotAuthorised for all but the platform's principal, BrokerUnreachable and RegistryUnreachable.
    """
    wanted = desired(contracts, source, manifest_schema_json(), users=site.scram)
    return diff(wanted, observe(site, wanted))


def observe(site: Site, wanted: Desired) -> Observed:
    """What is, of everything that is wanted; raises as ``survey`` does."""
    names = [name for scope in wanted.scopes for name in (*(each.name for each in scope.topics), *scope.gone)]
    topics = site.admin.topics(names)
    site.catalog.refresh(relist=True)
    subjects = [(scope.owner, subject) for scope in wanted.scopes for subject in scope.subjects]
    readers = _readers(site, wanted)
    return Observed(
        topics=topics,
        records=_records(site.admin, topics),
        users=frozenset(site.admin.users()) if site.scram else frozenset(),
        acls=frozenset(site.admin.acls()),
        subjects={each.subject: _subject(site.registry, owner, each, readers) for owner, each in subjects},
        entries=site.catalog.entries(),
    )


def _records(admin: Admin, topics: Mapping[str, TopicState]) -> dict[str, int]:
    """How many offsets each topic spans: records, transaction markers and holes of compaction alike."""
    places = [TopicPartition(name, number) for name, each in topics.items() for number in range(each.partitions)]
    beginnings, ends = admin.beginnings(places), admin.ends(places, committed=False)
    counts = dict.fromkeys(topics, 0)
    for place in places:
        counts[place.topic] += ends[place] - beginnings[place]
    return counts


Registered = Mapping[Topic, tuple[Reader, ...]]


def _readers(site: Site, wanted: Desired) -> Registered:
    """Who reads the products whose readers decide, by public topic; a domain without a register has no entry here."""
    topics = {subject.read_as for scope in wanted.scopes for subject in scope.subjects if subject.read_as}
    known = {
        domain: registered_readers(site.connection, domain) for domain in sorted({_domain(topic) for topic in topics})
    }
    return {topic: found.get(topic, ()) for topic in topics if (found := known[_domain(topic)]) is not None}


def _domain(topic: Topic) -> str:
    return ProductTopics.of_public(topic).product.domain


def _subject(registry: RegistryClient, owner: str, wanted: WantedSubject, readers: Registered) -> SubjectState:
    """A subject, asked about its schema. What others put under its name before is set aside on registration."""
    compatibility = registry.compatibility(wanted.subject)
    versions = registry.versions(wanted.subject)
    bound = registry.version(wanted.subject, versions[-1]).product if versions else None
    if bound is None:
        return SubjectState(False, compatibility)
    if bound != owner:
        return SubjectState(False, compatibility, (f"the subject belongs to {bound}",))
    known = readers.get(wanted.read_as) if wanted.read_as else None
    if known is not None:
        left = check_readers(json.loads(wanted.schema), known)
        if left:
            # Even where the registry knows the schema from before: going back to it leaves readers behind as well.
            return SubjectState(False, compatibility, tuple(map(str, left)))
    if registry.lookup(wanted.subject, wanted.schema) is not None:
        return SubjectState(True, compatibility)
    if known is not None:
        return SubjectState(False, compatibility)
    earlier = [json.loads(registry.version(wanted.subject, version).schema) for version in versions]
    mode = UNKNOWN_READERS if wanted.read_as else wanted.compatibility
    found = check_schema(mode, json.loads(wanted.schema), earlier)
    return SubjectState(False, compatibility, tuple(f"version {versions[each.against]}: {each}" for each in found))
