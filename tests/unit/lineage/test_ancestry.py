"""Backward walks over lineages in memory: whole, with parts that expired, foreign or gone, and at any size."""

from __future__ import annotations

import json
import random
from itertools import count
from uuid import UUID

import pytest

from mesh.cli.ancestry import tree
from mesh.errors import BrokerUnreachable, NotAuthorised, NotFound
from mesh.lineage import (
    Atlas,
    Descent,
    Graph,
    OffsetSet,
    OpenSite,
    ParentSet,
    Progress,
    Reach,
    Reference,
    Standing,
    Station,
    ancestry,
    output_slot,
    trace,
)
from mesh.lineage.ancestry import ancestry_of_refused
from mesh.types import Coordinate, TopicPartition
from tests.support.ancestries import grown, reached
from tests.support.ledgers import Ledger, Logs


@pytest.fixture
def ledger() -> Ledger:
    """Two sources and a product made of both."""
    made = Ledger()
    made.product("weather.observations")
    made.product("operations.flights")
    made.product("punctuality.delays", processor="punctuality.delays")
    return made


def walk(ledger: Ledger, at: Reference, reach: Reach | None = None) -> Graph:
    return ancestry(at, Atlas.of_one(ledger.logs, ledger.logs), reach)


def sources(station: Station) -> set[str]:
    """The origins at the end of every way back."""
    if station.making is None:
        return {station.origin or ""}
    return {origin for each in station.making.stations() for origin in sources(each)}


def test_a_join_leads_to_the_rows_of_both_sides(ledger: Ledger) -> None:
    flight = ledger.source("operations.flights", b"1", b"2")[1]
    weather = ledger.source("weather.observations", b"7", b"8!", b"9")[1]
    graph = walk(ledger, ledger.one("punctuality.delays", of=[flight, weather]))
    assert sources(graph.root) == {"operations.flights.csv#2", "weather.observations.csv#9"}
    assert graph.root.making is not None
    assert (graph.root.making.processor, graph.root.making.count) == ("punctuality.delays", 2)
    assert graph.root.making.driving == flight
    assert graph.root.passage is not None
    assert (graph.root.passage.basis.contract_version, graph.root.passage.gate) == ("1.0.0", "_mesh.gate.test.0")
    assert {parent for _, parent in graph.edges} == {flight, weather}


def test_the_processors_build_is_that_of_the_commit_over_the_driving_record(ledger: Ledger) -> None:
    flights = ledger.source("operations.flights", *(b"%d" % n for n in range(400)))
    for begin in range(0, 400, 2):
        ledger.progress("punctuality.delays", progress(flights[begin], begin, begin + 2, f"build-{begin // 100}"))
    for at, build in ((0, "build-0"), (150, "build-1"), (399, "build-3")):
        made = walk(ledger, ledger.one("punctuality.delays", of=[flights[at]])).root.making
        assert made is not None
        assert made.build == build


def progress(at: Reference, start: int, end: int, build: str) -> Progress:
    return Progress(
        processor="punctuality.delays",
        build=build,
        product="operations.flights",
        topic_id=at.topic_id,
        partition=at.partition,
        start=start,
        end=end,
        delivered=OffsetSet.between(start, end),
    )


def test_records_that_expired_everywhere_are_traced_all_the_same(ledger: Ledger) -> None:
    flight, weather = ledger.source("operations.flights", b"1")[0], ledger.source("weather.observations", b"7")[0]
    made = ledger.one("punctuality.delays", of=[flight, weather])
    before = walk(ledger, made).as_json()
    for place in list(ledger.logs.records):
        if not place.topic.endswith((".lineage", ".parents")):
            ledger.logs.expire(place)
    assert walk(ledger, made).as_json() == before


def test_large_sets_are_counted_and_shown_in_part_and_looked_up_together(ledger: Ledger) -> None:
    flights = [at for n in range(200) for at in ledger.source("operations.flights", b"%d" % n)]
    scattered = flights[::3]
    made = ledger.one("punctuality.delays", of=scattered)
    graph = walk(ledger, made)
    assert graph.root.making is not None
    (branch,) = graph.root.making.branches
    assert (len(branch.lot.offsets), len(branch.stations), branch.left) == (67, 8, 59)
    before = ledger.logs.reads
    whole = walk(ledger, made, Reach(most=None))
    assert sources(whole.root) == {f"operations.flights.csv#{n}" for n in range(0, 200, 3)}
    assert ledger.logs.reads - before < 30, "one search for each of them would be 67"


def test_depth_is_counted_in_hops(ledger: Ledger) -> None:
    ledger.product("punctuality.hourly", processor="punctuality.hourly")
    flight = ledger.source("operations.flights", b"1")[0]
    hourly = ledger.one("punctuality.hourly", of=[ledger.one("punctuality.delays", of=[flight])])
    assert [len(walk(ledger, hourly, Reach(depth=depth)).stations) for depth in (0, 1, 2, None)] == [1, 2, 3, 3]


def test_a_refused_record_leads_to_what_it_says_it_was_made_from(ledger: Ledger) -> None:
    flight = ledger.source("operations.flights", b"1")[0]
    ledger.derive("punctuality.delays", Descent.of_one(flight), b"bad!")
    ledger.gate("punctuality.delays")
    found = trace(Coordinate("punctuality.delays.v1.quarantine", 0, 0), ledger.logs, ledger.logs)
    assert found.descent is not None
    holding = Atlas.of_one(ledger.logs, ledger.logs).holding(ledger.products["punctuality.delays"].topics)
    graph = ancestry_of_refused(found.asked, found.descent, holding)
    assert graph.root.passage is None
    assert sources(graph.root) == {"operations.flights.csv#1"}
    assert next(iter(tree(graph))) == "punctuality.delays.v1.quarantine/0/0"


class Silent(Logs):
    """A cluster that does not answer."""

    def topic_names(self) -> list[str]:
        raise BrokerUnreachable("127.0.0.1:1")


def test_a_cluster_that_does_not_answer_stops_only_what_may_lie_there(ledger: Ledger) -> None:
    flight = ledger.source("operations.flights", b"1")[0]
    elsewhere = Reference(UUID(int=777), 0, 3)
    made = ledger.one("punctuality.delays", of=[flight, elsewhere])
    far = Silent("far")
    sites = OpenSite(far, far), OpenSite(ledger.logs, ledger.logs)
    graph = ancestry(made, Atlas(sites, lambda _domain: sites[1]))
    assert graph.stations[elsewhere].standing is Standing.UNREACHABLE
    assert graph.stations[flight].origin == "operations.flights.csv#1"


def test_where_lineage_may_not_be_read_the_walk_goes_on_elsewhere(ledger: Ledger) -> None:
    flight, weather = ledger.source("operations.flights", b"1")[0], ledger.source("weather.observations", b"7")[0]
    made = ledger.one("punctuality.delays", of=[flight, weather])
    ledger.logs.denied.add("weather.observations.v1.lineage")
    graph = walk(ledger, made)
    closed = graph.stations[weather]
    assert (closed.standing, str(closed.at)) == (Standing.FORBIDDEN, "weather.observations.v1/0/0")
    assert graph.stations[flight].origin == "operations.flights.csv#1"
    ledger.logs.denied.add("punctuality.delays.v1.lineage")
    with pytest.raises(NotAuthorised):
        walk(ledger, made)


def test_a_recreated_parent_topic_does_not_lend_its_new_records(ledger: Ledger) -> None:
    flight = ledger.source("operations.flights", b"1")[0]
    made = ledger.one("punctuality.delays", of=[flight])
    flights = ledger.products["operations.flights"]
    anew = UUID(int=999)
    ledger.logs.create(flights.topics.public, anew, 1)
    ledger.logs.records[TopicPartition(flights.topics.public, 0)] = {}
    ledger.logs.ends[TopicPartition(flights.topics.public, 0)] = 0
    flights.ids = type(flights.ids)(flights.ids.ingress, anew, flights.ids.quarantine)
    flights.chains[0] = flights.chains[0].new_epoch(flights.ids, flights.read[0])
    assert ledger.source("operations.flights", b"2") == [Reference(anew, 0, 0)]
    station = walk(ledger, made).stations[flight]
    assert (station.origin, station.at.topic_id) == ("operations.flights.csv#1", flight.topic_id)
    ledger.logs.expire(TopicPartition(flights.topics.lineage, 0), 2)
    assert walk(ledger, made).stations[flight].standing is Standing.MISSING


def test_unknown_ids_and_coordinates_are_said_and_do_not_stop(ledger: Ledger) -> None:
    flight = ledger.source("operations.flights", b"1")[0]
    nowhere, beyond = Reference(UUID(int=777), 0, 3), Reference(flight.topic_id, 0, 50)
    graph = walk(ledger, ledger.one("punctuality.delays", of=[flight, nowhere, beyond]))
    assert [graph.stations[each].standing for each in (flight, nowhere, beyond)] == [
        Standing.FOLLOWED,
        Standing.MISSING,
        Standing.MISSING,
    ]
    with pytest.raises(NotFound):
        walk(ledger, beyond)


def test_sets_too_large_for_a_header_come_from_the_topic_of_parents(ledger: Ledger) -> None:
    flights = ledger.source("operations.flights", *(b"%d" % n for n in range(3000)))
    chosen = random.Random(4).sample(flights, 900)
    made = ledger.one("punctuality.delays", of=chosen)
    graph = walk(ledger, made, Reach(most=None))
    assert set(graph.stations) - {made} == set(chosen)
    ledger.logs.expire(TopicPartition("punctuality.delays.v1.parents", 0))
    gone = walk(ledger, made).root.making
    assert gone is not None
    assert (gone.count, gone.parents, gone.trouble) == (900, None, "its parents are no longer kept, only their digest")


def test_another_set_in_the_place_of_a_deposit_is_not_believed(ledger: Ledger) -> None:
    flights = ledger.source("operations.flights", *(b"%d" % n for n in range(3000)))
    made = ledger.one("punctuality.delays", of=random.Random(4).sample(flights, 900))
    log = ledger.logs.records[TopicPartition("punctuality.delays.v1.parents", 0)]
    ledger.derive(
        "punctuality.delays", Descent(flights[0], parents=ParentSet.of(random.Random(5).sample(flights, 900)))
    )
    log[0] = log[max(log)]
    forged = walk(ledger, made).root.making
    assert forged is not None
    assert "another parent set lies there" in forged.trouble


def test_a_running_aggregate_is_walked_through_all_its_updates(ledger: Ledger) -> None:
    flights = ledger.source("operations.flights", *(b"%d" % n for n in range(50)))
    topic = ledger.products["punctuality.delays"].topics.public
    previous, made = None, None
    for flight in flights:
        slot = output_slot("punctuality.delays", topic, flight)
        descent = Descent(flight, parents=ParentSet.of([flight]), slot=slot, previous=previous)
        ledger.derive("punctuality.delays", descent)
        assert len(descent.encode()) <= 120, "fifty hops do not grow a header"
        previous, made = descent.identity("punctuality.delays", topic), ledger.gate("punctuality.delays")[0]
    assert made is not None
    graph = walk(ledger, made)
    assert sum(station.making is not None for station in graph.stations.values()) == 50
    assert {station.origin for station in graph.stations.values() if station.making is None} == {
        f"operations.flights.csv#{n}" for n in range(50)
    }


def test_other_clusters_are_asked_for_ids_this_one_does_not_know(ledger: Ledger) -> None:
    far = Ledger(Logs("far"), count(100))
    far.product("fleet.aircraft")
    plane = far.source("fleet.aircraft", b"N1")[0]
    flight = ledger.source("operations.flights", b"1")[0]
    made = ledger.one("punctuality.delays", of=[flight, plane])
    sites = OpenSite(ledger.logs, ledger.logs), OpenSite(far.logs, far.logs)
    graph = ancestry(made, Atlas(sites, lambda _domain: sites[0]))
    station = graph.stations[plane]
    assert (station.at.cluster_id, station.origin) == ("far", "fleet.aircraft.csv#N1")


@pytest.mark.parametrize("seed", range(12))
def test_walks_over_generated_graphs_find_exactly_the_parents_that_were_named(seed: int) -> None:
    ledger, dice = Ledger(), random.Random(seed)
    truth = grown(ledger, dice)
    for record in dice.sample(sorted(truth), min(20, len(truth))):
        graph = walk(ledger, record, Reach(most=None))
        assert set(graph.edges) == {(child, parent) for child in reached(truth, record) for parent in truth[child]}


def test_a_record_met_twice_is_told_once(ledger: Ledger) -> None:
    ledger.product("punctuality.hourly", processor="punctuality.hourly")
    flight = ledger.source("operations.flights", b"1")[0]
    pair = [ledger.one("punctuality.delays", of=[flight]) for _ in range(2)]
    told = walk(ledger, ledger.one("punctuality.hourly", of=pair)).as_json()
    records = told["records"]
    assert isinstance(records, list)
    assert len({each["id"] for each in records}) == len(records) == 4
    assert records[0]["id"] == told["root"]


def test_a_thousand_updates_of_an_aggregate_are_walked_and_told(ledger: Ledger) -> None:
    """Deeper than Python's own recursion goes."""
    flights = ledger.source("operations.flights", *(b"%d" % n for n in range(1200)))
    topic, previous = ledger.products["punctuality.delays"].topics.public, None
    for flight in flights:
        descent = Descent(flight, parents=ParentSet.of([flight]), previous=previous)
        ledger.derive("punctuality.delays", descent)
        previous = descent.identity("punctuality.delays", topic)
    made = ledger.gate("punctuality.delays")[-1]
    graph = walk(ledger, made, Reach(depth=None))
    assert len(graph.stations) == 2400
    assert json.loads(json.dumps(graph.as_json()))["root"]
    told = list(tree(graph))
    assert sum(line.strip() == "continues" for line in told) == 1199
    few = walk(ledger, made)
    assert sum(station.making is not None and station.making.cut for station in few.stations.values()) == 1
    assert any("(--depth)" in line for line in tree(few))
