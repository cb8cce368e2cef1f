"""The gate beside loops a user would write, end to end on a real Kafka that shares the machine."""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import psutil
from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as ClientTopicPartition

from benchmarks.flights import YEAR, Wire, flights_contract, wire
from benchmarks.harness import RESULTS, Benchmark, Comparison, Reading, Variant, in_turns, publish
from benchmarks.loops import Job
from mesh.contract import Contract
from mesh.embedded.jars import JarCache, locked_jars
from mesh.embedded.kafka import EmbeddedKafka, KafkaOptions
from mesh.embedded.process import Child, Service
from mesh.kafka import Admin, Connection, Producer
from mesh.producer.encoding import RecordEncoder
from mesh.types import TopicPartition
from tests.support.broker import Broker
from tests.support.mesh import RunningMesh, running_mesh

PASS, GATE, ROWS, SERDES = (
    "pass-through, at least once",
    "gate, exactly once",
    "fastavro + function, exactly once",
    "serdes + function, at least once",
)
_COMPARISONS: Final = (
    Comparison("gate / pass-through", GATE, PASS, floor=0.7, target=0.9),
    Comparison("gate / fastavro exactly once", GATE, ROWS, floor=1.2, target=3),
    Comparison("gate / serdes", GATE, SERDES, floor=15, target=20),
    Comparison("gate / pass-through, CPU", GATE, PASS, "cpu"),
    Comparison("gate / fastavro exactly once, CPU", GATE, ROWS, "cpu"),
    Comparison("gate / serdes, CPU", GATE, SERDES, "cpu"),
)
_NOTES: Final = (
    "Kafka shares the cores: rates are of the whole machine, CPU us/record is the loop's process alone",
    "every loop is one process with four partitions; clocks run from its first commit to its last",
    "the gate also writes lineage, proves its offsets and marks refusals with their findings; the others do not",
    "serdes is AvroDeserializer and AvroSerializer: it re-encodes what it forwards",
)
_LOOPS: Final = {PASS: "pass-through", ROWS: "fastavro-once", SERDES: "serdes"}
_GROUP: Final = "_mesh.gate.default"
_WATCH_SECONDS, _PATIENCE_SECONDS = 0.03, 180.0


@dataclass(frozen=True, slots=True)
class Bench:
    """The mesh the loops run on, and its broker's process."""

    mesh: RunningMesh
    broker: int

    def load(self, sample: Wire) -> Load:
        """A new product of its own with the sample on its ingress."""
        contract = flights_contract("bench" + secrets.token_hex(4))
        self.mesh.apply(contract, source="benchmarks")
        with self.mesh.registry() as registry:
            encoder = RecordEncoder(contract, registry)
        assert encoder.key_id is not None  # noqa: S101  (the contract names a primary key)
        named = sample.renamed(encoder.key_id, encoder.value_id)
        with Producer(self.mesh.admin) as producer:
            for row, (key, value) in enumerate(zip(named.keys, named.values, strict=True)):
                producer.produce(contract.topics.ingress, key=key, value=value, partition=row % contract.partitions)
            producer.flush(60)
        return Load(self, contract, len(named))


@dataclass(frozen=True, slots=True)
class Load:
    """One round's records, waiting on an ingress."""

    bench: Bench
    contract: Contract
    records: int

    @property
    def places(self) -> list[TopicPartition]:
        """The ingress partitions."""
        return [TopicPartition(self.contract.topics.ingress, number) for number in range(self.contract.partitions)]

    def gate(self) -> Reading:
        """``mesh gate run``, as a process."""
        config = {"MESH_CONFIG": str(self.bench.mesh.folder.config)}
        return self._measured(["-m", "mesh", "gate", "run"], config, _GROUP, self.records)

    def loop(self, name: str, enough: int) -> Reading:
        """One of the loops, as a process, until it has committed ``enough`` records."""
        job = self._job(name)
        return self._measured(["-m", "benchmarks.loops"], job.environment(), job.group, min(enough, self.records))

    def _measured(self, command: Sequence[str], environment: Mapping[str, str], group: str, enough: int) -> Reading:
        log = self.bench.mesh.folder.logs / "measured.log"
        child = Child(Service("measured", [sys.executable, *command], log, {**os.environ, **environment}))
        child.start()
        try:
            return self._watched(child, group, enough)
        finally:
            child.stop()

    def _job(self, name: str) -> Job:
        mesh, topics, own = self.bench.mesh, self.contract.topics, f"bench.{name}.{secrets.token_hex(4)}"
        with Admin(mesh.admin) as admin:
            for topic in (own, f"{own}.refused"):
                admin.create_topic(topic, self.contract.partitions, {})
        schema = self.contract.value_schema_json
        registry = mesh.settings.home.registry
        return Job(name, _client(mesh.admin), own, topics.ingress, own, f"{own}.refused", registry, schema)

    def _watched(self, child: Child, group: str, enough: int) -> Reading:
        """From the first commit seen to the one that completes ``enough``; the same black box for all."""
        loop, broker = psutil.Process(child.pid), psutil.Process(self.bench.broker)
        with _watching(self.bench.mesh.admin, group, self.places) as counted:
            first = _awaited(child, counted, 1)
            began, loop_began, broker_began = time.monotonic(), _cpu(loop), _cpu(broker)
            last = _awaited(child, counted, enough)
            wall, cpu, broker_cpu = time.monotonic() - began, _cpu(loop) - loop_began, _cpu(broker) - broker_began
        return Reading(last - first, wall, cpu, broker_cpu)


@contextmanager
def _watching(connection: Connection, group: str, places: Sequence[TopicPartition]) -> Iterator[Callable[[], int]]:
    """How many records a group has committed, asked as a consumer that never joins.

    The administrative client's way to ask crashes the process when the group's coordinator is only just being made.
    """
    asked = [ClientTopicPartition(place.topic, place.partition) for place in places]
    consumer = Consumer(connection.config(group_id=group, isolation_level="read_uncommitted"))

    def counted() -> int:
        try:
            return sum(max(0, place.offset) for place in consumer.committed(asked, 5))
        except KafkaException:
            # Nobody coordinates a group that is only just being made; who waits has a deadline.
            return 0

    try:
        yield counted
    finally:
        consumer.close()


def _awaited(child: Child, counted: Callable[[], int], enough: int) -> int:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (count := counted()) < enough:
        if child.pid is None:
            raise child.failure("ended by itself")
        if time.monotonic() > deadline:
            raise child.failure(f"did only {count:,} of {enough:,} records within {_PATIENCE_SECONDS:g} s")
        time.sleep(_WATCH_SECONDS)
    return count


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _client(connection: Connection) -> dict[str, object]:
    return json.loads(json.dumps(connection.config()))  # type: ignore[no-any-return]  # a copy of a flat dictionary


@contextmanager
def bench() -> Iterator[Bench]:
    """A Kafka compiled for load, a registry, and a gate that is not running yet."""
    jars = JarCache.of_environment().provide(locked_jars())
    options = KafkaOptions(optimise=True, heap_mib=1024)
    with (
        tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder,
        EmbeddedKafka(Path(folder), jars, secrets.token_urlsafe(16), options) as kafka,
        running_mesh(Broker(kafka.connection)) as mesh,
    ):
        mesh.gate.stop()
        broker = kafka.node(1).pid
        assert broker is not None  # noqa: S101  (it has just answered)
        yield Bench(mesh, broker)


def one_round(load: Load, slow: int) -> list[Variant]:
    """The four ways to move one load."""
    enough = {PASS: load.records, ROWS: load.records, SERDES: slow}
    loops = [Variant(name, partial(load.loop, _LOOPS[name], enough[name])) for name in (PASS, ROWS, SERDES)]
    return [loops[0], Variant(GATE, load.gate), *loops[1:]]


def measure(records: int, slow: int, rounds: int, folder: Path = RESULTS) -> Path:
    """Measure, print and write."""
    readings: dict[str, list[Reading]] = {name: [] for name in (PASS, GATE, ROWS, SERDES)}
    sample = wire(flights_contract(), records)
    with bench() as running:
        # The first load warms the broker's compiler up; its readings are thrown away.
        for number in range(rounds + 1):
            load = running.load(sample if number else sample.first(records // 4))
            variants = one_round(load, slow)
            shift = number % len(variants)
            for name, taken in in_turns([*variants[shift:], *variants[:shift]], 1).items():
                readings[name] += taken if number else []
    title = f"Moving {records:,} flights from an ingress of 4 partitions through the contract, Kafka beside it"
    facts = {"records": records, "records_of_serdes": slow, "partitions": 4}
    done = Benchmark("gate", title, _COMPARISONS, {"kafka": "4.3.1"}, _NOTES, facts)
    return publish(done, readings, folder)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run as ``python -m benchmarks.gate``."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=YEAR, help="flights on the ingress")
    parser.add_argument("--slow", type=int, default=80_000, help="how many of them the serdes loop gets")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    # Ended by others, it still has to end what it started.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    measure(options.records, options.slow, options.rounds)


if __name__ == "__main__":
    main()
