"""A log followed over many partitions: caught up with exactly, whatever each of them holds."""

from __future__ import annotations

import secrets

import pytest
from confluent_kafka import TopicPartition as Place

from mesh.errors import BrokerUnreachable, DeadlineExceeded, NotFound
from mesh.kafka import Admin, LogTail, Message, Producer
from mesh.types import TopicPartition
from tests.support.broker import Broker

pytestmark = pytest.mark.broker

PARTITIONS = 12


def test_a_tail_reads_to_the_end_of_every_partition_and_no_further(kafka: Broker) -> None:
    """Empty, short and long partitions, one whose beginning is gone: none waits for what is not there."""
    topic = f"tail{secrets.token_hex(4)}"
    places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    with Admin(kafka.admin) as admin:
        admin.create_topic(topic, PARTITIONS, {})
    with Producer(kafka.admin) as producer:
        for place in places[1:]:
            for number in range(place.partition):
                producer.produce(topic, key=None, value=bytes([number]), partition=place.partition)
        producer.flush()
    with Admin(kafka.admin) as admin:
        admin.client.delete_records([Place(topic, PARTITIONS - 1, PARTITIONS - 1)])[
            Place(topic, PARTITIONS - 1)
        ].result(10)
    with LogTail(kafka.admin, dict.fromkeys(places, 0)) as tail:
        first = tail.catch_up()
        assert sorted((each.partition(), each.offset()) for each in first) == [
            (number, offset) for number in range(PARTITIONS - 1) for offset in range(number)
        ], "of the last partition nothing is left"
        assert tail.catch_up() == []
        with Producer(kafka.admin) as producer:
            producer.write(topic, key=None, value=b"new", partition=0)
        assert [(each.partition(), each.offset()) for each in tail.catch_up()] == [(0, 0)]


def test_a_tail_that_rests_in_between_misses_nothing(kafka: Broker) -> None:
    """Also what was written while it still asked, and in a partition that is followed from then on."""
    topic = f"tail{secrets.token_hex(4)}"
    with Admin(kafka.admin) as admin:
        admin.create_topic(topic, 3, {})
    with LogTail(kafka.admin, {TopicPartition(topic, 0): 0, TopicPartition(topic, 1): 0}) as tail:
        seen = []
        with Producer(kafka.admin) as producer:
            for number in range(20):
                if number == 10:
                    tail.add({TopicPartition(topic, 2): 0})
                producer.write(topic, key=None, value=b"a", partition=number % 3)
                caught = tail.catch_up()
                producer.write(topic, key=None, value=b"b", partition=(number + 1) % 3)
                tail.rest()
                seen += [(each.partition(), each.offset()) for each in caught]
        seen += [(each.partition(), each.offset()) for each in tail.catch_up()]
        tail.rest()
        assert tail.poll(0.5) == []
    assert len(seen) == len(set(seen)) == 40
    for partition in range(3):
        offsets = [at for place, at in seen if place == partition]
        assert offsets == sorted(offsets)


def test_a_topic_that_is_not_there_is_said_to_be_missing(kafka: Broker) -> None:
    with (
        LogTail(kafka.admin, {TopicPartition(f"tail{secrets.token_hex(4)}", 0): 0}) as tail,
        pytest.raises(NotFound),
    ):
        tail.catch_up()


def test_what_was_read_before_a_deadline_is_given_by_the_next_call(kafka: Broker) -> None:
    topic, count = f"tail{secrets.token_hex(4)}", 40_000
    with Admin(kafka.admin) as admin:
        admin.create_topic(topic, 1, {})
    with Producer(kafka.admin) as producer:
        for _ in range(count):
            producer.produce(topic, key=None, value=bytes(500), partition=0)
        producer.flush()
    with LogTail(kafka.admin, {TopicPartition(topic, 0): 0}) as tail:
        tail.bounds(TopicPartition(topic, 0))
        caught: list[Message] = []
        late = 0
        while not caught:
            try:
                caught = tail.catch_up(0.03)
            except DeadlineExceeded:
                late += 1
            except BrokerUnreachable:
                continue  # so soon it has not even said where the end is
        assert late > 0
    assert [each.offset() for each in caught] == list(range(count))
