"""What should be: topics, subjects, users, permissions and catalog entries that follow from contracts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import groupby

from mesh.access import (
    AUDIT,
    catalog_topic,
    domain_acls,
    gate_acls,
    holds_keys,
    lineage_acls,
    operators,
    product_acls,
    readers,
    readers_topic,
    register_acls,
)
from mesh.catalog import Entry
from mesh.contract import Contract
from mesh.contract.topic import DAY_MS
from mesh.kafka import Acl
from mesh.types import Principal, ProductTopics, Subject, Topic

PLATFORM = "(mesh)"
"""The owner of what belongs to no domain, in a table of changes."""

# Refused records wait for somebody to look at them; a month covers a holiday.
_QUARANTINE_RETENTION = 30 * DAY_MS
# A manifest lists every refused offset and every origin of up to 20,000 records.
_MANIFEST_BYTES = 8 * 1024 * 1024
_FOR_EVER = "-1"
_MANIFEST_COMPATIBILITY = "BACKWARD_TRANSITIVE"
READERS = "READERS"
"""The mode under which registered readers decide; registries know no such word, and are told to let pass."""
# Keys are read by everybody, and what nobody has said yet of a product's readers is taken to be everything.
UNKNOWN_READERS = "FULL_TRANSITIVE"
_UNJUDGED = "NONE"


class Place(IntEnum):
    """When a topic is made, grown or configured: what is written to before what is read from."""

    PLATFORM = 0
    OUTPUT = 1
    INGRESS = 2


@dataclass(frozen=True, slots=True)
class WantedTopic:
    """A topic as it should be; ``fixed`` says why its partitions may never grow."""

    name: Topic
    partitions: int
    config: Mapping[str, str]
    place: Place = Place.OUTPUT
    fixed: str | None = None


@dataclass(frozen=True, slots=True)
class WantedSubject:
    """A schema that should be registered, and the compatibility its subject should have.

    ``read_as`` is the public topic whose registered readers decide instead, under READERS.
    """

    subject: Subject
    schema: str
    compatibility: str
    read_as: Topic | None = None

    @property
    def mode(self) -> str:
        """The mode changes are judged by."""
        return READERS if self.read_as else self.compatibility


@dataclass(frozen=True, slots=True)
class Scope:
    """What belongs to one owner: a product, a domain, or the platform. ``gone`` lists topics that should not be."""

    owner: str
    topics: tuple[WantedTopic, ...] = ()
    subjects: tuple[WantedSubject, ...] = ()
    users: tuple[Principal, ...] = ()
    acls: frozenset[Acl] = frozenset()
    entry: Entry | None = None
    gone: tuple[Topic, ...] = ()


@dataclass(frozen=True, slots=True)
class Desired:
    """Everything that should be on one cluster, as far as these contracts know."""

    scopes: tuple[Scope, ...]

    @property
    def acls(self) -> frozenset[Acl]:
        """The permissions of all scopes together."""
        return frozenset().union(*(scope.acls for scope in self.scopes))


def desired(contracts: Iterable[Contract], source: str, manifest_schema: str, *, users: bool = True) -> Desired:
    """What the contracts of ``source`` ask for.

    ``manifest_schema`` is the Avro schema of lineage manifests; ``users`` is False where the broker keeps none.
    """
    ordered = sorted(contracts, key=lambda each: (each.product, each.major))
    scopes = [_platform()]
    for domain, members in groupby(ordered, key=lambda each: each.product.domain):
        known = tuple(members)
        scopes.append(_domain(domain, register=any(each.compatibility == READERS for each in known)))
        scopes += [_product(contract, source, manifest_schema) for contract in known]
    return Desired(tuple(scopes if users else (replace(scope, users=()) for scope in scopes)))


def family(topics: ProductTopics) -> tuple[Topic, ...]:
    """Every topic a product can have, what is read from first: the order in which they are taken down."""
    outputs = (topics.public, topics.quarantine, topics.lineage, topics.parents)
    return (topics.ingress, topics.commands, topics.state, topics.changelog, topics.repartition, *outputs)


def _platform() -> Scope:
    audit = {"cleanup.policy": "delete", "retention.ms": _FOR_EVER}
    return Scope(PLATFORM, topics=(_single(AUDIT, audit),), acls=gate_acls() | lineage_acls())


def _domain(domain: str, *, register: bool) -> Scope:
    """What a domain has whatever its products are; ``register`` where registered readers decide about some."""
    names = (catalog_topic(domain), readers_topic(domain)) if register else (catalog_topic(domain),)
    topics = tuple(_single(name, {"cleanup.policy": "compact"}) for name in names)
    acls = domain_acls(domain) | register_acls(domain) if register else domain_acls(domain)
    return Scope(domain, topics=topics, users=(Principal(domain),), acls=acls)


def _single(name: Topic, config: Mapping[str, str]) -> WantedTopic:
    return WantedTopic(name, 1, config, Place.PLATFORM, fixed="it is one log, read in order")


def _product(contract: Contract, source: str, manifest_schema: str) -> Scope:
    entry = Entry.of(contract, source)
    owner = str(contract.product)
    if entry.retired:
        return Scope(owner, entry=entry, gone=family(contract.topics))
    return Scope(
        owner,
        topics=tuple(_topics(contract)),
        subjects=tuple(_subjects(contract, manifest_schema)),
        users=tuple(dict.fromkeys((*readers(contract), *operators(contract)))),
        acls=product_acls(contract),
        entry=entry,
    )


def _topics(contract: Contract) -> Iterator[WantedTopic]:
    topics, partitions, fixed = contract.topics, contract.partitions, _fixed(contract)
    log = {"cleanup.policy": "delete", "retention.ms": _FOR_EVER}
    room = {"max.message.bytes": contract.topic_config["max.message.bytes"]}
    outputs: dict[Topic, Mapping[str, str]] = {
        topics.public: contract.topic_config,
        topics.quarantine: {"cleanup.policy": "delete", "retention.ms": _quarantine_retention(contract), **room},
        topics.lineage: {**log, "max.message.bytes": str(_MANIFEST_BYTES)},
        topics.commands: log,
    }
    if holds_keys(contract):
        outputs[topics.state] = {"cleanup.policy": "compact", **room}
    if contract.derivation is not None:
        outputs |= _processing(contract, log)
    for name, config in outputs.items():
        yield WantedTopic(name, partitions, config, Place.OUTPUT, fixed)
    yield WantedTopic(topics.ingress, partitions, contract.ingress_config, Place.INGRESS, fixed)


def _processing(contract: Contract, log: Mapping[str, str]) -> dict[Topic, Mapping[str, str]]:
    """What the processor of a derived product writes beside it."""
    topics = contract.topics
    found: dict[Topic, Mapping[str, str]] = {
        topics.parents: {**log, "max.message.bytes": str(_MANIFEST_BYTES)},
        topics.changelog: {"cleanup.policy": "compact", "max.message.bytes": str(_MANIFEST_BYTES)},
    }
    if contract.derivation is not None and contract.derivation.repartition:
        room = {"max.message.bytes": contract.topic_config["max.message.bytes"]}
        found[topics.repartition] = {"cleanup.policy": "delete", "retention.ms": str(_QUARANTINE_RETENTION), **room}
    return found


def _fixed(contract: Contract) -> str | None:
    if contract.cleanup == "compact":
        return "the product is compacted, and its keys would move to other partitions"
    if holds_keys(contract):
        return "the product holds keys, and they would move to other partitions"
    if contract.derivation is not None:
        return "the product is derived, and the state of its processor would be looked for in other partitions"
    return None


def _quarantine_retention(contract: Contract) -> str:
    if holds_keys(contract):
        # A key is held until its record is settled, and one that has expired nobody could settle.
        return _FOR_EVER
    public = int(contract.topic_config.get("retention.ms", 0))
    return _FOR_EVER if public < 0 else str(max(public, _QUARANTINE_RETENTION))


def _subjects(contract: Contract, manifest_schema: str) -> Iterator[WantedSubject]:
    by_readers = contract.compatibility == READERS
    mode = UNKNOWN_READERS if by_readers else contract.compatibility
    for topic in (contract.topics.ingress, contract.topics.public):
        if contract.key_schema != "null":
            yield WantedSubject(Subject(f"{topic}-key"), contract.key_schema_json, mode)
        value = WantedSubject(Subject(f"{topic}-value"), contract.value_schema_json, mode)
        yield replace(value, compatibility=_UNJUDGED, read_as=contract.topics.public) if by_readers else value
    yield WantedSubject(Subject(f"{contract.topics.lineage}-value"), manifest_schema, _MANIFEST_COMPATIBILITY)
