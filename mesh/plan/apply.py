"""Takes the steps of a plan, in its order; whatever a crash leaves undone, the next plan contains again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from mesh.access import secret_for
from mesh.catalog import Entry
from mesh.errors import DeadlineExceeded, IncompatibleChange, RequestRefused
from mesh.kafka import Producer
from mesh.plan import audit
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
from mesh.plan.desired import Place, WantedTopic
from mesh.plan.diff import Plan
from mesh.plan.site import Site

_GROWTH_SECONDS = 15.0
_SPREAD_SECONDS = 60.0
_LOOK_SECONDS = 0.02


def check(plan: Plan, *, allow_destructive: bool) -> None:
    """Raise IncompatibleChange when a plan holds what cannot be done, or destroys what nobody allowed it to."""
    if plan.impossible:
        raise IncompatibleChange("the mesh", [f"{each.resource}: {each.impossible}" for each in plan.impossible])
    if plan.destructive and not allow_destructive:
        losses = [f"{each.resource} would lose {each.loses}" for each in plan.destructive]
        raise IncompatibleChange("without --allow-destructive the mesh", losses)


def apply(
    plan: Plan,
    site: Site,
    *,
    allow_destructive: bool = False,
    taken: Callable[[Change], None] = lambda _: None,
    now: Callable[[], float] = time.time,
) -> None:
    """Take every step and call ``taken`` after each; a plan without changes touches nothing.

    The intent is on the audit log before anything of a product changes. Raises IncompatibleChange before the first
    step (see ``check``), NotAuthorised for all but the platform's principal, and whatever a step meets.
    """
    check(plan, allow_destructive=allow_destructive)
    if not plan.changes:
        return
    at, actor = audit.iso(now()), site.connection.principal
    with Producer(site.connection) as producer:
        recorded, told = False, list[Grant | Revoke]()
        for change in plan.changes:
            if not recorded and not _platform(change):
                audit.record(producer, "apply", actor, at, plan.changes)
                recorded = True
            if isinstance(change, WriteEntry):
                _await_permissions(site, told)
                _enter(replace(change.entry, applied_at=at, applied_by=actor), site, producer)
            else:
                _take(change, site)
            if isinstance(change, Grant | Revoke):
                told.append(change)
            taken(change)
        _await_permissions(site, told)
        audit.record(producer, "applied", actor, audit.iso(now()), plan.changes)


def _platform(change: Change) -> bool:
    """Whether a step makes what the audit itself needs."""
    return isinstance(change, CreateTopic) and change.topic.place is Place.PLATFORM


def _enter(entry: Entry, site: Site, producer: Producer) -> None:
    """The audit log first: what it does not hold, nobody will ever know to have been in force."""
    audit.declare(producer, entry)
    site.catalog.write(entry, producer)


def _take(change: Change, site: Site) -> None:
    match change:
        case CreateTopic(topic=topic):
            _create(site, topic)
        case CreateUser(principal=principal):
            site.admin.create_user(principal, secret_for(site.settings, principal, site.cluster).get_secret_value())
        case GrowTopic(topic=topic):
            _grow(site, topic)
        case AlterTopic(topic=name, new=new):
            site.admin.set_config(name, new)
        case SetCompatibility(subject=subject):
            site.registry.set_compatibility(subject.subject, subject.compatibility)
        case RegisterSchema(subject=subject, owner=owner):
            site.registry.register(subject.subject, subject.schema, product=owner)
        case Grant(acls=acls):
            site.admin.create_acls(acls)
        case Revoke(acls=acls):
            site.admin.delete_acls(acls)
        case DeleteTopic(topic=name):
            site.admin.delete_topic(name)
        case _:
            raise AssertionError(change)


def _create(site: Site, topic: WantedTopic) -> None:
    """A topic that a crashed apply has just made may have been unknown yet to the broker that the plan asked."""
    try:
        site.admin.create_topic(topic.name, topic.partitions, topic.config)
    except RequestRefused as error:
        if error.code != "TOPIC_ALREADY_EXISTS":
            raise


def _await_permissions(site: Site, told: list[Grant | Revoke]) -> None:
    """Wait until the brokers know what the controller was told: whoever is granted something will use it at once."""
    granted = {acl for change in told if isinstance(change, Grant) for acl in change.acls}
    revoked = {acl for change in told if isinstance(change, Revoke) for acl in change.acls} - granted
    told.clear()
    if not granted and not revoked:
        return
    deadline = time.monotonic() + _SPREAD_SECONDS
    while not granted <= (known := site.admin.acls()) or revoked & known:
        if time.monotonic() > deadline:
            raise DeadlineExceeded("spreading permissions to the brokers", _SPREAD_SECONDS)
        time.sleep(_LOOK_SECONDS)


def _grow(site: Site, topic: WantedTopic) -> None:
    """Grow a topic and wait until the cluster shows it: the ingress must never run ahead of where its records go."""
    site.admin.add_partitions(topic.name, topic.partitions)
    deadline = time.monotonic() + _GROWTH_SECONDS
    while site.admin.topics([topic.name])[topic.name].partitions < topic.partitions:
        if time.monotonic() > deadline:
            raise DeadlineExceeded(f"growing {topic.name}", _GROWTH_SECONDS)
        time.sleep(0.05)
