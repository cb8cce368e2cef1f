"""Reads what is on a cluster and in its registry, only as far as a desired state is concerned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

from mesh.contract import Contract
from mesh.kafka import Admin, TopicState
from mesh.lineage import manifest_schema_json
from mesh.plan.desired import Desired, WantedSubject, desired
from mesh.plan.diff import Observed, Plan, SubjectState, diff
from mesh.plan.site import Site
from mesh.registry import RegistryClient
from mesh.types import TopicPartition


def survey(site: Site, contracts: Iterable[Contract], source: str) -> Plan:
    """The changes that would make the cluster what the contracts of ``source`` say.

    Raises NotAuthorised for all but the platform's principal, BrokerUnreachable and RegistryUnreachable.
    """
    wanted = desired(contracts, source, manifest_schema_json(), users=site.scram)
    return diff(wanted, observe(site, wanted))


def observe(site: Site, wanted: Desired) -> Observed:
    """What is, of everything that is wanted; raises as ``survey`` does."""
    names = chain.from_iterable(([t.name for t in scope.topics], scope.gone) for scope in wanted.scopes)
    topics = site.admin.topics(chain.from_iterable(names))
    site.catalog.refresh(relist=True)
    subjects = [subject for scope in wanted.scopes for subject in scope.subjects]
    return Observed(
        topics=topics,
        records=_records(site.admin, topics),
        users=frozenset(site.admin.users()) if site.scram else frozenset(),
        acls=frozenset(site.admin.acls()),
        subjects={each.subject: _subject(site.registry, each) for each in subjects},
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


def _subject(registry: RegistryClient, wanted: WantedSubject) -> SubjectState:
    registered = registry.lookup(wanted.subject, wanted.schema) is not None
    conflicts = () if registered else tuple(registry.compatible(wanted.subject, wanted.schema))
    return SubjectState(registered, registry.compatibility(wanted.subject), conflicts)
