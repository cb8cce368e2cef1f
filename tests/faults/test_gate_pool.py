"""Gates come and go and the registry is away for a while: nothing is lost, doubled, or quarantined for it."""

from __future__ import annotations

import json
import secrets
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest

from mesh.access import SCHEMAS, gate_acls
from mesh.contract import Contract
from mesh.kafka import Admin, LogReader, Producer
from mesh.lineage import decode_manifest
from mesh.types import SchemaId, TopicPartition
from tests.support.broker import eventually, permit
from tests.support.checker import check
from tests.support.contracts import Draft
from tests.support.mesh import Program, RunningMesh
from tests.support.toll import Toll
from tests.support.writing import Framing

pytestmark = pytest.mark.broker


@pytest.fixture
def contract(mesh: RunningMesh) -> Contract:
    contract = Draft(product=f"p{secrets.token_hex(4)}.readings", topic={"partitions": 3}).contract()
    mesh.apply(contract)
    return contract


@pytest.fixture
def wide(mesh: RunningMesh) -> Contract:
    """Many partitions: a balanced pool may well leave three of one product where they were."""
    contract = Draft(product=f"p{secrets.token_hex(4)}.readings", topic={"partitions": 12}).contract()
    mesh.apply(contract)
    return contract


@pytest.fixture
def others(mesh: RunningMesh) -> Iterator[list[Program]]:
    """Two more gates of the session's pool."""
    programs = [Program(mesh.folder, "gate", "run", "--ordinal", str(number)) for number in (1, 2)]
    yield programs
    for program in programs:
        program.stop()
    mesh.gate.ensure()


def fill(mesh: RunningMesh, contract: Contract, begin: int, end: int) -> None:
    framing = Framing(mesh, contract)
    with Producer(mesh.connection(contract.product.domain)) as producer:
        for key, value, number in framing.many(begin, end):
            producer.produce(contract.topics.ingress, key=key, value=value, partition=number % contract.partitions)
        producer.flush()


def start(gate: Program) -> None:
    """Start a gate and wait until it hears SIGTERM."""
    before = gate.log.read_text(encoding="utf-8").count("gate _mesh")
    gate.start()
    gate.await_life(lambda: gate.log.read_text(encoding="utf-8").count("gate _mesh") > before)


def gates_at_work(mesh: RunningMesh, contract: Contract) -> set[str]:
    """The identities that have written manifests of a product."""
    found = set()
    with LogReader(mesh.admin) as reader:
        for number in range(contract.partitions):
            for record in reader.read(TopicPartition(contract.topics.lineage, number), 0, 1 << 60):
                found.add(decode_manifest(record.value() or b"").gate)
    return found


def test_one_gate_becomes_three_they_restart_in_turn_and_one_is_left(
    mesh: RunningMesh, wide: Contract, others: list[Program]
) -> None:
    sent = 0

    def more(count: int) -> None:
        nonlocal sent
        fill(mesh, wide, sent, sent + count)
        sent += count

    def all_work() -> bool:
        more(300)
        mesh.await_gated(wide, 60)
        return len(gates_at_work(mesh, wide)) == 3

    more(3_000)
    for other in others:
        other.start()
    eventually(all_work, 90, every=0.5)
    for gate in (mesh.gate, others[0]):
        more(1_500)
        assert gate.stop() == 0
        start(gate)
    for other in others:
        more(1_500)
        assert other.stop() == 0
    more(600)
    mesh.await_gated(wide, 90)
    tally = check(mesh.admin, wide)
    assert (tally.read, tally.quarantined) == (sent, sent // 10)
    assert set(tally.clauses) == {"speed-possible"}


def test_a_product_that_lost_a_topic_does_not_stop_the_others(mesh: RunningMesh, contract: Contract) -> None:
    other = Draft(product=f"p{secrets.token_hex(4)}.readings", topic={"partitions": 3}).contract()
    mesh.apply(other)
    fill(mesh, contract, 0, 30)
    mesh.await_gated(contract)
    with Admin(mesh.admin) as admin:
        admin.delete_topic(contract.topics.public)
    assert mesh.gate.stop() == 0
    mesh.gate.start()
    fill(mesh, other, 0, 30)
    fill(mesh, contract, 30, 60)
    mesh.await_gated(other, 60)
    assert mesh.gate.process is not None and mesh.gate.process.poll() is None
    mesh.apply(contract)
    mesh.await_gated(contract, 60)
    with Admin(mesh.admin) as admin:
        place = [TopicPartition(contract.topics.public, number) for number in range(3)]
        assert sum(admin.ends(place, committed=True).values()) > 0


def test_a_product_applied_while_the_gate_is_away_is_served(mesh: RunningMesh, contract: Contract) -> None:
    fill(mesh, contract, 0, 30)
    mesh.await_gated(contract)
    assert mesh.gate.stop() == 0
    newer = Draft(product=f"p{secrets.token_hex(4)}.readings", topic={"partitions": 3}).contract()
    mesh.apply(newer)
    mesh.gate.start()
    fill(mesh, newer, 0, 30)
    mesh.await_gated(newer, 60)
    assert check(mesh.admin, newer).read == 30


def test_a_gate_that_starts_while_the_registry_is_away_reads_schemas_from_its_log(
    mesh: RunningMesh, contract: Contract, toll: Toll
) -> None:
    """What nobody has registered waits all the same: the registry might know it, if it only answered."""
    framing = Framing(mesh, contract)
    places = [TopicPartition(contract.topics.ingress, number) for number in range(3)]
    assert mesh.gate.stop() == 0
    fill(mesh, contract, 0, 300)
    with Admin(mesh.admin) as admin, registry_out(mesh, stalled=False):
        mesh.gate.start()
        mesh.await_gated(contract, 60)
        ends = admin.ends(places, committed=False)
        with Producer(mesh.connection(contract.product.domain)) as producer:
            unknown = framing.value("A", 1.0, SchemaId(2_000_000_000))
            producer.produce(contract.topics.ingress, key=framing.key("A"), value=unknown, partition=0)
            producer.produce(contract.topics.ingress, key=framing.key("A"), value=framing.value("A", 1.0), partition=1)
            producer.flush()
        eventually(lambda: committed(admin, places)[places[1]] == ends[places[1]] + 1, 30)
        eventually(lambda: f"{places[0]} is parked" in mesh.gate.log.read_text(encoding="utf-8"))
        assert committed(admin, places)[places[0]] == ends[places[0]]
    mesh.await_gated(contract, 60)
    tally = check(mesh.admin, contract)
    assert (tally.read, tally.quarantined) == (302, 31)
    assert tally.clauses["schema.unknown"] == 1
    toll.add("R7 gate started without a registry", rounds=1, kills=0, written=302, read=tally.read)


def committed(admin: Admin, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int | None]:
    return admin.committed("_mesh.gate.default", places)


@pytest.fixture
def unread(mesh: RunningMesh) -> Iterator[None]:
    """The gate may not read the registry's log, as where the registry keeps it elsewhere."""
    rights = [acl for acl in gate_acls() if acl.name == SCHEMAS]
    with Admin(mesh.admin) as admin:
        admin.delete_acls(rights)
        eventually(lambda: not admin.acls() & set(rights), 30)
        yield
        permit(admin, rights)


LONG = [pytest.mark.soak, pytest.mark.timeout(900)]


@pytest.mark.parametrize(
    "outages", [["away"], ["stalled"], pytest.param(["away", "stalled"] * 5, marks=LONG)], ids=["away", "stalled", "10"]
)
def test_an_unknown_schema_waits_for_the_registry_and_known_ones_go_on(
    mesh: RunningMesh, contract: Contract, unread: None, outages: Sequence[str], toll: Toll
) -> None:
    framing = Framing(mesh, contract)
    fill(mesh, contract, 0, 30)
    mesh.await_gated(contract)
    places = [TopicPartition(contract.topics.ingress, number) for number in range(3)]
    for number, outage in enumerate(outages):
        # A schema the gate has never met, registered as the platform registers it, before the registry goes away.
        newer = {**json.loads(contract.value_schema_json), "doc": f"Text {number} of the same shape."}
        with mesh.registry("_mesh.admin") as registry:
            subject = f"{contract.topics.ingress}-value"
            new_id = registry.register(subject, json.dumps(newer), product=str(contract.product))
        assert new_id != framing.value_id
        with Admin(mesh.admin) as admin, registry_out(mesh, stalled=outage == "stalled"):
            ends = admin.ends(places, committed=False)
            with Producer(mesh.connection(contract.product.domain)) as producer:
                value = framing.value("A", 1.0, SchemaId(new_id))
                producer.produce(contract.topics.ingress, key=framing.key("A"), value=value, partition=0)
                for speed in range(3):
                    known = framing.value("A", float(speed))
                    producer.produce(contract.topics.ingress, key=framing.key("A"), value=known, partition=1)
                    producer.flush()
                    # So that they are as many transactions, each beside the one that waits.
                    time.sleep(0.3)
            wanted = ends[places[1]] + 3
            eventually(lambda wanted=wanted: admin.committed("_mesh.gate.default", places)[places[1]] == wanted, 30)  # type: ignore[misc]
            assert admin.committed("_mesh.gate.default", places)[places[0]] == ends[places[0]]
        mesh.await_gated(contract, 60)
    tally = check(mesh.admin, contract)
    written = 30 + 4 * len(outages)
    assert (tally.read, tally.quarantined) == (written, 3)
    toll.add("R7 registry away or stalled", rounds=len(outages), kills=0, written=written, read=tally.read)


@contextmanager
def registry_out(mesh: RunningMesh, *, stalled: bool) -> Iterator[None]:
    """No registry meanwhile; where it is stalled, connections are taken, and nothing ever comes back on them."""
    process = mesh.registry_program.process
    assert process is not None
    if stalled:
        process.send_signal(signal.SIGSTOP)
    else:
        mesh.registry_program.stop()
    try:
        yield
    finally:
        if stalled:
            process.send_signal(signal.SIGCONT)
        else:
            mesh.registry_program.start()
