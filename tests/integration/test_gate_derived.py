"""The gate on derived products: parents are checked, each output passes once, and what diverges stops."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from uuid import UUID

import pytest
import yaml
from typer.testing import CliRunner

from mesh.cli.app import app
from mesh.contract import Contract
from mesh.errors import ContractViolation
from mesh.gate.quarantine import Command, Patch, Verb
from mesh.kafka import Admin, LogReader, Message, Producer
from mesh.lineage import (
    Deposit,
    Descent,
    Manifest,
    ParentSet,
    Reference,
    Result,
    decode_manifest,
    descent_of,
    encode_deposit,
    last_verdict,
    window_slot,
)
from mesh.producer import Publisher
from mesh.types import Coordinate, Headers, TopicPartition
from tests.support.broker import eventually
from tests.support.checker import Tally, check
from tests.support.contracts import Draft
from tests.support.mesh import RunningMesh
from tests.support.writing import Framing

pytestmark = pytest.mark.broker

WHOLE = 1 << 60
GOOD, TOO_FAST = 1.0, 400.0
Sent = tuple[float, Descent | bytes | None]


@dataclass
class Site:
    """One partition of a derived product, fed as a processor would feed it but with whatever a test likes."""

    mesh: RunningMesh
    contract: Contract
    flights: UUID
    deposits: UUID
    partition: int

    @cached_property
    def framing(self) -> Framing:
        return Framing(self.mesh, self.contract)

    def made(self, offset: int, index: int = 0, *others: Reference) -> Descent:
        """An output of a flight in partition 0 and of other records."""
        driving = Reference(self.flights, 0, offset)
        return Descent(driving, index, ParentSet.of([driving, *others]))

    def send(self, *outputs: Sent, wait: bool = True) -> None:
        with Producer(self.mesh.connection(self.contract.product.domain)) as producer:
            for speed, told in outputs:
                header = told.encode() if isinstance(told, Descent) else told
                headers: Headers = [("mesh-parents", header)] if header is not None else []
                key, value = self.framing.key("EWR"), self.framing.value("EWR", speed)
                producer.produce(
                    self.contract.topics.ingress, key=key, value=value, headers=headers, partition=self.partition
                )
            producer.flush()
        if wait:
            self.mesh.await_gated(self.contract)

    def deposit(self, payload: bytes) -> Reference:
        """Leave something in the topic of parents."""
        place = TopicPartition(self.contract.topics.parents, self.partition)
        with Admin(self.mesh.admin) as admin, Producer(self.mesh.connection(self.contract.product.domain)) as producer:
            producer.produce(place.topic, key=b"set", value=payload, partition=place.partition)
            producer.flush()
            return Reference(self.deposits, self.partition, admin.ends([place], committed=True)[place] - 1)

    def records(self, topic: str) -> list[Message]:
        with LogReader(self.mesh.admin) as reader:
            return list(reader.read(TopicPartition(topic, self.partition), 0, WHOLE))

    def manifests(self) -> list[Manifest]:
        return [decode_manifest(record.value() or b"") for record in self.records(self.contract.topics.lineage)]

    def public(self) -> list[Descent]:
        """What the public records say of themselves; the manifests have to say the same."""
        found = []
        for record in self.records(self.contract.topics.public):
            found.append(Descent.decode(dict(record.headers() or [])["mesh-parents"] or b""))
            (manifest,) = [each for each in self.manifests() if record.offset() in each.public]
            assert descent_of(manifest, record.offset()) == found[-1]
        return found

    def refusals(self) -> list[list[str]]:
        """The clauses of the quarantined records, in order."""
        verdicts = [last_verdict(each.headers() or ()) for each in self.records(self.contract.topics.quarantine)]
        return [[finding.clause for finding in verdict.findings] for verdict in verdicts if verdict is not None]

    def committed(self) -> int:
        place = TopicPartition(self.contract.topics.ingress, self.partition)
        with Admin(self.mesh.admin) as admin:
            return admin.committed("_mesh.gate.default", [place])[place] or 0

    def replay(self, number: int, patch: Patch | None = None) -> None:
        """Order that a quarantined record is judged again, and wait until it was."""
        held = self.records(self.contract.topics.quarantine)[number].offset()
        coordinate = Coordinate(self.contract.topics.quarantine, self.partition, held)
        command = Command(verb=Verb.REPLAY, coordinate=coordinate, actor="desk", reason="a test", at=1, patch=patch)
        key, value = command.encode()
        before = len(self.settled())
        desk = f"{self.contract.product.domain}-desk"
        with Producer(self.mesh.connection(desk)) as producer:
            producer.produce(self.contract.topics.commands, key=key, value=value, partition=self.partition)
            producer.flush()
        eventually(lambda: len(self.settled()) > before, 30)

    def settled(self) -> list[Result]:
        return [each.result for manifest in self.manifests() for each in manifest.settlements]

    def check(self) -> Tally:
        return check(self.mesh.admin, self.contract, [self.partition])


def derived(domain: str, inputs: Sequence[str]) -> Contract:
    draft = Draft(product=f"{domain}.delays", topic={"partitions": 8}, operators=[f"{domain}-desk"])
    document: Any = yaml.safe_load(draft.text)
    derivation = {"property": "derivation", "value": {"inputs": list(inputs)}}
    document["schema"][0]["customProperties"].append(derivation)
    return Contract.parse(yaml.safe_dump(document))


PARTITIONS = iter(range(8))


@pytest.fixture(scope="module")
def product(mesh: RunningMesh) -> Site:
    domain = f"d{secrets.token_hex(4)}"
    flights = Draft(product=f"{domain}.flights", topic={"partitions": 2}, readers=[domain]).contract()
    contract = derived(domain, [f"{domain}.flights"])
    mesh.apply(flights, contract)
    with Admin(mesh.admin) as admin:
        states = admin.topics([flights.topics.public, contract.topics.parents])
    ids = states[flights.topics.public].topic_id, states[contract.topics.parents].topic_id
    return Site(mesh, contract, *ids, 0)


@pytest.fixture
def site(product: Site) -> Site:
    """A partition of its own for each test."""
    return replace(product, partition=next(PARTITIONS))


def test_parents_are_checked_and_outputs_pass_once(site: Site) -> None:
    stranger = Reference(UUID(int=5), 0, 0)
    site.send(
        (GOOD, site.made(10)),
        (GOOD, None),
        (GOOD, b"\x09rubbish"),
        (GOOD, site.made(11, 0, stranger)),
        (GOOD, site.made(11, 0, Reference(site.flights, 2, 0))),
        (TOO_FAST, site.made(12)),
        (GOOD, site.made(10)),
        (GOOD, site.made(10, 1)),
    )
    assert site.public() == [site.made(10), site.made(10, 1)]
    assert site.refusals() == [
        ["parents.missing"],
        ["parents.malformed"],
        ["parents.undeclared"],
        ["parents.undeclared"],
        ["speed-possible"],
    ]
    marks = {(mark.processor, mark.topic_id, mark.offset) for mark in site.manifests()[-1].high_water}
    assert marks == {(str(site.contract.product), site.flights, 10)}
    site.send((GOOD, site.made(10)), (GOOD, site.made(9)), (GOOD, site.made(13)))
    assert site.public() == [site.made(10), site.made(10, 1), site.made(9), site.made(13)]
    tally = site.check()
    assert (tally.read, tally.accepted, tally.quarantined, tally.repeated) == (11, 4, 5, 2)


def test_a_gate_that_was_killed_knows_what_had_passed_in_every_partition(product: Site, site: Site) -> None:
    other, mesh = replace(product, partition=next(PARTITIONS)), product.mesh
    slot = window_slot("p", "t", 0, (0, 3600), b"EWR", 1)
    outputs = [(GOOD, site.made(offset)) for offset in range(50)]
    windows = [(GOOD, replace(site.made(offset), slot=slot[:8] + offset.to_bytes(8, "big"))) for offset in range(50)]
    site.send(*outputs[:30])
    other.send(*windows[:30])
    mesh.gate.kill()
    site.send(*outputs[10:], wait=False)
    other.send(*windows[10:], wait=False)
    mesh.gate.start()
    mesh.await_gated(product.contract, 60)
    assert site.public() == [descent for _, descent in outputs]
    assert other.public() == [descent for _, descent in windows]
    assert (site.check().repeated, other.check().repeated) == (20, 20)


def test_what_diverges_stops_until_somebody_sends_it_to_quarantine(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up = [Reference(site.flights, 1, offset) for offset in (3, 4)]
    first, second = (site.made(20, 0, each) for each in looked_up)
    site.send((GOOD, first))
    site.send((GOOD, site.made(21)), (GOOD, second), (GOOD, site.made(22)), wait=False)
    eventually(lambda: site.committed() == 2, 30)
    monkeypatch.setenv("MESH_CONFIG", str(site.mesh.folder.config))
    words = ["gate", "resume", str(site.contract.product), "--partition", str(site.partition), "--reason", "seen"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.stderr
    eventually(lambda: site.committed() == 4, 30)
    assert site.public() == [first, site.made(21), site.made(22)]
    assert site.refusals() == [["parents.divergent"]]
    site.check()


def test_large_sets_have_to_be_where_the_header_says(site: Site) -> None:
    parents = ParentSet.of([Reference(site.flights, 0, offset) for offset in range(0, 4000, 7)])
    astray = ParentSet.of([Reference(UUID(int=5), 0, offset) for offset in range(0, 4000, 7)])
    large, other = (Descent(Reference(site.flights, 0, 4000 + at), 0, parents) for at in (0, 1))
    assert not large.fits
    deposited = large.deposited(site.deposit(encode_deposit(parents)))
    elsewhere = other.deposited(site.deposit(encode_deposit(astray)))
    lost = other.deposited(Reference(site.deposits, site.partition, 999))
    undeclared = replace(other, parents=astray).deposited(site.deposit(encode_deposit(astray)))
    forged = replace(other, parents=None, deposit=Deposit(Reference(site.flights, 0, 0), 3, bytes(32)))
    site.send((GOOD, deposited), (GOOD, elsewhere), (GOOD, lost), (GOOD, undeclared), (GOOD, forged))
    assert site.public() == [deposited]
    assert site.refusals() == [
        ["parents.malformed"],
        ["parents.malformed"],
        ["parents.undeclared"],
        ["parents.undeclared"],
    ]
    site.send((GOOD, large.deposited(site.deposit(encode_deposit(parents)))))
    assert site.check().repeated == 1, "where its parents lie does not make it another output"


def test_a_replayed_record_keeps_its_descent_and_passes_once(site: Site) -> None:
    site.send((TOO_FAST, site.made(30)), (TOO_FAST, site.made(30)), (GOOD, site.made(31)))
    site.replay(0, Patch({"speed": 2.0}))
    site.replay(1, Patch({"speed": 2.0}))
    assert site.settled() == [Result.PASSED, Result.REPEATED]
    assert site.public() == [site.made(31), site.made(30)]
    site.send((GOOD, site.made(30)), (GOOD, site.made(31)), (GOOD, site.made(32)))
    assert site.public() == [site.made(31), site.made(30), site.made(32)]
    tally = site.check()
    assert (tally.read, tally.accepted, tally.quarantined, tally.repeated) == (6, 3, 0, 3)


def test_a_publisher_hears_early_what_is_wrong_with_the_header(product: Site) -> None:
    mesh, contract = product.mesh, product.contract
    domain = contract.product.domain
    with mesh.registry() as registry, Publisher(contract, mesh.connection(domain), registry) as publisher:
        with pytest.raises(ContractViolation) as missing:
            publisher.publish({"station": "EWR", "speed": 1.0})
        with pytest.raises(ContractViolation) as malformed:
            publisher.publish({"station": "EWR", "speed": 1.0}, headers=[("mesh-parents", b"\x07")])
    found = [[finding.clause for finding in each.value.findings] for each in (missing, malformed)]
    assert found == [["parents.missing"], ["parents.malformed"]]


def test_a_trace_of_a_derived_record_names_its_parents(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.send((GOOD, site.made(40)))
    monkeypatch.setenv("MESH_CONFIG", str(site.mesh.folder.config))
    (record,) = site.records(site.contract.topics.public)
    where = f"{site.contract.topics.public}/{site.partition}/{record.offset()}"
    done = CliRunner().invoke(app, ["trace", where, "--json"])
    assert done.exit_code == 0, done.stderr
    assert f"{site.contract.product.domain}.flights.v1/0/40" in json.dumps(json.loads(done.stdout))
