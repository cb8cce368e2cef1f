"""For every principal, resource and operation of a mesh of two domains the broker answers as the generated set says."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product as combinations
from typing import Any

import pytest
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from mesh.access import GATE, desired_acls
from mesh.contract import Contract
from mesh.kafka import Acl, Admin, Connection, verify_credentials
from mesh.plan import Plan, Site, apply, survey
from tests.support.broker import eventually
from tests.support.contracts import Draft
from tests.support.mesh import RunningMesh

pytestmark = [pytest.mark.broker]

GROUP_REFUSED, END = "GROUP_AUTHORIZATION_FAILED", "_PARTITION_EOF"
_IMPLIED = {"Describe": {"Read", "Write"}}
TOPIC_OPERATIONS = ("Read", "Write", "Describe", "DescribeConfigs", "Alter", "AlterConfigs", "Delete")


class Client:
    """A bare client of one principal: what it may do is what the broker lets it, nothing else is asked."""

    def __init__(self, connection: Connection) -> None:
        self.settings: dict[str, Any] = connection.config()
        self.admin = AdminClient(self.settings)
        self.producer = Producer(self.settings | {"message.timeout.ms": 10_000})

    def may(self, operation: str, kind: str, name: str) -> bool:
        refusal = getattr(self, f"{kind.lower()}_{operation.lower()}")(name)
        assert refusal is None or "AUTHORIZATION_FAILED" in refusal, (operation, kind, name, refusal)
        return refusal is None

    def topic_read(self, name: str) -> str | None:
        # Reading implies describing, and where that is refused a consumer waits for the topic and says nothing.
        if hidden := self.topic_describe(name):
            return hidden
        extra = {"group.id": "unused", "enable.partition.eof": True, "enable.auto.commit": False}
        consumer = Consumer(self.settings | extra)
        try:
            consumer.assign([TopicPartition(name, 0, 0)])
            # The client looks for the group's coordinator although it needs none, and is refused that too.
            answer = GROUP_REFUSED
            while answer == GROUP_REFUSED:
                message = consumer.poll(15)
                assert message is not None, f"no answer for {name}"
                answer = str(message.error().name()) if message.error() else END
            return None if answer == END else answer
        finally:
            consumer.close()

    def topic_write(self, name: str) -> str | None:
        refusals: list[str | None] = []
        try:
            self.producer.produce(
                name, b"x", b"k", partition=0, on_delivery=lambda error, _: refusals.append(error and error.name())
            )
        except KafkaException as caught:
            return str(caught.args[0].name())
        self.producer.flush(15)
        assert len(refusals) == 1
        return refusals[0]

    def topic_describe(self, name: str) -> str | None:
        return refusal(self.admin.describe_topics(TopicCollection([name])))

    def topic_describeconfigs(self, name: str) -> str | None:
        return refusal(self.admin.describe_configs([ConfigResource(ResourceType.TOPIC, name)]))

    def topic_alter(self, name: str) -> str | None:
        return refusal(self.admin.create_partitions([NewPartitions(name, 9)], validate_only=True))

    def topic_alterconfigs(self, name: str) -> str | None:
        entry = ConfigEntry("retention.ms", "1", incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
        return refusal(self.admin.incremental_alter_configs([resource], validate_only=True))

    def topic_delete(self, name: str) -> str | None:
        return refusal(self.admin.delete_topics([name]))

    def topic_create(self, name: str) -> str | None:
        return refusal(self.admin.create_topics([NewTopic(name, 1, 1)], validate_only=True))

    def group_read(self, name: str) -> str | None:
        offsets = ConsumerGroupTopicPartitions(name, [TopicPartition("no-such-topic", 0, 0)])
        found = refusal(self.admin.alter_consumer_group_offsets([offsets]))
        return found if found == GROUP_REFUSED else None

    def transactionalid_write(self, name: str) -> str | None:
        producer = Producer(self.settings | {"transactional.id": name})
        try:
            producer.init_transactions(15)
        except KafkaException as caught:
            return str(caught.args[0].name())
        return None


def refusal(futures: dict[Any, Any]) -> str | None:
    (future,) = futures.values()
    try:
        future.result(15)
    except KafkaException as caught:
        found: str = caught.args[0].name()
        return found
    return None


@dataclass(frozen=True)
class TwoDomains:
    """What was applied, and a bare client of everybody concerned."""

    contracts: tuple[Contract, Contract]
    clients: dict[str, Client]
    reader: str

    @property
    def domains(self) -> tuple[str, str]:
        return (self.contracts[0].product.domain, self.contracts[1].product.domain)

    @property
    def topics(self) -> list[str]:
        found = [f"_mesh.{domain}.catalog" for domain in self.domains]
        for contract in self.contracts:
            names = contract.topics
            found += [names.public, names.ingress, names.quarantine, names.lineage, names.commands]
        return found


def granted(acls: Iterable[Acl], principal: str, operation: str, kind: str, name: str) -> bool:
    """What the authorizer should say to a set of permissions; a plain reading of Kafka's rules."""
    wanted = {operation} | _IMPLIED.get(operation, set())
    return any(
        acl.resource == kind
        and acl.principal in (principal, "*")
        and acl.operation in wanted
        and (name == acl.name if acl.pattern == "LITERAL" else name.startswith(acl.name))
        for acl in acls
    )


@pytest.fixture(scope="module")
def two(mesh: RunningMesh) -> Iterator[TwoDomains]:
    salt = secrets.token_hex(4)
    reader = f"r{salt}"
    first = Draft(product=f"a{salt}.observations", topic={"partitions": 1}, readers=[reader]).contract()
    second = Draft(product=f"b{salt}.aircraft", topic={"partitions": 1, "cleanupPolicy": "compact"}).contract()
    with Site.open(mesh.settings, first.product.domain) as site:
        plan = survey(site, (first, second), "tests")
        # Without entries no gate takes these topics up, so that the matrix may write into all of them.
        apply(Plan(tuple(change for change in plan.changes if change.kind != "record")), site)
    with Admin(mesh.admin) as admin:
        eventually(lambda: desired_acls([first, second]) <= admin.acls())
    connections = {name: mesh.connection(name) for name in (first.product.domain, second.product.domain, reader, GATE)}
    connections["stranger"] = mesh.kafka.connection(f"s{salt}")
    for connection in connections.values():
        eventually(partial(verify_credentials, connection))
    yield TwoDomains((first, second), {name: Client(each) for name, each in connections.items()}, reader)


def matrix(two: TwoDomains, operations: Iterable[str], kind: str, names: Iterable[str]) -> list[str]:
    """Where the broker's answer differs from the generated set."""
    acls = desired_acls(two.contracts)
    cells = list(combinations(two.clients, names, operations))
    assert cells
    wrong = []
    for principal, name, operation in cells:
        expected = granted(acls, principal, operation, kind, name)
        if two.clients[principal].may(operation, kind, name) != expected:
            wrong.append(f"{principal} {operation} {kind} {name}: expected {expected}")
    return wrong


def test_every_operation_on_every_topic(two: TwoDomains) -> None:
    assert matrix(two, TOPIC_OPERATIONS, "Topic", two.topics) == []


def test_groups_and_transactional_ids_belong_to_their_owners(two: TwoDomains) -> None:
    names = [f"{prefix}probe" for prefix in (*(f"{domain}." for domain in two.domains), "_mesh.gate.", "free-")]
    assert matrix(two, ["Read"], "Group", [*names, two.reader, *two.domains]) == []
    assert matrix(two, ["Write"], "TransactionalId", names) == []


def test_nobody_creates_topics(two: TwoDomains) -> None:
    for principal, client in two.clients.items():
        assert not client.may("Create", "Topic", f"{principal}.new"), principal


def test_a_domain_writes_neither_anothers_ingress_nor_any_public_topic(two: TwoDomains) -> None:
    mine, other = (contract.topics for contract in two.contracts)
    client = two.clients[two.domains[0]]
    assert client.topic_write(mine.ingress) is None
    for name in (other.ingress, mine.public, other.public, mine.quarantine, mine.lineage):
        assert client.topic_write(name) == "TOPIC_AUTHORIZATION_FAILED", name
