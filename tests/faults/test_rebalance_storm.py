"""R5: three gates come and go, in order and by kill, under both group protocols, and nothing is lost."""

from __future__ import annotations

import os
import random
import secrets
import signal
from collections.abc import Iterator

import pytest

from mesh.contract import Contract
from tests.support.checker import check
from tests.support.contracts import Draft
from tests.support.flowing import Flow, await_progress
from tests.support.mesh import Program, RunningMesh
from tests.support.toll import Toll

pytestmark = pytest.mark.broker

SEED = int(os.environ.get("MESH_TEST_SEED", "20261122"))


@pytest.fixture
def contract(mesh: RunningMesh) -> Contract:
    contract = Draft(product=f"s{secrets.token_hex(4)}.readings", topic={"partitions": 6}).contract()
    mesh.apply(contract)
    return contract


@pytest.fixture(params=["classic", "consumer"])
def pool(mesh: RunningMesh, request: pytest.FixtureRequest) -> Iterator[list[Program]]:
    """Three gates in place of the session's, the first of them at work; afterwards that one runs alone again."""
    mesh.gate.stop()
    words = ("gate", "run", "--group-protocol", request.param, "--ordinal")
    programs = [Program(mesh.folder, *words, str(number)) for number in range(3)]
    programs[0].start()
    yield programs
    for program in programs:
        program.stop()
    mesh.gate.start()


def alive(gate: Program) -> bool:
    return gate.process is not None and gate.process.poll() is None


@pytest.mark.soak
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("rounds", [6, 60])
def test_a_rebalance_storm_loses_nothing(
    mesh: RunningMesh, contract: Contract, pool: list[Program], rounds: int, toll: Toll, request: pytest.FixtureRequest
) -> None:
    chance, kills = random.Random(SEED), 0
    with Flow(mesh, [contract]) as flow:
        await_progress(mesh, flow, 60)
        for _ in range(rounds):
            gate = chance.choice(pool)
            if not alive(gate):
                gate.start()
            elif chance.random() < 0.5:
                gate.kill()
                kills += 1
                gate.start()
            else:
                # One that was started a moment ago does not listen to the signal yet, and ends by it.
                assert gate.stop() in (0, -signal.SIGTERM)
            # While the group is still sorting itself out, now and then.
            flow.wait(chance.uniform(0.2, 2.0))
        for gate in pool:
            if not alive(gate):
                gate.start()
        await_progress(mesh, flow, 60)
    mesh.await_gated(contract, 90)
    tally = check(mesh.admin, contract)
    toll.add(
        f"R5 rebalance storm, {request.node.callspec.params['pool']}",
        rounds=rounds,
        kills=kills,
        written=flow.sent,
        read=tally.read,
    )
    assert (tally.read, tally.quarantined) == (flow.sent, flow.sent // 10)
