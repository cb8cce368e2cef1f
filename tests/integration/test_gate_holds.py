"""A refused record holds its key on a real broker: later ones wait, and leave in order, whoever owns the partition."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence

import pytest
import yaml

from mesh.contract import Contract
from mesh.gate.quarantine import Command, Patch, Verb
from mesh.kafka import LogReader, Message, Producer
from mesh.lineage import Manifest, StopCause, decode_manifest
from mesh.types import Coordinate, TopicPartition
from tests.support.broker import eventually
from tests.support.checker import check
from tests.support.contracts import Draft
from tests.support.mesh import Program, RunningMesh
from tests.support.writing import Framing

pytestmark = pytest.mark.broker

GOOD, BAD = 1.0, 400.0
MOST = 5


def holding(most: int | None = None) -> Contract:
    draft = Draft(product=f"h{secrets.token_hex(4)}.readings", reaction="hold-key", topic={"partitions": 1})
    document = yaml.safe_load(draft.text)
    if most is not None:
        document["schema"][0]["customProperties"].append({"property": "hold", "value": {"records": most}})
    return Contract.parse(yaml.safe_dump(document))


@pytest.fixture
def contract(mesh: RunningMesh) -> Contract:
    contract = holding()
    mesh.apply(contract)
    return contract


@pytest.fixture
def second(mesh: RunningMesh) -> Iterator[Program]:
    """Another gate of the session's pool; afterwards the session's own gate is at work again."""
    program = Program(mesh.folder, "gate", "run", "--ordinal", "1")
    yield program
    program.stop()
    mesh.gate.ensure()


def write(mesh: RunningMesh, contract: Contract, records: Sequence[tuple[str, float]]) -> None:
    framing = Framing(mesh, contract)
    with Producer(mesh.connection(contract.product.domain)) as producer:
        for at, (station, speed) in enumerate(records):
            headers = [("own", b"\x00" * at), ("mesh-origin", b"list#%d" % at)]
            key, value = framing.key(station), framing.value(station, speed)
            producer.produce(contract.topics.ingress, key=key, value=value, headers=headers, partition=0)
        producer.flush()


def order(mesh: RunningMesh, contract: Contract, verb: Verb, offset: int, speed: float | None = None) -> None:
    topics, patch = contract.topics, Patch({"speed": speed}) if speed is not None else None
    place = Coordinate(topics.quarantine, 0, offset)
    key, value = Command(verb=verb, coordinate=place, actor="tests", reason="", at=1, patch=patch).encode()
    with Producer(mesh.admin) as producer:
        producer.produce(topics.commands, key=key, value=value, partition=0)
        producer.flush()


def records(mesh: RunningMesh, topic: str) -> list[Message]:
    with LogReader(mesh.admin) as reader:
        return list(reader.read(TopicPartition(topic, 0), 0, 1 << 60))


def public(mesh: RunningMesh, contract: Contract) -> list[bytes]:
    return [dict(each.headers() or ())["mesh-origin"] or b"" for each in records(mesh, contract.topics.public)]


def last(mesh: RunningMesh, contract: Contract) -> Manifest:
    return decode_manifest(records(mesh, contract.topics.lineage)[-1].value() or b"")


def origins(*numbers: int) -> list[bytes]:
    return [b"list#%d" % number for number in numbers]


def test_what_is_parked_leaves_in_order_through_another_gate(
    mesh: RunningMesh, contract: Contract, second: Program
) -> None:
    sent = [("A", GOOD), ("A", BAD), ("A", GOOD), ("B", GOOD), ("A", BAD), ("A", GOOD), ("B", GOOD)]
    write(mesh, contract, sent)
    mesh.await_gated(contract)
    assert public(mesh, contract) == origins(0, 3, 6)
    tally = check(mesh.admin, contract)
    assert (tally.read, tally.accepted, tally.quarantined, tally.parked) == (7, 3, 1, 3)
    (held,) = records(mesh, contract.topics.quarantine)
    # Another gate takes the partition over and knows what is held.
    assert mesh.gate.stop() == 0
    second.start()
    write(mesh, contract, [("A", GOOD)])
    eventually(lambda: last(mesh, contract).records_parked == 4, 40)
    assert last(mesh, contract).gate.endswith(".1")
    order(mesh, contract, Verb.REPLAY, held.offset(), GOOD)
    eventually(lambda: last(mesh, contract).records_parked == 2, 30)
    assert public(mesh, contract) == origins(0, 3, 6, 1, 2)
    order(mesh, contract, Verb.DISCARD, records(mesh, contract.topics.quarantine)[-1].offset())
    eventually(lambda: last(mesh, contract).keys_held == 0, 30)
    assert public(mesh, contract) == origins(0, 3, 6, 1, 2, 5, 0)
    tally = check(mesh.admin, contract)
    assert (tally.read, tally.accepted, tally.quarantined, tally.parked) == (8, 7, 1, 0)


def test_at_the_bound_the_partition_waits_and_goes_on(mesh: RunningMesh) -> None:
    contract = holding(MOST)
    mesh.apply(contract)
    write(mesh, contract, [("A", BAD), *[("A", GOOD)] * 7, ("B", GOOD)])
    eventually(lambda: bool(records(mesh, contract.topics.lineage)) and last(mesh, contract).stop is not None, 40)
    stop = last(mesh, contract).stop
    assert stop is not None
    assert (stop.cause, last(mesh, contract).records_parked) == (StopCause.FULL, MOST - 1)
    assert public(mesh, contract) == []
    order(mesh, contract, Verb.REPLAY, 0, GOOD)
    mesh.await_gated(contract)
    assert public(mesh, contract) == origins(*range(9))
    assert last(mesh, contract).stop is None
    tally = check(mesh.admin, contract)
    assert (tally.read, tally.accepted) == (9, 9)


def test_a_clause_that_begins_to_hold_keys_is_heeded_at_once(mesh: RunningMesh) -> None:
    draft = Draft(product=f"h{secrets.token_hex(4)}.readings", topic={"partitions": 1})
    before, after = draft.contract(), Contract.parse(draft.text.replace("quarantine", "hold-key", 1))
    assert before.digest != after.digest
    mesh.apply(before)
    write(mesh, before, [("A", BAD), ("A", GOOD)])
    mesh.await_gated(before)
    assert public(mesh, before) == origins(1)
    mesh.apply(after)

    def parks() -> bool:
        write(mesh, after, [("B", BAD), ("B", GOOD)])
        mesh.await_gated(after)
        return last(mesh, after).records_parked > 0

    eventually(parks, 40, every=0.5)
    check(mesh.admin, after)
