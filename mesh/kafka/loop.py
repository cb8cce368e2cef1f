"""Consume, step, produce and commit in one Kafka transaction: the machinery the gate and the processors share."""

from __future__ import annotations

import contextlib
import logging
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from mesh.errors import Fenced, IndefiniteOutcome, MeshError, RetriableError
from mesh.kafka.connection import Connection
from mesh.kafka.intake import GroupProtocol, Intake, Membership, Taken
from mesh.kafka.isolation import Isolation
from mesh.kafka.message import Message
from mesh.kafka.pace import Pace
from mesh.kafka.step import Step, Transaction
from mesh.kafka.transaction import CONSEQUENCES, AbortRequired, ProducerLost, RestoreRequired, TransactionalProducer
from mesh.types import TopicPartition

logger = logging.getLogger(__name__)

# Two live owners of one identity that do not know of each other would fence each other for ever.
_MOST_FENCED = 3
_REFRESH_SECONDS = 1.0
_PARK_SECONDS = 0.5
_FIRST_REST, _LONGEST_REST = 0.01, 0.5
# A broker that fails over is back well within this; a restore that takes longer has another cause.
_RESTORE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """One loop's identity and pace. The transactional id must have one live owner and survive restarts."""

    connection: Connection
    group: str
    transactional_id: str
    batch_records: int = 5_000
    poll_seconds: float = 0.02
    commit_records: int = 20_000
    commit_seconds: float = 0.25
    """Of a loop that is behind; see Pace for one that keeps up."""
    protocol: GroupProtocol = "classic"
    """The same for every member of a group. A killed member's successor takes up its partitions at once under the
    classic one, and when the broker has missed it for a session under the other."""


class TransactionalLoop:
    """Runs a step over its inputs, each transaction holding outputs and offsets, until told to stop.

    ``run`` raises Fenced when another process has taken this identity for good, and whatever leaves no way to go on
    (a refused login, a group it may not join). Everything else it settles itself: abortable errors abort and repeat,
    fatal and indefinite ones replace the producer under the same id and reload the committed offsets, an input that
    fails again and again is singled out and paused while the others go on.
    """

    def __init__(self, settings: LoopSettings, step: Step, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._step, self._clock = settings, step, clock
        self._positions: dict[TopicPartition, int] = {}
        self._transaction: Transaction | None = None
        self._attempt = 0
        self._fenced = 0
        self._pace = Pace(settings.commit_records, settings.commit_seconds)
        self._behind = False
        self._refreshed = float("-inf")
        self._inputs: frozenset[str] = frozenset()
        self._parked: dict[TopicPartition, float] = {}
        self._unfound: dict[TopicPartition, int] = {}
        # The take-over comes first: it aborts what a predecessor left open, else its offsets would never be stable.
        self._producer = self._take_over()
        membership = Membership(self._assigned, self._revoked, self._lost)
        group, member = settings.group, settings.transactional_id
        self._intake = Intake(settings.connection, group, member, membership, settings.protocol)
        self._isolation = Isolation(self._intake, step.blocked, clock)

    @property
    def positions(self) -> Mapping[TopicPartition, int]:
        """The partitions held and the next offset of each, as committed."""
        return self._positions

    def run(self, stopping: Callable[[], bool]) -> None:
        """Work until ``stopping()``; then commit what is open and leave the group."""
        try:
            while not stopping():
                self._turn()
            self._guarded(self._commit)
        except BaseException:
            self._give_up()
            raise
        finally:
            self._intake.close()
            self._producer.abandon()

    def _give_up(self) -> None:
        """End what is open, so that nobody has to wait for its time-out; leaving the group must not commit it."""
        if self._transaction is not None:
            self._drop(self._transaction)
            with contextlib.suppress(MeshError):
                self._producer.abort()

    def _turn(self) -> None:
        self._refresh()
        self._unpark()
        taken = self._take()
        self._guarded(lambda: self._work(taken))
        self._isolation.advance(self._positions, busy=bool(taken))

    def _take(self) -> Taken:
        """With nothing open the first record ends the wait; later ones are gathered, since a step costs by the call."""
        most, wait = self._settings.batch_records, self._settings.poll_seconds
        transaction = self._transaction
        if transaction is None:
            taken = self._intake.take(most, wait, eager=True)
        else:
            left = self._pace.left(self._clock(), transaction.started, behind=self._behind)
            taken = self._intake.take(most, min(wait, max(0.0, left)))
        self._behind = len(taken) >= most
        return taken

    def _refresh(self) -> None:
        """Follow the step's inputs as they change."""
        now = self._clock()
        if now - self._refreshed < _REFRESH_SECONDS:
            return
        self._refreshed = now
        try:
            inputs = frozenset(self._step.inputs())
        except RetriableError as error:
            logger.warning("%s; going on with the inputs known", error)
            return
        if inputs != self._inputs:
            self._inputs = inputs
            self._intake.subscribe(inputs)

    def _work(self, taken: Taken) -> None:
        if self._transaction is None:
            self._step.attend(self._begin, self._ready)
        for partition, records in taken.records.items():
            if partition in self._positions:
                self._process(partition, records)
        for partition, offset, reason in taken.unreadable:
            self._skip(partition, offset, reason)
        for partition in taken.expired:
            self._stop_at_loss(partition)
        if self._due():
            self._commit()

    def _process(self, partition: TopicPartition, records: Sequence[Message]) -> None:
        transaction = self._open(partition)
        done = self._step.process(transaction, partition, records)
        if done:
            transaction.positions[partition] = records[done - 1].offset() + 1
            transaction.records += done
        if done < len(records):
            self._park(partition, records[done].offset())

    def _park(self, partition: TopicPartition, offset: int) -> None:
        self._intake.seek({partition: offset})
        self._intake.pause([partition])
        self._parked[partition] = self._clock() + _PARK_SECONDS

    def _unpark(self) -> None:
        due = [partition for partition, until in self._parked.items() if until <= self._clock()]
        for partition in due:
            del self._parked[partition]
        self._intake.resume([partition for partition in due if partition in self._positions])

    def _skip(self, partition: TopicPartition, offset: int, reason: str) -> None:
        transaction = self._open(partition)
        if partition not in self._positions or offset < transaction.positions.get(partition, -1):
            return
        self._step.unreadable(transaction, partition, offset, reason)
        transaction.positions[partition] = offset + 1
        transaction.records += 1
        self._intake.seek({partition: offset + 1})

    def _stop_at_loss(self, partition: TopicPartition) -> None:
        if partition not in self._positions:
            return
        self._commit()
        lost = self._positions.pop(partition)
        # A topic that was deleted and made again has no such offset either, and nothing is lost of what it holds.
        start = self._restore([partition]).get(partition)
        if start is None or self._unfound.get(partition) == start:
            self._intake.pause([partition])
            if start is not None:
                self._step.expired(partition, lost)
            return
        # Once: what was said may have been about an offset that a restore has left behind since.
        self._unfound[partition] = start
        self._positions[partition] = start
        self._intake.seek({partition: start})

    def _open(self, partition: TopicPartition) -> Transaction:
        if self._transaction is None:
            self._producer.begin()
            self._transaction = Transaction(self._producer, self._attempt, self._clock())
        self._transaction.topics.add(partition.topic)
        return self._transaction

    def _begin(self, partition: TopicPartition) -> Transaction:
        """As for a record; the partition's own offset goes along, which ties the transaction to its owner."""
        transaction = self._open(partition)
        transaction.positions.setdefault(partition, self._positions[partition])
        return transaction

    def _ready(self, partition: TopicPartition) -> bool:
        held = partition in self._positions and partition not in self._parked
        return held and self._isolation.wants(partition.topic)

    def _due(self) -> bool:
        transaction = self._transaction
        if transaction is None:
            return False
        return self._pace.due(self._clock(), transaction.started, transaction.records, behind=self._behind)

    def _commit(self) -> None:
        transaction = self._transaction
        if transaction is None:
            return
        began = self._clock()
        self._producer.flush()
        self._step.complete(transaction)
        self._producer.flush()
        # The broker would take offsets of partitions that belong to another member by now, even backwards.
        if any(partition not in self._positions for partition in transaction.positions):
            raise AbortRequired("commit", "_LOST", "a partition of the transaction is no longer assigned")
        self._producer.send_offsets(transaction.positions | transaction.beside, self._intake.group_metadata())
        self._producer.commit()
        self._transaction = None
        self._positions |= transaction.positions
        self._attempt = self._fenced = 0
        self._pace.committed(began, self._clock())
        self._step.settled(transaction, committed=True)
        self._isolation.committed(transaction.topics)

    def _guarded(self, work: Callable[[], None]) -> None:
        """The three classes of errors of a transaction, and what each one asks for."""
        try:
            work()
        except (ProducerLost, IndefiniteOutcome, Fenced) as error:
            logger.warning("%s; taking over again", error)
            self._replace_producer(error)
        except RestoreRequired as error:
            logger.warning("%s; restoring every partition", error)
            self._reload()
        except RetriableError as error:
            reason = self._reason(error)
            logger.warning("%s; repeating the transaction", reason)
            self._abort(reason)

    def _reason(self, error: MeshError) -> str:
        """The client tells what made a transaction fail to nobody but who goes on with it, if only to be refused."""
        transaction = self._transaction
        if transaction is None or not isinstance(error, AbortRequired) or error.code not in CONSEQUENCES:
            return str(error)
        places = {tp: at for tp, at in self._positions.items() if tp.topic in transaction.topics}
        try:
            self._producer.send_offsets(places, self._intake.group_metadata())
        except MeshError as cause:
            return str(cause)
        return str(error)

    def _abort(self, reason: str) -> None:
        topics = self._transaction.topics if self._transaction is not None else ()
        # Where nothing got as far as the broker, it has nothing to abort, and the producer is lost by that.
        self._guarded(self._undo)
        # All of them, not only those of the transaction: records taken with the failing ones were not handled yet.
        self._intake.seek(self._positions)
        self._isolation.aborted(topics, self._attempt, reason, self._positions)
        time.sleep(random.uniform(0.5, 1.0) * min(_LONGEST_REST, _FIRST_REST * 2**self._attempt))  # noqa: S311 - jitter

    def _reload(self) -> None:
        self._guarded(self._undo)
        self._positions = dict(self._restore(list(self._positions)))
        self._intake.seek(self._positions)

    def _undo(self) -> None:
        transaction = self._transaction
        if transaction is None:
            self._attempt += 1
            return
        try:
            self._producer.abort()
        except AbortRequired as error:
            raise ProducerLost("abort", error.code, error.reason) from None
        self._drop(transaction)

    def _drop(self, transaction: Transaction) -> None:
        self._transaction = None
        self._attempt += 1
        self._step.settled(transaction, committed=False)

    def _replace_producer(self, error: RetriableError | Fenced) -> None:
        if isinstance(error, Fenced):
            self._fenced += 1
            if self._fenced > _MOST_FENCED:
                raise error
        self._producer.abandon()
        if self._transaction is not None:
            self._drop(self._transaction)
        self._yield_to_rival()
        self._producer = self._take_over()
        self._positions = dict(self._restore(list(self._positions)))
        self._intake.seek(self._positions)

    def _yield_to_rival(self) -> None:
        """Raises Fenced when the group knows a successor: taking over from it again would only fence the two in turn.

        A transaction that outlived its time-out is fenced as well, and then there is nobody to yield to.
        """
        try:
            rivalled = self._intake.rivalled()
        except MeshError as error:
            logger.warning("%s; nobody is known to have taken over", error)
            return
        if rivalled:
            raise Fenced(self._settings.transactional_id)

    def _take_over(self) -> TransactionalProducer:
        """Become the owner of the transactional id; a coordinator that is loading is waited for."""
        deadline = self._clock() + _RESTORE_SECONDS
        while True:
            try:
                return TransactionalProducer(self._settings.connection, self._settings.transactional_id)
            except (IndefiniteOutcome, AbortRequired, ProducerLost) as error:
                if self._clock() > deadline:
                    raise
                logger.warning("%s; trying again", error)
                time.sleep(_PARK_SECONDS)

    def _restore(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        deadline = self._clock() + _RESTORE_SECONDS
        while True:
            try:
                return self._step.restore(self._intake.stable_offsets(partitions))
            except RetriableError as error:
                if self._clock() > deadline:
                    raise
                logger.warning("%s; restoring again", error)
                time.sleep(_PARK_SECONDS)

    def _assigned(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        # What is open belongs to the former assignment; settle it, so that a restore reads a quiet output.
        self._guarded(self._commit)
        starts = self._restore(partitions)
        self._positions |= starts
        self._isolation.assigned()
        return starts

    def _revoked(self, partitions: Collection[TopicPartition]) -> None:
        self._guarded(self._commit)
        self._forget(partitions)

    def _lost(self, partitions: Collection[TopicPartition]) -> None:
        """The group has given these away already: what is open must not commit, and nothing of them is restored."""
        for partition in partitions:
            self._positions.pop(partition, None)
        if self._transaction is not None:
            self._guarded(lambda: self._abort("the group gave partitions of the transaction to another member"))
        self._forget(partitions)

    def _forget(self, partitions: Collection[TopicPartition]) -> None:
        for partition in partitions:
            self._positions.pop(partition, None)
            self._unfound.pop(partition, None)
        self._step.release(partitions)
