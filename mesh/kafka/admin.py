"""What is on a cluster, and changing it: topics, configurations, partitions, offsets."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicCollection
from confluent_kafka import TopicPartition as ClientTopicPartition
from confluent_kafka.admin import (
    AclOperation,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from mesh.errors import NotAuthorised
from mesh.kafka.connection import REQUEST_SECONDS, Connection
from mesh.kafka.security import SecurityAdmin
from mesh.kafka.translation import STALE, Diagnosis
from mesh.types import TopicPartition

T = TypeVar("T")

_RENEW_SECONDS = 0.1
# What the client says while the broker it believes to be the controller is gone; only new metadata end that.
_DEPARTED = {"_TIMED_OUT", "_DESTROY_BROKER", "_TRANSPORT"}
_TRY_SECONDS = REQUEST_SECONDS / 4
# What a broker says of a group while its coordinator is being made, loads or moves.
_MOVING = {"NOT_COORDINATOR", "COORDINATOR_LOAD_IN_PROGRESS", "COORDINATOR_NOT_AVAILABLE"}


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the cluster has it; ``config`` holds only what was set on the topic itself.

    It is empty where the principal may describe the topic but not its configuration.
    """

    name: str
    topic_id: UUID
    partitions: int
    replication: int
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A member of a consumer group: the id the broker gave it, the name it has itself (KIP-345) or none, its client."""

    member_id: str
    name: str
    client_id: str


class Admin(SecurityAdmin):
    """One administrative client. Every call blocks until the cluster has answered, for at most ``REQUEST_SECONDS``.

    Raises BrokerUnreachable, NotAuthorised, NotFound, BrokerError and RequestRefused.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.diagnosis = Diagnosis(connection)
        self.client = AdminClient(connection.config() | self.diagnosis.config())
        self._observers: dict[str, Consumer] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        while self._observers:
            self._observers.popitem()[1].close()
        self.client.poll(0)

    def cluster_id(self) -> str:
        """The cluster's own id; also the cheapest proof that a broker answers."""
        with self.diagnosis.translated("describe the cluster"):
            future = self.client.describe_cluster(request_timeout=REQUEST_SECONDS)
            return str(self._result(future).cluster_id)

    def topic_names(self) -> list[str]:
        """Every topic this principal may describe, sorted."""
        with self.diagnosis.translated("list topics"):
            return sorted(self.client.list_topics(timeout=REQUEST_SECONDS).topics)

    def topic_ids(self, names: Iterable[str]) -> dict[str, UUID]:
        """The ids of the named topics, as far as they exist and this principal may describe them."""
        wanted = list(dict.fromkeys(names))
        if not wanted:
            return {}
        with self.diagnosis.translated("look up topic ids"):
            return self._renewing(_DEPARTED, lambda: self._ids(wanted))

    def partition_counts(self, names: Iterable[str]) -> dict[str, int]:
        """How many partitions the named topics have, as far as they exist and this principal may describe them."""
        wanted = list(dict.fromkeys(names))
        if not wanted:
            return {}
        with self.diagnosis.translated("count partitions"):
            described = self._renewing(_DEPARTED, lambda: self._described(wanted))
        return {name: len(each.partitions) for name, each in described.items()}

    def leaderless(self, names: Iterable[str]) -> list[TopicPartition]:
        """The partitions of the named topics that no broker leads now: nothing can be read from them or written.

        To ask for their offsets would be to wait for a leader. Topics that are missing or denied are passed over.
        """
        wanted = list(dict.fromkeys(names))
        if not wanted:
            return []
        with self.diagnosis.translated("look for leaders"):
            found = self.client.list_topics(timeout=REQUEST_SECONDS).topics
        return [
            TopicPartition(name, number)
            for name in wanted
            if name in found
            for number, each in sorted(found[name].partitions.items())
            if each.leader < 0
        ]

    def _ids(self, names: list[str]) -> dict[str, UUID]:
        futures = self.client.describe_topics(TopicCollection(names), request_timeout=_TRY_SECONDS)
        found = {name: self._permitted(name, future) for name, future in futures.items()}
        return {name: _uuid(each.topic_id) for name, each in found.items() if each is not None}

    def _permitted(self, name: str, future: Future[Any]) -> Any | None:
        try:
            return self._existing(name, future)
        except NotAuthorised:
            return None

    def topics(self, names: Iterable[str]) -> dict[str, TopicState]:
        """The state of the named topics; those that do not exist are left out."""
        wanted = list(dict.fromkeys(names))
        if not wanted:
            return {}
        with self.diagnosis.translated("describe topics"):
            described = self._described(wanted)
            configs = self._configs(described)
        # One that is gone by now was on its way out when it was described.
        return {name: _state(each, config) for name, each in described.items() if (config := configs[name]) is not None}

    def denied_writes(self, names: Iterable[str]) -> list[str]:
        """Those of these topics that this principal may not write to, or may not even describe."""
        wanted = TopicCollection(list(dict.fromkeys(names)))
        with self.diagnosis.translated("describe topics"):
            futures = self.client.describe_topics(
                wanted, include_authorized_operations=True, request_timeout=_TRY_SECONDS
            )
            return [name for name, future in futures.items() if not self._writable(name, future)]

    def _writable(self, name: str, future: Future[Any]) -> bool:
        try:
            described = self._existing(name, future)
        except NotAuthorised:
            return False
        return described is None or AclOperation.WRITE in described.authorized_operations

    def _described(self, names: Sequence[str]) -> dict[str, Any]:
        def ask() -> dict[str, Any]:
            found = self.client.describe_topics(TopicCollection(list(names)), request_timeout=_TRY_SECONDS)
            return {name: each for name, each in ((n, self._existing(n, f)) for n, f in found.items()) if each}

        return self._renewing(_DEPARTED, ask)

    def _renewing(self, codes: Collection[str], ask: Callable[[], T]) -> T:
        """Ask again with new metadata while the answer is one of these errors and the time of a request is not over."""
        deadline = time.monotonic() + REQUEST_SECONDS
        while True:
            try:
                return ask()
            except KafkaException as caught:
                if caught.args[0].name() not in codes or time.monotonic() > deadline:
                    raise
            self._renew_metadata()

    def _existing(self, name: str, future: Future[Any]) -> Any | None:
        try:
            return self._result(future)
        except KafkaException as caught:
            code = caught.args[0].name()
            if code == "UNKNOWN_TOPIC_OR_PART":
                return None
            if code == "TOPIC_AUTHORIZATION_FAILED":
                raise self.diagnosis.translate(caught.args[0], f"describe {name}") from None
            raise

    def _configs(self, names: Iterable[str]) -> dict[str, dict[str, str] | None]:
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        if not resources:
            return {}
        futures = self.client.describe_configs(resources, request_timeout=REQUEST_SECONDS)
        return {resource.name: self._visible(future) for resource, future in futures.items()}

    def _visible(self, future: Future[Any]) -> dict[str, str] | None:
        """A topic's own configuration: empty where it may not be seen, None where there is no such topic."""
        try:
            return _explicit(self._result(future))
        except KafkaException as caught:
            name = caught.args[0].name()
            if name not in ("TOPIC_AUTHORIZATION_FAILED", "UNKNOWN_TOPIC_OR_PART"):
                raise
            return {} if name == "TOPIC_AUTHORIZATION_FAILED" else None

    def create_topic(self, name: str, partitions: int, config: Mapping[str, str], replication: int = -1) -> None:
        """Create a topic; ``replication`` -1 leaves it to the cluster."""
        topic = NewTopic(name, num_partitions=partitions, replication_factor=replication, config=dict(config))
        with self.diagnosis.translated(f"create topic {name}"):
            self._all(self.client.create_topics([topic], request_timeout=REQUEST_SECONDS))

    def delete_topic(self, name: str) -> None:
        """Delete a topic and everything in it."""
        with self.diagnosis.translated(f"delete topic {name}"):
            self._all(self.client.delete_topics([name], request_timeout=REQUEST_SECONDS))

    def add_partitions(self, name: str, total: int) -> None:
        """Grow a topic to ``total`` partitions."""
        with self.diagnosis.translated(f"add partitions to {name}"):
            self._all(self.client.create_partitions([NewPartitions(name, total)], request_timeout=REQUEST_SECONDS))

    def set_config(self, name: str, changes: Mapping[str, str | None]) -> None:
        """Set topic configurations; None returns one to the cluster's default."""
        entries = [
            ConfigEntry(
                key,
                value or "",
                incremental_operation=AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET,
            )
            for key, value in changes.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        with self.diagnosis.translated(f"configure topic {name}"):
            self._all(self.client.incremental_alter_configs([resource], request_timeout=REQUEST_SECONDS))

    def beginnings(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The first offset each partition still holds."""
        return self._offsets(partitions, OffsetSpec.earliest(), committed=False)

    def ends(self, partitions: Iterable[TopicPartition], *, committed: bool) -> dict[TopicPartition, int]:
        """The offset after the last record; ``committed`` stops before the first open transaction."""
        return self._offsets(partitions, OffsetSpec.latest(), committed=committed)

    def _offsets(
        self, partitions: Iterable[TopicPartition], spec: OffsetSpec, *, committed: bool
    ) -> dict[TopicPartition, int]:
        asked = {ClientTopicPartition(tp.topic, tp.partition): spec for tp in partitions}
        if not asked:
            return {}
        isolation = IsolationLevel.READ_COMMITTED if committed else IsolationLevel.READ_UNCOMMITTED

        def ask() -> dict[TopicPartition, int]:
            futures = self.client.list_offsets(asked, isolation_level=isolation, request_timeout=REQUEST_SECONDS)
            return {TopicPartition(tp.topic, tp.partition): self._result(f).offset for tp, f in futures.items()}

        with self.diagnosis.translated("list offsets"):
            return self._renewing(STALE, ask)

    def _renew_metadata(self) -> None:
        # After a broker has restarted, this client would go on asking with the leader epoch it once learned, for ever.
        time.sleep(_RENEW_SECONDS)
        self.client.list_topics(timeout=REQUEST_SECONDS)

    def members(self, group: str) -> list[GroupMember]:
        """Who is in a group now, as far as its coordinator knows."""
        with self.diagnosis.translated(f"describe group {group}"):
            futures = self.client.describe_consumer_groups([group], request_timeout=REQUEST_SECONDS)
            members = self._result(futures[group]).members
        return [GroupMember(each.member_id, each.group_instance_id or "", each.client_id) for each in members]

    def committed(self, group: str, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int | None]:
        """The offsets a group has committed; None where it has none. Waits for open transactions to settle."""
        asked = [ClientTopicPartition(tp.topic, tp.partition) for tp in partitions]

        def ask() -> list[ClientTopicPartition]:
            return list(self._observer(group).committed(asked, REQUEST_SECONDS))

        with self.diagnosis.translated(f"read the offsets of group {group}"):
            answers = self._renewing(_MOVING, ask) if asked else []
        return {TopicPartition(tp.topic, tp.partition): tp.offset if tp.offset >= 0 else None for tp in answers}

    def _observer(self, group: str) -> Consumer:
        """A consumer that names the group and never joins it.

        The client's own call for this (``list_consumer_group_offsets``) ends the process with a segmentation fault
        when the group's coordinator is only just being made.
        """
        if group not in self._observers:
            settings = self.connection.config(
                group_id=group, enable_auto_commit=False, isolation_level="read_committed"
            )
            self._observers[group] = Consumer(settings | self.diagnosis.config())
        return self._observers[group]


def _state(described: Any, config: Mapping[str, str]) -> TopicState:
    replicas = len(described.partitions[0].replicas) if described.partitions else 0
    return TopicState(described.name, _uuid(described.topic_id), len(described.partitions), replicas, config)


def _uuid(client_uuid: Any) -> UUID:
    high, low = client_uuid.get_most_significant_bits(), client_uuid.get_least_significant_bits()
    return UUID(int=((high & (1 << 64) - 1) << 64) | (low & (1 << 64) - 1))


def _explicit(entries: Mapping[str, ConfigEntry]) -> dict[str, str]:
    dynamic = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    return {
        name: entry.value for name, entry in entries.items() if entry.value is not None and _source(entry) == dynamic
    }


def _source(entry: ConfigEntry) -> int:
    source: Any = entry.source
    return int(getattr(source, "value", source))
