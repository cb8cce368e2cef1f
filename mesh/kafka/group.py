"""Reading topics as a member of a consumer group: what was processed is committed, and nothing else."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as ClientTopicPartition

from mesh.errors import MeshError, NotAuthorised, RecordsLost
from mesh.kafka.connection import FETCH_AGAIN_MS, REQUEST_SECONDS, Connection
from mesh.kafka.message import Message
from mesh.kafka.translation import Diagnosis
from mesh.types import TopicPartition

logger = logging.getLogger(__name__)

# A member that dies blocks its partitions for this long.
_SESSION_MS = 10_000
# `consume` waits for a full batch and ignores Ctrl-C meanwhile, so it is asked often and briefly.
_TICK_SECONDS = 0.02
_END = "_PARTITION_EOF"
_EXPIRED = {"_AUTO_OFFSET_RESET", "OFFSET_OUT_OF_RANGE"}
_DEPARTED = {"_NO_OFFSET", "ILLEGAL_GENERATION", "UNKNOWN_MEMBER_ID", "REBALANCE_IN_PROGRESS", "_STATE"}
_HOPELESS = {"_AUTHENTICATION", "_FATAL", "INCONSISTENT_GROUP_PROTOCOL", "UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC"}

Partitions = Collection[TopicPartition]


@dataclass(frozen=True, slots=True)
class GroupOptions:
    """How a group reads.

    ``from_beginning``: where a partition without a committed offset starts, else at its end. ``skip_lost``: go on at
    the first record still held when retention took unread ones, instead of raising RecordsLost. ``client_id`` is what
    the broker's logs show. ``leaving`` hears which partitions are about to be, or have been, taken away.
    """

    from_beginning: bool = True
    skip_lost: bool = False
    client_id: str | None = None
    leaving: Callable[[Partitions], None] | None = None


class GroupConsumer:
    """A member of a consumer group (classic protocol, cooperative-sticky) that reads committed records only.

    Offsets are committed for records reported with ``processed`` and for no others: on ``commit``, and before
    partitions are given away. Not for use by two threads at once. Callbacks run inside ``poll`` and ``close``.
    """

    def __init__(
        self, connection: Connection, group: str, topics: Iterable[str], options: GroupOptions | None = None
    ) -> None:
        self.group = group
        self.positions: dict[TopicPartition, int] = {}
        """The offset after the last processed record, by partition, of the partitions held now."""
        self.ends: dict[TopicPartition, int] = {}
        """Where a partition last had nothing more to read."""
        self.held: set[TopicPartition] | None = None
        """The partitions this member reads now; None before its first assignment and when all were lost."""
        self._options = options or GroupOptions()
        self._committed: dict[TopicPartition, int] = {}
        self._refusal: KafkaError | None = None
        self._closed = False
        self._diagnosis = Diagnosis(connection)
        self._consumer = Consumer(self._settings(connection) | self._diagnosis.config())
        with self._diagnosis.translated(f"subscribe as {group}", asks=False):
            self._consumer.subscribe(
                sorted(topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
            )

    def _settings(self, connection: Connection) -> dict[str, object]:
        named = {"client.id": self._options.client_id} if self._options.client_id else {}
        return (
            connection.config(
                group_id=self.group,
                enable_auto_commit=False,
                enable_auto_offset_store=False,
                enable_partition_eof=True,
                isolation_level="read_committed",
                auto_offset_reset="earliest" if self._options.skip_lost else "error",
                partition_assignment_strategy="cooperative-sticky",
                session_timeout_ms=_SESSION_MS,
                heartbeat_interval_ms=_SESSION_MS // 4,
                fetch_wait_max_ms=50,
                fetch_queue_backoff_ms=FETCH_AGAIN_MS,
                queued_min_messages=20_000,
                queued_max_messages_kbytes=32 * 1024,
                check_crcs=True,
            )
            | {"on_commit": self._on_commit}
            | named
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def poll(self, most: int, seconds: float) -> list[Message]:
        """The next records, at most ``most``, waiting up to ``seconds`` for the first of them.

        Raises NotAuthorised, NotFound, RecordsLost and RequestRefused; what a broker's restart causes is waited out.
        """
        deadline = time.monotonic() + seconds
        while True:
            wait = max(0.0, min(_TICK_SECONDS, deadline - time.monotonic()))
            with self._diagnosis.translated(f"read as {self.group}", asks=False):
                batch: list[Message] = self._consumer.consume(most, wait)
            records = [message for message in batch if self._readable(message)]
            self._raise_refusal()
            if records or time.monotonic() >= deadline:
                return records

    def _readable(self, message: Any) -> bool:
        error = message.error()
        if error is None or error.name() == _END:
            self._diagnosis.answered()
        if error is None:
            return True
        if error.name() == _END:
            self.ends[TopicPartition(message.topic(), message.partition())] = message.offset()
        else:
            self._sort(error, message)
        return False

    def _sort(self, error: KafkaError, message: Any) -> None:
        name = error.name()
        if name in _EXPIRED and message.topic() is not None:
            raise self._lost(TopicPartition(message.topic(), message.partition()))
        if name.endswith("AUTHORIZATION_FAILED"):
            raise NotAuthorised(self._diagnosis.connection.principal, self._operation(name, message), name)
        bad_record = message.topic() is not None and message.offset() is not None and message.offset() >= 0
        if name in _HOPELESS or bad_record or error.fatal() or self._diagnosis.refused is not None:
            raise self._diagnosis.translate(error, self._operation(name, message))
        logger.warning("reading as %s: %s (%s)", self.group, error.str(), name)

    def _operation(self, name: str, message: Any) -> str:
        return f"read as group {self.group}" if name.startswith("GROUP") else f"read {message.topic() or self.group}"

    def _lost(self, partition: TopicPartition) -> RecordsLost:
        wanted = self.positions.get(partition, self._committed.get(partition, 0))
        return RecordsLost(partition.topic, partition.partition, wanted)

    def processed(self, message: Message) -> None:
        """This record, and with it every earlier one of its partition, is done with."""
        place = TopicPartition(message.topic(), message.partition())
        if self.held is not None and place in self.held:
            self.positions[place] = message.offset() + 1

    def commit(self, *, wait: bool) -> None:
        """Commit what was processed since the last time.

        Without ``wait`` a failure is raised by a later ``poll``; a member that no longer holds a partition commits
        nothing for it, and the record comes again.
        """
        due = self._due(self.positions)
        if not due:
            return
        try:
            self._consumer.commit(offsets=_places(due), asynchronous=not wait)
        except KafkaException as caught:
            self._commit_failed(caught.args[0])
        else:
            self._committed |= due
        self._raise_refusal()

    def _due(self, positions: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        return {tp: at for tp, at in positions.items() if self._committed.get(tp) != at}

    def _on_commit(self, error: KafkaError | None, places: list[Any]) -> None:
        failed = error or next((place.error for place in places if place.error is not None), None)
        if failed is not None:
            self._committed.clear()
            self._commit_failed(failed)

    def _commit_failed(self, error: KafkaError) -> None:
        if error.name().endswith("AUTHORIZATION_FAILED") or error.name() == "_AUTHENTICATION":
            self._refusal = error
        elif error.name() not in _DEPARTED:
            logger.warning("committing as %s: %s (%s)", self.group, error.str(), error.name())

    def _raise_refusal(self) -> None:
        if self._refusal is not None:
            raise self._diagnosis.translate(self._refusal, f"commit as group {self.group}")

    def _on_assign(self, consumer: Any, places: list[Any]) -> None:
        arrived = [TopicPartition(place.topic, place.partition) for place in places]
        self.held = (self.held or set()) | set(arrived)
        if arrived:
            starts = self._starts(consumer, arrived)
            consumer.incremental_assign(_places(starts))

    def _starts(self, consumer: Any, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        asked = [ClientTopicPartition(tp.topic, tp.partition) for tp in partitions]
        starts: dict[TopicPartition, int] = {}
        for place in consumer.committed(asked, REQUEST_SECONDS):
            partition = TopicPartition(place.topic, place.partition)
            if place.offset >= 0:
                starts[partition] = self._committed[partition] = place.offset
            elif self._options.from_beginning:
                starts[partition] = OFFSET_BEGINNING
            else:
                # Committed like a processed record's: whoever comes next must not miss what arrives from now on.
                _, end = consumer.get_watermark_offsets(place, REQUEST_SECONDS)
                starts[partition] = self.positions[partition] = end
        return starts

    def _on_revoke(self, _: Any, places: list[Any]) -> None:
        leaving = [TopicPartition(place.topic, place.partition) for place in places]
        try:
            self.commit(wait=True)
        except MeshError as error:
            logger.warning("committing before partitions go: %s", error)
        self._forget(leaving)

    def _on_lost(self, _: Any, places: list[Any]) -> None:
        self._forget([TopicPartition(place.topic, place.partition) for place in places])
        self.held = self.held or None

    def _forget(self, partitions: Partitions) -> None:
        if self.held is not None:
            self.held.difference_update(partitions)
        for partition in partitions:
            for known in (self.positions, self._committed, self.ends):
                known.pop(partition, None)
        if self._options.leaving is not None:
            self._options.leaving(partitions)

    def pause(self, partitions: Partitions) -> None:
        """Stop reading these, keeping them."""
        with self._diagnosis.translated("pause", asks=False):
            self._consumer.pause([ClientTopicPartition(tp.topic, tp.partition) for tp in partitions])

    def close(self) -> None:
        """Commit what was processed and leave the group; raises what a commit raises, after leaving."""
        if self._closed:
            return
        self._closed = True
        try:
            self.commit(wait=True)
        finally:
            self._consumer.close()


def _places(offsets: Mapping[TopicPartition, int]) -> list[ClientTopicPartition]:
    return [ClientTopicPartition(tp.topic, tp.partition, at) for tp, at in offsets.items()]
