"""R4: a gate is stopped inside a transaction, its successor takes over, and it wakes: one of them goes on."""

from __future__ import annotations

import secrets
import signal
import time
from collections.abc import Iterator

import pytest

from mesh.contract import Contract
from mesh.kafka import Admin
from mesh.types import TopicPartition
from tests.support.broker import eventually
from tests.support.checker import check
from tests.support.contracts import Draft
from tests.support.flowing import Flow, await_progress
from tests.support.mesh import Program, RunningMesh
from tests.support.toll import Toll

pytestmark = pytest.mark.broker

# The group's session is 15 s, the transaction's life 10 s.
PAST_THE_SESSION = 20.0


@pytest.fixture
def contract(mesh: RunningMesh) -> Contract:
    contract = Draft(product=f"z{secrets.token_hex(4)}.readings", topic={"partitions": 3}).contract()
    mesh.apply(contract)
    # It joins with this product, as its successor will, and so under the same name: nobody waits for its session.
    mesh.gate.stop()
    mesh.gate.start()
    return contract


@pytest.fixture
def successor(mesh: RunningMesh) -> Iterator[Program]:
    """A gate of the same ordinal as the session's; afterwards that one runs again."""
    program = Program(mesh.folder, "gate", "run")
    program.log = program.log.with_name(f"successor-{secrets.token_hex(2)}.log")
    yield program
    freeze(mesh.gate, signal.SIGCONT)
    program.stop()
    if not alive(mesh.gate):
        mesh.gate.start()


def alive(gate: Program) -> bool:
    return gate.process is not None and gate.process.poll() is None


def freeze(gate: Program, number: signal.Signals) -> None:
    assert gate.process is not None
    gate.process.send_signal(number)


def freeze_inside(mesh: RunningMesh, contract: Contract) -> None:
    """Stop the gate while it has a transaction open on the public topic."""
    places = [TopicPartition(contract.topics.public, number) for number in range(contract.partitions)]
    with Admin(mesh.admin) as admin:

        def caught() -> bool:
            freeze(mesh.gate, signal.SIGSTOP)
            time.sleep(0.05)
            if admin.ends(places, committed=False) != admin.ends(places, committed=True):
                return True
            freeze(mesh.gate, signal.SIGCONT)
            return False

        eventually(caught, 60, every=0.03)


@pytest.mark.parametrize(
    "seconds", [0.0, pytest.param(PAST_THE_SESSION, marks=[pytest.mark.soak, pytest.mark.timeout(300)])]
)
def test_a_gate_that_wakes_behind_its_successor_ends_and_nothing_of_it_is_read(
    mesh: RunningMesh, contract: Contract, successor: Program, seconds: float, toll: Toll
) -> None:
    with Flow(mesh, [contract], 400) as flow:
        await_progress(mesh, flow, 60)
        freeze_inside(mesh, contract)
        flow.wait(seconds)
        successor.start()
        await_progress(mesh, flow, 60)
        freeze(mesh.gate, signal.SIGCONT)
        eventually(lambda: not alive(mesh.gate), 60)
        await_progress(mesh, flow, 60)

    assert alive(successor)
    assert mesh.gate.stop() == 1
    assert "another process owns _mesh.gate.default.0 now" in mesh.gate.log.read_text(encoding="utf-8")
    assert "taking over again" not in successor.log.read_text(encoding="utf-8"), "the sleeper fenced its successor"
    mesh.await_gated(contract, 60)
    tally = check(mesh.admin, contract)
    toll.add("R4 zombie", rounds=1, kills=0, written=flow.sent, read=tally.read)
    assert (tally.read, tally.quarantined) == (flow.sent, flow.sent // 10)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_gate_that_slept_past_its_session_and_has_no_successor_goes_on(
    mesh: RunningMesh, contract: Contract, toll: Toll
) -> None:
    with Flow(mesh, [contract], 400) as flow:
        await_progress(mesh, flow, 60)
        freeze_inside(mesh, contract)
        flow.wait(PAST_THE_SESSION)
        freeze(mesh.gate, signal.SIGCONT)
        await_progress(mesh, flow, 60)
    assert alive(mesh.gate)
    mesh.await_gated(contract, 60)
    tally = check(mesh.admin, contract)
    toll.add("R4 gate asleep", rounds=1, kills=0, written=flow.sent, read=tally.read)
    assert (tally.read, tally.quarantined) == (flow.sent, flow.sent // 10)
