"""R3 and R10: the gate's link to its broker is cut in the middle of a commit, stalls, and is slow for a while."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

import psutil
import pytest

from mesh.contract import Contract
from mesh.embedded.jars import JarCache, locked_jars
from mesh.embedded.kafka import EmbeddedKafka, KafkaOptions
from mesh.embedded.ports import free_ports
from mesh.kafka import Admin, Producer
from tests.support.broker import Broker, eventually
from tests.support.checker import check
from tests.support.contracts import Draft
from tests.support.flowing import GROUP, Flow, await_progress, gated
from tests.support.mesh import RunningMesh, running_mesh
from tests.support.proxy import END_TXN, Fault, Proxy
from tests.support.toll import Toll
from tests.support.writing import Framing

# In the soak: with it make test would need more than its twelve minutes on two cores.
pytestmark = [pytest.mark.broker, pytest.mark.soak]


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedKafka, Proxy]]:
    """A broker that tells its clients to come through the proxy."""
    jars, folder = JarCache.of_environment().provide(locked_jars()), tmp_path_factory.mktemp("behind")
    password, port = secrets.token_urlsafe(16), free_ports(1)[0]
    node = EmbeddedKafka(folder, jars, password).layout.nodes[0]
    advertised = f"CLIENT://127.0.0.1:{port},INTERNAL://127.0.0.1:{node.internal}"
    options = KafkaOptions(properties={"advertised.listeners": advertised})
    with Proxy(port, node.client) as proxy, EmbeddedKafka(folder, jars, password, options) as kafka:
        yield kafka, proxy


@pytest.fixture(scope="module")
def proxy(behind: tuple[EmbeddedKafka, Proxy]) -> Proxy:
    return behind[1]


@pytest.fixture(scope="module")
def mesh(behind: tuple[EmbeddedKafka, Proxy]) -> Iterator[RunningMesh]:
    """Registry and gate on that broker."""
    with running_mesh(Broker(behind[0].connection)) as running:
        yield running


@pytest.fixture
def contract(mesh: RunningMesh) -> Contract:
    contract = Draft(product=f"l{secrets.token_hex(4)}.readings", topic={"partitions": 3}).contract()
    mesh.apply(contract)
    return contract


def settled(mesh: RunningMesh, contract: Contract, written: int, toll: Toll, what: str, rounds: int) -> None:
    """Everything written was read, and the checker finds nothing wrong."""
    mesh.await_gated(contract, 60)
    tally = check(mesh.admin, contract)
    toll.add(what, rounds=rounds, kills=0, written=written, read=tally.read)
    assert (tally.read, tally.quarantined) == (written, written // 10)


def test_a_commit_whose_link_is_cut_happens_once(
    mesh: RunningMesh, proxy: Proxy, contract: Contract, toll: Toll
) -> None:
    cuts = [Fault.CUT_BEFORE, Fault.CUT_AFTER] * 3
    with Flow(mesh, [contract]) as flow:
        await_progress(mesh, flow, 60)
        for fault in cuts:
            proxy.fail(END_TXN, fault)
            await_progress(mesh, flow, 60)
    assert proxy.seen[END_TXN, Fault.CUT_BEFORE] == proxy.seen[END_TXN, Fault.CUT_AFTER] == 3
    settled(mesh, contract, flow.sent, toll, "R3 link cut in a commit", len(cuts))


def test_a_commit_without_an_answer_replaces_the_producer(
    mesh: RunningMesh, proxy: Proxy, contract: Contract, toll: Toll
) -> None:
    with Flow(mesh, [contract]) as flow:
        await_progress(mesh, flow, 60)
        proxy.fail(END_TXN, Fault.STALL)
        # 10 s is what the gate gives a commit.
        eventually(lambda: "taking over again" in mesh.gate.log.read_text(encoding="utf-8"), 40)
        await_progress(mesh, flow, 40)
    settled(mesh, contract, flow.sent, toll, "R3 commit without an answer", 1)


BACKLOG = 300_000
SLOW_SECONDS = 40.0


@pytest.mark.timeout(600)
def test_a_slow_broker_costs_the_gate_neither_memory_nor_its_membership(
    mesh: RunningMesh, proxy: Proxy, contract: Contract, toll: Toll
) -> None:
    mesh.gate.stop()
    framing = Framing(mesh, contract)
    with Producer(mesh.admin) as producer:
        for key, value, number in framing.many(0, BACKLOG):
            producer.produce(contract.topics.ingress, key=key, value=value, partition=number % contract.partitions)
        producer.flush(120)
    mesh.gate.start()
    eventually(lambda: gated(mesh, contract) > BACKLOG // 4, 120, every=0.2)
    assert mesh.gate.process is not None
    gate = psutil.Process(mesh.gate.process.pid)
    with Admin(mesh.admin) as admin:
        members, steady, slow = admin.members(GROUP), gate.memory_info().rss, 0
        began, before = time.monotonic(), gated(mesh, contract)
        proxy.delay = 0.3
        try:
            while time.monotonic() < began + SLOW_SECONDS:
                slow = max(slow, gate.memory_info().rss)
                time.sleep(0.2)
        finally:
            proxy.delay = 0.0
        assert before < BACKLOG, "the gate was done before it became slow; more records are needed"
        assert gated(mesh, contract) > before
        assert slow < 1.3 * steady
        assert admin.members(GROUP) == members
    settled(mesh, contract, BACKLOG, toll, "R10 slow broker", 1)
