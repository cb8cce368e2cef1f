"""R12, R13 and a damaged lineage: what is wrong with one product is told, and stops no other product."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from mesh.access import product_acls
from mesh.contract import Contract
from mesh.embedded.ports import free_ports
from mesh.errors import RequestRefused
from mesh.gate import GateView, State
from mesh.gate.run import WallClock
from mesh.kafka import Acl, Admin, LogReader, Producer
from mesh.lineage import Manifest, decode_manifest
from mesh.types import TopicPartition
from tests.support.broker import eventually, permit
from tests.support.checker import Evidence, check, gather
from tests.support.contracts import Draft
from tests.support.mesh import Program, RunningMesh
from tests.support.toll import Toll
from tests.support.writing import Framing

pytestmark = pytest.mark.broker

GATE = "_mesh.gate"
LONG = [pytest.mark.soak, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def gate(mesh: RunningMesh) -> Iterator[tuple[Program, str]]:
    """In place of the session's gate one that answers probes, and where; ended, the session's runs again."""
    place = f"127.0.0.1:{free_ports(1)[0]}"
    mesh.gate.stop()
    program = Program(mesh.folder, "gate", "run", "--health", place)
    program.start()
    yield program, f"http://{place}/ready"
    assert program.stop() == 0
    mesh.gate.start()


@dataclass
class Products:
    """Products of one partition each, and how many records were written to each; every tenth breaks a rule."""

    mesh: RunningMesh
    written: dict[Contract, int]

    def fill(self, *contracts: Contract, count: int = 20) -> None:
        with Producer(self.mesh.admin) as producer:
            for contract in contracts:
                begin = self.written[contract]
                for key, value, _ in Framing(self.mesh, contract).many(begin, begin + count):
                    producer.produce(contract.topics.ingress, key=key, value=value, partition=0)
                self.written[contract] += count
            producer.flush()

    def await_read(self, contract: Contract, former: Mapping[int, Evidence] | None = None) -> int:
        """The gate catches up with the product, and the checker finds nothing wrong; gives the records it read."""
        self.mesh.await_gated(contract, 90)
        tally = check(self.mesh.admin, contract, former=former)
        assert (tally.read, tally.quarantined) == (self.written[contract], self.written[contract] // 10)
        return tally.read

    def last_manifest(self, contract: Contract) -> Manifest:
        with LogReader(self.mesh.admin) as reader:
            *_, last = reader.read(TopicPartition(contract.topics.lineage, 0), 0, 1 << 60)
        return decode_manifest(last.value() or b"")

    def accepted(self, contract: Contract) -> int:
        """Records there are on the public topic."""
        with LogReader(self.mesh.admin) as reader:
            return sum(1 for _ in reader.read(TopicPartition(contract.topics.public, 0), 0, 1 << 60))


@pytest.fixture(scope="module")
def products(mesh: RunningMesh, gate: tuple[Program, str]) -> Products:
    """Those that the tests of this module go through, one after the other."""
    return filled(mesh)


def filled(mesh: RunningMesh) -> Products:
    """Four products, filled and gated."""
    domain = "w" + secrets.token_hex(4)
    names = [f"{domain}.{name}" for name in ("first", "second", "third", "other")]
    contracts = [Draft(product=name, topic={"partitions": 1}).contract() for name in names]
    mesh.apply(*contracts)
    products = Products(mesh, dict.fromkeys(contracts, 0))
    products.fill(*contracts)
    for contract in contracts:
        mesh.await_gated(contract, 60)
    return products


def rights(contract: Contract, topic: str, *operations: str) -> list[Acl]:
    """What the gate may do with a topic."""
    mine = [acl for acl in product_acls(contract) if (acl.principal, acl.name) == (GATE, topic)]
    return [acl for acl in mine if acl.operation in operations]


def reasons(ready: str) -> str:
    answer: Any = httpx.get(ready).json()
    return "\n".join(answer["reasons"])


def remade(admin: Admin, topic: str) -> None:
    """Delete a topic and make it again as soon as Kafka lets us: the client is to go on at its old offset."""
    config = admin.topics([topic])[topic].config
    admin.delete_topic(topic)

    def made() -> bool:
        try:
            admin.create_topic(topic, 1, config)
        except RequestRefused:
            return False
        return True

    eventually(made, 30)


@pytest.mark.parametrize("rounds", [1, pytest.param(5, marks=LONG)])
def test_a_denied_output_stops_its_product_alone_until_it_is_allowed_again(
    mesh: RunningMesh, gate: tuple[Program, str], products: Products, rounds: int, toll: Toll
) -> None:
    for _ in range(rounds):
        # The gate is told to end while outputs are denied; how soon it is gone is held to where nothing else runs.
        denied_and_allowed(mesh, gate, products, within=5 if rounds > 1 else 30)
    read = sum(products.await_read(contract) for contract in products.written)
    toll.add("R12 output denied", rounds=rounds, kills=0, written=sum(products.written.values()), read=read)


def told(mesh: RunningMesh, contract: Contract) -> str:
    """What `mesh gate status` gives as the reason."""
    with Admin(mesh.admin) as admin, LogReader(mesh.admin) as reader:
        (standing,) = GateView(admin, reader, WallClock()).look([contract]).partitions
    return standing.reason.partition("the gate ")[2].partition(";")[0] if standing.state is State.BLOCKED else ""


def denied_and_allowed(mesh: RunningMesh, gate: tuple[Program, str], products: Products, within: float) -> None:
    """Three products lose one output each, at work and at a restart, and get it back."""
    program, ready = gate
    *denied, other = products.written
    before = {products.written[contract] for contract in denied}
    outputs = [denied[0].topics.public, denied[1].topics.quarantine, denied[2].topics.lineage]
    writes = [acl for contract, topic in zip(denied, outputs, strict=True) for acl in rights(contract, topic, "Write")]
    everything = rights(denied[0], outputs[0], "Write", "Read", "Describe")
    assert (len(writes), len(everything)) == (3, 3)
    with Admin(mesh.admin) as admin:
        admin.delete_acls(writes)
        products.fill(*products.written, count=40)
        eventually(
            lambda: [told(mesh, contract) for contract in denied] == [f"may not write {each}" for each in outputs]
        )
        mesh.await_gated(other, 60)
        eventually(lambda: all(f"may not write to {topic};" in reasons(ready) for topic in outputs), 60)
        # It comes up again in the same state, and then may not even look at one of them.
        admin.delete_acls(everything)
        assert program.stop(within) == 0
        program.start()
        products.fill(other, count=40)
        mesh.await_gated(other, 60)
        eventually(lambda: f"may not describe {outputs[0]} " in reasons(ready), 60)
        places = [TopicPartition(contract.topics.ingress, 0) for contract in denied]
        assert set(admin.committed("_mesh.gate.default", places).values()) == before
        permit(admin, {*writes, *everything})
    for contract in products.written:
        mesh.await_gated(contract, 90)
    eventually(lambda: reasons(ready) == "", 60)


@pytest.mark.parametrize("rounds", [1, pytest.param(5, marks=LONG)])
def test_a_topic_made_again_under_a_running_gate_begins_a_new_epoch(
    mesh: RunningMesh, products: Products, rounds: int, toll: Toll
) -> None:
    written = read = 0
    for _ in range(rounds):
        remade = products if rounds == 1 else filled(mesh)
        read += made_again(mesh, remade)
        written += sum(list(remade.written.values())[1:])
    toll.add("R13 topic made again", rounds=rounds, kills=0, written=written, read=read)


def made_again(mesh: RunningMesh, products: Products) -> int:
    """Two products get a new ingress, one a new public topic; gives the records read of all but that one."""
    public, behind, within, other = products.written
    former = {contract: gather(mesh.admin, contract) for contract in (behind, within)}
    accepted = products.written[public] // 10 * 9
    with Admin(mesh.admin) as admin:
        # The old offset is behind the end of one new ingress, and somewhere within the other.
        remade(admin, behind.topics.ingress)
        products.fill(behind, count=products.written[behind] // 2)
        remade(admin, within.topics.ingress)
        products.fill(within, count=products.written[within] * 2)
        remade(admin, public.topics.public)
        products.fill(public, other, count=40)
        new = admin.topic_ids([public.topics.public])[public.topics.public]
    read = products.await_read(other)
    for contract in (behind, within):
        read += products.await_read(contract, former[contract])
        assert products.last_manifest(contract).epoch == 1
    mesh.await_gated(public, 90)
    manifest = products.last_manifest(public)
    assert (manifest.epoch, manifest.topics.public) == (1, new)
    assert products.accepted(public) == products.written[public] // 10 * 9 - accepted
    return read


def test_a_manifest_that_is_none_stops_its_product_alone(
    mesh: RunningMesh, gate: tuple[Program, str], products: Products
) -> None:
    program, ready = gate
    damaged, *_, other = products.written
    lineage, ingress = TopicPartition(damaged.topics.lineage, 0), TopicPartition(damaged.topics.ingress, 0)
    before = products.accepted(damaged)
    assert program.stop() == 0
    with Producer(mesh.admin) as producer:
        producer.produce(lineage.topic, key=None, value=b"\0garbage", partition=0)
        producer.flush()
    program.start()
    products.fill(damaged, other)
    products.await_read(other)
    eventually(lambda: f"{lineage} cannot be followed: a manifest at offset" in reasons(ready), 60)
    with Admin(mesh.admin) as admin, LogReader(mesh.admin) as reader:
        (standing,) = GateView(admin, reader, WallClock()).look([damaged]).partitions
        assert standing.state is State.BLOCKED
        assert "how it stands cannot be told" in standing.reason
        assert admin.committed("_mesh.gate.default", [ingress]) == {ingress: products.written[damaged] - 20}
        # What an operator does who has looked at it: the lineage topic is made again, the gate goes on where it was.
        remade(admin, lineage.topic)
        mesh.await_gated(damaged, 90)
        assert admin.committed("_mesh.gate.default", [ingress]) == {ingress: products.written[damaged]}
    assert products.accepted(damaged) == before + 18
    eventually(lambda: reasons(ready) == "", 60)
