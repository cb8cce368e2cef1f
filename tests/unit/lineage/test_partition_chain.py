"""The chain tiles, never changes by itself, and refuses what does not fit together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.errors import LineageBroken
from mesh.lineage import (
    Basis,
    Disposition,
    OffsetSet,
    Outcome,
    PartitionChain,
    PartitionTransaction,
    Place,
    Result,
    Settlement,
    Span,
    TopicIds,
    decode_manifest,
    digest_of,
    encode_manifest,
)
from mesh.types import SchemaId

if TYPE_CHECKING:
    from tests.unit.lineage.conftest import Simulate, Step

TOPICS = TopicIds(UUID(int=1), UUID(int=2), UUID(int=3))
CHAIN = replace(PartitionChain.start("a.b", "cluster", 4, TOPICS, 10), public_next=100, quarantine_next=50)
SOUND = PartitionTransaction(
    ingress_to=20,
    delivered=OffsetSet.of([10, 11, 12, 15, 19]),
    refused=OffsetSet.of([5, 12]),
    repeated=OffsetSet.of([15]),
    parked=OffsetSet.of([19]),
    released=OffsetSet.of([3, 5]),
    stubs=OffsetSet.of([12]),
    public=Span(100, 3),
    quarantine=Span(60, 2),
    basis=Basis("id", "1.0.0", "", ""),
    gate="_mesh.gate.test.0",
    created_at=1,
)


@settings(deadline=None)
@given(st.integers(0, 10**9))
def test_manifests_tile_chain_and_map_both_ways(
    simulate: Simulate, random_steps: Callable[[int], list[Step]], seed: int
) -> None:
    done = simulate(random_steps(seed))
    manifests = [manifest for _, manifest in done.entries]
    assert manifests[0].previous == b""
    for (before, after), payload in zip(pairwise(manifests), done.payloads, strict=False):
        assert after.previous == digest_of(payload)
        assert (after.epoch, after.sequence) == (before.epoch, before.sequence + 1)
        assert after.ingress_from == before.ingress_to
        for place in (Place.PUBLIC, Place.QUARANTINE):
            assert after.span(place).base >= before.span(place).end
    public = {o: m.public_to_ingress(o) for m in manifests for o in range(m.public.base, m.public.end)}
    quarantine = {o: m.quarantine_to_ingress(o) for m in manifests for o in range(m.quarantine.base, m.quarantine.end)}
    assert public == done.public
    assert quarantine == done.quarantine
    for manifest in manifests:
        for offset in manifest.handled:
            outcome = manifest.ingress_to_outcome(offset)
            if outcome.disposition is Disposition.PASSED:
                assert outcome.offset is not None
                assert manifest.public_to_ingress(outcome.offset) == offset
            if outcome.disposition is Disposition.QUARANTINED:
                assert outcome.offset is not None
                assert manifest.quarantine_to_ingress(outcome.offset) == offset


@settings(deadline=None)
@given(st.integers(0, 10**9))
def test_every_ingress_offset_has_the_fate_it_had(
    simulate: Simulate, random_steps: Callable[[int], list[Step]], seed: int
) -> None:
    done = simulate(random_steps(seed))
    latest: dict[int, Disposition] = {}
    for _, manifest in done.entries:
        covered = OffsetSet.between(manifest.ingress_from, manifest.ingress_to) | manifest.released
        latest |= {offset: manifest.ingress_to_outcome(offset).disposition for offset in covered}
    assert latest == done.fates


def test_released_records_come_first_and_may_be_refused_again() -> None:
    manifest = CHAIN.extend(SOUND)
    assert [manifest.public_to_ingress(offset) for offset in (100, 101, 102)] == [3, 10, 11]
    assert [manifest.quarantine_to_ingress(offset) for offset in (60, 61)] == [5, 12]
    assert manifest.ingress_to_outcome(3) == Outcome(Disposition.PASSED, 100)
    assert manifest.ingress_to_outcome(13) == Outcome(Disposition.NOT_DELIVERED)
    assert manifest.ingress_to_outcome(15) == Outcome(Disposition.REPEATED)
    assert manifest.ingress_to_outcome(19) == Outcome(Disposition.PARKED)


@pytest.mark.parametrize("offset", [9, 20, 4])
def test_offsets_of_other_manifests_are_refused(offset: int) -> None:
    with pytest.raises(LineageBroken, match="covers 10 to 20 only"):
        CHAIN.extend(SOUND).ingress_to_outcome(offset)
    with pytest.raises(LineageBroken, match="covers 100 to 103 only"):
        CHAIN.extend(SOUND).public_to_ingress(offset)


@pytest.mark.parametrize(
    ("observed", "problem"),
    [
        (replace(SOUND, ingress_to=9), "back from 10 to 9"),
        (replace(SOUND, ingress_to=19), "outside 10 to 19"),
        (replace(SOUND, delivered=OffsetSet.of([9, 10, 11, 12, 15, 19])), "outside 10 to 20"),
        (replace(SOUND, released=OffsetSet.of([3, 5, 10])), "released before it was read"),
        (replace(SOUND, repeated=OffsetSet.of([12])), "two dispositions"),
        (replace(SOUND, parked=OffsetSet.of([18, 19])), "neither delivered nor released"),
        (replace(SOUND, stubs=OffsetSet.of([10])), "stub is missing"),
        (replace(SOUND, public=Span(100, 2)), "3 records belong on the public topic but 2 were written"),
        (replace(SOUND, public=None), "3 records belong on the public topic but 0 were written"),
        (replace(SOUND, public=Span(99, 3)), "public topic would go back from 100 to 99"),
        (replace(SOUND, quarantine=Span(60, 3)), "2 records belong on the quarantine topic but 3"),
        (replace(SOUND, quarantine=Span(49, 2)), "quarantine topic would go back from 50 to 49"),
        (replace(SOUND, origins=[b"one"]), "1 origins were given for 5"),
        (replace(SOUND, sha256_out=b""), "not 32 bytes"),
    ],
)
def test_what_does_not_fit_together_breaks_lineage(observed: PartitionTransaction, problem: str) -> None:
    with pytest.raises(LineageBroken, match=problem):
        CHAIN.extend(observed)


def test_an_aborted_transaction_leaves_no_trace() -> None:
    before = replace(CHAIN)
    CHAIN.extend(SOUND)
    assert before == CHAIN
    assert CHAIN.extend(SOUND) == CHAIN.extend(SOUND)


def test_nothing_written_carries_the_next_offsets_forward() -> None:
    first = CHAIN.extend(SOUND)
    chain = PartitionChain.resume(first, encode_manifest(first, SchemaId(1)), 0)
    idle = PartitionTransaction(ingress_to=25, delivered=OffsetSet(), basis=SOUND.basis, gate=SOUND.gate, created_at=2)
    second = chain.extend(idle)
    assert (second.public, second.quarantine) == (Span(103, 0), Span(62, 0))
    assert (second.ingress_from, second.ingress_to, second.sequence) == (20, 25, 1)


def test_a_gate_resumes_from_the_stored_bytes() -> None:
    payload = encode_manifest(CHAIN.extend(SOUND), SchemaId(1))
    chain = PartitionChain.resume(decode_manifest(payload), payload, 0)
    chain.verify(TOPICS, 20)
    with pytest.raises(LineageBroken, match="ends at 20 but 15 is committed"):
        chain.verify(TOPICS, 15)
    with pytest.raises(LineageBroken, match="re-created"):
        chain.verify(replace(TOPICS, quarantine=UUID(int=9)), 20)


def test_a_new_epoch_keeps_the_chain_and_begins_where_it_is_told() -> None:
    first = CHAIN.extend(SOUND)
    payload = encode_manifest(first, SchemaId(1))
    chain = PartitionChain.resume(first, payload, 0).new_epoch(replace(TOPICS, public=UUID(int=9)), 0)
    assert (chain.epoch, chain.sequence, chain.previous) == (1, 0, digest_of(payload))
    assert (chain.ingress_next, chain.public_next, chain.quarantine_next) == (0, 0, 62)
    assert chain.topics.public == UUID(int=9)


def test_settlements_form_a_list_through_the_manifests() -> None:
    chain = PartitionChain.start("operations.flights", "cluster", 0, TOPICS, 5)
    moved = Settlement(command=7, quarantined=0, ingress=3, result=Result.DISCARDED, actor="desk", reason="a test")
    settled: list[tuple[int, int]] = []
    for at, settlements in ((10, ()), (12, (moved,)), (14, ()), (16, (moved,)), (18, ())):
        step = PartitionTransaction(
            ingress_to=5,
            delivered=OffsetSet(),
            settlements=settlements,
            commands_next=8 if settlements else None,
            basis=SOUND.basis,
            gate="_mesh.gate.test.0",
            created_at=1,
        )
        manifest = chain.extend(step)
        settled.append((manifest.settled_before, manifest.commands_next))
        chain = PartitionChain.resume(manifest, encode_manifest(manifest, SchemaId(1)), at)
    assert settled == [(-1, 0), (-1, 8), (12, 8), (12, 8), (16, 8)]
    with pytest.raises(LineageBroken, match="offset is unknown"):
        PartitionChain.resume(chain.extend(replace(step, settlements=(moved,))), b"")
