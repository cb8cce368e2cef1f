"""R2 on three brokers: whichever of them is killed, every record ends in one place, and only once."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator

import pytest
from confluent_kafka.admin import NewTopic

from mesh.contract import Contract
from mesh.embedded.kafka import EmbeddedKafka, KafkaOptions
from mesh.errors import RetriableError
from mesh.gate import GateView, State
from mesh.gate.run import WallClock
from mesh.kafka import Admin, LogReader, Producer
from tests.support.broker import Broker, embedded_kafka, eventually
from tests.support.checker import Tally, check
from tests.support.contracts import Draft
from tests.support.flowing import Flow, await_progress, gated
from tests.support.mesh import RunningMesh, running_mesh
from tests.support.toll import Toll
from tests.support.writing import Framing

# In the soak: with it make test would need more than its twelve minutes on two cores.
pytestmark = [pytest.mark.broker, pytest.mark.soak]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """Three nodes, each broker and controller; replication 3, two in sync, also for offsets and transactions."""
    with embedded_kafka(tmp_path_factory.mktemp("three"), KafkaOptions(nodes=3, heap_mib=384)) as kafka:
        yield kafka


@pytest.fixture(scope="module")
def mesh(cluster: EmbeddedKafka) -> Iterator[RunningMesh]:
    """Registry and gate on the three nodes."""
    with running_mesh(Broker(cluster.connection)) as running:
        yield running


@pytest.fixture
def contract(mesh: RunningMesh) -> Contract:
    """A product of the test's own; the gate runs, whatever the test before left behind."""
    mesh.gate.ensure()
    return product(mesh)


def product(mesh: RunningMesh) -> Contract:
    contract = Draft(product=f"f{secrets.token_hex(4)}.readings", topic={"partitions": 3}).contract()
    mesh.apply(contract)
    return contract


def settled(mesh: RunningMesh, contract: Contract, written: int) -> Tally:
    """Everything written was read, and the checker finds nothing wrong."""
    mesh.await_gated(contract, 60)
    tally = check(mesh.admin, contract)
    assert (tally.read, tally.accepted, tally.quarantined) == (written, written - written // 10, written // 10)
    return tally


def active_controller(cluster: EmbeddedKafka) -> int:
    """The leader of the metadata quorum, as the node that knows the newest epoch wrote it down."""
    states = cluster.folder.glob("node-*/data/__cluster_metadata-0/quorum-state")
    known = [json.loads(path.read_text(encoding="utf-8")) for path in states]
    return int(max(known, key=lambda state: state["leaderEpoch"])["leaderId"])


def in_sync(cluster: EmbeddedKafka) -> bool:
    """Whether every replica of every partition has caught up."""
    with Admin(cluster.connection) as admin:
        topics = admin.client.list_topics(timeout=10).topics.values()
        return all(len(place.isrs) == 3 for topic in topics for place in topic.partitions.values())


LONG = [pytest.mark.soak, pytest.mark.timeout(900)]


@pytest.mark.parametrize("kills", [1, pytest.param(3, marks=LONG)])
def test_brokers_are_killed_in_turn_and_nothing_is_lost(
    cluster: EmbeddedKafka, mesh: RunningMesh, contract: Contract, kills: int, toll: Toll
) -> None:
    killed: list[int] = []
    with Flow(mesh, [contract]) as flow:
        await_progress(mesh, flow, 60)
        for _ in range(kills):
            # The active controller as long as it is one of those still to be killed: the worst that can happen.
            left = [number for number in (1, 2, 3) if number not in killed]
            number = next((each for each in left if each == active_controller(cluster)), left[0])
            cluster.node(number).kill()
            killed.append(number)
            await_progress(mesh, flow, 60)
            cluster.restart(number)
            eventually(lambda: in_sync(cluster), 60, every=0.2)
    tally = settled(mesh, contract, flow.sent)
    toll.add("R2 broker killed", rounds=kills, kills=kills, written=flow.sent, read=tally.read)


def on_one_broker(mesh: RunningMesh, number: int) -> Contract:
    """A product whose public topic has one replica of each partition, that of partition 1 on this broker."""
    contract = Draft(product=f"f{secrets.token_hex(4)}.readings", topic={"partitions": 3}).contract()
    first, second = (each for each in (1, 2, 3) if each != number)
    topic = NewTopic(
        contract.topics.public,
        3,
        replica_assignment=[[first], [number], [second]],
        config={"min.insync.replicas": "1"},
    )
    with Admin(mesh.admin) as admin:
        admin.client.create_topics([topic])[topic.topic].result(30)
    mesh.apply(contract)
    return contract


def write(mesh: RunningMesh, *contracts: Contract) -> None:
    with Producer(mesh.admin) as producer:
        for contract in contracts:
            for key, value, number in Framing(mesh, contract).many(0, 300):
                producer.produce(contract.topics.ingress, key=key, value=value, partition=number % contract.partitions)
        producer.flush(60)


def culprits(mesh: RunningMesh, contract: Contract) -> set[str]:
    """What `mesh gate status` says of the partitions of a product that stand still; nothing while it cannot be told."""
    try:
        with Admin(mesh.admin) as admin, LogReader(mesh.admin) as reader:
            found = GateView(admin, reader, WallClock()).look([contract]).partitions
    except RetriableError:
        return set()
    return {each.reason for each in found if each.state is State.BLOCKED}


def test_a_product_whose_partition_nobody_leads_is_taken_up_when_its_broker_is_back(
    cluster: EmbeddedKafka, mesh: RunningMesh, contract: Contract, toll: Toll
) -> None:
    """A gate that starts meanwhile serves the other product, and is not told when the broker is there again."""
    number = next(each for each in (1, 2, 3) if each != active_controller(cluster))
    one_sided = on_one_broker(mesh, number)
    assert mesh.gate.stop() == 0
    write(mesh, contract, one_sided)
    cluster.node(number).kill()
    try:
        mesh.gate.start()
        mesh.await_gated(contract, 60)
        nobody = f"{one_sided.topics.public}/1"
        eventually(lambda: any(nobody in reason for reason in culprits(mesh, one_sided)), 30)
        assert not culprits(mesh, contract)
        assert gated(mesh, one_sided) == 0
    finally:
        cluster.restart(number)
    read = sum(settled(mesh, each, 300).read for each in (contract, one_sided))
    toll.add("R2 partition without a leader at start", rounds=1, kills=1, written=600, read=read)
