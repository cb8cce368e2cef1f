"""Ratios, floors and the shape of what benchmarks write; nothing here depends on how fast the machine is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.harness import Benchmark, Comparison, Reading, Variant, clocked, in_turns, pairwise, publish, result

OURS, OTHER = "ours", "other"


def reading(rate: float, cpu: float = 1.0) -> Reading:
    return Reading(records=1000, wall=1000 / rate, cpu=cpu)


READINGS = {
    OURS: [reading(300, cpu=0.5), reading(100, cpu=0.5), reading(80)],
    OTHER: [reading(100), reading(50), reading(10)],
}


def benchmark(*comparisons: Comparison) -> Benchmark:
    return Benchmark("sample", "A sample", comparisons, {"kafka": "4.3.1"}, ["said aloud"], {"records": 1000})


def test_ratios_are_taken_within_a_round() -> None:
    assert pairwise(Comparison("x", OURS, OTHER), READINGS) == pytest.approx([3, 2, 8])


def test_cpu_ratios_ignore_the_wall() -> None:
    assert pairwise(Comparison("x", OURS, OTHER, "cpu"), READINGS) == pytest.approx([2, 2, 1])


def test_the_ratio_told_is_the_median_of_the_rounds() -> None:
    told = result(benchmark(Comparison("x", OURS, OTHER)), READINGS)
    assert told["ratios"] == {"x": 3}
    assert told["ratio_spread"] == {"x": {"min": 2, "median": 3, "max": 8}}


@pytest.mark.parametrize(("floor", "held"), [(2.9, True), (3, True), (3.1, False)])
def test_a_floor_is_held_by_the_median(floor: float, held: bool) -> None:
    told = result(benchmark(Comparison("x", OURS, OTHER, floor=floor)), READINGS)
    assert told["floors"] == {"x": {"at_least": floor, "value": 3, "held": held}}


def test_targets_are_kept_apart_from_floors() -> None:
    told = result(benchmark(Comparison("x", OURS, OTHER, floor=1, target=5), Comparison("y", OURS, OTHER)), READINGS)
    assert list(told["floors"]) == ["x"]
    assert told["targets"] == {"x": {"at_least": 5, "value": 3, "held": False}}


def test_each_round_begins_with_another_variant() -> None:
    order: list[str] = []

    def run(name: str) -> Reading:
        order.append(name)
        return reading(1)

    readings = in_turns([Variant(name, lambda name=name: run(name)) for name in "abc"], 3)  # type: ignore[misc]
    assert "".join(order) == "abcbcacab"
    assert {name: len(taken) for name, taken in readings.items()} == {"a": 3, "b": 3, "c": 3}


def test_a_clocked_run_has_wall_and_cpu_time() -> None:
    taken = clocked(lambda: len([number**2 for number in range(20_000)]))
    assert taken.records == 20_000
    assert taken.wall > 0
    assert taken.cpu > 0


def test_the_file_names_neither_host_nor_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = publish(benchmark(Comparison("x", OURS, OTHER, floor=1)), READINGS, tmp_path)
    told = json.loads(path.read_text(encoding="utf-8"))
    assert path == tmp_path / "sample.json"
    assert told["command"] == "make bench ONLY=sample"
    assert set(told["machine"]) == {"cores", "memory_gib", "architecture", "load_average"}
    assert {"python", "confluent-kafka", "librdkafka", "fastavro", "kafka"} <= set(told["versions"])
    assert len(told["measured_at"]) == len("2026-01-31")
    assert "/" not in path.read_text(encoding="utf-8").replace(told["title"], "")
    assert "every floor held" in capsys.readouterr().out


def test_a_missed_floor_is_said_aloud_and_nothing_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(benchmark(Comparison("x", OURS, OTHER, floor=99)), READINGS, tmp_path)
    out = capsys.readouterr().out
    assert "MISSED" in out
    assert "1 FLOOR(S) MISSED: x" in out


def test_kafkas_share_is_told_where_it_was_measured() -> None:
    taken = [Reading(1000, 1.0, 0.002, broker_cpu=0.004)]
    told = result(benchmark(), {OURS: taken})
    assert told["variants"][OURS]["cpu_us_per_record"]["median"] == 2
    assert told["variants"][OURS]["broker_cpu_us_per_record"]["median"] == 4
