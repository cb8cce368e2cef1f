"""R1: the gate is killed as the kernel would, in mid-run, and every record still ends in exactly one place."""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import Iterator

import pytest

from mesh.contract import Contract
from mesh.kafka import Admin, Producer
from mesh.types import TopicPartition
from tests.support.broker import eventually
from tests.support.checker import check
from tests.support.contracts import Draft
from tests.support.mesh import RunningMesh
from tests.support.toll import Toll
from tests.support.writing import Framing

pytestmark = pytest.mark.broker

RECORDS = 16_000
"""Of each round: about as many as a gate moves in the time that its commits take."""
SEED = int(os.environ.get("MESH_TEST_SEED", "20261122"))


@pytest.fixture
def contract(mesh: RunningMesh) -> Iterator[Contract]:
    """A product of its own; afterwards the session's gate runs again."""
    contract = Draft(product=f"k{secrets.token_hex(4)}.readings", topic={"partitions": 3}).contract()
    mesh.apply(contract)
    yield contract
    mesh.gate.ensure()


def fill(mesh: RunningMesh, contract: Contract, begin: int, end: int) -> None:
    framing = Framing(mesh, contract)
    with Producer(mesh.connection(contract.product.domain)) as producer:
        for key, value, number in framing.many(begin, end):
            headers = [("mesh-origin", f"made#{number}".encode())]
            producer.produce(
                contract.topics.ingress, key=key, value=value, headers=headers, partition=number % contract.partitions
            )
        producer.flush()


def written(admin: Admin, contract: Contract) -> int:
    """Records and markers on the public topic, committed or not: how far the gate has come."""
    places = [TopicPartition(contract.topics.public, number) for number in range(contract.partitions)]
    return sum(admin.ends(places, committed=False).values())


@pytest.mark.parametrize("rounds", [5, pytest.param(50, marks=[pytest.mark.soak, pytest.mark.timeout(1_800)])])
def test_kills_in_mid_run_lose_nothing_and_double_nothing(
    mesh: RunningMesh, contract: Contract, rounds: int, toll: Toll
) -> None:
    chance, few = random.Random(SEED), rounds <= 5
    # Of few rounds most have to come in the middle, of many some.
    records = 40_000 if few else RECORDS
    mesh.gate.stop()
    hit = 0
    with Admin(mesh.admin) as admin:
        for number in range(rounds):
            fill(mesh, contract, number * records, (number + 1) * records)
            mesh.gate.start()
            goal = written(admin, contract) + chance.randrange(1, records // 2)
            eventually(lambda goal=goal: written(admin, contract) >= goal, 60, every=0.005)  # type: ignore[misc]
            # Anywhere in a transaction's life, with many rounds also between its commit and what comes after it.
            time.sleep(chance.uniform(0, 0.03 if few else 0.15))
            mesh.gate.kill()
            hit += written(admin, contract) < (number + 1) * records * 9 // 10
    assert hit >= 2, "the gate was done before it was killed; more records are needed"
    mesh.gate.start()
    mesh.await_gated(contract, 60)
    tally = check(mesh.admin, contract)
    read = rounds * records
    toll.add("R1 gate killed", rounds=rounds, kills=rounds, written=read, read=tally.read)
    assert (tally.read, tally.accepted, tally.quarantined) == (read, read * 9 // 10, read // 10)
