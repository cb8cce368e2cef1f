"""The gate is killed while keys are held and while records are released: the order of every key stays."""

from __future__ import annotations

import os
import random
import secrets
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

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
from tests.support.toll import Toll
from tests.support.writing import Framing

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

ROUNDS = int(os.environ.get("MESH_TEST_ROUNDS", "5"))
RECORDS = 600
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
    mesh.gate.ensure()


def fill(mesh: RunningMesh, contract: Contract, chance: random.Random, begin: int, end: int) -> None:
    """About one record in sixty holds its key, so that queues grow long."""
    framing = Framing(mesh, contract)
    with Producer(mesh.connection(contract.product.domain)) as producer:
        for number in range(begin, end):
            speed = 400.0 if chance.random() < 1 / 60 else 1.0
            key, value = framing.key(f"S{number % KEYS}"), framing.value(f"S{number % KEYS}", speed, number=number)
            producer.produce(contract.topics.ingress, key=key, value=value, partition=0)
        producer.flush()


@dataclass
class Site:
    """One product, read over one connection."""

    mesh: RunningMesh
    contract: Contract
    reader: LogReader

    def read(self, topic: str) -> list[Message]:
        return list(self.reader.read(TopicPartition(topic, 0), 0, 1 << 60))

    def manifests(self) -> list[Manifest]:
        return [decode_manifest(record.value() or b"") for record in self.read(self.contract.topics.lineage)]


def mend(site: Site) -> int:
    """Replay every open record with a value that passes; gives how many there were."""
    contract = site.contract
    settled = {each.quarantined for m in site.manifests() for each in m.settlements if each.result.settles}
    found = [Quarantined.of(record) for record in site.read(contract.topics.quarantine)]
    waiting = [record for record in found if record is not None and record.coordinate.offset not in settled]
    with Producer(site.mesh.admin) as producer:
        for record in waiting:
            place = Coordinate(contract.topics.quarantine, 0, record.coordinate.offset)
            patch = Patch({"speed": 2.0})
            order = Command(verb=Verb.REPLAY, coordinate=place, actor="tests", reason="", at=1, patch=patch)
            key, value = order.encode()
            producer.produce(contract.topics.commands, key=key, value=value, partition=0)
        producer.flush()
    return len(waiting)


def in_order(site: Site) -> int:
    """Per key the public numbers ascend without a repetition; gives how many records there are."""
    framing = Framing(site.mesh, site.contract)
    found: defaultdict[str, list[int]] = defaultdict(list)
    for record in site.read(site.contract.topics.public):
        content = framing.decoded(record.value() or b"")
        found[content["station"]].append(content["number"])
    for numbers in found.values():
        assert numbers == sorted(set(numbers))
    return sum(map(len, found.values()))


@pytest.mark.parametrize("rounds", [1, pytest.param(ROUNDS, marks=pytest.mark.soak)])
def test_kills_while_keys_are_held_and_released_leave_every_key_in_order(
    mesh: RunningMesh, contract: Contract, rounds: int, toll: Toll
) -> None:
    with LogReader(mesh.admin) as reader:
        site = Site(mesh, contract, reader)
        sent = rounds * RECORDS
        for number in range(rounds):
            kill_twice(site, random.Random(SEED + number), number * RECORDS)
            in_order(site)

        def settled() -> bool:
            last = site.manifests()[-1]
            if last.commands_next < len(site.read(contract.topics.commands)) or mend(site):
                return False
            return (last.records_parked, last.keys_held) == (0, 0)

        eventually(settled, 60 + 60 * rounds, every=0.1)
        mesh.await_gated(contract, 60)
        assert in_order(site) == sent
    tally = check(mesh.admin, contract)
    toll.add("R11 gate killed while keys are held", rounds=rounds, kills=2 * rounds, written=sent, read=tally.read)
    assert (tally.read, tally.accepted, tally.quarantined, tally.parked) == (sent, sent, 0, 0)


def kill_twice(site: Site, chance: random.Random, sent: int) -> None:
    """Once somewhere while records are parked, once somewhere while they are released."""
    mesh, contract = site.mesh, site.contract
    fill(mesh, contract, chance, sent, sent + RECORDS // 2)
    time.sleep(chance.uniform(0, 0.4))
    mesh.gate.kill()
    fill(mesh, contract, chance, sent + RECORDS // 2, sent + RECORDS)
    mesh.gate.start()
    mesh.await_gated(contract, 60)
    assert site.manifests()[-1].records_parked > 0
    mend(site)
    time.sleep(chance.uniform(0, 0.4))
    mesh.gate.kill()
    mesh.gate.start()
