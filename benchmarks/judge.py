"""The judge beside what a user would pick instead: decoding and judging flights on one core, without Kafka."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import celpy
from celpy.adapter import json_to_cel
from celpy.celtypes import BoolType
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

from benchmarks.flights import TwoIds, Wire, flights_contract, wire
from benchmarks.harness import RESULTS, Benchmark, Comparison, Reading, Variant, clocked, in_turns, publish
from benchmarks.peers import DATED, PLAIN, fastavro_reader
from mesh.contract import Contract
from mesh.judge import Batch, Judge

JUDGE, RULES, DECODE = "judge", "fastavro + function", "fastavro alone"
CONFLUENT, CEL = "AvroDeserializer + function", "fastavro + celpy"

_BATCH: Final = 5_000
_TOPIC: Final = "operations.flights.v1"
_COMPARISONS: Final = (
    Comparison("judge / fastavro + function", JUDGE, RULES, "cpu", floor=1.3, target=10),
    Comparison("judge / fastavro alone", JUDGE, DECODE, "cpu", floor=0.8),
    Comparison("judge / AvroDeserializer + function", JUDGE, CONFLUENT, "cpu", floor=4),
    Comparison("judge / fastavro + celpy", JUDGE, CEL, "cpu", floor=200, target=2_000),
)
_NOTES: Final = (
    "the judge also checks keys, reserved headers and that every body is exact; the others do not",
    "celpy evaluates only the contract's CEL rules, on a small sample; its other clauses are left out",
    "ratios are of CPU time: one thread, on cores shared with other programs",
    "targets are those the column engine is to reach",
)

# celpy does not compare a number with null, which CEL's definition does and the contract's rules need.
_EQUALITY: Final[Any] = {
    "_==_": lambda a, b: BoolType((a is None) == (b is None) and a == b),
    "_!=_": lambda a, b: BoolType((a is None) != (b is None) or a != b),
}

Refusals = set[int]
"""The rows of the sample that were refused."""


def judging(contract: Contract, sample: Wire) -> Callable[[], Refusals]:
    """Ours, in batches as the gate makes them."""
    judge = Judge(contract)
    judge.learn(TwoIds.VALUE, contract.value_schema_json)
    judge.learn(TwoIds.KEY, contract.key_schema_json, key=True)

    def run() -> Refusals:
        refused: Refusals = set()
        for start in range(0, len(sample), _BATCH):
            part = slice(start, start + _BATCH)
            values = sample.values[part]
            batch = Batch(sample.keys[part], values, [()] * len(values))
            refused.update(start + row for row in judge.judge(batch).refusals)
        return refused

    return run


def decoding(contract: Contract, sample: Wire) -> Callable[[], Refusals]:
    """fastavro, and nothing is judged."""
    read = fastavro_reader(contract.value_schema_json)

    def run() -> Refusals:
        for value in sample.values:
            read(value)
        return set()

    return run


def by_function(contract: Contract, sample: Wire) -> Callable[[], Refusals]:
    """fastavro, then one Python function."""
    read = fastavro_reader(contract.value_schema_json)
    return lambda: {row for row, value in enumerate(sample.values) if not PLAIN(read(value))}


def confluent(contract: Contract, sample: Wire) -> Callable[[], Refusals]:
    """The client library's own deserializer with a registry in memory, then the same function over datetimes."""
    registry = SchemaRegistryClient.new_client({"url": "mock://benchmark"})
    registered = registry.register_schema(f"{_TOPIC}-value", Schema(contract.value_schema_json, "AVRO"))
    assert registered == TwoIds.VALUE  # noqa: S101  (the mock counts from 1)
    read, context = AvroDeserializer(registry), SerializationContext(_TOPIC, MessageField.VALUE)
    return lambda: {row for row, value in enumerate(sample.values) if not DATED(read(value, context))}


def interpreted(contract: Contract, sample: Wire) -> Callable[[], Refusals]:
    """fastavro, then the contract's CEL rules interpreted for every record, whose timestamps are CEL's."""
    read, environment = fastavro_reader(contract.value_schema_json), celpy.Environment()
    moments = [field.name for field in contract.fields if field.physical_type == "long/timestamp-millis"]
    texts = [clause.expression.text for clause in contract.clauses if clause.expression is not None]
    programs: list[Any] = [environment.program(environment.compile(text), _EQUALITY) for text in texts]

    def holds(value: bytes) -> bool:
        flight = read(value)
        dated = {name: datetime.fromtimestamp(flight[name] / 1000, UTC) for name in moments}
        activation = {"message": json_to_cel(flight | dated)}
        return all(program.evaluate(activation) for program in programs)

    return lambda: {row for row, value in enumerate(sample.values) if not holds(value)}


def _clocked(run: Callable[[], Refusals], records: int) -> Reading:
    def work() -> int:
        run()
        return records

    return clocked(work)


def measure(records: int, interpreted_records: int, rounds: int, folder: Path = RESULTS) -> Path:
    """Measure, print and write; raises AssertionError when the candidates disagree about a record."""
    contract = flights_contract()
    sample = wire(contract, records)
    small = sample.first(interpreted_records)
    runs = {
        JUDGE: (judging(contract, sample), len(sample)),
        RULES: (by_function(contract, sample), len(sample)),
        DECODE: (decoding(contract, sample), len(sample)),
        CONFLUENT: (confluent(contract, sample), len(sample)),
        CEL: (interpreted(contract, small), len(small)),
    }
    refused = {name: run() for name, (run, _) in runs.items()}
    assert refused[JUDGE] == refused[RULES] == refused[CONFLUENT], "the candidates disagree"  # noqa: S101
    readings = in_turns([Variant(name, partial(_clocked, *each)) for name, each in runs.items()], rounds)
    title = f"Judging {len(sample):,} flights against {len(contract.clauses)} clauses, one core"
    facts = {
        "records": len(sample),
        "clauses": len(contract.clauses),
        "refused": len(refused[JUDGE]),
        "batch": _BATCH,
        "mean_value_bytes": round(sum(map(len, sample.values)) / len(sample), 1),
    }
    return publish(Benchmark("judge", title, _COMPARISONS, notes=_NOTES, facts=facts), readings, folder)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as ``python -m benchmarks.judge``."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=60_000, help="flights, spread over the year")
    parser.add_argument("--interpreted", type=int, default=300, help="how many of them celpy gets")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args(arguments)
    measure(options.records, options.interpreted, options.rounds)


if __name__ == "__main__":
    main()
