"""The search finds the covering manifest, in few reads, across markers, idle transactions and epochs."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.lineage import Basis, Manifest, OffsetSet, PartitionChain, PartitionTransaction, Place, Span, TopicIds
from mesh.lineage.search import PartitionIndex

if TYPE_CHECKING:
    from tests.unit.lineage.conftest import Simulate, Simulation, Step

TOPICS = TopicIds(UUID(int=1), UUID(int=2), UUID(int=3))
MANIFESTS = 1_000_000
WIDEST = {"even": 7, "bursts": 20, "one jump": 20}


def index_of(done: Simulation) -> PartitionIndex:
    return PartitionIndex(done.read, 0, done.ends["lineage"])


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**9))
def test_every_offset_is_found_where_it_is(
    simulate: Simulate, random_steps: Callable[[int], list[Step]], seed: int
) -> None:
    done = simulate(random_steps(seed) * 6)
    index = index_of(done)
    for place in Place:
        truth = {offset: at for at, m in done.entries for offset in range(m.span(place).base, m.span(place).end)}
        beyond = max(truth, default=0) + 3
        found = {offset: hit[0] for offset in range(beyond) if (hit := index.find(place, offset))}
        assert found == truth


class EndlessLog:
    """A million manifests that are made when they are read; ``base(n)`` says where the n-th begins."""

    def __init__(self, base: Callable[[int], int]) -> None:
        self._base, self.reads = base, 0
        self._pattern = PartitionChain.start("a.b", "c", 0, TOPICS, 0).extend(
            PartitionTransaction(
                ingress_to=0, delivered=OffsetSet(), basis=Basis("", "", "", ""), gate="g", created_at=0
            )
        )

    def manifest(self, number: int) -> Manifest:
        begin, end = self._base(number), self._base(number + 1)
        return replace(
            self._pattern, sequence=number, ingress_from=begin, ingress_to=end, public=Span(begin, end - begin)
        )

    def read(self, start: int, end: int) -> Sequence[tuple[int, Manifest]]:
        """Every second lineage offset is a commit marker."""
        self.reads += 1
        assert end - start <= 4096, "a probe stays small"
        return [(at, self.manifest(at // 2)) for at in range(start + start % 2, min(end, 2 * MANIFESTS), 2)]


@pytest.mark.parametrize(
    ("shape", "base"),
    [
        ("even", lambda n: n * 20_000),
        ("bursts", lambda n: (n // 1000) ** 3 * 1000 + n % 1000),
        ("one jump", lambda n: n if n < 700_001 else n + 10**12),
    ],
)
def test_a_million_manifests_take_few_reads(shape: str, base: Callable[[int], int]) -> None:
    dice = random.Random(3)
    wanted = [0, 1, 2, 700_000, 700_001, MANIFESTS - 1, *(dice.randrange(MANIFESTS) for _ in range(200))]
    for number in wanted:
        log = EndlessLog(base)
        hit = PartitionIndex(log.read, 0, 2 * MANIFESTS).find(Place.INGRESS, base(number))
        assert hit is not None
        assert hit[1].sequence == number
        assert log.reads <= WIDEST[shape], f"{log.reads} reads for number {number}"


def test_what_is_not_there_takes_few_reads_too() -> None:
    log = EndlessLog(lambda n: 10 + n * 5)
    index = PartitionIndex(log.read, 0, 2 * MANIFESTS)
    assert index.find(Place.PUBLIC, 9) is None
    assert index.find(Place.PUBLIC, 10 + MANIFESTS * 5) is None
    assert index.find(Place.QUARANTINE, 0) is None
    assert log.reads <= 3


def test_a_reset_offset_is_answered_by_the_last_reading(
    simulate: Simulate, random_steps: Callable[[int], list[Step]]
) -> None:
    done = simulate(random_steps(11))
    cut, first_end = done.ends["lineage"], done.chain.ingress_next
    done.chain, done.parked = done.chain.new_epoch(TOPICS, first_end // 2), []
    for step in random_steps(12):
        done.run(step)
    index = index_of(done)
    for offset in range(done.chain.ingress_next):
        hit = index.find(Place.INGRESS, offset)
        assert hit is not None
        assert hit[1].epoch == (1 if offset >= first_end // 2 else 0)
        assert offset in hit[1].span(Place.INGRESS)
    for offset in done.public:
        hit = index.find(Place.PUBLIC, offset)
        assert hit is not None
        assert (hit[0] >= cut) == (hit[1].epoch == 1)


def test_a_recreated_topic_is_told_apart_by_its_id(
    simulate: Simulate, random_steps: Callable[[int], list[Step]]
) -> None:
    done = simulate([replace(step, aborted=0) for step in random_steps(21)])
    new = replace(TOPICS, public=UUID(int=9))
    done.chain = done.chain.new_epoch(new, done.chain.ingress_next)
    done.ends["public"] = 0
    for step in random_steps(22):
        done.run(replace(step, aborted=0))
    index = index_of(done)
    old, latest = index.find(Place.PUBLIC, 0, TOPICS.public), index.find(Place.PUBLIC, 0, new.public)
    assert old is not None
    assert latest is not None
    assert (old[1].epoch, latest[1].epoch) == (0, 1)
    assert index.find(Place.PUBLIC, 0, UUID(int=77)) is None


def test_long_holes_of_aborted_transactions_are_crossed(
    simulate: Simulate, random_steps: Callable[[int], list[Step]]
) -> None:
    steps = [replace(step, aborted=1_000) for step in random_steps(31)]
    done = simulate(steps)
    index = PartitionIndex(done.read, 0, done.ends["lineage"] + 5_000)
    for offset, ingress in done.public.items():
        hit = index.find(Place.PUBLIC, offset)
        assert hit is not None
        assert hit[1].public_to_ingress(offset) == ingress


def test_an_empty_log_covers_nothing() -> None:
    index = PartitionIndex(lambda start, end: [], 0, 500)
    assert index.first() is None
    assert index.last() is None
    assert index.find(Place.PUBLIC, 0) is None
