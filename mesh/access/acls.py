"""The exact set of broker permissions that follows from contracts; the broker denies everything else.

Topics are always LITERAL: a prefix on a public topic would open its quarantine and ``v1`` would open ``v10``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mesh.access.platform import AUDIT, EVERYBODY, GATE, GATE_PREFIX, LINEAGE, SCHEMAS, catalog_topic, readers_topic
from mesh.contract import Contract
from mesh.kafka import Acl
from mesh.kafka.security import Operation
from mesh.types import Principal, Reaction, Topic


def desired_acls(contracts: Iterable[Contract]) -> frozenset[Acl]:
    """Everything the contracts and the platform need, and nothing more."""
    found = {*gate_acls(), *lineage_acls()}
    for contract in contracts:
        found |= domain_acls(contract.product.domain) | product_acls(contract)
        if contract.compatibility == "READERS":
            found |= register_acls(contract.product.domain)
    return frozenset(found)


def gate_acls() -> frozenset[Acl]:
    """What every gate needs whatever the contracts say: its groups, its transactional ids and every schema."""
    return frozenset(
        {
            Acl(GATE, "Read", "Group", GATE_PREFIX, "PREFIXED"),
            *(Acl(GATE, each, "TransactionalId", GATE_PREFIX, "PREFIXED") for each in _WRITES),
            # What operators had it do is told in the same transaction.
            *_topic(GATE, AUDIT, *_WRITES),
            # Schemas are no secret of the registry's, and without them every record would wait until it answers.
            *_topic(GATE, SCHEMAS, *_READS),
        }
    )


def lineage_acls() -> frozenset[Acl]:
    """What lineage's services need whatever the contracts say: they tell who asked, and read what came into force."""
    return frozenset(_topic(LINEAGE, AUDIT, *_BOTH))


def domain_acls(domain: str) -> frozenset[Acl]:
    """A domain's own groups and transactional ids, and its catalog, which everybody may read."""
    catalog, prefix = catalog_topic(domain), f"{domain}."
    return frozenset(
        {
            Acl(domain, "Read", "Group", prefix, "PREFIXED"),
            *(Acl(domain, each, "TransactionalId", prefix, "PREFIXED") for each in _WRITES),
            *_topic(EVERYBODY, catalog, *_READS),
            *_topic(GATE, catalog, *_READS),
        }
    )


def register_acls(domain: str) -> frozenset[Acl]:
    """The register of a domain's readers, which everybody may read: a change that leaves one behind names it."""
    return frozenset(_topic(EVERYBODY, readers_topic(domain), *_READS))


def product_acls(contract: Contract) -> frozenset[Acl]:
    """Who may do what on the topics of one product."""
    return frozenset(
        {*_gate(contract), *_owner(contract), *_readers(contract), *_operators(contract), *_lineage(contract)}
    )


def readers(contract: Contract) -> tuple[Principal, ...]:
    """The principals a contract grants reading to, sorted."""
    return _principals(contract, "read")


def operators(contract: Contract) -> tuple[Principal, ...]:
    """The principals that may settle its quarantined records (roles with ``access: quarantine``), sorted."""
    return _principals(contract, "quarantine")


def _principals(contract: Contract, access: str) -> tuple[Principal, ...]:
    granted = {name for role in contract.roles if role.access == access for name in role.principals}
    return tuple(Principal(name) for name in sorted(granted))


def holds_keys(contract: Contract) -> bool:
    """Whether some clause parks the later records of a refused key."""
    return any(clause.reaction is Reaction.HOLD_KEY for clause in contract.clauses)


_READS: tuple[Operation, ...] = ("Read", "Describe")
_WRITES: tuple[Operation, ...] = ("Write", "Describe")
_BOTH: tuple[Operation, ...] = ("Read", "Write", "Describe")


def _topic(principal: str, topic: Topic, *operations: Operation) -> Iterator[Acl]:
    return (Acl(principal, operation, "Topic", topic) for operation in operations)


def _gate(contract: Contract) -> Iterator[Acl]:
    topics = contract.topics
    yield from _topic(GATE, topics.ingress, *_READS)
    yield from _topic(GATE, topics.commands, *_READS)
    # What is parked stays so when a later version of the contract holds no keys any more, and has to get out again.
    for topic in (topics.public, topics.quarantine, topics.lineage, topics.state):
        yield from _topic(GATE, topic, *_BOTH)
    if contract.derivation is not None:
        yield from _topic(GATE, topics.parents, *_READS)


def _lineage(contract: Contract) -> Iterator[Acl]:
    """The collector reads manifests and parents; records it cannot read, so it cannot give them away."""
    topics = contract.topics
    for topic in (topics.lineage, topics.parents) if contract.derivation is not None else (topics.lineage,):
        yield from _topic(LINEAGE, topic, *_READS)


def _owner(contract: Contract) -> Iterator[Acl]:
    domain, topics = contract.product.domain, contract.topics
    yield from _topic(domain, topics.ingress, *_BOTH)
    for topic in (topics.public, topics.quarantine, topics.lineage, topics.commands, *_parking(contract)):
        yield from _topic(domain, topic, *_READS)
    # Its processor runs as the domain, in a group and under a transactional id that begin with the domain's name.
    for topic in _processing(contract):
        yield from _topic(domain, topic, *_BOTH)


def _parking(contract: Contract) -> tuple[Topic, ...]:
    """Where records wait for an earlier one of their key: as good a place to look at as the quarantine."""
    return (contract.topics.state,) if holds_keys(contract) else ()


def _processing(contract: Contract) -> tuple[Topic, ...]:
    derivation, topics = contract.derivation, contract.topics
    if derivation is None:
        return ()
    own = (topics.parents, topics.changelog)
    return (*own, topics.repartition) if derivation.repartition else own


def _readers(contract: Contract) -> Iterator[Acl]:
    """Readers get the public topic alone: the quarantine holds refused data, the lineage other people's offsets."""
    for reader in readers(contract):
        yield from _topic(reader, contract.topics.public, *_READS)
        yield Acl(reader, "Read", "Group", reader)


def _operators(contract: Contract) -> Iterator[Acl]:
    """Operators see what was refused and what became of it; what they ask for is done by the gate alone."""
    topics = contract.topics
    for operator in operators(contract):
        yield from _topic(operator, topics.commands, *_BOTH)
        for topic in (topics.quarantine, topics.lineage, *_parking(contract)):
            yield from _topic(operator, topic, *_READS)
        for topic in (topics.ingress, topics.public):
            yield Acl(operator, "Describe", "Topic", topic)
