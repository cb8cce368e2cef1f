"""The gate's benchmark without Kafka: who takes part, who is left out and how that is told, what is pinned."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from benchmarks import gate
from benchmarks.harness import Benchmark, Comparison, Reading, Variant, publish
from benchmarks.orders import orders_contract
from benchmarks.rivals.job import VARIABLE, Job
from benchmarks.venvs import RIVALS, NotInstalled, _run, python_of, requirements
from benchmarks.waits import Arrivals
from mesh.errors import NotFound

NAMES = ["quix", "faststream", "faust"]


def reading(rate: float) -> Reading:
    return Reading(1_000, 1_000 / rate, 0.5, 0.25, 100.0)


def failing() -> Reading:
    raise NotFound("topic", "x", "make it")


def test_every_floor_compares_variants_there_are() -> None:
    known = {gate.PASS, gate.PASS_TWO, gate.ONCE, gate.LEAST, gate.ONE_RULE, gate.TWO, gate.ROWS, gate.SERDES, gate.CEL}
    known |= {gate.QUIX, gate.FASTSTREAM, gate.FAUST}
    assert {name for each in gate._COMPARISONS for name in (each.ours, each.other)} <= known
    floors = {each.name: each.floor for each in gate._COMPARISONS if each.floor is not None}
    assert floors["exactly once / pass-through"] == 0.7
    assert floors["exactly once / at least once"] == 0.85
    assert [floors[f"gate / {name}"] for name in ("Quix", "FastStream", "Faust", "serdes")] == [12, 25, 100, 15]


def test_a_short_run_has_everything_in_small() -> None:
    short, full = gate.Sizes.short(), gate.Sizes()
    assert short.slow.keys() == full.slow.keys()
    assert short.records < full.records
    assert max(full.rates) == 20_000
    assert full.touched == (1, 10, 50)
    assert full.products == 300


def test_a_framework_that_fails_is_left_out_and_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    skipped = {gate.FAUST: "it does not install here: no wheel"}
    variants = [Variant(gate.ONCE, lambda: reading(100)), Variant(gate.QUIX, failing), Variant(gate.FAUST, failing)]
    readings = gate.compete(variants, 2, skipped)
    assert {name: len(taken) for name, taken in readings.items()} == {gate.ONCE: 2}
    comparisons = (Comparison("gate / Quix", gate.ONCE, gate.QUIX, floor=12),)
    rows = {"waits": [{"records/s": 1, "p50 ms": 2.5}, {"records/s": 1_000, "p50 ms": 31.25}]}
    path = publish(Benchmark("sample", "A sample", comparisons, skipped=skipped, tables=rows), readings, tmp_path)
    told, out = json.loads(path.read_text(encoding="utf-8")), capsys.readouterr().out
    assert told["ratios"] == told["floors"] == {}
    assert told["skipped"].keys() == {gate.QUIX, gate.FAUST}
    assert told["tables"] == rows
    assert f"SKIPPED {gate.FAUST}: it does not install here: no wheel" in out
    assert "31.25" in out


def test_ours_may_not_fail() -> None:
    with pytest.raises(NotFound):
        gate.compete([Variant(gate.ONCE, failing)], 1, {})


def test_each_round_begins_with_another_one() -> None:
    order: list[str] = []

    def run(name: str) -> Reading:
        order.append(name)
        return reading(1)

    gate.compete([Variant(name, partial(run, name)) for name in "abc"], 3, {})
    assert "".join(order) == "abcbcacab"


@pytest.mark.parametrize("name", NAMES)
def test_rivals_are_pinned_and_their_index_is_nobodys_business_here(name: str) -> None:
    lines = [line for line in requirements(name).read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line) for line in lines)
    assert "fastavro==1.13.1" in lines
    assert (RIVALS / f"with_{name}.py").is_file()


def test_a_rival_that_does_not_install_says_why() -> None:
    with pytest.raises(NotInstalled, match="no wheel for this machine"):
        _run([sys.executable, "-c", "raise SystemExit('first\\nno wheel for this machine')"])


def test_an_environment_is_made_once_for_its_pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pins, ran = tmp_path / "pins.txt", list[Sequence[str]]()

    def run(command: Sequence[str]) -> None:
        ran.append(command)
        if "venv" in command:
            Path(command[-1]).mkdir(parents=True)

    monkeypatch.setattr("benchmarks.venvs.requirements", lambda rival: pins)
    monkeypatch.setattr("benchmarks.venvs._run", run)
    pins.write_text("a==1\n", encoding="utf-8")
    python = python_of("quix", tmp_path)
    assert python_of("quix", tmp_path) == python
    assert ran[1][:3] == [str(python), "-m", "pip"]
    assert len(ran) == 2
    pins.write_text("a==2\n", encoding="utf-8")
    assert python_of("quix", tmp_path) != python


def test_a_job_travels_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    client = {"bootstrap.servers": "127.0.0.1:9", "sasl.username": "u", "sasl.password": "p"}
    job = Job("serdes", client, "g", "in", "out", "bad", "http://127.0.0.1:1", "{}", "in-value")
    monkeypatch.setenv(VARIABLE, job.environment()[VARIABLE])
    assert Job.given() == job
    assert job.login == ("u", "p")


def test_orders_can_be_another_product_of_more_partitions() -> None:
    contract = orders_contract(1, "benchabc.p007", 4)
    assert (str(contract.product), contract.partitions, contract.topics.public) == (
        "benchabc.p007",
        4,
        "benchabc.p007.v1",
    )
    assert sum(clause.expression is not None for clause in contract.clauses) == 1


def test_percentiles_of_arrivals() -> None:
    told = Arrivals([float(number) for number in range(101)]).told()
    assert told == {"records": 101, "p50 ms": 50.0, "p99 ms": 99.0}
