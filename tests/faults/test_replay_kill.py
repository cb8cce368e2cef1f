"""The gate is killed while it settles commands: every replay has one effect, every command is settled once."""

from __future__ import annotations

import os
import random
import secrets
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from mesh.contract import Contract
from mesh.gate.quarantine import Command, Patch, Verb
from mesh.kafka import LogReader, Producer
from mesh.lineage import Manifest, Result, decode_manifest
from mesh.types import Coordinate, TopicPartition
from tests.support.broker import eventually
from tests.support.checker import check
from tests.support.contracts import Draft
from tests.support.mesh import RunningMesh
from tests.support.toll import Toll
from tests.support.writing import Framing

# In the soak: with it make test would need more than its twelve minutes on two cores.
pytestmark = [pytest.mark.broker, pytest.mark.soak]

RECORDS = 900
ROUNDS = 3
SEED = int(os.environ.get("MESH_TEST_SEED", "20261122"))


@pytest.fixture
def contract(mesh: RunningMesh) -> Iterator[Contract]:
    """One partition with a third of its records refused; afterwards the session's gate runs again."""
    contract = Draft(product=f"k{secrets.token_hex(4)}.readings", topic={"partitions": 1}).contract()
    mesh.apply(contract)
    fill(mesh, contract, range(RECORDS))
    mesh.await_gated(contract)
    yield contract
    mesh.gate.ensure()


def fill(mesh: RunningMesh, contract: Contract, numbers: range) -> None:
    framing = Framing(mesh, contract)
    with Producer(mesh.connection(contract.product.domain)) as producer:
        for number in numbers:
            station, speed = f"S{number % 7}", 400.0 if number % 3 == 0 else 1.0
            key, value = framing.key(station), framing.value(station, speed)
            producer.produce(contract.topics.ingress, key=key, value=value, partition=0)
        producer.flush()


def manifests(mesh: RunningMesh, contract: Contract) -> list[Manifest]:
    with LogReader(mesh.admin) as reader:
        found = reader.read(TopicPartition(contract.topics.lineage, 0), 0, 1 << 60)
        return [decode_manifest(record.value() or b"") for record in found]


def commands(mesh: RunningMesh, contract: Contract) -> list[Command]:
    """Each record is asked for twice: passed, refused again, or discarded the first time; never twice the same."""
    with LogReader(mesh.admin) as reader:
        held = [r.offset() for r in reader.read(TopicPartition(contract.topics.quarantine, 0), 0, 1 << 60)]
    assert len(held) == RECORDS // 3
    patches = (Patch({"speed": 2.0}), None, Patch({"speed": 500.0}))
    found = []
    for number, offset in enumerate(held):
        verb = Verb.DISCARD if number % 4 == 3 else Verb.REPLAY
        coordinate, patch = Coordinate(contract.topics.quarantine, 0, offset), patches[number % 3]
        order = Command(verb=verb, coordinate=coordinate, actor="tests", reason="", at=1, patch=patch)
        found.append(order)
    return found * 2


def test_kills_while_commands_are_settled_leave_one_effect_each(
    mesh: RunningMesh, contract: Contract, toll: Toll
) -> None:
    chance = random.Random(SEED)
    orders = commands(mesh, contract)
    cuts = sorted(chance.sample(range(50, len(orders) - 50), ROUNDS))
    with Producer(mesh.admin) as producer:
        for number, order in enumerate(orders):
            key, value = order.encode()
            producer.produce(contract.topics.commands, key=key, value=value, partition=0)
            if number % 10 == 0:
                producer.flush()
                time.sleep(0.02)
            if number in cuts:
                # In the middle of settling what was sent: somewhere in a transaction's life.
                producer.flush()
                eventually(lambda goal=number - 40: manifests(mesh, contract)[-1].commands_next > goal, 40)  # type: ignore[misc]
                time.sleep(chance.uniform(0, 0.25))
                mesh.gate.kill()
                fill(mesh, contract, range(30))
                mesh.gate.start()
        producer.flush()
    eventually(lambda: manifests(mesh, contract)[-1].commands_next == len(orders), 60)
    mesh.await_gated(contract, 60)
    tally = check(mesh.admin, contract)
    settled = Counter(s.quarantined for m in manifests(mesh, contract) for s in m.settlements if s.result.settles)
    assert set(settled.values()) == {1}, "a record was settled twice"
    assert len(settled) == RECORDS // 3
    results = Counter(s.result for m in manifests(mesh, contract) for s in m.settlements)
    discarded = sum(order.verb is Verb.DISCARD for order in orders) // 2
    passed = sum(order.verb is Verb.REPLAY and order.patch == Patch({"speed": 2.0}) for order in orders) // 2
    assert results == {
        Result.PASSED: passed,
        Result.DISCARDED: discarded,
        Result.REFUSED: len(orders) // 2 - passed - discarded,
        Result.VOID: len(orders) // 2,
    }
    read = RECORDS + 30 * ROUNDS
    toll.add("R11 gate killed while settling", rounds=ROUNDS, kills=ROUNDS, written=read, read=tally.read)
    assert (tally.read, tally.accepted) == (read, read * 2 // 3 + passed)
