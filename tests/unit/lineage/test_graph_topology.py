"""The graph of products, folded from declarations and records, at any instant."""

from __future__ import annotations

import random
from uuid import UUID

import pytest

from mesh.lineage.graph import Activity, Consumption, Declaration, Graph, as_dot, as_mermaid, graph_at
from mesh.lineage.graph.topology import SPAN_MS, Grade
from mesh.types import ProductName, Topic
from tests.support.deriving import Derived

MINUTE = 60_000
TOPICS = {UUID(int=number): Topic(f"{name}.v1") for number, name in enumerate(("s.a", "s.b", "d.c", "d.d"), 1)}
IDS = {topic: number for number, topic in TOPICS.items()}


def declared(at: int, product: str, *made_from: str, **more: str) -> Declaration:
    return Declaration(at, Derived(product, made_from, **more).contract())  # type: ignore[arg-type]


def passed(topic: str, at: int, accepted: int = 600, version: str = "1.0.0", **more: object) -> Activity:
    return Activity(
        topic=Topic(topic),
        version=version,
        build="b1",
        start=at,
        end=at,
        accepted=accepted,
        **more,  # type: ignore[arg-type]
    )


def read(topic: str, source: str, at: int, delivered: int = 60, processor: str = "p") -> Consumption:
    topic_id = IDS[Topic(f"{source}.v1")]
    return Consumption(
        topic=Topic(topic),
        processor=processor,
        build="b2",
        source=ProductName.parse(source),
        topic_id=topic_id,
        start=at,
        end=at,
        delivered=delivered,
    )


def edges(graph: Graph) -> list[tuple[str, str, str]]:
    return [(hop.source, hop.processor, hop.target) for hop in graph.hops]


SOURCES = [declared(0, "s.a"), declared(0, "s.b")]


def test_a_hop_has_its_versions_owner_and_rate() -> None:
    facts = [*SOURCES, declared(0, "d.c", "s.a", processor="maker", owner="team c", version="1.3.0")]
    activities = [passed("s.a.v1", 1000), passed("d.c.v1", 2000, 60, "1.2.0", refused=6)]
    graph = graph_at(MINUTE, facts, activities, [read("d.c.v1", "s.a", 2000, 300, "maker")], TOPICS)
    nodes = {each.topic: each for each in graph.products}
    made = nodes[Topic("d.c.v1")]
    assert (made.version, made.judged_by, made.owner) == ("1.3.0", "1.2.0", "team c")
    assert (made.rate, made.refused_rate, made.last_active) == (1.0, 0.1, 2000)
    assert (nodes[Topic("s.a.v1")].rate, nodes[Topic("s.b.v1")].rate) == (10.0, 0.0)
    (hop,) = graph.hops
    assert (hop.source, hop.processor, hop.target, hop.source_version) == ("s.a.v1", "maker", "d.c.v1", "1.0.0")
    assert (hop.target_version, hop.grade, hop.rate, hop.build) == ("1.3.0", Grade.BOTH, 5.0, "b2")


def test_one_processor_with_two_products_has_two_edges_and_not_four() -> None:
    facts = [*SOURCES, declared(0, "d.c", "s.a", processor="p"), declared(0, "d.d", "s.b", processor="p")]
    graph = graph_at(1, facts, [], [], TOPICS)
    assert edges(graph) == [("s.a.v1", "p", "d.c.v1"), ("s.b.v1", "p", "d.d.v1")]
    assert {hop.grade for hop in graph.hops} == {Grade.DECLARED}
    read_too = [read("d.c.v1", "s.a", 0), read("d.d.v1", "s.b", 0)]
    assert edges(graph_at(1, facts, [], read_too, TOPICS)) == edges(graph)


CHANGES = [
    *SOURCES,
    declared(100, "d.c", "s.a", processor="p"),
    declared(200, "d.c", "s.a", "s.b", processor="p", version="1.1.0"),
    declared(300, "d.c", "s.b", processor="p", version="1.2.0"),
    declared(400, "d.c", "s.b", processor="p", version="1.2.1", status="retired"),
]
SEEN = [read("d.c.v1", "s.a", 150), read("d.c.v1", "s.a", 250), read("d.c.v1", "s.b", 250), read("d.c.v1", "s.b", 350)]


@pytest.mark.parametrize(
    ("at", "sources", "version"),
    [(50, [], ""), (199, ["s.a.v1"], "1.0.0"), (299, ["s.a.v1", "s.b.v1"], "1.1.0"), (350, ["s.b.v1"], "1.2.0")],
)
def test_the_graph_is_asked_for_at_any_instant(at: int, sources: list[str], version: str) -> None:
    facts, seen = CHANGES.copy(), SEEN.copy()
    for seed in range(3):
        random.Random(seed).shuffle(facts)
        random.Random(seed).shuffle(seen)
        graph = graph_at(at, facts, [], seen, TOPICS)
        assert [hop.source for hop in graph.hops] == sources
        assert {hop.target_version for hop in graph.hops} <= {version}


def test_a_retired_product_is_gone_and_so_are_its_edges() -> None:
    graph = graph_at(400, CHANGES, [passed("d.c.v1", 390)], SEEN, TOPICS)
    assert [each.topic for each in graph.products] == ["s.a.v1", "s.b.v1"]
    assert not graph.hops


def test_what_only_records_tell_is_graded_so() -> None:
    by_parents = passed("d.c.v1", 10, processor="maker", sources={IDS[Topic("s.a.v1")]: 5, UUID(int=99): 1})
    graph = graph_at(20, [declared(0, "s.a")], [by_parents], [], TOPICS)
    assert [(each.topic, each.grade, each.version) for each in graph.products] == [
        ("d.c.v1", Grade.OBSERVED, "1.0.0"),
        ("s.a.v1", Grade.DECLARED, "1.0.0"),
    ]
    (hop,) = graph.hops
    assert (hop.source, hop.processor, hop.grade) == ("s.a.v1", "maker", Grade.OBSERVED)


def test_an_input_that_the_contract_no_longer_names_is_shown_as_long_as_it_is_read() -> None:
    late = [*SEEN, read("d.c.v1", "s.a", 320)]
    graph = graph_at(350, CHANGES, [], late, TOPICS)
    assert [(hop.source, hop.grade) for hop in graph.hops] == [
        ("s.a.v1", Grade.OBSERVED),
        ("s.b.v1", Grade.BOTH),
    ]


def test_rates_are_those_of_the_minute_before() -> None:
    activities = [passed("s.a.v1", 10, 6000), passed("s.a.v1", SPAN_MS + 5, 60), passed("s.a.v1", SPAN_MS + 11, 999)]
    graph = graph_at(SPAN_MS + 10, SOURCES, activities, [], TOPICS)
    assert [each.rate for each in graph.products] == [1.0, 0.0]


def test_around_one_product_only_what_leads_to_it_and_on() -> None:
    facts = [*SOURCES, declared(0, "d.c", "s.a"), declared(0, "d.d", "d.c", "s.b"), declared(0, "e.e", "s.b")]
    graph = graph_at(1, facts, [], [], TOPICS)
    around = graph.around(ProductName.parse("d.c"))
    assert [each.topic for each in around.products] == ["d.c.v1", "d.d.v1", "s.a.v1"]
    assert [(hop.source, hop.target) for hop in around.hops] == [("d.c.v1", "d.d.v1"), ("s.a.v1", "d.c.v1")]


def test_names_cannot_end_a_label_of_a_picture() -> None:
    hostile = 'a "team" <b>\\'
    facts = [declared(0, "s.a"), declared(0, "d.c", "s.a", owner=hostile)]
    graph = graph_at(1, facts, [], [], TOPICS)
    assert '["d.c 1.0.0<br/>a #quot;team#quot; #lt;b#gt;\\"]' in as_mermaid(graph)
    assert 'label="d.c 1.0.0\\na \\"team\\" <b>\\\\"' in as_dot(graph)
    assert "p1 -.-> x0" in as_mermaid(graph), "declared only"
    assert '"s.a.v1" -> "d.c -> d.c.v1" [style=dashed]' in as_dot(graph)


def test_json_names_versions_and_grades() -> None:
    graph = graph_at(1, [*SOURCES, declared(0, "d.c", "s.a")], [], [], TOPICS)
    assert graph.as_json()["hops"] == [
        {
            "from": "s.a.v1",
            "from_version": "1.0.0",
            "processor": "d.c",
            "to": "d.c.v1",
            "to_version": "1.0.0",
            "build": "",
            "known": "declared",
            "records_per_second": 0.0,
        }
    ]
