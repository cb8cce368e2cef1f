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
from tests.support.writing import Framing

pytestmark = pytest.mark.broker

RECORDS = 60_000
ROUNDS = 5
SEED = int(os.environ.get("MESH_TEST_SEED", "20261122"))


@pytest.fixture
def contract(mesh: RunningMesh) -> Iterator[Contract]:
    """A product of its own; afterwards the session's gate runs again."""
    contract = Draft(product=f"k{secrets.token_hex(4)}.readings", topic={"partitions": 3}).contract()
    mesh.apply(contract)
    yield contract
    if mesh.gate.process is None or mesh.gate.process.poll() is not None:
        mesh.gate.start()


def fill(mesh: RunningMesh, contract: Contract, records: int) -> None:
    framing = Framing(mesh, contract)
    with Producer(mesh.connection(contract.product.domain)) as producer:
        for key, value, number in framing.many(0, records):
            headers = [("mesh-origin", f"made#{number}".encode())]
            producer.produce(
                contract.topics.ingress, key=key, value=value, headers=headers, partition=number % contract.partitions
            )
        producer.flush()


def written(admin: Admin, contract: Contract) -> int:
    """Records and markers on the public topic, committed or not: how far the gate has come."""
    places = [TopicPartition(contract.topics.public, number) for number in range(contract.partitions)]
    return sum(admin.ends(places, committed=False).values())


def test_five_kills_in_mid_run_lose_nothing_and_double_nothing(mesh: RunningMesh, contract: Contract) -> None:
    chance = random.Random(SEED)
    mesh.gate.stop()
    fill(mesh, contract, RECORDS)
    with Admin(mesh.admin) as admin:
        for _ in range(ROUNDS):
            mesh.gate.start()
            goal = written(admin, contract) + chance.randrange(1, RECORDS // 16)
            eventually(lambda goal=goal: written(admin, contract) >= goal, 60, every=0.005)  # type: ignore[misc]
            # Anywhere in a transaction's life, also between its commit and whatever comes after it.
            time.sleep(chance.uniform(0, 0.4))
            mesh.gate.kill()
    assert unsettled(mesh, contract) > 0, "the gate was done before the last kill; more records are needed"
    mesh.gate.start()
    mesh.await_gated(contract, 60)
    tally = check(mesh.admin, contract)
    assert (tally.read, tally.accepted, tally.quarantined) == (RECORDS, RECORDS * 9 // 10, RECORDS // 10)


def unsettled(mesh: RunningMesh, contract: Contract) -> int:
    places = [TopicPartition(contract.topics.ingress, number) for number in range(contract.partitions)]
    with Admin(mesh.admin) as admin:
        committed = admin.committed("_mesh.gate.default", places)
        return sum(end - (committed[place] or 0) for place, end in admin.ends(places, committed=True).items())
