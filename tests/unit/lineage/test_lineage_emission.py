"""Events of what the collector folds: nothing of the past at first, nothing twice, nothing lost by a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mesh.lineage import encode_manifest
from mesh.lineage.graph import Declaration
from mesh.lineage.index import Collector, Store
from mesh.lineage.index.emission import Emission
from mesh.lineage.openlineage import Naming, Runs
from mesh.types import SchemaId
from tests.support.deriving import Derived
from tests.support.lined import Lines
from tests.support.openlineage import faults
from tests.support.transactions import manifest

MINUTE = 60_000
Event = dict[str, Any]


class Listening:
    """A collector that can be stopped and started over one file, and what it has sent."""

    def __init__(self, path: Path) -> None:
        self.path, self.lines = path, Lines()
        self.lines.declared = [Declaration(0, Derived("s.a").contract())]
        self.sent: list[Event] = []
        self.next = 0
        self.restart()

    def restart(self) -> None:
        """As after a kill: only the file is left."""
        self.store = Store(self.path)
        runs = Runs(lambda _domain: Naming("kafka://k:9092"))
        self.emission = Emission(runs, self.store, self.sent.extend)
        self.collector = Collector(self.store, self.lines.sources(), self.emission)
        self.collector.relist()
        self.emission.rewind(self.lines, self.collector.positions)

    def work(self, minute: int, count: int = 10, second: int = 1, written: int = 0) -> None:
        """The gate passes so many records in a minute; Kafka has the manifest so many milliseconds later."""
        told = manifest("s.a.v1", self.next, count, minute * MINUTE + second * 1_000)
        self.lines.write("s.a.v1.lineage", encode_manifest(told, SchemaId(9)), told.created_at + written)
        self.next += count
        self.collector._listed = float("-inf")
        self.collector.relist()
        self.collector.fold(self.lines.messages())

    def tick(self, minute: int) -> list[tuple[str, int]]:
        """What is sent when a minute has just begun: kinds and records of the output."""
        before = len(self.sent)
        self.emission.tick(minute * MINUTE + 10_000)
        new = self.sent[before:]
        assert [text for event in new for text in faults(event)] == []
        return [(each["eventType"], each["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"]) for each in new]


def test_the_past_is_folded_in_silence_and_the_present_told(tmp_path: Path) -> None:
    listening = Listening(tmp_path / "index.db")
    listening.work(100)
    listening.work(101)
    assert listening.tick(102) == []
    listening.work(102)
    assert listening.tick(103) == [("RUNNING", 10)]
    run = listening.sent[0]["run"]["runId"]
    listening.work(103)
    assert listening.tick(104) == [("RUNNING", 10)]
    assert {each["run"]["runId"] for each in listening.sent} == {run}


def test_a_restart_in_the_middle_of_a_minute_loses_and_repeats_nothing(tmp_path: Path) -> None:
    listening = Listening(tmp_path / "index.db")
    listening.work(100)
    assert listening.tick(101) == []
    listening.work(101)
    assert listening.tick(102) == [("RUNNING", 10)]
    listening.work(102, 7)
    listening.restart()
    listening.work(102, 5)
    assert listening.tick(103) == [("RUNNING", 12)]
    listening.restart()
    assert listening.tick(103) == []
    assert len({each["run"]["runId"] for each in listening.sent}) == 1


def test_a_transaction_at_the_edge_of_a_minute_is_told_once_over_a_restart(tmp_path: Path) -> None:
    listening = Listening(tmp_path / "index.db")
    listening.work(100)
    listening.tick(101)
    listening.work(101, 7, second=59, written=1_500)
    assert listening.tick(102) == [("RUNNING", 7)]
    listening.restart()
    listening.work(102, 3)
    assert listening.tick(103) == [("RUNNING", 3)]


def test_what_comes_late_for_its_minute_is_told_all_the_same(tmp_path: Path) -> None:
    listening = Listening(tmp_path / "index.db")
    listening.work(100)
    listening.tick(101)
    listening.work(101, 4)
    assert listening.tick(102) == [("RUNNING", 4)]
    listening.work(101, 2)
    assert listening.tick(103)[0] == ("RUNNING", 2)


def test_a_new_file_names_the_same_runs(tmp_path: Path) -> None:
    listening = Listening(tmp_path / "one.db")
    listening.work(100)
    listening.tick(101)
    listening.work(101)
    listening.tick(102)
    other = Listening(tmp_path / "two.db")
    other.lines = listening.lines
    other.restart()
    other.collector.fold(other.lines.messages())
    other.tick(102)
    other.work(102)
    other.tick(103)
    assert other.sent[0]["run"]["runId"] == listening.sent[0]["run"]["runId"]
