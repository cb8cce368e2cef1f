"""A record's ticket tells what the gate made of it: passed and where, refused and why, parked, or nothing yet."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from mesh import ContractViolation, Mesh
from mesh.contract import Contract
from mesh.errors import DeadlineExceeded, NotAuthorised
from mesh.kafka import LogReader
from mesh.lineage import Disposition, LineageLog
from mesh.producer import outcomes
from mesh.types import TopicPartition
from tests.support.contracts import Draft
from tests.support.mesh import RunningMesh
from tests.support.writing import Framing

pytestmark = pytest.mark.broker

PATIENCE = 40.0


@pytest.fixture(scope="module")
def contract(mesh: RunningMesh) -> Contract:
    reader = f"r{secrets.token_hex(4)}"
    contract = Draft(product=f"t{secrets.token_hex(4)}.readings", reaction="hold-key", readers=[reader]).contract()
    mesh.apply(contract)
    return contract


@pytest.fixture
def way_in(mesh: RunningMesh) -> Iterator[Mesh]:
    with Mesh.connect(mesh.folder.config) as connected:
        yield connected


def reading(station: str, speed: float) -> dict[str, Any]:
    return {"station": station, "speed": speed}


def test_a_ticket_gives_the_public_coordinate_or_the_findings(
    mesh: RunningMesh, way_in: Mesh, contract: Contract
) -> None:
    with way_in.producer(contract.product, check=False) as publisher:
        good, bad = publisher.publish(reading("A", 7.0)), publisher.publish(reading("B", 400.0))
        behind = publisher.publish(reading("B", 1.0))
        passed = good.settle(PATIENCE)
        with pytest.raises(ContractViolation) as refused:
            bad.settle(PATIENCE)
        parked = behind.settle(PATIENCE)
    assert passed.passed and passed.settled is not None
    assert passed.settled.topic == contract.topics.public
    with LogReader(mesh.admin) as reader:
        place = TopicPartition(passed.settled.topic, passed.settled.partition)
        record = reader.fetch(place, passed.settled.offset)
    assert record is not None
    assert Framing(mesh, contract).decoded(record.value() or b"") == reading("A", 7.0)
    assert [finding.clause for finding in refused.value.findings] == ["speed-possible"]
    assert (parked.disposition, parked.settled) == (Disposition.PARKED, None)
    # The publisher is closed by now; a ticket can be asked all the same.
    told = bad.outcome(PATIENCE)
    assert told.settled is not None
    assert (told.passed, told.settled.topic, told.ingress.topic) == (
        False,
        contract.topics.quarantine,
        contract.topics.ingress,
    )


def test_many_tickets_cost_few_searches(
    mesh: RunningMesh, way_in: Mesh, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[TopicPartition] = []

    class Counted(LineageLog):
        def __init__(self, reader: Any, partition: TopicPartition) -> None:
            searched.append(partition)
            super().__init__(reader, partition)

    monkeypatch.setattr(outcomes, "LineageLog", Counted)
    with way_in.producer(contract.product) as publisher:
        tickets = [publisher.publish(reading(f"M{number % 40}", 1.0)) for number in range(4_000)]
        found = [ticket.settle(PATIENCE) for ticket in tickets]
    assert all(each.passed for each in found)
    assert len({each.ingress for each in found}) == len({each.settled for each in found}) == 4_000
    # One for each partition, to begin with; the rest is read as it comes.
    assert len(searched) <= contract.partitions


def test_without_a_gate_a_ticket_says_so_and_may_be_asked_again(
    mesh: RunningMesh, way_in: Mesh, contract: Contract
) -> None:
    assert mesh.gate.stop() == 0
    try:
        with way_in.producer(contract.product) as publisher:
            ticket = publisher.publish(reading("A", 3.0))
            publisher.flush()
            with pytest.raises(DeadlineExceeded, match="is a gate running"):
                ticket.settle(0.5)
            mesh.gate.start()
            assert ticket.settle(PATIENCE).passed
    finally:
        mesh.gate.ensure()


def test_a_record_that_may_not_be_published_is_told_by_its_ticket(
    mesh: RunningMesh, way_in: Mesh, contract: Contract
) -> None:
    (reader,) = (role.principals[0] for role in contract.roles if role.access == "read")
    publisher = way_in.producer(contract.product, principal=str(reader))
    ticket = publisher.publish(reading("A", 3.0))
    with pytest.raises(NotAuthorised):
        ticket.settle(PATIENCE)
    with pytest.raises(NotAuthorised):
        publisher.flush()
