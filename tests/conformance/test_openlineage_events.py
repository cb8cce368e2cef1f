"""Every event that is emitted is valid under OpenLineage 2-0-2, each facet under its own schema, and none is needed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mesh.lineage import OffsetSet
from mesh.lineage.graph import Declaration
from mesh.lineage.openlineage import Naming, Runs, declared_events
from mesh.lineage.stop import Stop, StopCause
from tests.support.deriving import Derived
from tests.support.exports import everything
from tests.support.openlineage import facets, faults, graph
from tests.support.transactions import commit, manifest

MINUTE = 60_000
START = 1_767_225_600_000 // MINUTE * MINUTE
NAMING = Naming.of("kafka.example.org:9092,other.example.org:9092", "c1")

D_SPEED = [{"from": "s.b.speed", "subtype": "AGGREGATION"}]

Event = dict[str, Any]


def pipeline() -> Runs:
    """Products a and b, c made from a, d from b by one processor; c changes its version in the third minute."""
    runs = Runs(lambda _domain: NAMING)
    c = Derived(
        "d.c",
        ["s.a"],
        processor="p",
        owner="team c",
        speed=[{"from": "s.a.speed", "subtype": "IDENTITY", "masking": True}],
        lists={"group": ["s.a.station"]},
    )
    d = Derived("d.d", ["s.b"], processor="p", speed=D_SPEED)
    for draft in (Derived("s.a", owner="team a"), Derived("s.b"), c, d):
        runs.declare(Declaration(START, draft.contract()))
    for minute in range(4):
        at, base = START + minute * MINUTE + 1_000, minute * 100
        version = "1.0.0" if minute < 2 else "1.1.0"
        runs.manifest("s.a.v1.lineage", manifest("s.a.v1", base, 100, at, 10, {"speed-possible": 9, "wire.body": 1}))
        runs.manifest("s.b.v1.lineage", manifest("s.b.v1", base, 50, at + 5))
        runs.progress("d.c.v1.parents", commit("p", "s.a", base, base + 90, at + 10))
        runs.progress(
            "d.d.v1.parents", commit("p", "s.b", base, base + 50, at + 10, filtered=OffsetSet.between(base, base + 3))
        )
        runs.manifest("d.c.v1.lineage", manifest("d.c.v1", base, 90, at + 20, version=version))
        runs.manifest("d.d.v1.lineage", manifest("d.d.v1", base, 47, at + 20))
        if minute == 1:
            changed = Derived("d.c", ["s.a"], "1.1.0", "p", owner="team c", speed=c.speed, lists=c.lists)
            runs.declare(Declaration(START + minute * MINUTE + 50_000, changed.contract()))
    return runs


def emitted() -> list[Event]:
    runs = pipeline()
    events = [event for minute in range(1, 7) for event in runs.due(START + minute * MINUTE + 10_000)]
    runs.declare(
        Declaration(
            START + 6 * MINUTE, Derived("d.d", ["s.b"], processor="p", speed=D_SPEED, status="retired").contract()
        )
    )
    return events + runs.due(START + 7 * MINUTE + 10_000)


EVENTS = emitted()


def test_every_event_is_valid_and_so_is_each_of_its_facets() -> None:
    assert len(EVENTS) > 30
    for event in EVENTS:
        assert faults(event) == []
    seen = {key for event in EVENTS for _, key, _ in facets(event)}
    assert seen == {
        *("schema", "columnLineage", "ownership", "dataQualityAssertions", "inputStatistics", "outputStatistics"),
        *("version", "symlinks", "jobType", "processing_engine", "mesh_offsets"),
    }


@pytest.mark.parametrize("name", sorted(everything()))
def test_events_of_every_kind_of_contract_are_valid(name: str) -> None:
    contract = everything()[name]
    runs = Runs(lambda _domain: Naming.of("", "c1"))
    runs.declare(Declaration(0, contract))
    topic = contract.topics.public
    runs.manifest(contract.topics.lineage, manifest(topic, 0, 5, START, 1, {"x": 1}, version=contract.version))
    events = runs.due(START + 10 * MINUTE)
    assert [event["eventType"] for event in events] == ["START", "RUNNING", "RUNNING"]
    for event in events:
        assert faults(json.loads(json.dumps(event))) == []


def test_the_judge_of_this_suite_sees_faults() -> None:
    """A run event without a run is a valid job event, and no facet is looked at by the core: both must be seen here."""
    event = json.loads(json.dumps(EVENTS[1]))
    del event["run"]["runId"]
    assert any("runId" in text for text in faults(event))
    event = json.loads(json.dumps(EVENTS[1]))
    event["outputs"][0]["facets"]["columnLineage"]["fields"]["speed"] = {}
    assert any("inputFields" in text for text in faults(event))
    event = json.loads(json.dumps(EVENTS[1]))
    event["eventTime"] = "yesterday"
    assert any("eventTime" in text for text in faults(event))
    event = json.loads(json.dumps(EVENTS[1]))
    event["run"]["facets"]["mesh_offsets"]["topics"][0]["partitions"][0]["from"] = -1
    assert any("mesh_offsets" in text for text in faults(event))


def test_dropping_any_one_event_leaves_the_graph_as_it_is() -> None:
    whole = graph(EVENTS)
    assert whole["d/p:d.c.v1"]["inputs"] == ["s.a.v1"], "explicit edges: c comes from a"
    assert whole["d/p:d.d.v1"]["inputs"] == ["s.b.v1"], "and d from b, whoever makes both"
    assert whole["d/p:d.c.v1"]["outputs"] == ["d.c.v1.ingress"]
    assert whole["d/gate:d.c.v1"]["outputs"] == ["d.c.v1", "d.c.v1.quarantine"]
    for at in range(len(EVENTS)):
        assert graph(EVENTS[:at] + EVENTS[at + 1 :]) == whole


def test_edges_are_there_from_the_first_event_of_a_job_that_never_ends() -> None:
    started: set[str] = set()
    for at, event in enumerate(EVENTS):
        job = f"{event['job']['namespace']}/{event['job']['name']}"
        if job not in started:
            assert event["eventType"] == "START"
            assert graph(EVENTS[: at + 1])[job]["outputs"] == graph(EVENTS)[job]["outputs"]
        started.add(job)
    assert len(started) == 6


def of(job: str, kind: str = "") -> list[Event]:
    return [each for each in EVENTS if each["job"]["name"] == job and kind in ("", each["eventType"])]


def test_counts_are_the_gates() -> None:
    for event in of("gate:s.a.v1", "RUNNING")[:4]:
        (source,) = event["inputs"]
        told = {each["name"]: each for each in source["inputFacets"]["dataQualityAssertions"]["assertions"]}
        assert (told["speed-possible"]["actual"], told["speed-possible"]["success"]) == ("9", False)
        assert told["speed-possible"]["column"] == "speed"
        assert told["wire.body"]["params"] == {"broken": 1, "judged": 100}
        assert source["inputFacets"]["inputStatistics"]["rowCount"] == 100
        rows = {each["name"]: each["outputFacets"]["outputStatistics"]["rowCount"] for each in event["outputs"]}
        assert rows == {"s.a.v1": 90, "s.a.v1.quarantine": 10}
        offsets = event["run"]["facets"]["mesh_offsets"]
        assert offsets["dispositions"] == {"accepted": 90, "refused": 10, "repeated": 0, "parked": 0}


def test_offsets_of_each_partition_are_told_with_the_topics_id() -> None:
    event = of("p:d.d.v1", "RUNNING")[1]
    offsets = event["run"]["facets"]["mesh_offsets"]
    (topic,) = offsets["topics"]
    assert topic["partitions"] == [{"partition": 0, "from": 100, "to": 150, "records": 50}]
    assert offsets["dispositions"] == {"delivered": 50, "filtered": 3, "late": 0, "parked": 0, "outputs": 50}


def test_a_new_version_ends_the_run_and_begins_another() -> None:
    kinds = [(each["eventType"], each["run"]["runId"]) for each in of("gate:d.c.v1")]
    first, second = kinds[0][1], kinds[-1][1]
    assert first != second
    assert [kind for kind, run in kinds if run == first] == ["START", "RUNNING", "RUNNING", "COMPLETE"]
    assert [kind for kind, run in kinds if run == second][:2] == ["START", "RUNNING"]
    versions = [
        {each["facets"]["version"]["datasetVersion"] for each in event["outputs"] if "version" in each["facets"]}
        for event in of("gate:d.c.v1")
    ]
    assert versions[0] == {"1.0.0"}
    assert versions[-1] == {"1.1.0"}


def test_a_retired_product_completes_its_runs_and_idle_ones_go_on() -> None:
    assert of("p:d.d.v1")[-1]["eventType"] == "COMPLETE"
    assert of("gate:d.d.v1")[-1]["eventType"] == "COMPLETE"
    idle = of("gate:s.b.v1")[-1]
    assert (idle["eventType"], idle["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"]) == ("RUNNING", 0)


def test_columns_say_how_and_masked() -> None:
    event = of("p:d.c.v1")[0]
    columns = event["outputs"][0]["facets"]["columnLineage"]
    (fed,) = columns["fields"]["speed"]["inputFields"]
    assert (fed["namespace"], fed["name"], fed["field"]) == ("kafka://kafka.example.org:9092", "s.a.v1", "speed")
    assert fed["transformations"] == [{"type": "DIRECT", "subtype": "IDENTITY", "masking": True}]
    assert columns["dataset"][0]["transformations"][0]["subtype"] == "GROUP_BY"


def test_one_cluster_behind_many_names_is_one_dataset() -> None:
    event = of("gate:s.a.v1")[0]
    names = {each["namespace"] for each in event["inputs"][0]["facets"]["symlinks"]["identifiers"]}
    assert names == {"kafka://other.example.org:9092", "kafka://c1"}
    assert {each["namespace"] for event in EVENTS for each in event["outputs"]} == {"kafka://kafka.example.org:9092"}


def test_a_partition_that_stands_still_fails_the_run_once() -> None:
    runs = Runs(lambda _domain: NAMING)
    runs.declare(Declaration(START, Derived("s.a").contract()))
    stop = Stop(
        cause=StopCause.BREAKER, offset=7, reason="12 of 20 records refused", contract_version="1.0.0", since=START
    )
    for minute in range(3):
        at = START + minute * MINUTE
        runs.manifest("s.a.v1.lineage", manifest("s.a.v1", minute * 10, 10, at, stop=stop if minute else None))
    events = runs.due(START + 3 * MINUTE + 10_000)
    assert [each["eventType"] for each in events] == ["START", "RUNNING", "FAIL", "START", "RUNNING"]
    assert faults(events[2]) == []
    message = events[2]["run"]["facets"]["errorMessage"]["message"]
    assert message == "partition 0 stands still: 12 of 20 records refused"
    assert events[2]["run"]["runId"] == events[0]["run"]["runId"] != events[3]["run"]["runId"]


def test_what_is_declared_is_told_as_job_events() -> None:
    c = Derived("d.c", ["s.a"], processor="p", speed=[{"from": "s.a.speed", "subtype": "IDENTITY"}])
    contracts = [*everything().values(), Derived("s.a").contract(), c.contract()]
    events = declared_events(contracts, lambda _domain: NAMING, START)
    processors = [each for each in contracts if each.derivation is not None]
    assert len(events) == len({each.topics.public for each in contracts}) + len(processors)
    for event in events:
        assert "run" not in event
        assert faults(json.loads(json.dumps(event))) == []
    assert graph(events)["d/p:d.c.v1"] == {
        "inputs": ["s.a.v1"],
        "outputs": ["d.c.v1.ingress"],
        "columns": {("d.c.v1.ingress", "speed"): [("s.a.v1", "speed")]},
    }
