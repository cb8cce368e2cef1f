"""A step for tests of the loop: copies inputs to outputs, one output partition for each input partition."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from mesh.kafka import Acl, Admin, Connection, LogReader, LoopSettings, Message, Transaction, TransactionalLoop
from mesh.types import TopicPartition
from tests.support.broker import permit


@dataclass
class CopyStep:
    """Copies ``<name>`` to ``<name>.copy``; a test may subclass it to misbehave."""

    admin: Connection
    topics: list[str]
    commits: int = 0
    aborts: int = 0
    blocked_topics: list[str] = field(default_factory=list)
    expired_partitions: list[TopicPartition] = field(default_factory=list)

    def inputs(self) -> Collection[str]:
        return self.topics

    def restore(self, offsets: Mapping[TopicPartition, int | None]) -> Mapping[TopicPartition, int]:
        return {partition: offset or 0 for partition, offset in offsets.items()}

    def release(self, partitions: Collection[TopicPartition]) -> None:
        """Nothing is remembered."""

    def attend(self, begin: Callable[[TopicPartition], Transaction], ready: Callable[[TopicPartition], bool]) -> None:
        """Nothing is to be done but copying."""

    def process(self, transaction: Transaction, partition: TopicPartition, records: Sequence[Message]) -> int:
        for record in records:
            transaction.produce(f"{partition.topic}.copy", partition.partition, record.key(), record.value())
        return len(records)

    def unreadable(self, transaction: Transaction, partition: TopicPartition, offset: int, reason: str) -> None:
        raise AssertionError(f"{partition} {offset}: {reason}")

    def complete(self, transaction: Transaction) -> None:
        """Nothing rides along."""

    def settled(self, transaction: Transaction, *, committed: bool) -> None:
        self.commits += committed
        self.aborts += not committed

    def blocked(self, topic: str, reason: str) -> None:
        self.blocked_topics.append(topic)

    def expired(self, partition: TopicPartition, offset: int) -> None:
        self.expired_partitions.append(partition)


@contextmanager
def looping(settings: LoopSettings, step: CopyStep) -> Iterator[TransactionalLoop]:
    """A loop in a thread; stopped at the end, its error raised."""
    stop, failure = threading.Event(), list[BaseException]()
    loop = TransactionalLoop(settings, step)

    def run() -> None:
        try:
            loop.run(stop.is_set)
        except BaseException as error:  # noqa: BLE001 - raised again in the test's thread
            failure.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield loop
    finally:
        stop.set()
        thread.join(60)
    if failure:
        raise failure[0]


def create_pair(connection: Connection, name: str, partitions: int = 2) -> None:
    """An input topic and its copy."""
    with Admin(connection) as admin:
        for topic in (name, f"{name}.copy"):
            admin.create_topic(topic, partitions, {})


def values(connection: Connection, topic: str, partition: int = 0, *, committed: bool = True) -> list[bytes]:
    """Every readable value of one partition, in order."""
    with LogReader(connection, committed=committed) as reader:
        place = TopicPartition(topic, partition)
        return [record.value() or b"" for record in reader.read(place, 0, 1 << 60)]


def grant_loop(admin: Connection, principal: str, prefix: str) -> None:
    """What a loop's principal needs on topics, groups and transactional ids that begin with ``prefix``."""
    with Admin(admin) as client:
        permit(
            client,
            [
                Acl(principal, "Read", "Topic", prefix, "PREFIXED"),
                Acl(principal, "Write", "Topic", prefix, "PREFIXED"),
                Acl(principal, "Read", "Group", prefix, "PREFIXED"),
                Acl(principal, "Write", "TransactionalId", prefix, "PREFIXED"),
                Acl(principal, "Describe", "TransactionalId", prefix, "PREFIXED"),
            ],
        )
