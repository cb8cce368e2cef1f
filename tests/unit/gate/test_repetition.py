"""Each output passes once: what comes again is known, whatever was forgotten, and nothing new is taken for old."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.gate import slots as slots_module
from mesh.gate.passage import Passage
from mesh.gate.repetition import DIVERGENT, OUTDATED, Repetition, Repetitions
from mesh.gate.slots import RecentSlots
from mesh.lineage import Descent, LineageLog, ParentSet, Reference
from mesh.lineage import passed as passed_module
from mesh.lineage.marks import OutputName, name_of
from mesh.types import Reaction, TopicPartition
from tests.support.lineages import PROCESSOR, TOPICS, MemoryLineage

INPUT, LOOKED_UP = UUID(int=40), UUID(int=41)
PLACE = TopicPartition(f"{PROCESSOR}.v1.ingress", 0)
PRODUCT = cast("Any", SimpleNamespace(topics=SimpleNamespace(lineage=f"{PROCESSOR}.v1.lineage")))


def output(offset: int, index: int = 0, partition: int = 0, looked_up: int = 0) -> Descent:
    driving = Reference(INPUT, partition, offset)
    return Descent(driving, index, ParentSet.of([driving, Reference(LOOKED_UP, 0, looked_up)]))


def window(offset: int, partition: int = 0, looked_up: int = 0) -> Descent:
    slot = b"slot" + partition.to_bytes(4, "big") + offset.to_bytes(8, "big")
    return replace(output(offset, 0, partition, looked_up), slot=slot)


@dataclass
class Court:
    """Repetitions over a lineage in memory, and what really passed."""

    lineage: MemoryLineage = field(default_factory=MemoryLineage)
    passed: dict[OutputName, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.repetitions = Repetitions(self.lineage.reader)
        self.begin()

    def begin(self) -> None:
        self.passage = Passage.after(self.lineage.chain, PROCESSOR)
        self.fresh: dict[OutputName, bytes] = {}

    def sort(self, outputs: list[Descent]) -> Repetition:
        """One batch: what is new passes, as the gate would have it."""
        rows = list(enumerate(outputs))
        found = self.repetitions.among(PRODUCT, PLACE, self.lineage.chain, self.passage.fork(), rows)
        for row, each in rows:
            if row not in found.repeated and row not in found.refusals:
                self.passage.add(each)
                self.fresh[name_of(each)] = each.digest
        return found

    def commit(self) -> None:
        self.lineage.commit(self.passage)
        self.repetitions.settled(PLACE, self.passage)
        self.passed |= self.fresh
        self.begin()

    def checked(self, outputs: list[Descent]) -> None:
        """One batch, held against the truth."""
        known = self.passed | self.fresh
        found = self.sort(outputs)
        for row, each in enumerate(outputs):
            digest = known.get(name_of(each))
            known.setdefault(name_of(each), each.digest)
            refusal = found.refusals.get(row)
            told = "repeated" if row in found.repeated else "new" if refusal is None else refusal.clause
            expected = "new" if digest is None else "repeated" if digest == each.digest else DIVERGENT
            assert told == expected, f"row {row} of {outputs}"


@pytest.fixture(autouse=True)
def short_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots_module, "MOST_SLOTS", 8)


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32), st.booleans())
def test_whatever_comes_again_is_told_from_what_is_new(seed: int, windows: bool) -> None:
    dice, court = random.Random(seed), Court()
    make = window if windows else output
    at = [0, 0]
    for _ in range(dice.randrange(1, 25)):
        batch: list[Descent] = []
        for _ in range(dice.randrange(6)):
            partition = dice.randrange(2)
            at[partition] += dice.randrange(3)
            # Behind: a processor that died, or was set back; skipping leaves outputs that come late as new ones.
            offset = at[partition] if dice.random() < 0.6 else dice.randrange(at[partition] + 1)
            batch.append(make(offset, partition=partition, looked_up=dice.random() < 0.1))
        court.checked(batch)
        fate = dice.random()
        if fate < 0.6:
            court.commit()
        elif fate < 0.75:
            court.begin()
        elif fate < 0.85:
            court.restart()


def filled(count: int, late: bool = False) -> Court:
    """Outputs 0, 10, 20, ..., a transaction each; with ``late`` also those that end in 5, afterwards."""
    court = Court()
    for offset in [*range(0, 10 * count, 10), *(range(5, 10 * count, 10) if late else ())]:
        court.checked([output(offset)])
        court.commit()
    return court


def test_a_look_up_reads_a_few_chunks_of_a_long_partition() -> None:
    court = filled(600)
    court.lineage.reads = 0
    court.checked([output(offset) for offset in range(2_000, 2_640, 10)])
    assert court.lineage.reads < 12


def test_what_is_in_order_needs_no_log() -> None:
    court = filled(3)
    court.lineage.reads = 0
    court.checked([output(offset) for offset in range(100, 200)])
    assert court.lineage.reads == 0


def test_outputs_out_of_order_are_found_again_by_their_list() -> None:
    court = filled(30, late=True)
    court.restart()
    court.checked([output(offset) for offset in (5, 145, 295, 7, 290)])


def test_too_long_a_list_refuses_instead_of_guessing(monkeypatch: pytest.MonkeyPatch) -> None:
    court = filled(30, late=True)
    monkeypatch.setattr(passed_module, "MOST_LATE", 250)
    found = court.sort([output(7), output(295), output(10)])
    assert {row: each.clause for row, each in found.refusals.items()} == {0: OUTDATED}
    assert found.repeated == {1, 2}


def test_where_manifests_expired_nothing_is_guessed() -> None:
    court = filled(10)
    court.lineage.expire(5)
    found = court.sort([output(20), output(55), output(60), output(47)])
    assert [found.refusals[row].clause for row in (0, 3)] == [OUTDATED, OUTDATED]
    assert 2 in found.repeated
    assert 1 not in found.refusals, "an older manifest than its own is kept, so that it would be there"


def test_a_public_topic_made_again_has_seen_nothing() -> None:
    court = filled(5)
    chain = court.lineage.chain
    court.lineage.chain = chain.new_epoch(replace(TOPICS, public=UUID(int=99)), chain.ingress_next)
    court.restart()
    found = court.sort([output(0), output(40), window(7)])
    assert not found.repeated
    assert not found.refusals
    court.commit()
    assert court.sort([output(0)]).repeated == {0}


def test_another_processor_begins_anew() -> None:
    court = filled(3)
    passage = Passage.after(court.lineage.chain, "punctuality.delays-2")
    rows = [(0, output(0, looked_up=1))]
    found = court.repetitions.among(PRODUCT, PLACE, court.lineage.chain, passage.fork(), rows)
    assert found == Repetition(frozenset(), {})


def test_divergence_stops_the_partition_and_says_which_output() -> None:
    court = filled(2)
    (finding,) = court.sort([output(10, looked_up=1)]).refusals.values()
    assert finding.reaction is Reaction.HALT
    assert finding.reason.startswith(f"output 0 of record 10 of partition 0 of topic {INPUT} passed before")
    court.checked([window(30)])
    (finding,) = court.sort([window(30, looked_up=1)]).refusals.values()
    assert finding.reason.startswith("the output that record 30 of partition 0")


def test_recent_slots_say_how_far_back_they_reach() -> None:
    court = Court()
    for offset in range(30):
        court.checked([window(offset)])
        court.commit()
    recent = RecentSlots.read(LineageLog(court.lineage.reader, PLACE), TOPICS.public)
    assert recent.floor == {(PROCESSOR, INPUT, 0): (21, 0)}
    assert recent.get(window(21).slot or b"") is None
    assert recent.get(window(22).slot or b"") == window(22).digest
    court.lineage.expire(27)
    recent = RecentSlots.read(LineageLog(court.lineage.reader, PLACE), TOPICS.public)
    assert recent.floor == {(PROCESSOR, INPUT, 0): (27, 0)}, "older ones may have been, up to the oldest that is kept"
