"""The judge beside what a user would pick instead: decoding and judging records on one core, without Kafka."""

from __future__ import annotations

import tracemalloc
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from benchmarks import orders
from benchmarks.flights import TwoIds, Wire, flights_contract, wire
from benchmarks.harness import RESULTS, Benchmark, Comparison, Reading, Variant, clocked, in_turns, publish
from benchmarks.peers import DATED, PLAIN, interpreter
from benchmarks.rivals.by_hand import fastavro_reader
from mesh.contract import Contract
from mesh.judge import Batch, Judge
from mesh.judge.verdict import Doubts

ORDERS, BY_HAND, CEL = "orders: judge", "orders: fastavro + function", "orders: AvroDeserializer + CEL"
SPOTLESS, ONE_RULE, SIFT = (
    "spotless orders: judge",
    "spotless orders: judge, one rule",
    "spotless orders: columns alone",
)
FLIGHTS, RULES, DECODE = "flights: judge", "flights: fastavro + function", "flights: fastavro alone"
CONFLUENT, INTERPRETED = "flights: AvroDeserializer + function", "flights: AvroDeserializer + CEL"

BATCH: Final = 5_000
_TOPIC: Final = "operations.flights.v1"
_COMPARISONS: Final = (
    Comparison("orders: judge / fastavro + function", ORDERS, BY_HAND, "cpu", floor=10, target=20),
    Comparison("orders: judge / AvroDeserializer + CEL", ORDERS, CEL, "cpu", floor=2_000, target=6_000),
    Comparison("orders: ten rules / one rule", SPOTLESS, ONE_RULE, "cpu", floor=0.8, target=0.9),
    Comparison("orders: with reasons / without", SPOTLESS, SIFT, "cpu", floor=0.9),
    Comparison("flights: judge / fastavro + function", FLIGHTS, RULES, "cpu", floor=5, target=10),
    Comparison("flights: judge / fastavro alone", FLIGHTS, DECODE, "cpu", floor=4),
    Comparison("flights: judge / AvroDeserializer + function", FLIGHTS, CONFLUENT, "cpu", floor=20),
    Comparison("flights: judge / AvroDeserializer + CEL", FLIGHTS, INTERPRETED, "cpu", floor=2_000),
)
_NOTES: Final = (
    "orders: 15 fields, ten rules, one order in fifty breaks one; spotless orders break none",
    "the judge also checks keys, reserved headers and that every body is exact, and gives reasons; the others do not",
    "CEL: the contract's CEL rules as one expression, interpreted by celpy on a small sample, other clauses left out",
    "ratios are of CPU time: one thread, on cores shared with other programs",
)

Refusals = set[int]
"""The rows of the sample that were refused."""
Run = Callable[[], Refusals]


def judging(contract: Contract, sample: Wire) -> Run:
    """Ours, in batches as the gate makes them."""
    judge, batches = _learned(contract), _batches(sample)

    def run() -> Refusals:
        refused: Refusals = set()
        for start, batch in batches:
            refused.update(start + row for row in judge.judge(batch).refusals)
        return refused

    return run


def sifting(contract: Contract, sample: Wire) -> Run:
    """The columns of ours: which rows pass, and no reasons; the sample holds nothing wrong."""
    judge, batches = _learned(contract), _batches(sample)

    def run() -> Refusals:
        refused: Refusals = set()
        for start, batch in batches:
            doubtful = Doubts()
            for plan, rows in judge._grouped(batch, doubtful):
                plan.sift(rows, batch, [None] * len(batch), doubtful)
            refused.update(start + row for row in doubtful)
        return refused

    return run


def _learned(contract: Contract) -> Judge:
    judge = Judge(contract)
    judge.learn(TwoIds.VALUE, contract.value_schema_json)
    judge.learn(TwoIds.KEY, contract.key_schema_json, key=True)
    return judge


def _batches(sample: Wire) -> list[tuple[int, Batch]]:
    parts = [slice(start, start + BATCH) for start in range(0, len(sample), BATCH)]
    batches = [Batch(sample.keys[part], sample.values[part], [()] * len(sample.values[part])) for part in parts]
    return [(part.start, batch) for part, batch in zip(parts, batches, strict=True)]


def decoding(contract: Contract, sample: Wire) -> Run:
    """fastavro, and nothing is judged."""
    read = fastavro_reader(contract.value_schema_json)

    def run() -> Refusals:
        for value in sample.values:
            read(value)
        return set()

    return run


def by_function(contract: Contract, sample: Wire, check: Callable[[dict[str, Any]], bool] = PLAIN) -> Run:
    """fastavro, then one Python function."""
    read = fastavro_reader(contract.value_schema_json)
    return lambda: {row for row, value in enumerate(sample.values) if not check(read(value))}


def confluent(contract: Contract, sample: Wire, check: Callable[[dict[str, Any]], bool] = DATED) -> Run:
    """The client library's own deserializer with a registry in memory, then a function over datetimes."""
    registry = SchemaRegistryClient.new_client({"url": "mock://benchmark"})
    registry.register_schema(f"{_TOPIC}-value", Schema(contract.value_schema_json, "AVRO"))
    read, context = AvroDeserializer(registry), SerializationContext(_TOPIC, MessageField.VALUE)
    return lambda: {row for row, value in enumerate(sample.values) if not check(read(value, context))}


def peak_memory(contract: Contract, sample: Wire) -> float:
    """The most memory that judging a batch takes at once, in bytes for each byte of its values."""
    judge, batch = _learned(contract), _batches(sample)[0][1]
    judge.judge(batch)
    tracemalloc.start()
    try:
        judge.judge(batch)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return round(peak / sum(len(value or b"") for value in batch.values), 1)


def order_runs(records: int, interpreted: int) -> dict[str, tuple[Run, int]]:
    """What is measured over orders, and how many each run takes."""
    contract = orders.orders_contract()
    sample, spotless = _orders(contract, records, wrong=True), _orders(contract, records, wrong=False)
    few = sample.first(interpreted)
    return {
        ORDERS: (judging(contract, sample), records),
        BY_HAND: (by_function(contract, sample, orders.keeps), records),
        CEL: (confluent(contract, few, interpreter(contract)), len(few)),
        SPOTLESS: (judging(contract, spotless), records),
        ONE_RULE: (judging(orders.orders_contract(1), spotless), records),
        SIFT: (sifting(contract, spotless), records),
    }


def _orders(contract: Contract, records: int, *, wrong: bool) -> Wire:
    values = orders.wire(contract, records, wrong=wrong)
    return Wire([None] * len(values), values)


def flight_runs(contract: Contract, sample: Wire, interpreted: int) -> dict[str, tuple[Run, int]]:
    """What is measured over flights."""
    few = sample.first(interpreted)
    return {
        FLIGHTS: (judging(contract, sample), len(sample)),
        RULES: (by_function(contract, sample), len(sample)),
        DECODE: (decoding(contract, sample), len(sample)),
        CONFLUENT: (confluent(contract, sample), len(sample)),
        INTERPRETED: (confluent(contract, few, interpreter(contract)), len(few)),
    }


def _clocked(run: Run, records: int) -> Reading:
    def work() -> int:
        run()
        return records

    return clocked(work)


def measure(records: int, interpreted: int, rounds: int, folder: Path = RESULTS) -> Path:
    """Measure, print and write; raises AssertionError when the candidates disagree about a record."""
    contract = flights_contract()
    sample = wire(contract, records)
    runs = order_runs(records, interpreted) | flight_runs(contract, sample, interpreted)
    refused = {name: run() for name, (run, _) in runs.items()}
    assert refused[FLIGHTS] == refused[RULES] == refused[CONFLUENT], "the candidates disagree"  # noqa: S101
    assert refused[ORDERS] == refused[BY_HAND], "the candidates disagree"  # noqa: S101
    assert refused[CEL] == {row for row in refused[ORDERS] if row < interpreted}, "CEL disagrees"  # noqa: S101
    assert not refused[SPOTLESS] | refused[SIFT] | refused[ONE_RULE], "spotless orders are refused"  # noqa: S101
    readings = in_turns([Variant(name, partial(_clocked, *each)) for name, each in runs.items()], rounds)
    ordered = _orders(orders.orders_contract(), min(records, BATCH), wrong=True)
    facts = {
        "records": records,
        "batch": BATCH,
        "orders": _facts(ordered, orders.orders_contract(), refused[ORDERS]),
        "flights": _facts(sample, contract, refused[FLIGHTS]),
    }
    title = f"Judging {records:,} orders against ten rules and as many flights against {len(contract.clauses)} clauses"
    return publish(Benchmark("judge", title, _COMPARISONS, notes=_NOTES, facts=facts), readings, folder)


def _facts(sample: Wire, contract: Contract, refused: Refusals) -> dict[str, object]:
    return {
        "clauses": len(contract.clauses),
        "refused": len(refused),
        "mean_value_bytes": round(sum(map(len, sample.values)) / len(sample), 1),
        "peak_memory_per_byte": peak_memory(contract, sample),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as ``python -m benchmarks.judge``."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=60_000, help="orders, and flights spread over the year")
    parser.add_argument("--interpreted", type=int, default=300, help="how many of them celpy gets")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args(arguments)
    measure(options.records, options.interpreted, options.rounds)


if __name__ == "__main__":
    main()
