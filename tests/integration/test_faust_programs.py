"""Faust programs as processors: parents, aborted records, errors, kills and rebalances, on a real Kafka."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from mesh import Mesh
from mesh.contract import Contract
from mesh.judge.frame import prefix
from mesh.judge.rows import RowCodec
from mesh.kafka import Admin, LogReader, Message
from mesh.kafka.transaction import TransactionalProducer
from mesh.lineage import PARENTS_HEADER, Descent, Identity, ParentSet, Progress, Reference, decode_parents_record
from mesh.types import TopicPartition
from tests.support.broker import eventually
from tests.support.contracts import Draft
from tests.support.mesh import RunningMesh
from tests.support.readings import SEEN_AT, publish

PARTITIONS = 3
OF = {"name": "of", "logicalType": "integer", "physicalType": "int", "required": True}
PART = {"name": "part", "logicalType": "integer", "physicalType": "int", "required": True}


@dataclass
class Derived:
    """A product of readings, one that is derived from it, and the programs that derive it."""

    mesh: RunningMesh
    source: Contract
    contract: Contract
    workers: list[subprocess.Popen[str]] = field(default_factory=list)

    @classmethod
    def of(cls, mesh: RunningMesh, *, repartition: bool = False) -> Derived:
        domain, own = "p" + secrets.token_hex(4), "d" + secrets.token_hex(4)
        source = Draft(product=f"{domain}.readings", readers=[own], extra=[SEEN_AT]).contract()
        derivation = {"inputs": [str(source.product)], "repartition": repartition}
        contract = Draft(product=f"{own}.made", extra=[OF, PART], derivation=derivation).contract()
        mesh.apply(source)
        mesh.apply(contract)
        return cls(mesh, source, contract)

    def start(self, kind: str, *options: str) -> subprocess.Popen[str]:
        """A worker in a process of its own."""
        command = [sys.executable, "-m", "tests.support.faust_worker", kind]
        command += [str(self.contract.product), str(self.source.product), *options]
        environment = {**os.environ, "MESH_CONFIG": str(self.mesh.folder.config)}
        worker = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        self.workers.append(worker)
        return worker

    def run(self, kind: str, *options: str) -> tuple[int, str]:
        """A worker until the present end; its exit code and what it said."""
        worker = self.start(kind, "--until-end", *options)
        _, said = worker.communicate(timeout=90)
        return worker.returncode, said

    def kill(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()
            if worker.stderr is not None:
                worker.stderr.close()

    def read(self, topic: str, partitions: int = PARTITIONS) -> list[Message]:
        """All records of a topic, aborted ones excepted."""
        places = [TopicPartition(topic, number) for number in range(partitions)]
        with Admin(self.mesh.admin) as admin, LogReader(self.mesh.admin) as reader:
            ends = admin.ends(places, committed=True)
            return [each for place, end in ends.items() for each in reader.read(place, 0, end)]

    def inputs(self) -> dict[int, Reference]:
        """Where every reading lies, by its number."""
        with Admin(self.mesh.admin) as admin:
            topic_id = admin.topics([self.source.topics.public])[self.source.topics.public].topic_id
        codec = RowCodec(self.source.value_schema).decode
        found = {}
        for message in self.read(self.source.topics.public):
            row = codec((message.value() or b"")[5:])
            found[round(row["speed"] * 1000)] = Reference(topic_id, message.partition(), message.offset())  # type: ignore[index]
        return found

    def outputs(self) -> list[Output]:
        """What is on the ingress of the derived product, in the order of its partitions."""
        return [self.output(each) for each in self.read(self.contract.topics.ingress)]

    def output(self, message: Message) -> Output:
        """A record as what it says of itself."""
        headers = dict(message.headers() or ())
        content = headers[PARENTS_HEADER]
        assert content is not None
        assert [name for name in headers if name.startswith("mesh-")] == [PARENTS_HEADER]
        descent = Descent.decode(content)
        identity = descent.identity(str(self.contract.product), self.contract.topics.public)
        value = message.value() or b""
        return Output(descent, identity, value)

    def progress(self) -> list[Progress]:
        records = [decode_parents_record(each.value() or b"") for each in self.read(self.contract.topics.parents)]
        return [each for each in records if isinstance(each, Progress)]


@dataclass(frozen=True)
class Output:
    """A record on the ingress of the derived product."""

    descent: Descent
    identity: Identity
    value: bytes


@pytest.fixture
def derived(mesh: RunningMesh) -> Iterator[Derived]:
    made = Derived.of(mesh)
    yield made
    made.kill()


def expected(inputs: dict[int, Reference]) -> Counter[tuple[Reference, int, ParentSet]]:
    """By brute force: what the program named ``mixed`` makes of its inputs."""
    found: Counter[tuple[Reference, int, ParentSet]] = Counter()
    for number, place in inputs.items():
        kind = number % 6
        if kind == 0:
            continue
        other = place._replace(offset=0) if kind == 5 else place
        for index in range(2 if kind == 2 else 1):
            found[place, index, ParentSet.of([place, other])] += 1
    return found


def seen(outputs: Sequence[Output]) -> Counter[tuple[Reference, int, ParentSet]]:
    return Counter((each.descent.driving, each.descent.index, each.descent.parents or ParentSet()) for each in outputs)


def abort(mesh: RunningMesh, contract: Contract, count: int) -> None:
    """Records that their writer took back, on every partition of a public topic."""
    with mesh.registry() as registry:
        schema_id = registry.lookup(f"{contract.topics.public}-value", contract.value_schema_json)
    assert schema_id is not None
    value = prefix(schema_id) + RowCodec(contract.value_schema).encode(
        {"station": "X", "speed": 9.001, "seen_at": None}
    )
    producer = TransactionalProducer(mesh.admin, "t" + secrets.token_hex(4))
    producer.begin()
    for number in range(count):
        producer.produce(contract.topics.public, number % PARTITIONS, None, value, None)
    producer.flush()
    producer.abort()
    producer.abandon()


def test_parents_are_exact_however_a_record_is_sent_and_aborted_ones_are_never_seen(
    mesh: RunningMesh, way_in: Mesh, derived: Derived
) -> None:
    publish(mesh, way_in, derived.source, 150)
    abort(mesh, derived.source, 60)
    publish(mesh, way_in, derived.source, 150, start=150)
    code, said = derived.run("mixed")
    assert code == 0, said
    inputs = derived.inputs()
    assert len(inputs) == 300
    assert seen(derived.outputs()) == expected(inputs)
    told = derived.progress()
    assert sum(each.outputs for each in told) == expected(inputs).total()
    assert sum(len(each.delivered) for each in told) == 300
    filtered = {(each.partition, offset) for each in told for offset in each.filtered}
    assert filtered == {(place.partition, place.offset) for number, place in inputs.items() if number % 6 == 0}


def test_a_killed_worker_repeats_outputs_under_the_same_identities_and_loses_none(
    mesh: RunningMesh, way_in: Mesh, derived: Derived
) -> None:
    publish(mesh, way_in, derived.source, 300)
    topics = _topics(mesh)
    worker = derived.start("mixed", "--pause", "0.01")
    eventually(lambda: len(derived.outputs()) > 100, 60, every=0.2)
    worker.kill()
    worker.communicate()
    before = len(derived.outputs())
    code, said = derived.run("mixed")
    assert code == 0, said
    outputs, wanted = derived.outputs(), expected(derived.inputs())
    assert set(seen(outputs)) == set(wanted)
    assert before < wanted.total() <= len(outputs)
    values: dict[Identity, set[bytes]] = {}
    for each in outputs:
        values.setdefault(each.identity, set()).add(each.value)
    assert len(values) == wanted.total()
    assert all(len(each) == 1 for each in values.values())
    mesh.await_gated(derived.contract)
    # What is forwarded as it is has the schema of another product, which the gate refuses.
    numbers = {place: number for number, place in derived.inputs().items()}
    own = {output for output in wanted if numbers[output[0]] % 6 != 4}
    passed = seen([derived.output(each) for each in derived.read(derived.contract.topics.public)])
    assert (set(passed), passed.total()) == (own, len(own))
    balance = way_in.reconcile(derived.contract.product)
    assert balance.adds_up, balance.mismatches
    assert sum(each.input for each in balance.hops) == 300
    delivered = {(each.partition, offset) for each in derived.progress() for offset in each.delivered}
    assert delivered == {(place.partition, place.offset) for place in derived.inputs().values()}
    assert _topics(mesh) == topics


@pytest.mark.soak
def test_an_error_in_an_agent_halts_before_its_record_and_a_mended_program_goes_on_there(
    mesh: RunningMesh, way_in: Mesh, derived: Derived
) -> None:
    publish(mesh, way_in, derived.source, 120)
    code, said = derived.run("mixed", "--fail", "61", "--pause", "0.01")
    place = derived.inputs()[61]
    assert code == 1
    assert f"stopped at {derived.source.topics.public}/{place.partition}/{place.offset}: KeyError" in said
    assert "on_error='park'" in said
    assert (_committed(mesh, derived)[place.partition] or 0) <= place.offset
    assert derived.run("mixed")[0] == 0
    assert set(seen(derived.outputs())) == set(expected(derived.inputs()))
    assert not any(each.parked for each in derived.progress())


@pytest.mark.soak
def test_a_record_an_agent_fails_on_is_set_aside_where_the_program_asks_for_it(
    mesh: RunningMesh, way_in: Mesh, derived: Derived
) -> None:
    publish(mesh, way_in, derived.source, 120)
    code, said = derived.run("mixed", "--fail", "61", "--on-error", "park")
    assert code == 0, said
    inputs = derived.inputs()
    failed = inputs[61]
    assert {each.descent.driving for each in derived.outputs()} == {
        place for number, place in inputs.items() if number % 6 and number != 61
    }
    parked = {(each.partition, offset) for each in derived.progress() for offset in each.parked}
    assert parked == {(failed.partition, failed.offset)}


@pytest.mark.soak
def test_two_workers_share_the_partitions_and_together_make_every_output(
    mesh: RunningMesh, way_in: Mesh, derived: Derived
) -> None:
    publish(mesh, way_in, derived.source, 600)
    workers = [derived.start("mixed", "--pause", "0.01")]
    eventually(lambda: len(derived.outputs()) > 60, 60, every=0.2)
    workers.append(derived.start("mixed", "--pause", "0.01"))
    publish(mesh, way_in, derived.source, 300, start=600)
    wanted = {(place, index) for place, index, _ in expected(derived.inputs())}
    eventually(lambda: {(e.descent.driving, e.descent.index) for e in derived.outputs()} == wanted, 90, every=0.5)
    for each in workers:
        each.send_signal(signal.SIGTERM)
    assert [each.wait(60) for each in workers] == [0, 0]


@pytest.mark.soak
def test_a_worker_outlives_the_age_that_a_log_in_may_have(mesh: RunningMesh, way_in: Mesh, derived: Derived) -> None:
    """The client does not log in again within a connection; the broker closes it after its age (60 s)."""
    publish(mesh, way_in, derived.source, 60)
    worker = derived.start("mixed")
    first = {place for number, place in derived.inputs().items() if number % 6}
    eventually(lambda: first <= {each.descent.driving for each in derived.outputs()}, 60, every=0.5)
    until = time.monotonic() + 75
    eventually(lambda: time.monotonic() > until, 90, every=1.0)
    publish(mesh, way_in, derived.source, 60, start=60)
    wanted = {place for number, place in derived.inputs().items() if number % 6}
    eventually(lambda: wanted <= {each.descent.driving for each in derived.outputs()}, 60, every=0.5)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0
    assert sum(len(each.delivered) for each in derived.progress()) >= 120


@pytest.mark.soak
def test_what_is_taken_together_needs_derive_and_is_exact_with_it(
    mesh: RunningMesh, way_in: Mesh, derived: Derived
) -> None:
    publish(mesh, way_in, derived.source, 70)
    code, said = derived.run("taken", "--fail", "0")
    assert code == 1
    assert "with derive(" in said
    assert not derived.read(derived.contract.topics.ingress)
    code, said = derived.run("taken")
    assert code == 0, said
    parents = [place for each in derived.outputs() for place in each.descent.parents or ()]
    assert sorted(parents) == sorted(derived.inputs().values())
    assert not any(each.filtered for each in derived.progress())


@pytest.mark.soak
def test_records_keyed_anew_keep_the_public_record_they_came_from(mesh: RunningMesh, way_in: Mesh) -> None:
    derived = Derived.of(mesh, repartition=True)
    publish(mesh, way_in, derived.source, 120)
    worker = derived.start("keyed")
    try:
        eventually(lambda: len(derived.outputs()) >= 240, 60, every=0.2)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
    finally:
        derived.kill()
    outputs = derived.outputs()
    assert all(each.descent.parents == ParentSet.of([each.descent.driving]) for each in outputs)
    assert Counter(each.descent.driving for each in outputs) == dict.fromkeys(derived.inputs().values(), 2)
    assert len({each.identity for each in outputs}) == 240
    assert len({each.partition() for each in derived.read(derived.contract.topics.repartition)}) > 1


def _topics(mesh: RunningMesh) -> list[str]:
    with Admin(mesh.admin) as admin:
        return sorted(admin.topic_names())


def _committed(mesh: RunningMesh, derived: Derived) -> dict[int, int | None]:
    places = [TopicPartition(derived.source.topics.public, number) for number in range(PARTITIONS)]
    with Admin(mesh.admin) as admin:
        found = admin.committed(str(derived.contract.product), places)
    return {place.partition: offset for place, offset in found.items()}
