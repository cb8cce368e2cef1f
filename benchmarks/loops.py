"""Consume-judge-produce loops a user would write with confluent-kafka; each runs as a process until it is ended."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from benchmarks.peers import DATED, PLAIN, fastavro_reader

VARIABLE: Final = "BENCHMARK_JOB"
# The gate's own pace, so that only the work on the records differs.
_BATCH, _POLL_SECONDS = 5_000, 0.02
_COMMIT_RECORDS, _COMMIT_SECONDS = 20_000, 0.15


@dataclass(frozen=True, slots=True)
class Job:
    """What a loop is to do; ``client`` is the client library's configuration of the way in."""

    loop: str
    client: Mapping[str, Any]
    group: str
    ingress: str
    public: str
    quarantine: str
    registry: str
    schema: str

    def environment(self) -> dict[str, str]:
        """For the process that runs it: not on its command line, where everybody could read the password."""
        return {VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def given(cls) -> Job:
        """The job of this process."""
        return cls(**json.loads(os.environ[VARIABLE]))


Route = Callable[[Any], None]
"""Sends one message on; its partition and timestamp stay."""


class Work(Protocol):
    """Builds what is done with every record."""

    def __call__(self, job: Job, producer: Producer) -> Route: ...


def pass_through(job: Job, producer: Producer) -> Route:
    """Forward everything, look at nothing."""

    def route(message: Any) -> None:
        _send(producer, job.public, message, message.value(), None)

    return route


def by_fastavro(job: Job, producer: Producer) -> Route:
    """Decode with fastavro, check with one function, forward the original bytes."""
    read = fastavro_reader(job.schema)

    def route(message: Any) -> None:
        value = message.value()
        try:
            good = PLAIN(read(value))
        except (ValueError, TypeError, EOFError):
            good = False
        _deliver(job, producer, message, value, good)

    return route


def by_serdes(job: Job, producer: Producer) -> Route:
    """The client library's deserializer, the same function, the client library's serializer."""
    registry = SchemaRegistryClient({"url": job.registry})
    read = AvroDeserializer(registry)
    settings = {"auto.register.schemas": False, "subject.name.strategy": lambda *_: f"{job.ingress}-value"}
    write = AvroSerializer(registry, job.schema, conf=settings)
    source = SerializationContext(job.ingress, MessageField.VALUE)
    target = SerializationContext(job.public, MessageField.VALUE)

    def route(message: Any) -> None:
        flight = read(message.value(), source)
        if DATED(flight):
            _deliver(job, producer, message, write(flight, target), True)
        else:
            _deliver(job, producer, message, message.value(), False)

    return route


def _deliver(job: Job, producer: Producer, message: Any, value: bytes, good: bool) -> None:
    topic, headers = (job.public, None) if good else (job.quarantine, [("reason", b"breaks the contract")])
    _send(producer, topic, message, value, headers)


def _send(producer: Producer, topic: str, message: Any, value: bytes, headers: Any) -> None:
    while True:
        try:
            producer.produce(
                topic, value, message.key(), message.partition(), timestamp=message.timestamp()[1], headers=headers
            )
        except BufferError:
            producer.poll(0.05)
        else:
            return


class Loop:
    """One consumer and one producer with the gate's settings."""

    def __init__(self, job: Job, work: Work, *, transactional: bool) -> None:
        self._consumer = Consumer(dict(job.client) | _CONSUMER | {"group.id": job.group})
        identity = {"transactional.id": job.group} if transactional else {"enable.idempotence": True}
        self._producer = Producer(dict(job.client) | _PRODUCER | identity)
        self._transactional = transactional
        if transactional:
            self._producer.init_transactions(15)
        self._route = work(job, self._producer)
        self._consumer.subscribe([job.ingress])
        self._positions: dict[int, int] = {}
        self._topic, self._open, self._began = job.ingress, 0, 0.0

    def run(self) -> None:
        """Until the process is ended."""
        while True:
            messages = self._consumer.consume(_BATCH, _POLL_SECONDS)
            if messages and not self._open:
                self._begin()
            for message in messages:
                if message.error() is not None:
                    raise SystemExit(str(message.error()))
                self._route(message)
                self._positions[message.partition()] = message.offset() + 1
            self._open += len(messages)
            idle = not messages and self._open
            late = self._open and time.monotonic() - self._began >= _COMMIT_SECONDS
            if idle or late or self._open >= _COMMIT_RECORDS:
                self._commit()

    def _begin(self) -> None:
        self._began = time.monotonic()
        if self._transactional:
            self._producer.begin_transaction()

    def _commit(self) -> None:
        places = [TopicPartition(self._topic, partition, at) for partition, at in self._positions.items()]
        if self._transactional:
            group = self._consumer.consumer_group_metadata()
            self._producer.send_offsets_to_transaction(places, group, 15)
            self._producer.commit_transaction(15)
        else:
            if self._producer.flush(15):
                raise SystemExit("the broker did not take every record")
            self._consumer.commit(offsets=places, asynchronous=False)
        self._positions.clear()
        self._open = 0


_CONSUMER: Final = {
    "enable.auto.commit": False,
    "isolation.level": "read_committed",
    "auto.offset.reset": "earliest",
    "partition.assignment.strategy": "cooperative-sticky",
    "fetch.wait.max.ms": 50,
    "queued.min.messages": 50_000,
    "queued.max.messages.kbytes": 64 * 1024,
    "check.crcs": True,
}
_PRODUCER: Final = {
    "linger.ms": 5,
    "batch.num.messages": 20_000,
    "queue.buffering.max.messages": 400_000,
    "queue.buffering.max.kbytes": 256 * 1024,
}
LOOPS: Final[Mapping[str, tuple[Work, bool]]] = {
    "pass-through": (pass_through, False),
    "fastavro-once": (by_fastavro, True),
    "fastavro": (by_fastavro, False),
    "serdes": (by_serdes, False),
}


def main() -> None:
    """Run the loop that the environment names."""
    job = Job.given()
    work, transactional = LOOPS[job.loop]
    Loop(job, work, transactional=transactional).run()


if __name__ == "__main__":
    main()
