"""Told to end, a gate and a processor are gone within five seconds, broker or no broker, and nothing is lost by it."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mesh.contract import Contract
from mesh.embedded.kafka import EmbeddedKafka, KafkaOptions
from mesh.errors import BrokerUnreachable
from mesh.kafka import Admin, Producer
from mesh.types import TopicPartition
from tests.support.broker import Broker, embedded_kafka, eventually
from tests.support.checker import check
from tests.support.contracts import Draft
from tests.support.derived import Looker, derived, publish, source
from tests.support.flowing import Flow, await_progress, gated
from tests.support.mesh import RunningMesh, running_mesh
from tests.support.pipeline_oracle import expected
from tests.support.pipelines import EVENTS, Case, Event
from tests.support.toll import Toll
from tests.support.working import Job
from tests.support.writing import Framing

# In the soak: it needs a broker of its own, which is stopped and ends.
pytestmark = [pytest.mark.broker, pytest.mark.soak, pytest.mark.timeout(600)]

PROMISED_SECONDS = 5.0
UNSETTLED = BrokerUnreachable.exit_code


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    # It must not be fenced while it is stopped: where the only broker is, Kafka finds no leaders, takes partitions for
    # deleted and leaves out the markers of a transaction that it ends at that moment, which stays open for ever. So it
    # is after a kill, too, which is why nobody is killed here.
    options = KafkaOptions(properties={"broker.session.timeout.ms": "20000"})
    with embedded_kafka(tmp_path_factory.mktemp("leaving"), options) as kafka:
        yield kafka


@pytest.fixture(scope="module")
def mesh(cluster: EmbeddedKafka) -> Iterator[RunningMesh]:
    """Registry and gate on that broker."""
    with running_mesh(Broker(cluster.connection)) as running:
        yield running


@pytest.fixture
def contract(mesh: RunningMesh) -> Contract:
    """A product of the test's own; the gate runs, however the test before ended."""
    mesh.gate.ensure()
    contract = Draft(product=f"g{secrets.token_hex(4)}.readings", topic={"partitions": 3}).contract()
    mesh.apply(contract)
    return contract


def held(cluster: EmbeddedKafka, number: signal.Signals) -> None:
    """Stop or wake the only broker, as a machine that swaps would."""
    pid = cluster.node(1).pid
    assert pid is not None
    os.kill(pid, number)


def listens(process: subprocess.Popen[bytes]) -> bool:
    """Whether it catches SIGTERM already; before that it ends by it at once."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def left(process: subprocess.Popen[bytes] | None) -> int:
    """Tell it to end and hold it to the promise; gives the exit code."""
    assert process is not None
    process.terminate()
    return process.wait(PROMISED_SECONDS)


def fill(mesh: RunningMesh, contract: Contract, begin: int) -> int:
    """Write what a gate needs some transactions for; gives how many records there are now."""
    end = begin + 40_000
    with Producer(mesh.admin) as producer:
        for key, value, number in Framing(mesh, contract).many(begin, end):
            producer.produce(contract.topics.ingress, key=key, value=value, partition=number % contract.partitions)
        producer.flush()
    return end


def test_a_gate_whose_broker_answers_ends_well_idle_and_at_work(mesh: RunningMesh, contract: Contract) -> None:
    with Flow(mesh, [contract]) as flow:
        await_progress(mesh, flow, 60)
        assert left(mesh.gate.process) == 0
        mesh.gate.start()
        await_progress(mesh, flow, 60)
    mesh.await_gated(contract, 60)
    assert left(mesh.gate.process) == 0
    tally = check(mesh.admin, contract)
    assert (tally.read, tally.quarantined) == (flow.sent, flow.sent // 10)


def test_a_gate_whose_only_broker_is_away_leaves_what_is_open_to_its_successor(
    cluster: EmbeddedKafka, mesh: RunningMesh, contract: Contract, toll: Toll
) -> None:
    sent = 0
    for _ in range(2):
        sent = fill(mesh, contract, sent)
        goal = gated(mesh, contract) + 1
        eventually(lambda goal=goal: gated(mesh, contract) >= goal, 60)  # type: ignore[misc]
        held(cluster, signal.SIGSTOP)
        # Well, where it had just done everything and nothing was open.
        assert left(mesh.gate.process) in (0, UNSETTLED)
        # One that waits for its first answer.
        mesh.gate.start()
        assert mesh.gate.process is not None
        eventually(lambda: mesh.gate.process is not None and listens(mesh.gate.process), 60)
        assert left(mesh.gate.process) == UNSETTLED
        held(cluster, signal.SIGCONT)
        mesh.gate.start()
    mesh.await_gated(contract, 90)
    tally = check(mesh.admin, contract)
    toll.add("SIGTERM without a broker", rounds=4, kills=0, written=sent, read=tally.read)
    assert (tally.read, tally.quarantined) == (sent, sent // 10)


def test_a_processor_whose_only_broker_is_away_leaves_and_its_successor_ends_the_work(
    cluster: EmbeddedKafka, mesh: RunningMesh, toll: Toll
) -> None:
    mesh.gate.ensure()
    domain, partitions = "g" + secrets.token_hex(4), 2
    events = source(f"{domain}.events", partitions)
    product = derived(f"{domain}.totals", [str(events.product)], partitions=partitions)
    mesh.apply(events, product)
    made = tuple(Event(each % partitions, "abc"[each % 3], each, 1) for each in range(1_500))
    case = Case("tumbling", made, (), partitions, size=30, hop=10, lateness=5, retention=30)
    publish(mesh, events, made)
    looker = Looker(mesh, {EVENTS: events})
    looker.learn()
    job = Job(mesh, case, str(product.product), str(events.product), "", 0.01)
    worker = job.start()
    eventually(begun(mesh, product), 60)
    held(cluster, signal.SIGSTOP)
    code = left(worker.process)
    held(cluster, signal.SIGCONT)
    assert code == UNSETTLED, worker.words()
    Job(mesh, case, str(product.product), str(events.product), "").start(0, "--until-end").finish()
    wanted, written = expected(case).all(), looker.written(product).outputs
    assert sorted(str((each.value, sorted(each.parents))) for each in written) == sorted(
        str((each.value, sorted(each.parents))) for each in wanted
    )
    toll.add("processor told without a broker", rounds=1, kills=0, written=len(wanted), read=len(written))


def begun(mesh: RunningMesh, product: Contract) -> Callable[[], bool]:
    """Whether a processor has committed anything yet."""
    topics = (product.topics.ingress, product.topics.changelog)
    places = [TopicPartition(topic, number) for topic in topics for number in range(product.partitions)]

    def committed() -> bool:
        with Admin(mesh.admin) as admin:
            return sum(admin.ends(places, committed=True).values()) > 0

    return committed
