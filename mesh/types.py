"""Words of the mesh as types: names, coordinates, findings, and the clock."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, NewType, Protocol, TypeVar, dataclass_transform
from uuid import UUID

from mesh.errors import UsageError

Topic = NewType("Topic", str)
Principal = NewType("Principal", str)
Subject = NewType("Subject", str)
SchemaId = NewType("SchemaId", int)

C = TypeVar("C")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def light(cls: type[C]) -> type[C]:
    """A dataclass with slots for what is made for every record; its fields are not to be set.

    Type checkers hold it to be frozen. The interpreter does not, since making a frozen one takes several times as long.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)


Headers = Sequence[tuple[str, bytes | None]]
"""Record headers as Kafka keeps them: ordered, names may repeat, values may be null."""

# Kafka takes `a_b` and `a.b` for the same metric name, so names hold neither; a leading `_` is the platform's.
_NAME = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True, slots=True, order=True)
class ProductName:
    """``<domain>.<name>``, the name people and programs use."""

    domain: str
    name: str

    @classmethod
    def parse(cls, text: str) -> ProductName:
        """Read ``domain.name``; raises UsageError for anything else."""
        domain, dot, name = text.partition(".")
        if not dot or not _NAME.fullmatch(domain) or not _NAME.fullmatch(name):
            raise UsageError(f"{text!r} is not a product name; write <domain>.<name> in lower case, digits and hyphens")
        return cls(domain, name)

    def __str__(self) -> str:
        return f"{self.domain}.{self.name}"


@dataclass(frozen=True, slots=True)
class ProductTopics:
    """The topics of one live major of a product; all names derive from the public one."""

    product: ProductName
    major: int

    @classmethod
    def of_public(cls, topic: str) -> ProductTopics:
        """The family of a public topic name ``<domain>.<name>.v<major>``; raises UsageError for another shape."""
        stem, _, version = topic.rpartition(".v")
        if not version.isdigit():
            raise UsageError(f"{topic!r} is not a public topic; they read <domain>.<product>.v<major>")
        return cls(ProductName.parse(stem), int(version))

    @classmethod
    def of_any(cls, topic: str) -> ProductTopics:
        """The family of any topic of a product (public, ingress, quarantine, lineage, ...)."""
        match = re.fullmatch(
            r"(.+\.v\d+)(?:\.(?:ingress|quarantine|lineage|commands|state|parents|changelog|repartition))?", topic
        )
        if not match:
            raise UsageError(f"{topic!r} is not a topic of a product; they read <domain>.<product>.v<major>[.<kind>]")
        return cls.of_public(match.group(1))

    @property
    def public(self) -> Topic:
        return Topic(f"{self.product}.v{self.major}")

    @property
    def ingress(self) -> Topic:
        return Topic(f"{self.public}.ingress")

    @property
    def quarantine(self) -> Topic:
        return Topic(f"{self.public}.quarantine")

    @property
    def lineage(self) -> Topic:
        return Topic(f"{self.public}.lineage")

    @property
    def commands(self) -> Topic:
        return Topic(f"{self.public}.commands")

    @property
    def state(self) -> Topic:
        return Topic(f"{self.public}.state")

    @property
    def parents(self) -> Topic:
        return Topic(f"{self.public}.parents")

    @property
    def changelog(self) -> Topic:
        """The processor's state, of a derived product."""
        return Topic(f"{self.public}.changelog")

    @property
    def repartition(self) -> Topic:
        """Input of a derived product, keyed anew."""
        return Topic(f"{self.public}.repartition")


class TopicPartition(NamedTuple):
    """One partition of one topic. A tuple, because every record's way goes through maps of these."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}"


class Coordinate(NamedTuple):
    """Where a record lies. People write ``topic/partition/offset``; the topic id tells a re-created topic apart.

    A tuple, because one is made for every record: a frozen dataclass takes longer.
    """

    topic: str
    partition: int
    offset: int
    topic_id: UUID | None = None
    cluster_id: str | None = None

    @classmethod
    def parse(cls, text: str) -> Coordinate:
        """Read ``topic/partition/offset``; raises UsageError for anything else."""
        match = re.fullmatch(r"([^/\s]+)/(\d+)/(\d+)", text)
        if not match:
            raise UsageError(f"{text!r} is not a coordinate; write <topic>/<partition>/<offset>")
        return cls(match.group(1), int(match.group(2)), int(match.group(3)))

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class Reaction(StrEnum):
    """What the gate does with a finding."""

    QUARANTINE = "quarantine"
    MARK = "mark"
    WARN = "warn"
    HOLD_KEY = "hold-key"
    HALT = "halt"


@dataclass(frozen=True, slots=True)
class Finding:
    """One clause a record breaks. ``reason`` and ``correction`` never show a value the classification forbids.

    ``path`` leads to the value, down to its position in lists: ``lines[2].sku``. ``correction`` is what the value could
    be instead, for people; None where nothing suggests itself.
    """

    clause: str
    path: str
    reason: str
    reaction: Reaction = Reaction.QUARANTINE
    correction: str | None = None

    @property
    def refuses(self) -> bool:
        """Whether this finding keeps the record off the public topic."""
        return self.reaction in (Reaction.QUARANTINE, Reaction.HOLD_KEY, Reaction.HALT)


class Clock(Protocol):
    """Time as a dependency, so that tests can set it."""

    def now(self) -> float:
        """Seconds since the Unix epoch, UTC."""

    def monotonic(self) -> float:
        """Seconds that only grow; for durations and deadlines."""
