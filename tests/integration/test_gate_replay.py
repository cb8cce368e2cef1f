"""The gate settles operators' commands: what passes, what is refused again, and that each has one effect."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pytest

from mesh.contract import Contract
from mesh.gate.quarantine import Command, Patch, Verb
from mesh.kafka import Admin, LogReader, Message, Producer
from mesh.lineage import Manifest, Result, decode_manifest, last_verdict, trace
from mesh.types import Coordinate, Headers, SchemaId, TopicPartition
from tests.support.broker import eventually
from tests.support.checker import Tally, check
from tests.support.contracts import Draft
from tests.support.mesh import RunningMesh
from tests.support.writing import Framing

pytestmark = pytest.mark.broker

Sent = tuple[bytes | None, bytes | None, Headers]
WHOLE = 1 << 60


PARTITIONS = iter(range(16))


@dataclass
class Site:
    """A partition that a test has for itself, and what tests do with it."""

    mesh: RunningMesh
    contract: Contract
    desk: str
    partition: int

    @cached_property
    def framing(self) -> Framing:
        return Framing(self.mesh, self.contract)

    def send(self, *readings: tuple[str, float], headers: Headers = ()) -> None:
        records = [(self.framing.key(key), self.framing.value(key, speed), headers) for key, speed in readings]
        self.send_raw(records)
        self.mesh.await_gated(self.contract)

    def send_raw(self, records: Sequence[Sent]) -> None:
        with Producer(self.mesh.connection(self.contract.product.domain)) as producer:
            for key, value, headers in records:
                producer.produce(
                    self.contract.topics.ingress, key=key, value=value, headers=headers, partition=self.partition
                )
            producer.flush()

    def command(self, *numbers: int, patch: Patch | None = None, verb: Verb = Verb.REPLAY) -> None:
        """Order something about the quarantined records of these numbers, as the operator."""
        held = [record.offset() for record in self.records(self.contract.topics.quarantine)]
        with Producer(self.mesh.connection(self.desk)) as producer:
            for number in numbers:
                coordinate = Coordinate(self.contract.topics.quarantine, self.partition, held[number])
                order = Command(verb=verb, coordinate=coordinate, actor=self.desk, reason="a test", at=1, patch=patch)
                key, value = order.encode()
                producer.produce(self.contract.topics.commands, key=key, value=value, partition=self.partition)
            producer.flush()

    def settled(self, commands: int) -> None:
        """Wait until the gate has settled so many commands."""

        def done() -> bool:
            found = self.manifests()
            return bool(found) and found[-1].commands_next >= commands

        eventually(done, 30)

    def records(self, topic: str) -> list[Message]:
        with LogReader(self.mesh.admin) as reader:
            return list(reader.read(TopicPartition(topic, self.partition), 0, WHOLE))

    def manifests(self) -> list[Manifest]:
        return [decode_manifest(record.value() or b"") for record in self.records(self.contract.topics.lineage)]

    def results(self) -> list[tuple[int, Result]]:
        return [(each.quarantined, each.result) for manifest in self.manifests() for each in manifest.settlements]

    def public(self) -> list[float]:
        """The speeds on the public topic, in order."""
        return [self.speed(record) for record in self.records(self.contract.topics.public)]

    def speed(self, record: Message) -> float:
        value = self.framing.decoded(record.value() or b"")
        return float(value["speed"])

    def check(self) -> Tally:
        """The checker's word on this partition."""
        return check(self.mesh.admin, self.contract, [self.partition])


@pytest.fixture(scope="module")
def contract(mesh: RunningMesh) -> Contract:
    """One product for the whole file: a gate takes seconds to find a new one."""
    name = f"r{secrets.token_hex(4)}"
    contract = Draft(product=f"{name}.readings", topic={"partitions": 16}, operators=[f"{name}-desk"]).contract()
    mesh.apply(contract)
    return contract


@pytest.fixture
def product(mesh: RunningMesh, contract: Contract) -> Site:
    return Site(mesh, contract, f"{contract.product.domain}-desk", next(PARTITIONS))


def test_a_corrected_record_is_judged_again_and_passes_with_its_lineage(product: Site) -> None:
    product.send(("EWR", 1.0), ("EWR", 400.0), ("EWR", 2.0), headers=[("mesh-origin", b"file#1"), ("x", None)])
    product.command(0, patch=Patch({"speed": 40.0}))
    product.settled(1)
    assert product.public() == [1.0, 2.0, 40.0]
    ingress, passed = (
        product.records(product.contract.topics.ingress)[1],
        product.records(str(product.contract.topics.public))[-1],
    )
    assert (passed.key(), passed.headers(), passed.timestamp()[1]) == (
        ingress.key(),
        ingress.headers(),
        ingress.timestamp()[1],
    )
    (settlement,) = product.manifests()[-1].settlements
    assert (settlement.quarantined, settlement.ingress, settlement.result) == (0, 1, Result.PASSED)
    assert (settlement.actor, json.loads(settlement.patch)) == (product.desk, {"set": {"speed": 40.0}})
    tally = product.check()
    assert (tally.read, tally.accepted, tally.quarantined) == (3, 3, 0)


def test_a_replayed_record_is_traced_to_the_quarantined_one_the_command_and_its_origin(
    product: Site, mesh: RunningMesh
) -> None:
    product.send(("EWR", 400.0), headers=[("mesh-origin", b"file#7")])
    product.command(0)
    product.settled(1)
    product.command(1, patch=Patch({"speed": 5.0}))
    product.settled(2)
    topics, number = product.contract.topics, product.partition
    first, second = (record.offset() for record in product.records(topics.quarantine))
    with Admin(mesh.admin) as admin, LogReader(mesh.admin) as reader:
        passed = trace(Coordinate(topics.public, number, 0), reader, admin)
        again = trace(Coordinate(topics.quarantine, number, second), reader, admin)
        ingress = trace(Coordinate(topics.ingress, number, 0), reader, admin)
    assert passed.replayed is not None
    assert (str(passed.replayed.quarantined), str(passed.replayed.command)) == (
        f"{topics.quarantine}/{number}/{second}",
        f"{topics.commands}/{number}/1",
    )
    assert (passed.replayed.actor, json.loads(passed.replayed.patch)) == (product.desk, {"set": {"speed": 5.0}})
    assert (passed.origin, str(passed.fate.ingress)) == ("file#7", f"{topics.ingress}/{number}/0")
    assert again.replayed is not None
    assert (again.replayed.quarantined.offset, again.replayed.patch, again.origin) == (first, "", "file#7")
    assert again.later is not None
    assert str(again.later.settled) == f"{topics.public}/{number}/0"
    assert ingress.later is not None
    assert (ingress.later.result, ingress.later.settled and ingress.later.settled.offset) == (Result.REFUSED, second)


def test_a_record_that_still_breaks_the_contract_is_quarantined_again_one_attempt_on(product: Site) -> None:
    product.send(("EWR", 400.0), headers=[("x", b"1")])
    product.command(0)
    product.settled(1)
    product.command(1, patch=Patch({"speed": 500.0}))
    product.settled(2)
    held = product.records(product.contract.topics.quarantine)
    verdicts = [last_verdict(record.headers() or ()) for record in held]
    assert [verdict.attempt for verdict in verdicts if verdict] == [1, 2, 3]
    assert [product.speed(record) for record in held] == [400.0, 400.0, 500.0]
    assert [(record.headers() or [])[:-1] for record in held] == [[("x", b"1")]] * 3
    assert product.results() == [(record.offset(), Result.REFUSED) for record in held[:2]]
    tally = product.check()
    assert (tally.read, tally.accepted, tally.quarantined) == (1, 0, 1)


def test_a_second_replay_changes_nothing_also_after_a_restart(product: Site) -> None:
    product.send(("EWR", 400.0), ("EWR", 401.0))
    product.command(0, 0, patch=Patch({"speed": 1.0}))
    product.command(1, verb=Verb.DISCARD)
    product.settled(3)
    gate = product.mesh.gate
    assert gate.stop() == 0
    gate.start()
    product.command(0, 1, patch=Patch({"speed": 2.0}))
    product.settled(5)
    assert product.public() == [1.0]
    assert [result for _, result in product.results()] == [
        Result.PASSED,
        Result.VOID,
        Result.DISCARDED,
        Result.VOID,
        Result.VOID,
    ]
    tally = product.check()
    assert (tally.read, tally.accepted, tally.quarantined) == (2, 1, 1)


GARBAGE = {
    b"": "not a command",
    b"\xff\xfe garbage": "not a command",
    b"[" * 100_000: "not a command",
    b'{"v": 2}': "version 2",
    b'{"v": 1, "command": "drop everything"}': "not a command",
    b"null": "not a command",
}


def test_garbage_among_commands_changes_nothing_and_stops_nothing(product: Site) -> None:
    product.send(("EWR", 400.0))
    with Producer(product.mesh.connection(product.desk)) as producer:
        for value in GARBAGE:
            producer.produce(product.contract.topics.commands, key=b"x", value=value, partition=product.partition)
        producer.flush()
    product.command(0, patch=Patch({"speed": 3.0}))
    product.settled(len(GARBAGE) + 1)
    settlements = [each for manifest in product.manifests() for each in manifest.settlements]
    assert {each.result for each in settlements[:-1]} == {Result.VOID}
    for told, settlement in zip(GARBAGE.values(), settlements, strict=False):
        assert told in settlement.reason
    assert product.public() == [3.0]


MISFITS = [
    (Patch({"station": "JFK"}), "part of the key"),
    (Patch({"height": 1}), "no height"),
    (Patch({"speed": "fast"}), "does not fit"),
    (Patch({"speed": None}), "does not fit"),
    (Patch({}, {"station": "EWR"}, None), "schema"),
    (Patch({}, {"station": "EWR", "speed": 1.0}, SchemaId(9_999_999)), "schema"),
]


def test_a_patch_that_does_not_fit_leaves_the_record_open(product: Site) -> None:
    product.send(("EWR", 400.0))
    for patch, _ in MISFITS:
        product.command(0, patch=patch)
    product.settled(len(MISFITS))
    settlements = [each for manifest in product.manifests() for each in manifest.settlements]
    assert {each.result for each in settlements} == {Result.VOID}
    for (_, told), settlement in zip(MISFITS, settlements, strict=True):
        assert told in settlement.reason
    product.command(0, verb=Verb.DISCARD)
    product.settled(len(MISFITS) + 1)
    assert product.results()[-1] == (0, Result.DISCARDED)


def test_what_is_not_in_this_quarantine_is_not_touched(mesh: RunningMesh, product: Site) -> None:
    product.send(("EWR", 400.0))
    foreign = Coordinate(product.contract.topics.quarantine, product.partition + 1, 0)
    missing = Coordinate(product.contract.topics.quarantine, product.partition, 999)
    public = Coordinate(product.contract.topics.public, product.partition, 0)
    with Producer(mesh.connection(product.desk)) as producer:
        for coordinate in (foreign, missing, public):
            order = Command(verb=Verb.DISCARD, coordinate=coordinate, actor="x", reason="", at=1)
            producer.produce(
                product.contract.topics.commands, key=b"", value=order.encode()[1], partition=product.partition
            )
        producer.flush()
    product.settled(3)
    assert product.results() == [(-1, Result.VOID)] * 3


def test_replays_are_audited(product: Site, mesh: RunningMesh) -> None:
    product.send(("EWR", 400.0))
    product.command(0, patch=Patch({"speed": 7.0}))
    product.settled(1)
    with LogReader(mesh.admin) as reader:
        events = [json.loads(each.value() or b"") for each in reader.read(TopicPartition("_mesh.audit", 0), 0, WHOLE)]
    own = f"{product.contract.topics.quarantine}/{product.partition}/0"
    (event,) = [each for each in events if each.get("record") == own]
    assert event["actor"] == product.desk
    assert (event["event"], event["result"]) == ("quarantine", "passed")
    assert json.loads(event["patch"]) == {"set": {"speed": 7.0}}
