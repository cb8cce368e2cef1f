"""What everything end to end is measured on: a Kafka, a mesh, loads on an ingress, and processes that are watched."""

from __future__ import annotations

import json
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
from confluent_kafka import Consumer, KafkaException
from confluent_kafka import Producer as Client
from confluent_kafka import TopicPartition as ClientTopicPartition
from confluent_kafka.admin import AdminClient

from benchmarks.flights import Wire
from benchmarks.harness import Reading
from benchmarks.rivals.job import Job
from mesh.contract import Contract
from mesh.embedded.jars import JarCache, locked_jars
from mesh.embedded.kafka import EmbeddedKafka, KafkaOptions
from mesh.embedded.process import Child, Service
from mesh.gate.observation import ORIGIN_HEADER
from mesh.judge.frame import PREFIX, prefix
from mesh.kafka import Admin, Connection, Producer
from mesh.types import TopicPartition
from tests.support.broker import Broker, eventually
from tests.support.mesh import RunningMesh, running_mesh

GROUP: Final = "_mesh.gate.default"
PARTITIONS: Final = 4
GATE: Final = ("-m", "mesh", "gate", "run")
_ROOT: Final = Path(__file__).parent.parent
_WATCH_SECONDS, _PATIENCE_SECONDS = 0.03, 180.0

Commands = Sequence[Sequence[str]]


class BenchmarkTooSmall(Exception):
    """There is no rate in this."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A running mesh whose gate is not running, the process of its broker, and where the broker keeps its data."""

    mesh: RunningMesh
    broker: int
    data: Path

    @property
    def gate_environment(self) -> dict[str, str]:
        """What a gate of this mesh needs to know."""
        return {"MESH_CONFIG": str(self.mesh.folder.config)}

    def framed(self, contract: Contract, values: Sequence[bytes]) -> list[bytes]:
        """The same bodies under the schema id of a product that was applied."""
        with self.mesh.registry() as registry:
            (known,) = registry.ids(f"{contract.topics.ingress}-value")
        head = prefix(known)
        return [head + value[PREFIX:] for value in values]

    def product(self, contract: Contract, sample: Wire, *, origins: bool = False) -> Load:
        """A new product and the sample for its ingress, for a gate to move; each says its origin, with ``origins``."""
        self.mesh.apply(contract, source="benchmarks")
        return Load(self, contract.topics.ingress, contract, self.framed(contract, sample.values), origins)

    def source(self, contract: Contract, values: Sequence[bytes]) -> Load:
        """A new topic of nobody's and records for it, in the schema of an applied product, for loops to move."""
        load = Load(self, f"bench.{secrets.token_hex(4)}", contract, values)
        with Admin(self.mesh.admin) as admin:
            admin.create_topic(load.ingress, PARTITIONS, {})
        return load

    @contextmanager
    def running(self, commands: Commands, environment: Mapping[str, str]) -> Iterator[list[Child]]:
        """Processes that are stopped in the end, whatever happens."""
        with ExitStack() as ending:
            children = []
            for number, command in enumerate(commands):
                log = self.mesh.folder.logs / f"measured-{number}.log"
                log.unlink(missing_ok=True)
                paths = {"PYTHONPATH": str(_ROOT)}
                child = Child(Service("measured", list(command), log, {**os.environ, **paths, **environment}))
                child.start()
                ending.callback(child.stop)
                children.append(child)
            yield children


@dataclass(frozen=True, slots=True)
class Load:
    """Records for an ingress. ``contract`` says what they are."""

    ground: Ground
    ingress: str
    contract: Contract
    values: Sequence[bytes]
    origins: bool = False

    @property
    def places(self) -> list[TopicPartition]:
        """The partitions they lie in."""
        return [TopicPartition(self.ingress, number) for number in range(PARTITIONS)]

    def fill(self) -> Load:
        """Write them, to one partition after the other in turns."""
        with Producer(self.ground.mesh.admin) as producer:
            for row, value in enumerate(self.values):
                headers = [(ORIGIN_HEADER, b"orders.csv#%d" % row)] if self.origins else ()
                producer.produce(self.ingress, key=None, value=value, headers=headers, partition=row % PARTITIONS)
            producer.flush(60)
        return self

    def gates(self, *commands: Sequence[str]) -> Reading:
        """One or more gates, until they have committed everything."""
        crew = Crew([[sys.executable, *command] for command in commands], self.ground.gate_environment, GROUP)
        if len(commands) > 1:
            return self._released(crew)
        # A product serves round after round: what its gates have committed before does not count.
        done = self._done(GROUP)
        return self.fill().measured(crew, len(self.values), done)

    def _done(self, group: str) -> int:
        with watching(self.ground.mesh.admin, group, self.places) as counted:
            return counted()

    def loops(self, name: str, enough: int) -> Reading:
        """One of the loops with confluent-kafka over a load that was written, until it has committed ``enough``."""
        job = self.job(name)
        crew = Crew([[sys.executable, "-m", "benchmarks.loops"]], job.environment(), job.group)
        return self.measured(crew, min(enough, len(self.values)))

    def loops_together(self, name: str, processes: int) -> Reading:
        """So many processes of one loop, over a load that nobody has seen yet."""
        job = self.job(name)
        return self._released(
            Crew([[sys.executable, "-m", "benchmarks.loops"]] * processes, job.environment(), job.group)
        )

    def rival(self, name: str, python: Path, enough: int) -> Reading:
        """One of the frameworks, in its own environment."""
        job = self.job(name)
        crew = Crew([[str(python), "-m", f"benchmarks.rivals.with_{name}"]], job.environment(), job.group)
        return self.measured(crew, min(enough, len(self.values)))

    def job(self, name: str) -> Job:
        """A new group, and new topics to write to."""
        mesh, own = self.ground.mesh, f"bench.{name}.{secrets.token_hex(4)}"
        with Admin(mesh.admin) as admin:
            for topic in (own, f"{own}.refused"):
                admin.create_topic(topic, PARTITIONS, {})
        schema, subject = self.contract.value_schema_json, f"{self.contract.topics.ingress}-value"
        # A copy of a flat dictionary, as it will be read from the environment.
        client: dict[str, Any] = json.loads(json.dumps(mesh.admin.config()))
        return Job(name, client, own, self.ingress, own, f"{own}.refused", mesh.settings.home.registry, schema, subject)

    def measured(self, crew: Crew, enough: int, done: int = 0) -> Reading:
        """From the first commit seen to the one that completes ``enough``; the same black box for all."""
        with (
            self.ground.running(crew.commands, crew.environment) as children,
            watching(self.ground.mesh.admin, crew.group, self.places) as counted,
        ):
            first = awaited(children, counted, done + 1)
            meter = Meter.started(children, self.ground.broker)
            last = awaited(children, counted, done + enough)
            if last == first:
                raise BenchmarkTooSmall(f"all {last:,} records were in the first commit that was seen; give it more")
            return meter.reading(last - first)

    def _released(self, crew: Crew) -> Reading:
        """From the moment in which all records become visible, to processes that have shared them out before.

        A group that is shared out anew in the middle would be measured as work.
        """
        done = self._done(crew.group)
        with (
            self._held_back() as release,
            self.ground.running(crew.commands, crew.environment) as children,
            watching(self.ground.mesh.admin, crew.group, self.places) as counted,
        ):
            _joined(self.ground.mesh.admin, crew, self.places)
            meter = Meter.started(children, self.ground.broker)
            release()
            awaited(children, counted, done + len(self.values))
            return meter.reading(len(self.values))

    @contextmanager
    def _held_back(self) -> Iterator[Callable[[], None]]:
        """Writes the records in a transaction that ends with the call of what is given."""
        own = {"transactional.id": f"bench.{secrets.token_hex(4)}", "transaction.timeout.ms": 60_000, "linger.ms": 20}
        queue = {"queue.buffering.max.messages": len(self.values) + 1, "queue.buffering.max.kbytes": 1_000_000}
        client = Client(self.ground.mesh.admin.config() | own | queue)
        client.init_transactions(30)
        client.begin_transaction()
        for row, value in enumerate(self.values):
            client.produce(self.ingress, value, None, row % PARTITIONS)
        client.flush(60)
        yield lambda: client.commit_transaction(30)


@dataclass(frozen=True, slots=True)
class Crew:
    """The processes of one variant, and the group they commit as."""

    commands: Commands
    environment: Mapping[str, str]
    group: str


@dataclass(frozen=True, slots=True)
class Meter:
    """Times of processes and of the broker, from one moment to another."""

    loops: Sequence[psutil.Process]
    broker: psutil.Process
    began: float
    cpu: float
    broker_cpu: float

    @classmethod
    def started(cls, children: Sequence[Child], broker: int) -> Meter:
        """From now on."""
        loops, kafka = [psutil.Process(child.pid) for child in children], psutil.Process(broker)
        return cls(loops, kafka, time.monotonic(), sum(map(cpu_of, loops)), cpu_of(kafka))

    def reading(self, records: int) -> Reading:
        """Until now."""
        wall = time.monotonic() - self.began
        cpu, broker = sum(map(cpu_of, self.loops)) - self.cpu, cpu_of(self.broker) - self.broker_cpu
        return Reading(records, wall, cpu, broker, max(each.memory_info().rss for each in self.loops) / 2**20)


def _joined(connection: Connection, crew: Crew, places: Sequence[TopicPartition]) -> None:
    """Wait until every process of a group holds some of the partitions."""
    client, wanted = AdminClient(connection.config()), {(place.topic, place.partition) for place in places}

    def settled() -> bool:
        found: Any = client.describe_consumer_groups([crew.group])[crew.group].result(10)
        held = [{(at.topic, at.partition) for at in each.assignment.topic_partitions} for each in found.members]
        busy = [each for each in held if each & wanted]
        return found.state.name == "STABLE" and len(busy) == len(crew.commands) and set().union(*held) >= wanted

    eventually(settled, 60, every=0.5)


@contextmanager
def watching(connection: Connection, group: str, places: Sequence[TopicPartition]) -> Iterator[Callable[[], int]]:
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


def awaited(children: Sequence[Child], counted: Callable[[], int], enough: int) -> int:
    """Wait until so many are committed; raises with the last words of a process that ended instead."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (count := counted()) < enough:
        for child in children:
            if child.pid is None:
                raise child.failure("ended by itself")
            if time.monotonic() > deadline:
                raise child.failure(f"did only {count:,} of {enough:,} records within {_PATIENCE_SECONDS:g} s")
        time.sleep(_WATCH_SECONDS)
    return count


def cpu_of(process: psutil.Process) -> float:
    """Seconds of CPU time a process has had."""
    times = process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def ground() -> Iterator[Ground]:
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
        yield Ground(mesh, broker, Path(folder))
