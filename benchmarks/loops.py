"""Consume-judge-produce loops a user would write with confluent-kafka; each runs as a process until it is ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from benchmarks.orders import orders_contract
from benchmarks.peers import interpreter
from benchmarks.rivals.by_hand import Record, checker, keeps
from benchmarks.rivals.job import COMMIT_RECORDS, COMMIT_SECONDS, REASON, Job
from mesh.kafka.connection import FETCH_AGAIN_MS

_BATCH, _POLL_SECONDS = 5_000, 0.02
# Where a record takes milliseconds, a batch as large as the others' would take half a minute.
_SLOW_BATCH: Final = 100

Route = Callable[[Sequence[Any]], None]
"""Sends messages on; their partitions and timestamps stay."""


class Work(Protocol):
    """Builds what is done with every batch."""

    def __call__(self, job: Job, producer: Producer) -> Route: ...


def pass_through(job: Job, producer: Producer) -> Route:
    """Forward everything, look at nothing: what the client library alone can do."""
    topic, send, wait = job.public, producer.produce, producer.poll

    def route(messages: Sequence[Any]) -> None:
        for message in messages:
            value, key, when = message.value(), message.key(), message.timestamp()[1]
            while True:
                try:
                    send(topic, value, key, message.partition(), None, None, when)
                except BufferError:
                    wait(0.05)
                else:
                    break

    return route


def by_fastavro(job: Job, producer: Producer) -> Route:
    """Decode with fastavro, check with one function, forward the original bytes."""
    good = checker(job.schema)

    def route(messages: Sequence[Any]) -> None:
        for message in messages:
            value = message.value()
            _deliver(job, producer, message, value, good(value))

    return route


def by_serdes(job: Job, producer: Producer) -> Route:
    """The client library's deserializer, the same function, the client library's serializer."""
    return _serdes(job, producer, keeps)


def by_serdes_and_cel(job: Job, producer: Producer) -> Route:
    """The same, with the ten rules as one expression of CEL that is interpreted for every record."""
    return _serdes(job, producer, interpreter(orders_contract()))


def _serdes(job: Job, producer: Producer, good: Callable[[Record], bool]) -> Route:
    registry = SchemaRegistryClient({"url": job.registry})
    read: Any = AvroDeserializer(registry)
    settings = {"auto.register.schemas": False, "subject.name.strategy": lambda *_: job.subject}
    write = AvroSerializer(registry, job.schema, conf=settings)
    source = SerializationContext(job.ingress, MessageField.VALUE)
    target = SerializationContext(job.public, MessageField.VALUE)

    def route(messages: Sequence[Any]) -> None:
        for message in messages:
            order = read(message.value(), source)
            passing = good(order)
            _deliver(job, producer, message, write(order, target) if passing else message.value(), passing)

    return route


def _deliver(job: Job, producer: Producer, message: Any, value: bytes, good: bool) -> None:
    topic, headers = (job.public, None) if good else (job.quarantine, [("reason", REASON)])
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

    def __init__(self, job: Job, work: Work, batch: int, *, transactional: bool) -> None:
        self._consumer = Consumer(dict(job.client) | _CONSUMER | {"group.id": job.group})
        identity = {"transactional.id": job.group} if transactional else {"enable.idempotence": True}
        self._producer = Producer(dict(job.client) | _PRODUCER | identity)
        self._transactional, self._batch = transactional, batch
        if transactional:
            self._producer.init_transactions(15)
        self._route = work(job, self._producer)
        # What is open belongs to the partitions held: it is settled before they go.
        self._consumer.subscribe([job.ingress], on_revoke=lambda *_: self._commit())
        self._positions: dict[int, int] = {}
        self._topic, self._open, self._began = job.ingress, 0, 0.0

    def run(self) -> None:
        """Until the process is ended."""
        while True:
            messages = self._consumer.consume(self._batch, _POLL_SECONDS)
            if messages and not self._open:
                self._begin()
            for message in messages:
                if message.error() is not None:
                    raise SystemExit(str(message.error()))
                self._positions[message.partition()] = message.offset() + 1
            self._route(messages)
            self._open += len(messages)
            late = time.monotonic() - self._began >= COMMIT_SECONDS
            if not messages or late or self._open >= COMMIT_RECORDS:
                self._commit()

    def _begin(self) -> None:
        self._began = time.monotonic()
        if self._transactional:
            self._producer.begin_transaction()

    def _commit(self) -> None:
        if not self._open:
            return
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
    "fetch.queue.backoff.ms": FETCH_AGAIN_MS,
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
LOOPS: Final[Mapping[str, tuple[Work, int, bool]]] = {
    "pass-through": (pass_through, _BATCH, False),
    "fastavro-once": (by_fastavro, _BATCH, True),
    "fastavro": (by_fastavro, _BATCH, False),
    "serdes": (by_serdes, _BATCH, False),
    "serdes-cel": (by_serdes_and_cel, _SLOW_BATCH, False),
}


def main() -> None:
    """Run the loop that the environment names."""
    job = Job.given()
    work, batch, transactional = LOOPS[job.loop]
    Loop(job, work, batch, transactional=transactional).run()


if __name__ == "__main__":
    main()
