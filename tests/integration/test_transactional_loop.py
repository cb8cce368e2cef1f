"""The transactional loop on a real broker: one effect through restarts, members, aborts and unknown outcomes."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

import pytest

from mesh.errors import IndefiniteOutcome
from mesh.kafka import AbortRequired, Admin, GroupProtocol, LogReader, LoopSettings, Message, Producer, Transaction
from mesh.kafka.transaction import TransactionalProducer
from mesh.types import TopicPartition
from tests.support.broker import Broker, eventually
from tests.support.copying import CopyStep, create_pair, grant_loop, looping, values

pytestmark = pytest.mark.broker


@pytest.fixture
def name(kafka: Broker) -> str:
    name = "t" + secrets.token_hex(4)
    create_pair(kafka.admin, name)
    return name


def settings(kafka: Broker, name: str, ordinal: int = 0, protocol: GroupProtocol = "classic") -> LoopSettings:
    return LoopSettings(kafka.admin, f"{name}.group", f"{name}.{ordinal}", protocol=protocol)


def fill(kafka: Broker, topic: str, begin: int, end: int, partitions: int = 2) -> None:
    with Producer(kafka.admin) as producer:
        for number in range(begin, end):
            producer.produce(topic, key=None, value=str(number).encode(), partition=number % partitions)
        producer.flush()


def copied(kafka: Broker, name: str) -> list[list[int]]:
    return [[int(value) for value in values(kafka.admin, f"{name}.copy", partition)] for partition in (0, 1)]


def expected(end: int) -> list[list[int]]:
    return [list(range(0, end, 2)), list(range(1, end, 2))]


def has(kafka: Broker, name: str, end: int) -> Callable[[], bool]:
    return lambda: sum(map(len, copied(kafka, name))) >= end


def test_every_record_is_copied_once_and_a_restart_goes_on(kafka: Broker, name: str) -> None:
    fill(kafka, name, 0, 3_000)
    with looping(settings(kafka, name), CopyStep(kafka.admin, [name])):
        eventually(has(kafka, name, 3_000), 20)
    fill(kafka, name, 3_000, 4_000)
    with looping(settings(kafka, name), CopyStep(kafka.admin, [name])):
        eventually(has(kafka, name, 4_000), 20)
    assert copied(kafka, name) == expected(4_000)
    with Admin(kafka.admin) as admin:
        places = [TopicPartition(name, 0), TopicPartition(name, 1)]
        assert admin.committed(f"{name}.group", places) == dict.fromkeys(places, 2_000)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_members_share_the_partitions_and_hand_them_over(kafka: Broker, name: str, protocol: GroupProtocol) -> None:
    first, second = CopyStep(kafka.admin, [name]), CopyStep(kafka.admin, [name])
    with looping(settings(kafka, name, 0, protocol), first) as one:
        fill(kafka, name, 0, 2_000)
        eventually(lambda: len(one.positions) == 2)
        with looping(settings(kafka, name, 1, protocol), second) as other:
            eventually(lambda: len(other.positions) == 1, 30)
            fill(kafka, name, 2_000, 4_000)
            eventually(has(kafka, name, 4_000), 20)
        eventually(lambda: len(one.positions) == 2, 30)
        fill(kafka, name, 4_000, 5_000)
        eventually(has(kafka, name, 5_000), 20)
    assert copied(kafka, name) == expected(5_000)
    assert second.commits > 0


class StumblingStep(CopyStep):
    """Asks for an abort after it has written, a few times."""

    stumbles = 3

    def complete(self, transaction: Transaction) -> None:
        if self.stumbles:
            self.stumbles -= 1
            raise AbortRequired("test", "_TEST", "stumbled")


def test_an_aborted_transaction_is_repeated_and_leaves_nothing_readable(kafka: Broker, name: str) -> None:
    fill(kafka, name, 0, 2_000)
    step = StumblingStep(kafka.admin, [name])
    with looping(settings(kafka, name), step):
        eventually(has(kafka, name, 2_000), 20)
    assert copied(kafka, name) == expected(2_000)
    assert step.aborts == 3
    assert len(values(kafka.admin, f"{name}.copy", 0, committed=False)) > 1_000


class PoisonedStep(CopyStep):
    """Cannot write the outputs of one input."""

    poisoned = ""

    def process(self, transaction: Transaction, partition: TopicPartition, records: Sequence[Message]) -> int:
        if partition.topic == self.poisoned:
            raise AbortRequired("test", "_TEST", "poisoned")
        return super().process(transaction, partition, records)


def test_an_input_that_always_aborts_is_paused_and_the_others_go_on(kafka: Broker, name: str) -> None:
    bad = name + "-bad"
    create_pair(kafka.admin, bad)
    step = PoisonedStep(kafka.admin, [name, bad])
    step.poisoned = bad
    fill(kafka, bad, 0, 100)
    fill(kafka, name, 0, 1_000)
    with looping(settings(kafka, name), step):
        eventually(has(kafka, name, 1_000), 20)
        eventually(lambda: bad in step.blocked_topics)
        step.poisoned = ""
        eventually(has(kafka, bad, 100), 20)
        fill(kafka, name, 1_000, 2_000)
        eventually(has(kafka, name, 2_000), 20)
    assert copied(kafka, name) == expected(2_000)
    assert copied(kafka, bad) == expected(100)
    assert name not in step.blocked_topics


class WaitingStep(CopyStep):
    """Cannot go past record 300 until told."""

    waiting = True

    def process(self, transaction: Transaction, partition: TopicPartition, records: Sequence[Message]) -> int:
        fine = [record for record in records if not self.waiting or int(record.value() or b"0") < 300]
        return super().process(transaction, partition, fine)


def test_a_partition_that_has_to_wait_is_parked_in_order(kafka: Broker, name: str) -> None:
    fill(kafka, name, 0, 600)
    step = WaitingStep(kafka.admin, [name])
    with looping(settings(kafka, name), step):
        eventually(has(kafka, name, 300), 20)
        assert copied(kafka, name) == expected(300)
        step.waiting = False
        eventually(has(kafka, name, 600), 20)
    assert copied(kafka, name) == expected(600)
    assert step.blocked_topics == []


@pytest.mark.parametrize("happened", [True, False], ids=["committed after all", "not committed"])
@pytest.mark.parametrize("operation", ["commit", "send_offsets"])
def test_an_unknown_outcome_replaces_the_producer_and_reloads_the_offsets(
    kafka: Broker, name: str, monkeypatch: pytest.MonkeyPatch, operation: str, happened: bool
) -> None:
    original = getattr(TransactionalProducer, operation)
    failures = [2]

    def fail(self: TransactionalProducer, *args: object) -> None:
        if not failures[0]:
            original(self, *args)
            return
        failures[0] -= 1
        if happened:
            original(self, *args)
        raise IndefiniteOutcome(operation, "_TIMED_OUT", "no answer")

    monkeypatch.setattr(TransactionalProducer, operation, fail)
    fill(kafka, name, 0, 2_000)
    with looping(settings(kafka, name), CopyStep(kafka.admin, [name])):
        eventually(has(kafka, name, 2_000), 30)
        fill(kafka, name, 2_000, 3_000)
        eventually(has(kafka, name, 3_000), 20)
    assert failures == [0]
    assert copied(kafka, name) == expected(3_000)


def test_records_that_expire_unread_stop_their_partition_only(kafka: Broker, name: str) -> None:
    fill(kafka, name, 0, 1_000)
    step = CopyStep(kafka.admin, [name])
    with looping(settings(kafka, name), step):
        eventually(has(kafka, name, 1_000), 20)
    with Admin(kafka.admin) as admin:
        admin.set_config(name, {"retention.ms": "1", "segment.ms": "100"})
        fill(kafka, name, 1_000, 1_100)
        place = TopicPartition(name, 0)
        eventually(lambda: admin.beginnings([place])[place] > 500, 30)
        admin.set_config(name, {"retention.ms": None, "segment.ms": None})
    fill(kafka, name, 1_100, 1_200)
    with looping(settings(kafka, name), step):
        eventually(lambda: len(step.expired_partitions) == 2, 20)


def test_the_loop_needs_no_more_than_its_grants(kafka: Broker, name: str) -> None:
    principal = name + "-loop"
    connection = kafka.connection(principal)
    grant_loop(kafka.admin, principal, name)
    fill(kafka, name, 0, 100)
    step = CopyStep(connection, [name])
    with looping(LoopSettings(connection, f"{name}.group", f"{name}.0"), step):
        eventually(has(kafka, name, 100), 30)
    with LogReader(connection) as reader:
        assert reader.fetch(TopicPartition(name, 0), 0) is not None
