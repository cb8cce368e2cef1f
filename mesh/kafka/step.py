"""What the transactional loop and its steps have in common: one attempt at a transaction, and what a step has to do."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mesh.kafka.message import Message, Run
from mesh.kafka.transaction import Report, TransactionalProducer
from mesh.types import Headers, TopicPartition


@dataclass(slots=True)
class Transaction:
    """One attempt at one transaction. ``positions`` are the next offsets to read, committed with the outputs."""

    producer: TransactionalProducer
    attempt: int
    started: float
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    topics: set[str] = field(default_factory=set)
    """The inputs it has begun to handle, also those whose records made it fail."""
    beside: dict[TopicPartition, int] = field(default_factory=dict)
    """The next offsets of partitions that the step reads itself; committed with the rest."""
    records: int = 0

    def produce(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None = None,
        timestamp: int = 0,
        report: Report | None = None,
    ) -> None:
        """Write a record that becomes readable if and only if this transaction commits."""
        self.producer.produce(topic, partition, key, value, headers, timestamp, report)

    def forward(self, topic: str, partition: int, run: Run, *, first: Report | None, last: Report | None) -> None:
        """Write records as they came, in order; see TransactionalProducer.forward."""
        self.producer.forward(topic, partition, run, first=first, last=last)


class Step(Protocol):
    """What happens to records between consuming and committing.

    A step sees every record of its inputs once per attempt, in partition order, and writes only through the
    transaction it is given. Whatever it remembers must follow the transaction: keep what ``process`` and ``complete``
    learn apart until ``settled(committed=True)``, drop it on ``settled(committed=False)``; the same records come
    again, with ``transaction.attempt`` one higher.

    ``restore`` runs whenever partitions are (re)gained: at assignment and after a producer had to be replaced. It is
    given the group's stable committed offsets and gives the offsets to start from. It has to make sure that outputs
    are readable up to their present end before it trusts them: commit and stable offset can return earlier than the
    committed end of an output moves (3 of 3 times in trials).
    """

    def inputs(self) -> Collection[str]:
        """The topics to read now; asked once a second, so it may change."""

    def restore(self, offsets: Mapping[TopicPartition, int | None]) -> Mapping[TopicPartition, int]:
        """The start of each partition; those left out are not read (the step has said why)."""

    def release(self, partitions: Collection[TopicPartition]) -> None:
        """These partitions belong to somebody else now."""

    def attend(self, begin: Callable[[TopicPartition], Transaction], ready: Callable[[TopicPartition], bool]) -> None:
        """Before the first record of a transaction: do what has to be done of the step's own accord.

        ``begin`` opens the transaction for a partition it is about, which must be ``ready``: held, and neither parked
        nor paused.
        """

    def process(self, transaction: Transaction, partition: TopicPartition, records: Sequence[Message]) -> int:
        """Handle the next records of one partition; gives how many of them were handled.

        Fewer than all means that the next one has to wait for something outside (a registry that is away): the
        partition is parked and the rest comes again, while the other partitions go on.
        """

    def unreadable(self, transaction: Transaction, partition: TopicPartition, offset: int, reason: str) -> None:
        """Handle an offset whose record the client cannot read."""

    def complete(self, transaction: Transaction) -> None:
        """All outputs have their final offsets: check them and write what describes the transaction.

        May raise RestoreRequired, and so may ``process``.
        """

    def settled(self, transaction: Transaction, *, committed: bool) -> None:
        """The transaction has ended."""

    def blocked(self, topic: str, reason: str) -> None:
        """This input cannot be processed now; the others go on and it is tried again later."""

    def expired(self, partition: TopicPartition, offset: int) -> None:
        """The next unread offset is gone; the partition stands still until somebody decides."""
