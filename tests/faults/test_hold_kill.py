"""The gate is killed while keys are held and while records are released: the order of every key stays."""

from __future__ import annotations

import os
import random
import secrets
import time
from collections import defaultdict
from collections.abc import Iterator

import pytest

from mesh.contract import Contract
from mesh.gate.quarantine import Command, Patch, Quarantined, Verb
from mesh.kafka import LogReader, Message, Producer
from mesh.lineage import Manifest, decode_manifest
from mesh.types import Coordinate, TopicPartition
from tests.support.broker import eventually
from tests.support.checker import check
from tests.support.contracts import Draft
from tests.support.mesh import RunningMesh
from tests.support.writing import Framing

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

ROUNDS = int(os.environ.get("MESH_TEST_ROUNDS", "2"))
RECORDS = 1_200
KEYS = 5
SEED = int(os.environ.get("MESH_TEST_SEED", "20261126"))
NUMBER = {"name": "number", "logicalType": "integer", "physicalType": "int", "required": True}


@pytest.fixture
def contract(mesh: RunningMesh) -> Iterator[Contract]:
    draft = Draft(
        product=f"k{secrets.token_hex(4)}.readings", reaction="hold-key", topic={"partitions": 1}, extra=[NUMBER]
    )
    contract = draft.contract()
    mesh.apply(contract)
    yield contract
    if mesh.gate.process is None or mesh.gate.process.poll() is not None:
        mesh.gate.start()


def fill(mesh: RunningMesh, contract: Contract, chance: random.Random, begin: int, end: int) -> None:
    """About one record in sixty holds its key, so that queues grow long."""
    framing = Framing(mesh, contract)
    with Producer(mesh.connection(contract.product.domain)) as producer:
        for number in range(begin, end):
            speed = 400.0 if chance.random() < 1 / 60 else 1.0
            key, value = framing.key(f"S{number % KEYS}"), framing.value(f"S{number % KEYS}", speed, number=number)
            producer.produce(contract.topics.ingress, key=key, value=value, partition=0)
        producer.flush()


def read(mesh: RunningMesh, topic: str) -> list[Message]:
    with LogReader(mesh.admin) as reader:
        return list(reader.read(TopicPartition(topic, 0), 0, 1 << 60))


def manifests(mesh: RunningMesh, contract: Contract) -> list[Manifest]:
    return [decode_manifest(record.value() or b"") for record in read(mesh, contract.topics.lineage)]


def mend(mesh: RunningMesh, contract: Contract) -> int:
    """Replay every open record with a value that passes; gives how many there were."""
    settled = {each.quarantined for m in manifests(mesh, contract) for each in m.settlements if each.result.settles}
    found = [Quarantined.of(record) for record in read(mesh, contract.topics.quarantine)]
    waiting = [record for record in found if record is not None and record.coordinate.offset not in settled]
    with Producer(mesh.admin) as producer:
        for record in waiting:
            place = Coordinate(contract.topics.quarantine, 0, record.coordinate.offset)
            patch = Patch({"speed": 2.0})
            order = Command(verb=Verb.REPLAY, coordinate=place, actor="tests", reason="", at=1, patch=patch)
            key, value = order.encode()
            producer.produce(contract.topics.commands, key=key, value=value, partition=0)
        producer.flush()
    return len(waiting)


def in_order(mesh: RunningMesh, contract: Contract) -> int:
    """Per key the public numbers ascend without a repetition; gives how many records there are."""
    framing = Framing(mesh, contract)
    found: defaultdict[str, list[int]] = defaultdict(list)
    for record in read(mesh, contract.topics.public):
        content = framing.decoded(record.value() or b"")
        found[content["station"]].append(content["number"])
    for numbers in found.values():
        assert numbers == sorted(set(numbers))
    return sum(map(len, found.values()))


def test_kills_while_keys_are_held_and_released_leave_every_key_in_order(mesh: RunningMesh, contract: Contract) -> None:
    chance = random.Random(SEED)
    sent = 0
    for _ in range(ROUNDS):
        fill(mesh, contract, chance, sent, sent + RECORDS // 2)
        sent += RECORDS // 2
        # Somewhere while records are parked.
        time.sleep(chance.uniform(0, 0.4))
        mesh.gate.kill()
        fill(mesh, contract, chance, sent, sent + RECORDS // 2)
        sent += RECORDS // 2
        mesh.gate.start()
        mesh.await_gated(contract, 60)
        assert manifests(mesh, contract)[-1].records_parked > 0
        mend(mesh, contract)
        # Somewhere while they are released.
        time.sleep(chance.uniform(0, 0.4))
        mesh.gate.kill()
        mesh.gate.start()
        in_order(mesh, contract)

    def settled() -> bool:
        last = manifests(mesh, contract)[-1]
        waiting = last.commands_next < len(read(mesh, contract.topics.commands))
        return not waiting and (mend(mesh, contract), last.records_parked, last.keys_held) == (0, 0, 0)

    eventually(settled, 90, every=0.5)
    mesh.await_gated(contract, 60)
    assert in_order(mesh, contract) == sent
    tally = check(mesh.admin, contract)
    assert (tally.read, tally.accepted, tally.quarantined, tally.parked) == (sent, sent, 0, 0)
