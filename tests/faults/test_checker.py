"""The checker of the fault suite itself: what a broken gate could leave behind, made by hand, does not get past it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from mesh.contract import Contract
from mesh.kafka import Message, Producer
from tests.support.checker import Evidence, Log, Tally, gather, judge
from tests.support.contracts import Draft
from tests.support.mesh import RunningMesh
from tests.support.writing import Framing

pytestmark = pytest.mark.broker


@dataclass(frozen=True)
class Forged:
    """A record that differs from another in its value."""

    original: Message
    forged: bytes | None

    def topic(self) -> str:
        return self.original.topic()

    def partition(self) -> int:
        return self.original.partition()

    def offset(self) -> int:
        return self.original.offset()

    def key(self) -> bytes | None:
        return self.original.key()

    def value(self) -> bytes | None:
        return self.forged

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return self.original.headers()

    def timestamp(self) -> tuple[int, int]:
        return self.original.timestamp()


@pytest.fixture(scope="module")
def evidence(mesh: RunningMesh) -> Evidence:
    """What a sound gate leaves behind: 60 records in several transactions, every tenth refused."""
    contract = Draft(product=f"c{secrets.token_hex(4)}.readings", topic={"partitions": 2}).contract()
    mesh.apply(contract)
    for begin in range(0, 60, 20):
        fill(mesh, contract, begin, begin + 20)
        mesh.await_gated(contract)
    return gather(mesh.admin, contract)[1]


def fill(mesh: RunningMesh, contract: Contract, begin: int, end: int) -> None:
    with Producer(mesh.connection(contract.product.domain)) as producer:
        for key, value, _ in Framing(mesh, contract).many(begin, end):
            producer.produce(contract.topics.ingress, key=key, value=value, partition=1)
        producer.flush()


def middle(log: Log) -> int:
    return sorted(log)[len(log) // 2]


def without(log: Log, at: int) -> Log:
    return {offset: record for offset, record in log.items() if offset != at}


def doubled(log: Log) -> Log:
    return {**log, max(log) + 1: log[middle(log)]}


def swapped(log: Log) -> Log:
    at = sorted(log).index(middle(log))
    one, other = sorted(log)[at : at + 2]
    return {**log, one: log[other], other: log[one]}


def altered(log: Log, at: int) -> Log:
    return {**log, at: Forged(log[at], (log[at].value() or b"")[:-1] + b"\x7f")}


def ingress(evidence: Evidence, change: Callable[[Log], Log]) -> Evidence:
    return replace(evidence, ingress={topic_id: change(log) for topic_id, log in evidence.ingress.items()})


Tampering = tuple[Callable[[Evidence], Evidence], Callable[[Evidence], tuple[str, int]]]
TAMPERED: dict[str, Tampering] = {
    "a public record is missing": (
        lambda e: replace(e, public=without(e.public, middle(e.public))),
        lambda e: (e.topics.public, middle(e.public)),
    ),
    "a public record is there twice": (
        lambda e: replace(e, public=doubled(e.public)),
        lambda e: (e.topics.public, max(e.public) + 1),
    ),
    "two public records changed places": (
        lambda e: replace(e, public=swapped(e.public)),
        lambda e: (e.topics.public, middle(e.public)),
    ),
    "a public record was altered": (
        lambda e: replace(e, public=altered(e.public, middle(e.public))),
        lambda e: (e.topics.public, middle(e.public)),
    ),
    "a quarantined record is missing": (
        lambda e: replace(e, quarantine=without(e.quarantine, middle(e.quarantine))),
        lambda e: (e.topics.quarantine, middle(e.quarantine)),
    ),
    "a quarantined record was altered": (
        lambda e: replace(e, quarantine=altered(e.quarantine, middle(e.quarantine))),
        lambda e: (e.topics.quarantine, middle(e.quarantine)),
    ),
    "a quarantined record is there twice": (
        lambda e: replace(e, quarantine=doubled(e.quarantine)),
        lambda e: (e.topics.quarantine, max(e.quarantine) + 1),
    ),
    "an ingress record was passed over": (
        lambda e: ingress(e, doubled),
        lambda e: (e.topics.ingress, 60),
    ),
    "an ingress record was invented": (
        lambda e: ingress(e, lambda log: without(log, 7)),
        lambda e: (e.topics.ingress, 7),
    ),
    "a manifest is missing": (
        lambda e: replace(e, lineage=without(e.lineage, sorted(e.lineage)[1])),
        lambda e: (e.topics.lineage, sorted(e.lineage)[2]),
    ),
    "the last manifest is missing": (
        lambda e: replace(e, lineage=without(e.lineage, max(e.lineage))),
        lambda e: (e.topics.ingress, 59),
    ),
    "a manifest is there twice": (
        lambda e: replace(e, lineage=doubled(e.lineage)),
        lambda e: (e.topics.lineage, max(e.lineage) + 1),
    ),
}


def test_sound_evidence_passes(evidence: Evidence) -> None:
    tally = Tally()
    judge(evidence, tally)
    assert (tally.read, tally.accepted, tally.quarantined) == (60, 54, 6)
    assert tally.manifests >= 3


@pytest.mark.parametrize("what", TAMPERED)
def test_what_does_not_hold_is_said_with_its_place(evidence: Evidence, what: str) -> None:
    tamper, place = TAMPERED[what]
    topic, offset = place(evidence)
    with pytest.raises(AssertionError) as caught:
        judge(tamper(evidence), Tally())
    assert f"{topic}/1/" in str(caught.value)
    if what != "the last manifest is missing":
        assert f"{topic}/1/{offset}" in str(caught.value)
