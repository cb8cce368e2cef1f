"""Writing records, idempotently, with every failure reported."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Producer as Client

from mesh.errors import BrokerError, DeadlineExceeded, DeliveryFailed, MeshError, RequestRefused
from mesh.kafka.connection import REQUEST_SECONDS, Connection
from mesh.kafka.translation import Diagnosis
from mesh.types import Coordinate, Headers

# The client's default of 100,000 fills within a fifth of a second at full speed and then every call blocks.
_QUEUE_RECORDS = 200_000
_QUEUE_KBYTES = 128 * 1024
# The partition that stands for "where the key leads".
_ANY = -1


class Producer:
    """An idempotent producer (acks=all). With a transactional id each ``write`` is a transaction of its own.

    Delivery failures of ``produce`` are raised by ``flush``.
    """

    def __init__(self, connection: Connection, transactional_id: str | None = None, linger_ms: int = 5) -> None:
        self._diagnosis = Diagnosis(connection)
        self._failures: list[tuple[str, KafkaError]] = []
        self._transactional = transactional_id is not None
        settings = connection.config(
            enable_idempotence=True,
            linger_ms=linger_ms,
            batch_num_messages=20_000,
            queue_buffering_max_messages=_QUEUE_RECORDS,
            queue_buffering_max_kbytes=_QUEUE_KBYTES,
            message_max_bytes=10_000_000,
            message_timeout_ms=60_000,
            # Where Java's clients put a key: topics stay co-partitioned whoever writes them.
            partitioner="murmur2_random",
        )
        if transactional_id is not None:
            settings |= {
                "transactional.id": transactional_id,
                "transaction.timeout.ms": 10_000,
                "message.timeout.ms": 10_000,
            }
        self._client = Client(settings | {"on_delivery": self._reported} | self._diagnosis.config())
        if transactional_id is not None:
            with self._diagnosis.translated(f"take over {transactional_id}"):
                self._client.init_transactions(REQUEST_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _reported(self, error: KafkaError | None, message: Any) -> None:
        if error is not None:
            self._failures.append((message.topic(), error))

    @property
    def pending(self) -> int:
        """Records handed over and not yet acknowledged."""
        return len(self._client)

    def produce(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
        timestamp: int | None = None,
        report: Callable[[Any, Any], None] | None = None,
    ) -> None:
        """Hand one record over; waits while the queue is full.

        ``report`` hears of its delivery in place of this object, and has to say so when it ``failed``. Raises
        NotAuthorised, NotFound or DeliveryFailed when the client already knows that it cannot be written.
        """
        place, when, sent = _ANY if partition is None else partition, timestamp or 0, list(headers) or None
        while True:
            try:
                # By position, which is quicker: topic, value, key, partition, callback, its other name, time, headers.
                self._client.produce(topic, value, key, place, report, None, when, sent)
            except BufferError:
                self._client.poll(0.1)
            except KafkaException as caught:
                raise self._problem(topic, caught.args[0], 1) from None
            else:
                return

    def failed(self, error: Any, message: Any) -> MeshError:
        """Note that a record was not delivered, which ``flush`` raises; gives the error that says so."""
        self._failures.append((message.topic(), error))
        return self._problem(message.topic(), error, 1)

    def poll(self, seconds: float = 0.0) -> None:
        """Let acknowledgements in; call now and then during a long run of ``produce``."""
        self._client.poll(seconds)

    def check(self) -> None:
        """Let acknowledgements in and raise the first failure, as ``flush`` does, without waiting for the rest."""
        self._let_in(0, self._client.poll)
        if self._diagnosis.refused is not None:
            raise self._diagnosis.translate(self._diagnosis.refused, "log in")
        self._raise_failures()

    def flush(self, seconds: float = 60.0) -> None:
        """Wait until every record is acknowledged.

        Raises NotAuthorised, DeliveryFailed or BrokerUnreachable for the first kind of failure, DeadlineExceeded
        when records are still on their way after ``seconds``.
        """
        deadline = time.monotonic() + seconds
        while len(self._client) and time.monotonic() < deadline:
            with self._diagnosis.translated("write", asks=False):
                self._let_in(0.2, self._client.flush)
            if self._diagnosis.refused is not None:
                raise self._diagnosis.translate(self._diagnosis.refused, "log in")
        self._raise_failures()
        if len(self._client):
            raise DeadlineExceeded(f"writing the last {len(self._client)} records", seconds)

    def _let_in(self, seconds: float, wait: Callable[[float], object]) -> None:
        """Let acknowledgements in; one of a record that was delivered says that this client is logged in."""
        waiting, failed = len(self._client), len(self._failures)
        wait(seconds)
        if waiting - len(self._client) > len(self._failures) - failed:
            self._diagnosis.answered()

    def _raise_failures(self) -> None:
        if not self._failures:
            return
        (topic, error), count = self._failures[0], len(self._failures)
        self._failures.clear()
        raise self._problem(topic, error, count)

    def _problem(self, topic: str, error: KafkaError, count: int) -> MeshError:
        problem = self._diagnosis.translate(error, f"write to {topic}")
        if isinstance(problem, RequestRefused | BrokerError):
            return DeliveryFailed(topic, count, error.name(), error.str())
        return problem

    def write(self, topic: str, *, key: bytes | None, value: bytes | None, partition: int | None = 0) -> Coordinate:
        """Write one record and wait; gives the coordinate it got. With a transactional id, all of a transaction.

        None leaves the partition to the key.
        """
        if not self._transactional:
            return self._write(topic, key, value, partition)
        with self._diagnosis.translated(f"write to {topic}"):
            self._client.begin_transaction()
            try:
                place = self._write(topic, key, value, partition)
            except MeshError:
                self._client.abort_transaction(REQUEST_SECONDS)
                raise
            self._client.commit_transaction(REQUEST_SECONDS)
        return place

    def _write(self, topic: str, key: bytes | None, value: bytes | None, partition: int | None) -> Coordinate:
        places: list[Coordinate] = []

        def report(error: KafkaError | None, message: Any) -> None:
            self._reported(error, message)
            places.append(Coordinate(topic, message.partition(), message.offset() or 0))

        with self._diagnosis.translated(f"write to {topic}", asks=False):
            place = _ANY if partition is None else partition
            self._client.produce(topic, value=value, key=key, partition=place, on_delivery=report)
        self.flush()
        return places[0]

    def close(self) -> None:
        """Wait briefly for what is on its way; failures were raised by ``flush``."""
        self._client.flush(5)
