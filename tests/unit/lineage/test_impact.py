"""Forward walks over lineages in memory: the inverse of all backward ones, and whether more can follow."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence

import pytest

from mesh.errors import LineageBroken
from mesh.lineage import Atlas, Basis, OffsetSet, ParentSet, Progress, Reach, Reference, ancestry
from mesh.lineage.effect import Effect, Impact, Outlook
from mesh.lineage.impact import Consumer, Forward, ForwardIndex
from mesh.lineage.outlook import outlooks
from mesh.types import TopicPartition
from tests.support.ancestries import grown, inverted, reached
from tests.support.ledgers import START, Ledger


def atlas(ledger: Ledger) -> Atlas:
    return Atlas.of_one(ledger.logs, ledger.logs)


def consumers(ledger: Ledger, reads: Mapping[str, Sequence[str]] | None = None) -> list[Consumer]:
    """Every derived product, made from all products that were there before it unless told."""
    world, names = atlas(ledger), list(ledger.products)
    return [
        Consumer(
            world.holding(made.topics),
            [
                world.holding(ledger.products[each].topics)
                for each in (reads or {}).get(name, names[: names.index(name)])
            ],
        )
        for name, made in ledger.products.items()
        if made.processor is not None
    ]


def effect(ledger: Ledger, reference: Reference, event_time: int | None = None) -> Effect:
    holding = atlas(ledger).locate(reference)
    at = holding.coordinate(reference.partition, reference.offset)
    basis = Basis("urn", "1.0.0", "ab" * 32, "b")
    return Effect(reference, at, str(holding.family.product), None, (), None, basis, START, event_time)


def impact(ledger: Ledger, reference: Reference, index: ForwardIndex | None = None) -> Impact:
    return Forward(consumers(ledger), index).of(effect(ledger, reference))


@pytest.mark.parametrize("seed", range(12))
def test_forward_is_the_inverse_of_all_backward_walks(seed: int) -> None:
    ledger, dice = Ledger(), random.Random(seed)
    truth = grown(ledger, dice)
    back = {record: set(ancestry(record, atlas(ledger), Reach(most=None)).stations) for record in truth}
    for record in dice.sample(sorted(truth), min(12, len(truth))):
        found = impact(ledger, record)
        assert {each.reference for each in found.effects} == {c for c, s in back.items() if record in s} - {record}
        edges = {(each.reference, parent) for each in found.effects for parent in each.parents}
        forward = reached(inverted(truth), record)
        assert edges == {(child, parent) for child in forward for parent in truth[child] & forward}


class Direct:
    """An index of direct parents, with a candidate too many."""

    def __init__(self, ledger: Ledger, records: Iterable[Reference]) -> None:
        self._edges: dict[Reference, set[Reference]] = {}
        self.asked = 0
        for record in records:
            making = ancestry(record, atlas(ledger), Reach(depth=0)).root.making
            for parent in making.parents if making is not None and making.parents is not None else ():
                self._edges.setdefault(parent, set()).add(record)

    def children(self, consumer: Consumer, parents: ParentSet) -> Iterable[tuple[int, int]]:
        self.asked += 1
        found = {child for parent in parents for child in self._edges.get(parent, ())}
        mine = {(each.partition, each.offset) for each in found if each.topic_id == consumer.holding.topic_id}
        return mine | {(0, 0)} if mine else mine


@pytest.mark.parametrize("seed", range(6))
def test_an_index_is_used_and_believed_only_as_far_as_manifests_agree(seed: int) -> None:
    ledger = Ledger()
    truth = grown(ledger, random.Random(seed))
    index = Direct(ledger, truth)
    for record in sorted(truth)[::5]:
        plain, indexed = impact(ledger, record), impact(ledger, record, index)
        assert {each.reference for each in indexed.effects} == {each.reference for each in plain.effects}
        assert {(e.reference, p) for e in indexed.effects for p in e.parents} == {
            (e.reference, p) for e in plain.effects for p in e.parents
        }
    assert index.asked


@pytest.fixture
def ledger() -> Ledger:
    """A source of twenty records and a product that has read ten of them."""
    made = Ledger()
    made.product("operations.flights")
    made.product("punctuality.hourly", processor="punctuality.hourly")
    return made


def test_large_sets_count_too(ledger: Ledger) -> None:
    flights = ledger.source("operations.flights", *(b"%d" % n for n in range(3000)))
    chosen = random.Random(1).sample(flights, 900)
    made = ledger.one("punctuality.hourly", of=chosen)
    assert [each.reference for each in impact(ledger, chosen[0]).effects] == [made]
    others = next(each for each in flights if each not in chosen)
    assert not impact(ledger, others).effects


def test_products_whose_lineage_is_closed_are_named(ledger: Ledger) -> None:
    flight = ledger.source("operations.flights", b"1")[0]
    ledger.one("punctuality.hourly", of=[flight])
    known = consumers(ledger)
    ledger.logs.denied.add("punctuality.hourly.v1.lineage")
    found = Forward(known).of(effect(ledger, flight))
    assert list(found.closed) == ["punctuality.hourly"]
    assert not found.final


def test_products_made_from_each_other_in_a_circle_are_refused(ledger: Ledger) -> None:
    ledger.product("punctuality.daily", processor="punctuality.daily")
    flight = ledger.source("operations.flights", b"1")[0]
    circle = {"punctuality.hourly": ["punctuality.daily"], "punctuality.daily": ["punctuality.hourly"]}
    with pytest.raises(LineageBroken, match="made from each other"):
        Forward(consumers(ledger, circle)).of(effect(ledger, flight))


def commit(flights: list[Reference], count: int, watermark: int | None) -> Progress:
    return Progress(
        processor="punctuality.hourly",
        build="b",
        product="operations.flights",
        topic_id=flights[0].topic_id,
        partition=0,
        start=0,
        end=count,
        delivered=OffsetSet.between(0, count),
        watermark=watermark,
    )


def outlook(ledger: Ledger, record: Reference, horizon: int | None = None) -> Outlook:
    known = consumers(ledger)
    asked = effect(ledger, record, event_time=START)
    (found,) = outlooks(Forward(known).of(asked), known, horizon)
    return found


def test_a_record_becomes_final_when_it_was_read_by_a_processor_without_state(ledger: Ledger) -> None:
    flights = ledger.source("operations.flights", *(b"%d" % n for n in range(20)))
    assert "no commit speaks" in outlook(ledger, flights[3]).reason
    ledger.progress("punctuality.hourly", commit(flights, 10, None))
    assert (outlook(ledger, flights[15]).final, outlook(ledger, flights[15]).unread) == (False, 1)
    assert outlook(ledger, flights[3]).final
    ledger.logs.write(TopicPartition("punctuality.hourly.v1.ingress", 0), b"k", b"waits")
    assert outlook(ledger, flights[3]).reason == "its gate has not settled all outputs yet"


def test_a_record_that_may_be_in_a_window_is_final_when_the_watermark_has_passed_it(ledger: Ledger) -> None:
    flights = ledger.source("operations.flights", *(b"%d" % n for n in range(20)))
    ledger.logs.write(TopicPartition("punctuality.hourly.v1.changelog", 0), b"k", b"state")
    flips = []
    for minutes in (0, 30, 59, 60, 90):
        ledger.progress("punctuality.hourly", commit(flights, 20, START + minutes * 60_000))
        flips.append(outlook(ledger, flights[3], horizon=3_600_000).final)
    assert flips == [False, False, False, True, True], "once, and for good"
    assert "horizon" in outlook(ledger, flights[3]).reason


def test_a_processor_whose_state_no_event_time_ends_is_never_final(ledger: Ledger) -> None:
    flights = ledger.source("operations.flights", *(b"%d" % n for n in range(20)))
    ledger.logs.write(TopicPartition("punctuality.hourly.v1.changelog", 0), b"k", b"state")
    ledger.progress("punctuality.hourly", commit(flights, 20, None))
    assert not outlook(ledger, flights[3], horizon=3_600_000).final
