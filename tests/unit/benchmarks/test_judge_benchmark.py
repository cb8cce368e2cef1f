"""The judge's benchmark runs, its candidates agree, and what is written has every ratio."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import orders
from benchmarks.flights import TwoIds, Wire, flights_contract, records, wire
from benchmarks.judge import by_function, confluent, judging, measure
from benchmarks.peers import PLAIN, interpreter
from mesh.judge import Batch, Judge
from mesh.types import SchemaId


def test_a_tiny_run_writes_every_ratio(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = measure(300, 2, 1, tmp_path)
    told = json.loads(path.read_text(encoding="utf-8"))
    assert len(told["ratios"]) == 8
    assert all(ratio > 0 for ratio in told["ratios"].values())
    assert set(told["floors"]) == set(told["ratios"])
    floors = [told["floors"][name]["at_least"] for name in told["ratios"] if name.startswith("orders")]
    assert floors[:3] == [10, 2_000, 0.8]
    assert told["facts"]["records"] == 300
    assert "orders: judge / fastavro + function" in capsys.readouterr().out


def test_the_candidates_refuse_the_same_orders() -> None:
    contract = orders.orders_contract()
    values = orders.wire(contract, 1_000)
    sample = Wire([None] * len(values), values)
    refused = judging(contract, sample)()
    assert refused == set(range(7, 1_000, 50)) == by_function(contract, sample, orders.keeps)()
    few = sample.first(120)
    assert confluent(contract, few, interpreter(contract))() == {7, 57, 107}
    assert 150 < sum(map(len, values)) / len(values) < 230


def test_every_order_that_is_wrong_breaks_one_rule() -> None:
    contract = orders.orders_contract()
    judge = Judge(contract)
    judge.learn(orders.VALUE, contract.value_schema_json)
    values = orders.wire(contract, 500)
    findings = judge.judge(Batch([None] * 500, values, [()] * 500)).findings
    broken = [[finding.clause for finding in found] for found in findings.values()]
    assert sorted(broken) == sorted([clause.id] for clause in contract.clauses if clause.expression is not None)


def test_the_candidates_refuse_the_same_flights() -> None:
    contract = flights_contract()
    sample = wire(contract, 8_000)
    refused = judging(contract, sample)()
    assert refused, "the sample holds nothing wrong"
    assert refused == by_function(contract, sample)() == confluent(contract, sample)()


@pytest.mark.parametrize(
    ("field", "value"),
    [("dep_time", 2400), ("tailnum", "D942DN"), ("origin", "BOS"), ("arr_delay", 1), ("distance", 0), ("minute", 61)],
)
def test_the_function_by_hand_makes_the_contracts_checks(field: str, value: object) -> None:
    flight = next(records(flights_contract(), 1))
    flight |= {name: int(flight[name].timestamp() * 1000) for name in ("time_hour", "scheduled_at")}
    assert PLAIN(flight)
    assert not PLAIN(flight | {field: value})


def test_records_are_spread_over_the_year() -> None:
    months = {record["month"] for record in records(flights_contract(), 60)}
    assert months == set(range(1, 13))


def test_another_schema_id_leaves_the_body_alone() -> None:
    sample = wire(flights_contract(), 2)
    renamed = sample.renamed(SchemaId(70), SchemaId(80))
    assert renamed.values[0][:5] == b"\0\0\0\0\x50"
    assert (renamed.keys[0] or b"")[:5] == b"\0\0\0\0\x46"
    assert [value[5:] for value in renamed.values] == [value[5:] for value in sample.values]
    assert sample.renamed(TwoIds.KEY, TwoIds.VALUE) == sample
