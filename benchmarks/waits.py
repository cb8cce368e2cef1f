"""The gate when little comes: latency at a pace, commits by partitions touched, hundreds of slow products."""

from __future__ import annotations

import json
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

import psutil
from confluent_kafka import OFFSET_END, Consumer
from confluent_kafka import Producer as Client
from confluent_kafka import TopicPartition as ClientTopicPartition

from benchmarks import orders
from benchmarks.ground import GATE, GROUP, PARTITIONS, Ground, awaited, cpu_of, watching
from mesh.contract import Contract
from mesh.embedded.process import Child
from mesh.kafka import Connection, Producer
from mesh.types import TopicPartition

# Producing in steps of a hundredth of a second is even enough, and leaves the core to what is measured.
_STEP_SECONDS: Final = 0.01
_WARM_SECONDS: Final = 2.0
_MANY_PLACES: Final = 50


@dataclass(slots=True)
class Arrivals:
    """How long records took from their time stamp to a read_committed reader, in milliseconds."""

    milliseconds: list[float] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def read(self, connection: Connection, places: Sequence[TopicPartition]) -> None:
        """Until ``stop``; a thread's work."""
        # Of hundreds of partitions each request costs the broker more than a record does: they are asked for together.
        patience = {"fetch_min_bytes": 64 * 1024, "fetch_wait_max_ms": 100} if len(places) > _MANY_PLACES else {}
        own = {"group_id": "bench.latency", "isolation_level": "read_committed", "fetch_wait_max_ms": 50}
        consumer = Consumer(connection.config(**own | patience))
        consumer.assign([ClientTopicPartition(place.topic, place.partition, OFFSET_END) for place in places])
        while not self.stop.is_set():
            messages = consumer.consume(1, 0.05)
            messages += consumer.consume(4_999, 0) if messages else []
            now = time.time() * 1000
            self.milliseconds += [now - message.timestamp()[1] for message in messages if message.error() is None]
        consumer.close()

    def told(self) -> dict[str, object]:
        """Percentiles; of few records the highest is the largest."""
        cuts = quantiles(self.milliseconds, n=100, method="inclusive")
        return {
            "records": len(self.milliseconds),
            "p50 ms": round(median(self.milliseconds), 1),
            "p99 ms": round(cuts[98], 1),
        }


@contextmanager
def arriving(connection: Connection, places: Sequence[TopicPartition]) -> Iterator[Arrivals]:
    """Reads beside the caller."""
    arrivals = Arrivals()
    thread = threading.Thread(target=arrivals.read, args=(connection, places), name="arrivals")
    thread.start()
    try:
        yield arrivals
    finally:
        arrivals.stop.set()
        thread.join()


@dataclass(frozen=True, slots=True)
class Target:
    """An ingress and the records that are sent there."""

    topic: str
    partitions: int
    values: Sequence[bytes]


def send(connection: Connection, targets: Sequence[Target], rate: int, seconds: float) -> int:
    """Records at an even pace, to one target after the other; gives how many."""
    done, began = 0, time.monotonic()
    with Producer(connection, linger_ms=0) as producer:
        while (passed := time.monotonic() - began) < seconds:
            for number in range(done, int(passed * rate) + 1):
                target, turn = targets[number % len(targets)], number // len(targets)
                value = target.values[turn % len(target.values)]
                producer.produce(target.topic, key=None, value=value, partition=turn % target.partitions)
                done += 1
            producer.poll()
            time.sleep(min(_STEP_SECONDS, 1 / rate))
        producer.flush(30)
    return done


def target(ground: Ground, contract: Contract, values: Sequence[bytes]) -> Target:
    """The ingress of a product that was applied."""
    return Target(contract.topics.ingress, contract.partitions, ground.framed(contract, values))


def _public(contracts: Sequence[Contract]) -> list[TopicPartition]:
    return [TopicPartition(each.topics.public, number) for each in contracts for number in range(each.partitions)]


def _ingress(contracts: Sequence[Contract]) -> list[TopicPartition]:
    return [TopicPartition(each.topics.ingress, number) for each in contracts for number in range(each.partitions)]


@contextmanager
def _serving(
    ground: Ground, contracts: Sequence[Contract], targets: Sequence[Target], command: Sequence[str] = GATE
) -> Iterator[Child]:
    """A gate that has taken up all of the products: it has committed a first record of each partition."""
    places = _ingress(contracts)
    with (
        ground.running([[sys.executable, *command]], ground.gate_environment) as (gate,),
        watching(ground.mesh.admin, GROUP, places) as counted,
    ):
        with Producer(ground.mesh.admin) as producer:
            for each in targets:
                for number in range(each.partitions):
                    producer.produce(each.topic, key=None, value=each.values[0], partition=number)
        awaited([gate], counted, len(places))
        yield gate


def latencies(ground: Ground, values: Sequence[bytes], rates: Sequence[int], seconds: float) -> list[dict[str, object]]:
    """From the publisher's clock to a reader of the public topic, through a gate that has nothing else to do."""
    contract = orders.new_product(partitions=PARTITIONS)
    ground.mesh.apply(contract, source="benchmarks")
    goal = target(ground, contract, values)
    rows: list[dict[str, object]] = []
    with _serving(ground, [contract], [goal]) as gate:
        assert gate.pid is not None  # noqa: S101  (it has just committed)
        process = psutil.Process(gate.pid)
        for rate in rates:
            send(ground.mesh.admin, [goal], rate, _WARM_SECONDS)
            time.sleep(_WARM_SECONDS)
            with arriving(ground.mesh.admin, _public([contract])) as arrivals:
                time.sleep(1)
                began = cpu_of(process)
                sent = send(ground.mesh.admin, [goal], rate, max(seconds, 20 / rate))
                time.sleep(2)
            cpu = (cpu_of(process) - began) / sent * 1e6
            rows.append({"records/s": rate, **arrivals.told(), "gate CPU us/record": round(cpu, 1)})
    return rows


def commits(ground: Ground, values: Sequence[bytes], touched: Sequence[int], times: int) -> list[dict[str, object]]:
    """What a commit takes by the number of partitions that its records came from."""
    most = max(touched)
    contract = orders.new_product(partitions=most)
    ground.mesh.apply(contract, source="benchmarks")
    goal, told = target(ground, contract, values[:most]), ground.mesh.folder.logs / "commits.ndjson"
    command = ("-m", "benchmarks.gates", "--tell", str(told))
    with _serving(ground, [contract], [goal], command), _atomically(ground.mesh.admin) as together:
        for count in list(touched) * times:
            with together() as produce:
                for number in range(count):
                    produce(goal.topic, goal.values[number], None, number)
            # Longer than the gate waits between two commits, whatever they cost.
            time.sleep(0.7)
        time.sleep(1)
    return [row for count in touched if (row := _commit_row(told, count))]


@contextmanager
def _atomically(connection: Connection) -> Iterator[Callable[[], AbstractContextManager[Callable[..., None]]]]:
    """Records that become visible in one moment, so that one fetch brings all of them."""
    client = Client(connection.config() | {"transactional.id": f"bench.{secrets.token_hex(4)}"})
    client.init_transactions(30)

    @contextmanager
    def together() -> Iterator[Callable[..., None]]:
        client.begin_transaction()
        yield client.produce
        client.commit_transaction(30)

    yield together


def _commit_row(told: Path, count: int) -> dict[str, object]:
    lines: list[Any] = [json.loads(line) for line in told.read_text(encoding="utf-8").splitlines()]
    taken = [seconds * 1000 for partitions, _, seconds in lines if partitions == count]
    if not taken:
        return {}
    return {
        "partitions": count,
        "commits": len(taken),
        "median ms": round(median(taken), 1),
        "most ms": round(max(taken), 1),
    }


def many(ground: Ground, values: Sequence[bytes], products: int, seconds: float) -> list[dict[str, object]]:
    """So many products at one record a second each, through one gate."""
    domain, began = f"bench{secrets.token_hex(4)}", time.monotonic()
    contracts = [orders.orders_contract(product=f"{domain}.p{number:03d}") for number in range(products)]
    ground.mesh.apply(*contracts, source="benchmarks")
    applied, few = time.monotonic() - began, values[:50]
    targets = [target(ground, each, few) for each in contracts]
    told = ground.mesh.folder.logs / "many.ndjson"
    command = ("-m", "benchmarks.gates", "--tell", str(told))
    with _serving(ground, contracts, targets, command) as gate:
        assert gate.pid is not None  # noqa: S101  (it has just committed)
        processes = [psutil.Process(gate.pid), psutil.Process(ground.broker)]
        send(ground.mesh.admin, targets, products, _WARM_SECONDS)
        time.sleep(_WARM_SECONDS)
        with arriving(ground.mesh.admin, _public(contracts)) as arrivals:
            time.sleep(2)
            before, disk, known = [cpu_of(each) for each in processes], _disk(ground), len(_lines(told))
            sent = send(ground.mesh.admin, targets, products, seconds)
            time.sleep(3)
            gate_cpu, broker_cpu = (cpu_of(each) - at for each, at in zip(processes, before, strict=True))
            commits_made = _lines(told)[known:]
            grown = _disk(ground) - disk
        memory = processes[0].memory_info().rss / 2**20
    own = sum(map(len, few)) / len(few)
    return [
        {
            "products": products,
            **arrivals.told(),
            "commits/s": round(len(commits_made) / seconds, 2),
            "partitions/commit": round(sum(each[0] for each in commits_made) / max(1, len(commits_made)), 1),
            "gate core %": round(gate_cpu / seconds * 100, 1),
            "Kafka core %": round(broker_cpu / seconds * 100, 1),
            "disk bytes/record": round(grown / sent),
            "of which payload": round(2 * own),
            "gate MiB": round(memory),
            "apply s": round(applied, 1),
        }
    ]


def _lines(told: Path) -> list[Any]:
    return [json.loads(line) for line in told.read_text(encoding="utf-8").splitlines()]


def _disk(ground: Ground) -> int:
    """Bytes of all segments of all logs; indexes are set aside in advance and would tell nothing."""
    return sum(
        path.stat().st_size for path in ground.data.rglob("*.log") if path.parent.name.rpartition("-")[2].isdigit()
    )
