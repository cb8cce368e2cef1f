"""The consuming side of the transactional loop: group membership with explicit positions, records by partition."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final, Literal

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as ClientTopicPartition

from mesh.errors import Fenced, MeshError, UsageError
from mesh.kafka.admin import Admin
from mesh.kafka.connection import FETCH_AGAIN_MS, REQUEST_SECONDS, Connection
from mesh.kafka.message import Message
from mesh.kafka.translation import Diagnosis, raised
from mesh.types import TopicPartition

logger = logging.getLogger(__name__)

# Longer than a coordinator takes to fail over (5 s, 12 s with Kafka's own settings): a static member whose session
# has run out fences itself for good. Its own successor does not have to wait for the session.
SESSION_MS = 15_000
# A batch that unpacks to more is not read at all: a few kilobytes of zeros would otherwise cost the client's 100 MB.
_MOST_BYTES = 32 * 1024 * 1024
_UNREADABLE = {"_BAD_MSG", "_BAD_COMPRESSION", "CORRUPT_MESSAGE", "INVALID_MSG", "_UNSUPPORTED_FEATURE"}
_EXPIRED = {"_AUTO_OFFSET_RESET", "OFFSET_OUT_OF_RANGE"}
_FATAL = {
    "_FATAL",
    "FENCED_INSTANCE_ID",
    "GROUP_AUTHORIZATION_FAILED",
    "_AUTHENTICATION",
    "INCONSISTENT_GROUP_PROTOCOL",
}

# The client names every partition in every request for records. With few, a record is given at once; with many that
# would be a request over all of them for each record: 300 partitions of a record a second took 50 to 90 % of a core.
_MANY_TOPICS: Final = 50
# Who gathers does so until there are clearly fewer: each change has the group share all partitions anew.
_FEW_TOPICS: Final = 40
_GATHERING: Final[Mapping[str, object]] = {"fetch.min.bytes": 64 * 1024, "fetch.wait.max.ms": 200}
"""How much has to be there for a request to be answered before its wait is over."""

GroupProtocol = Literal["classic", "consumer"]
"""How a group shares partitions: by its members (classic), or by the broker (consumer, KIP-848)."""
_PROTOCOLS: Final[Mapping[GroupProtocol, Mapping[str, object]]] = {
    "classic": {
        "group_protocol": "classic",
        "partition_assignment_strategy": "cooperative-sticky",
        "session_timeout_ms": SESSION_MS,
        "heartbeat_interval_ms": SESSION_MS // 10,
    },
    # Session, heartbeat and strategy are the broker's; the client refuses to be told.
    "consumer": {"group_protocol": "consumer"},
}
LONGEST_SESSION_SECONDS: Final = 45.0
"""Kafka's own session of a member under the newer protocol; the classic one is ours and shorter."""

Partitions = Collection[TopicPartition]


@dataclass(slots=True)
class Taken:
    """What one poll brought: records by partition, offsets that cannot be read, partitions whose offset is gone."""

    records: dict[TopicPartition, list[Message]] = field(default_factory=dict)
    unreadable: list[tuple[TopicPartition, int, str]] = field(default_factory=list)
    expired: list[TopicPartition] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.records or self.unreadable or self.expired)

    def __len__(self) -> int:
        return sum(map(len, self.records.values())) + len(self.unreadable)


@dataclass(frozen=True, slots=True)
class Membership:
    """Who calls back when partitions come and go. All three run inside ``take``, on the caller's thread."""

    assigned: Callable[[Partitions], Mapping[TopicPartition, int]]
    """Gives the offset each partition starts at; partitions left out are held, but not read."""
    revoked: Callable[[Partitions], None]
    lost: Callable[[Partitions], None]


class Intake:
    """A consumer that never commits, never resets an offset by itself and never reads what is not committed."""

    def __init__(
        self,
        connection: Connection,
        group: str,
        member: str,
        membership: Membership,
        protocol: GroupProtocol = "classic",
    ) -> None:
        self._diagnosis = Diagnosis(connection)
        self._client_id, self._static = f"mesh-{member}", protocol == "classic"
        self._group, self._member, self._membership = group, member, membership
        self._began, self._name = time.monotonic(), ""
        self._client: Consumer | None = None
        self._gathers = self._closing = False
        self._held: set[TopicPartition] = set()
        self._gone: set[TopicPartition] = set()
        self._settings = connection.config(
            group_id=group,
            enable_auto_commit=False,
            enable_auto_offset_store=False,
            isolation_level="read_committed",
            auto_offset_reset="error",
            fetch_queue_backoff_ms=FETCH_AGAIN_MS,
            fetch_max_bytes=_MOST_BYTES // 2,
            receive_message_max_bytes=_MOST_BYTES,
            queued_min_messages=50_000,
            queued_max_messages_kbytes=64 * 1024,
            check_crcs=True,
            topic_metadata_refresh_interval_ms=5_000,
            client_id=self._client_id,
            **_PROTOCOLS[protocol],
        )

    @property
    def gathers(self) -> bool:
        """Whether records are waited for, so that many partitions do not cost a request for each record."""
        return self._gathers

    @property
    def _consumer(self) -> Consumer:
        if self._client is None:
            raise UsageError("nothing was subscribed yet; subscribe comes first")
        return self._client

    def _joining(self, names: Sequence[str]) -> Consumer:
        """A static member (KIP-345): whoever was killed takes up its partitions at once, not after the session.

        The coordinator gives a static member that returns its old assignment without a look at what it subscribes to
        now. So its name holds a digest of that: with other topics it comes as somebody else, and all is shared anew.

        Under the newer protocol (KIP-848) a name is taken until the session of the one who had it is over, and the
        client gives up for good when it comes too early: there it has none.
        """
        settings = {**self._settings, **self._diagnosis.config(), **(_GATHERING if self._gathers else {})}
        if not self._static:
            return Consumer(settings)
        digest = blake2b("\n".join(names).encode(), digest_size=4).hexdigest()
        self._name = f"{self._member}.{digest}"
        return Consumer(settings | {"group.instance.id": self._name})

    def subscribe(self, topics: Iterable[str]) -> None:
        """Read these topics; replaces what was read before.

        When they have become many or few, by another client: how long one waits for records is settled when it is made.
        Partitions are revoked then, and what they come to is assigned as at the beginning. Not under the classic
        protocol, in which members share the partitions: librdkafka 2.16.0 crashes in that (``processPartitionMovement``
        of its sticky assignor) when several come anew. There the number of topics at the start decides.
        """
        names = sorted(topics)
        with self._diagnosis.translated("subscribe", asks=False):
            if not names:
                if self._client is not None:
                    self._client.unsubscribe()
                return
            gathers = len(names) > (_FEW_TOPICS if self._gathers else _MANY_TOPICS)
            if self._client is not None and gathers != self._gathers and not self._static:
                self._leave()
            if self._client is None:
                self._gathers = gathers
                self._client = self._joining(names)
            self._client.subscribe(names, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)

    def _leave(self) -> None:
        """Give everything back and be no member any more; what is open commits first, as long as this is one."""
        self._membership.revoked(sorted(self._held))
        self.close()
        if self._held:
            self._membership.lost(sorted(self._held))
            self._held.clear()
        self._client, self._began = None, time.monotonic()

    def _on_assign(self, consumer: Any, places: list[Any]) -> None:
        # A client that is leaving is told what the group has just given it, and answers no question any more: to wait
        # for the offsets would take until nobody believes in the broker.
        if self._closing:
            return
        partitions = [_partition(place) for place in places]
        self._held.update(partitions)
        starts = self._membership.assigned(partitions)
        consumer.incremental_assign(
            [ClientTopicPartition(tp.topic, tp.partition, starts.get(tp, 0)) for tp in partitions]
        )
        self.pause([tp for tp in partitions if tp not in starts])
        # The client remembers a pause from an earlier assignment, and nothing else would end it.
        self.resume([tp for tp in partitions if tp in starts])

    def _on_revoke(self, _: Any, places: list[Any]) -> None:
        self._membership.revoked(self._given_up(places))

    def _on_lost(self, _: Any, places: list[Any]) -> None:
        self._membership.lost(self._given_up(places))

    def _given_up(self, places: list[Any]) -> list[TopicPartition]:
        # What came while the client was leaving was never held.
        partitions = [found for found in map(_partition, places) if found in self._held]
        self._gone.update(partitions)
        self._held.difference_update(partitions)
        return partitions

    def take(self, most: int, seconds: float, *, eager: bool = False) -> Taken:
        """Up to ``most`` records, waiting at most ``seconds`` for them, if ``eager`` for the first of them only.

        Raises what leaves no way to go on.
        """
        if self._client is None:
            time.sleep(seconds)
            return Taken()
        messages = self._first(most, seconds) if eager else self._consumed(most, seconds)
        taken = Taken()
        # Plain tuples: building and hashing a value object for every record costs more than judging it.
        places: defaultdict[tuple[str, int], list[Message]] = defaultdict(list)
        for message in messages:
            if message.error() is None:
                places[message.topic(), message.partition()].append(message)
            else:
                self._sort_error(message, taken)
        if places:
            self._diagnosis.answered()
        taken.records |= {TopicPartition(*place): records for place, records in places.items()}
        return taken

    def _first(self, most: int, seconds: float) -> list[Any]:
        """What is there when the first record comes; the client's own call waits until there are as many as asked."""
        first = self._consumed(1, seconds)
        if not first:
            return []
        self._gone.clear()
        rest = self._consumed(most - 1, 0)
        # A partition that went meanwhile and came back begins at its committed offset: the record comes again.
        return [each for each in first if each.error() is not None or _partition(each) not in self._gone] + rest

    def _consumed(self, most: int, seconds: float) -> list[Any]:
        try:
            return raised(lambda: self._consumer.consume(most, seconds))
        except KafkaException as caught:
            raise self._final(caught.args[0]) from None

    def _final(self, error: KafkaError) -> MeshError:
        # A static member that was replaced hears of it as a fatal error, and the client hides the code of that one.
        fenced = error.name() == "FENCED_INSTANCE_ID" or (error.name() == "_FATAL" and "fenced" in error.str())
        return Fenced(self._member) if fenced else self._diagnosis.translate(error, "consume")

    def _sort_error(self, message: Any, taken: Taken) -> None:
        error = message.error()
        name = error.name()
        if name in _UNREADABLE and message.offset() is not None and message.offset() >= 0:
            taken.unreadable.append((_partition(message), message.offset(), f"{error.str()} ({name})"))
        elif name in _EXPIRED and message.topic() is not None:
            taken.expired.append(_partition(message))
        elif name in _FATAL or error.fatal() or self._diagnosis.refused is not None:
            raise self._final(error)
        else:
            logger.warning("consume: %s (%s)", error.str(), name)

    def stable_offsets(self, partitions: Partitions) -> dict[TopicPartition, int | None]:
        """The group's committed offsets once no transaction can still change them; None where there is none."""
        asked = [ClientTopicPartition(tp.topic, tp.partition) for tp in partitions]
        with self._diagnosis.translated("read committed offsets", asks=bool(asked)):
            answers = self._consumer.committed(asked, REQUEST_SECONDS) if asked else []
        return {_partition(place): place.offset if place.offset >= 0 else None for place in answers}

    def seek(self, positions: Mapping[TopicPartition, int]) -> None:
        """Read on from these offsets; what was fetched ahead is dropped.

        Partitions that the client has given up already, and has not yet said so, are passed over.
        """
        with self._diagnosis.translated("seek", asks=False):
            held = {_partition(place) for place in self._consumer.assignment()} if positions else set()
            for partition in positions.keys() & held:
                self._move(ClientTopicPartition(partition.topic, partition.partition, positions[partition]))

    def _move(self, place: Any) -> None:
        try:
            self._consumer.seek(place)
        except KafkaException as caught:
            if caught.args[0].name() != "_STATE":
                raise
            # The client gives up reading a partition whose offset is gone, and does not take it up by a seek.
            self._consumer.incremental_unassign([place])
            self._consumer.incremental_assign([place])

    def pause(self, partitions: Partitions) -> None:
        """Stop reading these, keeping them."""
        if partitions:
            self._consumer.pause([ClientTopicPartition(tp.topic, tp.partition) for tp in partitions])

    def resume(self, partitions: Partitions) -> None:
        """Go on with what was paused."""
        if partitions:
            self._consumer.resume([ClientTopicPartition(tp.topic, tp.partition) for tp in partitions])

    def group_metadata(self) -> object:
        """What ties a transaction's offsets to this member's generation (KIP-447)."""
        return self._consumer.consumer_group_metadata()

    def rivalled(self) -> bool:
        """Whether another process has joined the group under this member's name; raises what Kafka's answers mean.

        What this member's predecessor may have left behind, with other topics or without a name, does not count at
        first.
        """
        with Admin(self._diagnosis.connection) as admin:
            members = admin.members(self._group)
        mine = self._client.memberid() if self._client is not None else ""
        settled = time.monotonic() > self._began + LONGEST_SESSION_SECONDS
        return any(
            each.client_id == self._client_id and (settled or each.name == self._name != "")
            for each in members
            if each.member_id != mine
        )

    def close(self) -> None:
        """Leave the group; partitions still held are revoked first."""
        if self._client is None:
            return
        self._closing = True
        try:
            self._client.close()
        except KafkaException as caught:
            logger.warning("leaving the group: %s", caught.args[0].str())
        finally:
            self._closing = False


def _partition(place: Any) -> TopicPartition:
    topic = place.topic() if callable(place.topic) else place.topic
    partition = place.partition() if callable(place.partition) else place.partition
    return TopicPartition(topic, partition)
