"""One transactional producer and what its errors mean: abort, replace the producer, or give up the identity."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import Producer as Client
from confluent_kafka import TopicPartition as ClientTopicPartition

from mesh.errors import Fenced, IndefiniteOutcome, MeshError, RetriableError
from mesh.kafka.connection import REQUEST_SECONDS, Connection
from mesh.kafka.message import Run
from mesh.kafka.translation import Diagnosis, raised
from mesh.types import Headers, TopicPartition

# Longer than any batch, yet short: until it runs out, subscribers see nothing after a gate that died for good.
TRANSACTION_TIMEOUT_MS = 10_000
# A commit that has no answer within the transaction's own life has no answer.
_OUTCOME_SECONDS = TRANSACTION_TIMEOUT_MS / 1000
_QUEUE_RECORDS = 400_000
_RETRY_SECONDS = (0.02, 0.2)
# The client's queue is full: time enough for it to send some of it.
_FULL_SECONDS = 0.05

CONSEQUENCES = {"_PURGE_QUEUE", "_PURGE_INFLIGHT", "_STATE"}
"""What is said of records once their transaction has failed already, for a reason that is not told with them."""

T = TypeVar("T")
Report = Callable[[KafkaError | None, Any], None]


class AbortRequired(RetriableError):
    """The transaction cannot commit; abort it and do its work again. ``code`` is Kafka's name for the cause."""

    def __init__(self, operation: str, code: str, reason: str) -> None:
        self.operation, self.code, self.reason = operation, code, reason
        super().__init__(f"{operation}: the transaction must be aborted: {reason} ({code})")


class ProducerLost(RetriableError):
    """The producer is beyond use (a fatal error); a new one with the same id has to take over."""

    def __init__(self, operation: str, code: str, reason: str) -> None:
        self.operation, self.code, self.reason = operation, code, reason
        super().__init__(f"{operation}: the producer is lost: {reason} ({code})")


class RestoreRequired(RetriableError):
    """What the transaction builds on is gone (a topic was made again): abort it and restore every partition."""


class TransactionalProducer:
    """A producer that owns one transactional id from construction (which fences and aborts its predecessor).

    Every method raises AbortRequired, ProducerLost, IndefiniteOutcome or Fenced; nothing else has to be known of the
    client. A timeout of commit, abort or send-offsets is indefinite: the client speaks the old transaction protocol
    (no KIP-890 part 2), under which a late answer could settle a later transaction.
    """

    def __init__(self, connection: Connection, transactional_id: str, linger_ms: int = 5) -> None:
        self.transactional_id = transactional_id
        self._diagnosis = Diagnosis(connection)
        settings = connection.config(
            transactional_id=transactional_id,
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            linger_ms=linger_ms,
            batch_num_messages=20_000,
            queue_buffering_max_messages=_QUEUE_RECORDS,
            queue_buffering_max_kbytes=256 * 1024,
            message_max_bytes=20_000_000,
            # A record still unsent when its transaction has timed out can only do harm.
            message_timeout_ms=TRANSACTION_TIMEOUT_MS,
            # Where publishers put a key. Gates say the partition themselves; processors leave it to the key.
            partitioner="murmur2_random",
        )
        self._client = Client(settings | self._diagnosis.config())
        self._settle("take over", lambda: self._client.init_transactions(REQUEST_SECONDS))

    def begin(self) -> None:
        """Open a transaction; nothing goes to the broker yet."""
        self._call("begin", self._client.begin_transaction)

    def produce(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None,
        timestamp: int = 0,
        report: Report | None = None,
    ) -> None:
        """Hand one record over. ``timestamp`` 0 is stamped now by the client. ``report`` hears of its delivery."""
        while True:
            try:
                self._client.produce(topic, value, key, partition, report, None, timestamp, headers or None)
            except BufferError:
                self.poll(_FULL_SECONDS)
            except KafkaException as caught:
                raise self._classified(caught.args[0], f"write to {topic}", topic) from None
            else:
                return

    def forward(self, topic: str, partition: int, run: Run, *, first: Report | None, last: Report | None) -> None:
        """Hand records over in order, hearing of the delivery of the first and of the last only."""
        produce = self._client.produce
        reports: list[Report | None] = [None] * len(run)
        if reports:
            reports[0], reports[-1] = first, last
        for key, value, when, headers, report in zip(
            run.keys, run.values, run.times, run.headers, reports, strict=True
        ):
            while True:
                try:
                    produce(topic, value, key, partition, report, None, when, headers or None)
                except BufferError:
                    self.poll(_FULL_SECONDS)
                except KafkaException as caught:
                    raise self._classified(caught.args[0], f"write to {topic}", topic) from None
                else:
                    break

    def poll(self, seconds: float = 0) -> None:
        """Let delivery reports in."""
        self._call("hear of deliveries", lambda: self._client.poll(seconds))

    def flush(self) -> None:
        """Wait until every record of the transaction has its final offset; raises AbortRequired when one cannot."""
        deadline = time.monotonic() + _OUTCOME_SECONDS
        while self._call("flush", lambda: self._client.flush(0.5)):
            if time.monotonic() > deadline:
                raise AbortRequired("flush", "_TIMED_OUT", f"the broker did not acknowledge in {_OUTCOME_SECONDS:g} s")

    def send_offsets(self, offsets: Mapping[TopicPartition, int], group: object) -> None:
        """Put the next offsets to read into the transaction; ``group`` is the consumer's group metadata (KIP-447)."""
        places = [ClientTopicPartition(tp.topic, tp.partition, at) for tp, at in offsets.items()]
        send = self._client.send_offsets_to_transaction
        self._settle("send offsets", lambda: self._bounded(lambda: send(places, group, _OUTCOME_SECONDS)))

    def _bounded(self, call: Callable[[], None]) -> None:
        """Wait for a call no longer than it was told to take itself; raises IndefiniteOutcome.

        The client ignores that time (confluentinc/librdkafka#5456) and waits for ever when the group's coordinator has
        left the cluster (#5511: 32 s and more after a broker was killed). What hangs is left behind with its producer.
        """
        done: Future[None] = Future()

        def work() -> None:
            try:
                call()
            except KafkaException as caught:
                done.set_exception(caught)
            else:
                done.set_result(None)

        threading.Thread(target=work, name="send offsets", daemon=True).start()
        try:
            done.result(_OUTCOME_SECONDS)
        except TimeoutError:
            operation = f"send offsets as {self.transactional_id}"
            raise IndefiniteOutcome(operation, "_TIMED_OUT", f"no answer in {_OUTCOME_SECONDS:g} s") from None

    def commit(self) -> None:
        """Commit; on return everything is visible to read_committed readers, or will be."""
        self._settle("commit", lambda: self._client.commit_transaction(_OUTCOME_SECONDS))

    def abort(self) -> None:
        """Abort; on return nothing of the transaction will ever be read as committed."""
        self._settle("abort", lambda: self._client.abort_transaction(_OUTCOME_SECONDS))

    def abandon(self) -> None:
        """Let go without settling: the successor's take-over, or the broker's time-out, aborts what is open."""
        self._client.purge()
        # What it was fenced by is raised here once more.
        with contextlib.suppress(MeshError):
            self.poll()

    def _call(self, operation: str, call: Callable[[], T]) -> T:
        try:
            return raised(call)
        except KafkaException as caught:
            raise self._classified(caught.args[0], operation) from None

    def _settle(self, operation: str, call: Callable[[], T]) -> T:
        """Call until it is settled: retriable errors again with jitter, a time-out is indefinite."""
        deadline = time.monotonic() + _OUTCOME_SECONDS
        while True:
            try:
                done = raised(call)
            except KafkaException as caught:
                error = caught.args[0]
                if error.name() == "_TIMED_OUT" or (error.retriable() and time.monotonic() > deadline):
                    raise self._indefinite(error, operation) from None
                if not error.retriable():
                    raise self._classified(error, operation) from None
            else:
                self._diagnosis.answered()
                return done
            time.sleep(random.uniform(*_RETRY_SECONDS))  # noqa: S311 - jitter, not a secret

    def _indefinite(self, error: KafkaError, operation: str) -> MeshError:
        if self._diagnosis.refused is not None:
            return self._diagnosis.translate(error, operation)
        return IndefiniteOutcome(f"{operation} as {self.transactional_id}", error.name(), error.str())

    def _classified(self, error: KafkaError, operation: str, output: str | None = None) -> MeshError:
        if error.name() in ("_FENCED", "PRODUCER_FENCED"):
            return Fenced(self.transactional_id)
        if error.fatal():
            return ProducerLost(operation, error.name(), error.str())
        if error.txn_requires_abort():
            return AbortRequired(operation, error.name(), error.str())
        if error.name() in ("_STATE", "_ERR__STATE"):
            return AbortRequired(operation, error.name(), error.str())
        # A denied output is the matter of the inputs that write to it; anything else that is denied, of all of them.
        if output is None and error.name().endswith("AUTHORIZATION_FAILED"):
            return self._diagnosis.translate(error, f"{operation} as {self.transactional_id}")
        return AbortRequired(operation, error.name(), error.str())


def outside_group(connection: Connection, group: str) -> object:
    """A group as a transaction names it whose producer is no member: its id alone fences, so it must be a partition's.

    The broker takes such offsets while the group has members, unlike those of a plain commit.
    """
    consumer = Consumer(connection.config(group_id=group))
    try:
        return consumer.consumer_group_metadata()
    finally:
        consumer.close()
