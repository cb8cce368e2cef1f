"""The forward index: the inverse of all parents, resumed where it stopped, and the same when it is made again."""

from __future__ import annotations

import random
import sqlite3
from collections import defaultdict
from pathlib import Path

import pytest

from mesh.errors import NotFound, SettingsError
from mesh.lineage import Descent, Lot, OffsetSet, ParentSet, Reference
from mesh.lineage.graph import Declaration, graph_at
from mesh.lineage.index import Collector, Lookup, Store
from mesh.types import ProductName, TopicPartition
from tests.support.deriving import Derived
from tests.support.lined import Lines, collected, drawn, told
from tests.support.transactions import commit, manifest, topic_id

MINUTE = 60_000


def inverse(truth: dict[Reference, set[Reference]]) -> dict[Reference, list[Reference]]:
    found: dict[Reference, set[Reference]] = defaultdict(set)
    for child, parents in truth.items():
        for parent in parents:
            found[parent].add(child)
    return {parent: sorted(children) for parent, children in found.items()}


@pytest.mark.parametrize("seed", range(3))
def test_children_are_the_inverse_of_all_parents(seed: int, tmp_path: Path) -> None:
    lines, truth = drawn(seed)
    lookup = collected(lines, tmp_path / "index.db")
    expected = inverse(truth)
    asked = random.Random(seed).sample(sorted(expected), 100)
    assert {parent: lookup.children(parent) for parent in asked} == {parent: expected[parent] for parent in asked}
    with Store(tmp_path / "index.db") as store:
        assert store.count() == sum(map(len, expected.values()))
    assert lookup.children(Reference(topic_id("s.a.v1"), 0, 5_000)) == []


def test_children_come_in_pages(tmp_path: Path) -> None:
    parent, lines = Reference(topic_id("s.a.v1"), 0, 7), Lines()
    lines.derived("d.c.v1", [Descent(parent, number, ParentSet.of([parent])) for number in range(25)], 0, 1)
    lookup = collected(lines, tmp_path / "index.db")
    pages, after = list[int](), None
    while page := lookup.children(parent, after, 10):
        pages += [each.offset for each in page]
        after = page[-1]
    assert pages == list(range(25))


@pytest.mark.parametrize("cut", [1, 7, 20])
def test_it_goes_on_where_it_stopped_and_folds_nothing_twice(cut: int, tmp_path: Path) -> None:
    lines, _ = drawn(5)
    whole = tmp_path / "whole.db"
    collected(lines, whole)
    path = tmp_path / "index.db"
    with Store(path) as store:
        collector = Collector(store, lines.sources())
        collector.relist()
        messages = sorted(lines.messages(), key=lambda each: (each.topic(), each.offset()))
        assert messages[0].topic().endswith(".lineage"), "what is counted, and not only what is looked up"
        collector.fold(messages[:cut])
        collector.fold(messages[: cut + 3])
    collected(lines, path)
    assert told(path) == told(whole)


def test_deleting_it_and_starting_again_gives_the_same_answers(tmp_path: Path) -> None:
    lines, _ = drawn(6)
    lines.declared = [Declaration(3, Derived("d.c", ["s.a", "s.b"], processor="p").contract())]
    path = tmp_path / "index.db"
    collected(lines, path)
    before = told(path)
    for file in tmp_path.iterdir():
        file.unlink()
    collected(lines, path)
    assert told(path) == before
    assert '"declarations": ["(3' in before


def test_a_record_that_cannot_be_read_is_set_aside_and_the_others_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines, truth = drawn(7, 100)
    lines.write("d.c.v1.lineage", b"nonsense")
    lines.write("d.c.v1.lineage", b"more of it")
    lines.write("d.d.v1.parents", b"nonsense")
    lines.manifest("s.a.v1", manifest("s.a.v1", 0, 10, 1_000))
    with Store(tmp_path / "index.db") as store:
        collector = Collector(store, lines.sources())
        collector.step(0)
        assert collector.damaged == 3
        assert store.count() == sum(map(len, inverse(truth).values()))
    lookup = Lookup(tmp_path / "index.db")
    assert [lookup.damaged(each) for each in ("d.c.v1.lineage", "s.a.v1.lineage")] == [True, False]
    told_of = [each.getMessage() for each in caplog.records]
    assert len(told_of) == 2, "once for each topic"
    assert "the payload begins with byte 110" in told_of[0]


@pytest.mark.parametrize("run", [(0, 1 << 50), ((1 << 63) - 2, 5)])
def test_a_forged_set_neither_swells_nor_stops_the_collector(run: tuple[int, int], tmp_path: Path) -> None:
    lines, place = Lines(), topic_id("s.a.v1")
    forged = ParentSet((Lot(place, 0, OffsetSet((run,))),))
    lines.derived("d.c.v1", [Descent(Reference(place, 0, 0), parents=forged)], 0, 1)
    lines.derived("d.c.v1", [Descent.of_one(Reference(place, 0, 3))], 1, 2)
    with Store(tmp_path / "index.db") as store:
        collector = Collector(store, lines.sources())
        collector.step(0)
        assert (collector.damaged, store.count()) == (1, 1)


class Full(Exception):
    """The disk is full."""


def test_a_batch_is_folded_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines, _ = drawn(7, 50)
    with Store(tmp_path / "index.db") as store:
        collector = Collector(store, lines.sources())
        collector.relist()

        def fail(*_: object) -> None:
            raise Full

        with monkeypatch.context() as failing, pytest.raises(Full):
            failing.setattr(store, "advance", fail)
            collector.fold(lines.messages())
        assert (store.count(), store.positions()) == (0, {})
        collector.fold(lines.messages())
        assert store.count() > 0


def test_a_set_that_expired_leaves_what_drove_the_record(tmp_path: Path) -> None:
    lines = Lines()
    parents = ParentSet.of([Reference(topic_id("s.a.v1"), 0, 2 * number) for number in range(500)])
    at = lines.deposit("d.c.v1", parents)
    lines.derived("d.c.v1", [Descent(Reference(topic_id("s.a.v1"), 0, 4), parents=parents).deposited(at)], 0, 1)
    lines.records[TopicPartition("d.c.v1.parents", 0)].clear()
    with Store(tmp_path / "index.db") as store:
        collector = Collector(store, lines.sources())
        collector.step(0)
        assert (collector.missing, collector.edges) == (1, 1)
    lookup = Lookup(tmp_path / "index.db")
    assert len(lookup.children(Reference(topic_id("s.a.v1"), 0, 4))) == 1
    assert lookup.children(Reference(topic_id("s.a.v1"), 0, 6)) == []


def test_another_set_in_the_place_of_one_is_not_taken_for_it(tmp_path: Path) -> None:
    lines, place = Lines(), topic_id("s.a.v1")
    parents = ParentSet.of([Reference(place, 0, 2 * number) for number in range(500)])
    at = lines.deposit("d.c.v1", ParentSet.of([Reference(place, 0, 77)]))
    lines.derived("d.c.v1", [Descent(Reference(place, 0, 4), parents=parents).deposited(at)], 0, 1)
    lookup = collected(lines, tmp_path / "index.db")
    assert lookup.children(Reference(place, 0, 77)) == []
    assert len(lookup.children(Reference(place, 0, 4))) == 1


def test_what_a_topic_told_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    lines, truth = drawn(8, 50)
    lines.manifest("s.a.v1", manifest("s.a.v1", 0, 10, 1_000))
    path = tmp_path / "index.db"
    collected(lines, path)
    alone = Lines()
    alone.manifest("s.a.v1", manifest("s.a.v1", 0, 10, 1_000))
    expected = tmp_path / "expected.db"
    collected(alone, expected)
    for name in ("d.c.v1.lineage", "d.c.v1.parents"):
        lines.ids.pop(name, None)
        lines.records.pop(TopicPartition(name, 0), None)
    lookup = collected(lines, path)
    assert told(path) == told(expected)
    assert not any(lookup.children(parent) for parent in sorted(inverse(truth))[:50])


def test_a_topic_that_was_made_again_is_read_from_its_beginning(tmp_path: Path) -> None:
    lines = Lines()
    lines.manifest("s.a.v1", manifest("s.a.v1", 0, 10, 1_000))
    path = tmp_path / "index.db"
    collected(lines, path)
    lines.records.clear()
    lines.ids["s.a.v1.lineage"] = topic_id("another")
    lines.manifest("s.a.v1", manifest("s.a.v1", 0, 3, 2_000))
    lookup = collected(lines, path)
    (node,) = lookup.graph(2_500).products
    assert (node.rate, node.last_active) == (round(3 / 60, 3), 2_000)


def test_the_graph_of_the_file_is_that_of_the_records(tmp_path: Path) -> None:
    lines = Lines()
    lines.declared = [
        Declaration(0, Derived("s.a").contract()),
        Declaration(0, Derived("s.b").contract()),
        Declaration(10, Derived("d.c", ["s.a"], processor="p").contract()),
        Declaration(5 * MINUTE, Derived("d.c", ["s.b"], "1.1.0", "p").contract()),
    ]
    parent = Reference(topic_id("s.a.v1"), 0, 1)
    for minute in range(3):
        at = minute * MINUTE + 500
        lines.manifest("s.a.v1", manifest("s.a.v1", minute * 60, 60, at, 6))
        lines.progress("d.c.v1", commit("p", "s.a", minute * 60, minute * 60 + 54, at + 1))
        lines.derived("d.c.v1", [Descent(parent, minute, ParentSet.of([parent]))], minute, at + 2)
    lookup = collected(lines, tmp_path / "index.db")
    then = lookup.graph(3 * MINUTE)
    assert [(hop.source, hop.grade, hop.target_version) for hop in then.hops] == [
        ("s.a.v1", "declared, observed", "1.0.0")
    ]
    assert {each.topic: each.rate for each in then.products} == {
        "d.c.v1": round(1 / 60, 3),
        "s.a.v1": 0.9,
        "s.b.v1": 0.0,
    }
    assert then.hops[0].rate == 0.9
    assert graph_at(5, lines.declared, [], [], {}).hops == ()
    now = lookup.graph(6 * MINUTE)
    assert [(hop.source, hop.target_version, hop.grade) for hop in now.hops] == [("s.b.v1", "1.1.0", "declared")]
    assert lookup.contracts(4 * MINUTE)[ProductName("d", "c")].version == "1.0.0"
    assert lookup.contracts()[ProductName("d", "c")].version == "1.1.0"


def test_a_file_that_is_none_is_told_and_one_of_another_format_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    path.write_bytes(b"not a database at all, but long enough to be looked at" * 20)
    with pytest.raises(SettingsError, match="delete it"):
        Store(path)
    path.unlink()
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE edges (old)")
        base.execute("PRAGMA user_version=99")
    base.close()
    with Store(path) as store:
        assert store.count() == 0
    with pytest.raises(NotFound, match="mesh lineage collect"):
        Lookup(tmp_path / "nowhere.db").topics()
