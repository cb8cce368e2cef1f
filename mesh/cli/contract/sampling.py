"""What a registry's subject and a live topic tell of a product that has no contract yet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mesh.contract.infer import Topic
from mesh.errors import ContractInvalid, MalformedBody, NotFound, SettingsError, UsageError
from mesh.judge import RowCodec
from mesh.judge.frame import fault, unframe
from mesh.kafka import Admin, Connection, LogReader, Message
from mesh.registry import RegistryClient
from mesh.settings import Settings
from mesh.types import ProductTopics, SchemaId, TopicPartition


@dataclass(frozen=True, slots=True)
class Found:
    """``schema`` is None for a topic of plain JSON; ``skipped`` counts the records that could not be read."""

    source: str
    schema: Any
    topics: ProductTopics | None
    topic: Topic = field(default_factory=Topic)
    records: Sequence[dict[str, Any]] = ()
    skipped: int = 0


def look_at_subject(subject: str, url: str | None) -> Found:
    """The newest schema of a subject, and of the keys beside it; raises NotFound."""
    with _registry(url) as client:
        schema = json.loads(client.latest(subject).schema)
        stem, _, kind = subject.rpartition("-")
        key = _latest(client, f"{stem}-key") if kind == "value" else None
    return Found(f"the subject {subject}", schema, _topics(stem), Topic(key=key))


def look_at_topic(topic: str, url: str | None, count: int, principal: str | None) -> Found:
    """The newest records of a topic, by their schemas in the registry, or as JSON; raises NotFound, UsageError."""
    settings, topics = Settings.load(), _topics(topic)
    connection = Connection.of(settings, principal, topics.product.domain if topics else None)
    with Admin(connection) as admin:
        state = admin.topics([topic]).get(topic)
    if state is None:
        raise NotFound("topic", topic)
    cleanup = "compact" if "compact" in state.config.get("cleanup.policy", "") else "delete"
    with LogReader(connection) as log:
        messages = _newest(log, [TopicPartition(topic, number) for number in range(state.partitions)], count)
    with _registry(url) as client:
        seen = _Sample(client)
        for message in messages:
            seen.add(message)
        if not seen.records:
            schema = _latest(client, f"{topic}-value")
            if schema is None:
                raise UsageError(f"{topic} holds no record to learn from, and the registry has no {topic}-value")
            found = Topic(state.partitions, cleanup, _latest(client, f"{topic}-key"))
            return Found(f"the topic {topic}", schema, topics, found, skipped=seen.skipped)
    found = Topic(state.partitions, cleanup, seen.key, seen.key_fields())
    return Found(f"the topic {topic}", seen.schema, topics, found, seen.records, seen.skipped)


def _newest(log: LogReader, partitions: Sequence[TopicPartition], count: int) -> list[Message]:
    share = -(-count // len(partitions))
    found: list[Message] = []
    for partition in partitions:
        low, high = log.bounds(partition)
        found += log.read(partition, max(low, high - share), high)
    return found[:count]


class _Sample:
    """Records of a topic, read by whatever schema each was written with; the newest schema is the one to say."""

    def __init__(self, client: RegistryClient) -> None:
        self.records: list[dict[str, Any]] = []
        self.skipped = 0
        self.schema: Any = None
        self.key: Any = None
        self._keys: list[Any] = []
        self._client = client
        self._codecs: dict[SchemaId, tuple[Any, RowCodec]] = {}
        self._newest = -1

    def add(self, message: Message) -> None:
        """Take a record in, or count it as left out; deletions of a key are neither."""
        value, key = message.value(), message.key()
        if value is None:
            return
        try:
            record, schema = self._value(value)
            found, self.key = (None, self.key) if key is None else self._decoded(key)
        except (ContractInvalid, MalformedBody, NotFound, ValueError, RecursionError):
            self.skipped += 1
            return
        if schema is None and self.schema is not None:
            self.skipped += 1
            return
        self.records.append(record)
        self._keys.append(found)

    def _value(self, value: bytes) -> tuple[dict[str, Any], Any]:
        if fault(value) is None:
            record, schema = self._decoded(value)
            self._take(unframe(value)[0], schema)
        else:
            record, schema = json.loads(value), None
        if not isinstance(record, dict):
            raise MalformedBody("it is no record")
        return record, schema

    def _take(self, number: int, schema: Any) -> None:
        if number > self._newest:
            self._newest, self.schema = number, schema

    def _decoded(self, payload: bytes) -> tuple[Any, Any]:
        number, body = unframe(payload)
        if number not in self._codecs:
            schema = json.loads(self._client.schema(number))
            self._codecs[number] = schema, RowCodec(schema, logical=True)
        schema, codec = self._codecs[number]
        return codec.decode(body), schema

    def key_fields(self) -> tuple[str, ...]:
        """The fields that every key seen was made of; none where there is a record for which they were not."""
        if not self._keys or any(key is None for key in self._keys):
            return ()
        pairs = list(zip(self._keys, self.records, strict=True))
        if all(isinstance(key, dict) for key in self._keys):
            same = all(name in record and record[name] == key[name] for key, record in pairs for name in key)
            return tuple(self._keys[0]) if same else ()
        names = [name for name in self.records[0] if all(record.get(name) == key for key, record in pairs)]
        return tuple(names[:1])


def _latest(client: RegistryClient, subject: str) -> Any:
    try:
        return json.loads(client.latest(subject).schema)
    except NotFound:
        return None


def _topics(name: str) -> ProductTopics | None:
    try:
        return ProductTopics.of_any(name)
    except UsageError:
        return None


def _registry(url: str | None) -> RegistryClient:
    """The registry at a URL, with no credentials of ours; else the configured one, as the configured principal."""
    if url is not None:
        return RegistryClient(url)
    settings = Settings.load()
    principal = settings.principal
    try:
        password = settings.password(principal) if principal else None
    except SettingsError:  # reading needs none on loopback; where it does, the registry says so
        principal, password = None, None
    return RegistryClient(settings.home.registry, principal, password)
