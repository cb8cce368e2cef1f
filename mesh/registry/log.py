"""The ``_schemas`` topic as the registry's log: one fenced writer, one thread that reads what was really written."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from mesh.errors import DeliveryFailed, Fenced, MeshError, PermanentError, RequestRefused, RetriableError
from mesh.kafka import Admin, Connection, LogTail, Message, Producer
from mesh.registry.records import LogRecord, decode, encode
from mesh.registry.refusal import Refusal
from mesh.types import TopicPartition

Sink: TypeAlias = Callable[[Sequence[LogRecord], int], None]
"""Takes records that were read, and the offset that would be read next."""

TOPIC = "_schemas"
IDENTITY = "_mesh.registry"
# A schema of 1 MiB may double when it is quoted, and metadata comes on top; the cluster's default of 1 MB is too small.
_CONFIG = {"cleanup.policy": "compact", "max.message.bytes": str(8 * 1024 * 1024)}
# The reader hands over what arrives at once; this is how long it takes to notice that it is to stop.
_POLL_SECONDS = 0.5
_WAIT_MS = 500
_RETRY_SECONDS = 1.0
_logger = logging.getLogger(__name__)


class SchemaLog(Protocol):
    """A log with one writer. What was appended comes back through the sink, in order, once it is safe.

    A writer that another one has replaced must never append again: ``append`` raises Fenced from then on.
    """

    def start(self, sink: Sink) -> None:
        """Take the log over from any earlier writer, hand everything in it to the sink, then follow it."""

    def append(self, record: LogRecord) -> int:
        """Write one record; answers its offset. A RetriableError leaves open whether it was written."""

    def behind(self) -> int:
        """How many offsets of the log have not reached the sink."""

    @property
    def failure(self) -> MeshError | None:
        """What ended the following of the log for good."""

    def close(self) -> None:
        """Stop following and writing."""


class KafkaSchemaLog:
    """The log on Kafka: compacted, one partition, written in transactions under one transactional id."""

    def __init__(self, connection: Connection, topic: str = TOPIC) -> None:
        self._connection = connection
        self._identity = IDENTITY if topic == TOPIC else f"{IDENTITY}.{topic}"
        self._partition = TopicPartition(topic, 0)
        self._admin = Admin(connection)
        self._producer: Producer | None = None
        self._tail: LogTail | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._failure: MeshError | None = None

    @property
    def failure(self) -> MeshError | None:
        """What ended the following of the log for good."""
        return self._failure

    def start(self, sink: Sink) -> None:
        """See SchemaLog. Raises RequestRefused for a topic that could lose schemas, and what the broker says."""
        self._provide_topic()
        self._producer = Producer(self._connection, self._identity, linger_ms=0)
        self._tail = tail = LogTail(self._connection, {self._partition: 0}, wait_ms=_WAIT_MS)
        self._hand_over(sink, tail, tail.catch_up())
        self._thread = threading.Thread(target=self._follow, args=(sink, tail), name="schema-log", daemon=True)
        self._thread.start()

    def append(self, record: LogRecord) -> int:
        """See SchemaLog. After a failure the next call takes the identity again, which settles what was left open.

        Raises Refusal 42209 for a record that the topic's ``max.message.bytes`` does not let in.
        """
        if self._failure is not None:
            raise self._failure
        key, value = encode(record)
        try:
            producer = self._producer or Producer(self._connection, self._identity, linger_ms=0)
            self._producer = producer
            return producer.write(self._partition.topic, key=key, value=value).offset
        except Fenced as error:
            self._failure = error
            raise
        except (DeliveryFailed, RequestRefused) as error:
            self._drop_producer()
            if error.code != "MSG_SIZE_TOO_LARGE":
                raise
            reason = f"The schema is too large for topic {self._partition.topic}; raise its max.message.bytes"
            raise Refusal(42209, reason) from None
        except MeshError:
            self._drop_producer()
            raise

    def behind(self) -> int:
        """See SchemaLog. Asks the broker; raises BrokerUnreachable and its like."""
        if self._tail is None:
            raise RequestRefused("follow the schema log", "NOT_STARTED", "the registry has not started")
        end = self._admin.ends([self._partition], committed=True)[self._partition]
        return max(0, end - self._tail.positions[self._partition])

    def close(self) -> None:
        """See SchemaLog."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(10)
        if self._tail is not None:
            self._tail.close()
        self._drop_producer()

    def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close()

    def _provide_topic(self) -> None:
        topic = self._partition.topic
        state = self._admin.topics([topic]).get(topic)
        if state is None:
            self._admin.create_topic(topic, 1, _CONFIG)
        elif state.partitions != 1 or "compact" not in state.config.get("cleanup.policy", ""):
            reason = "it must have one partition and cleanup.policy=compact, otherwise schemas are lost or reordered"
            raise RequestRefused(f"use topic {topic} as the schema log", "INVALID_TOPIC", reason)

    def _follow(self, sink: Sink, tail: LogTail) -> None:
        while not self._stopping.is_set():
            try:
                self._hand_over(sink, tail, tail.poll(_POLL_SECONDS))
            except RetriableError as error:
                _logger.warning("the schema log cannot be read at the moment: %s", error)
                self._stopping.wait(_RETRY_SECONDS)
            except PermanentError as error:
                _logger.critical("the schema log cannot be read any more: %s", error)
                self._failure = error
                return

    def _hand_over(self, sink: Sink, tail: LogTail, messages: Sequence[Message]) -> None:
        if messages:
            sink([decode(each.key(), each.value()) for each in messages], tail.positions[self._partition])
