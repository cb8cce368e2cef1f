"""A consumer whose topics become many or few while it runs: nothing is lost or doubled, whoever reads on."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from confluent_kafka.admin import NewTopic

from mesh.errors import MeshError
from mesh.kafka import Admin, GroupProtocol, LoopSettings, Producer
from mesh.kafka.intake import Intake, Membership, Partitions
from mesh.types import TopicPartition
from tests.support.broker import Broker, eventually
from tests.support.copying import CopyStep, looping, values

pytestmark = pytest.mark.broker

TOPICS, BUSY = 60, 4


@pytest.fixture(scope="module")
def topics(kafka: Broker) -> list[str]:
    """Topics of one partition; the first few have a copy."""
    name = f"t{secrets.token_hex(4)}"
    made = [f"{name}.{number:02}" for number in range(TOPICS)]
    names = [*made, *(f"{each}.copy" for each in made[:BUSY])]
    with Admin(kafka.admin) as admin:
        new = [NewTopic(each, 1, 1) for each in names]
        for future in admin.client.create_topics(new, request_timeout=30).values():
            future.result(30)
        eventually(lambda: led(admin, names), 30)
    return made


def led(admin: Admin, names: Sequence[str]) -> bool:
    """Whether every topic has a broker that knows that it leads it."""
    try:
        return len(admin.ends([TopicPartition(each, 0) for each in names], committed=True)) == len(names)
    except MeshError:
        return False


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_another_client_takes_over_when_topics_become_many_or_few(
    kafka: Broker, topics: list[str], protocol: GroupProtocol
) -> None:
    """Not at every change: it gathers above 50, and until there are fewer than 41. Under the classic protocol never."""
    held: set[TopicPartition] = set()

    def assigned(partitions: Partitions) -> Mapping[TopicPartition, int]:
        held.update(partitions)
        return dict.fromkeys(partitions, 0)

    membership = Membership(assigned, held.difference_update, held.difference_update)
    group = f"g{secrets.token_hex(4)}"
    intake = Intake(kafka.admin, group, f"m{secrets.token_hex(4)}", membership, protocol)
    clients: list[tuple[bool, str]] = []
    with Admin(kafka.admin) as admin, closing(intake):
        for count in (45, 50, 51, 45, 41, 40, 45):
            intake.subscribe(topics[:count])
            wanted = {TopicPartition(topic, 0) for topic in topics[:count]}
            eventually(lambda wanted=wanted: not intake.take(10, 0.05) and held == wanted, 30)  # type: ignore[misc]
            (member,) = admin.members(group)
            clients.append((intake.gathers, member.member_id))
    changed = [one[1] != other[1] for one, other in pairwise(clients)]
    changes = protocol == "consumer"
    assert [gathers for gathers, _ in clients] == [False, False, changes, changes, changes, False, False]
    assert changed == [False, changes, False, False, changes, False]
    assert not held


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_whoever_begins_with_many_topics_gathers(kafka: Broker, topics: list[str], protocol: GroupProtocol) -> None:
    membership = Membership(lambda partitions: dict.fromkeys(partitions, 0), lambda _: None, lambda _: None)
    intake = Intake(kafka.admin, f"g{secrets.token_hex(4)}", f"m{secrets.token_hex(4)}", membership, protocol)
    with closing(intake):
        intake.subscribe(topics[:51])
        assert intake.gathers


class Writing:
    """A program that goes on writing numbers to the busy topics, the same to each."""

    def __init__(self, kafka: Broker, topics: list[str]) -> None:
        self._connection, self._topics = kafka.admin, topics
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.written = 0

    def __enter__(self) -> Writing:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        self._stop.set()
        self._thread.join(30)

    def _write(self) -> None:
        with Producer(self._connection) as producer:
            while not self._stop.wait(0.01):
                for topic in self._topics:
                    producer.produce(topic, key=None, value=str(self.written).encode(), partition=0)
                producer.flush()
                self.written += 1


@dataclass
class CopyFrom(CopyStep):
    """Copies what was written since the test began."""

    starts: Mapping[TopicPartition, int] = field(default_factory=dict)

    def restore(self, offsets: Mapping[TopicPartition, int | None]) -> Mapping[TopicPartition, int]:
        return {tp: self.starts.get(tp, 0) if offset is None else offset for tp, offset in offsets.items()}


@pytest.fixture
def begun(kafka: Broker, topics: list[str]) -> Iterator[list[int]]:
    """How many records each copy held before."""
    yield [len(values(kafka.admin, f"{topic}.copy")) for topic in topics[:BUSY]]


@pytest.mark.parametrize(
    ("protocol", "members"),
    [
        ("consumer", 2),
        pytest.param("consumer", 1, marks=pytest.mark.soak),
        pytest.param("classic", 2, marks=pytest.mark.soak),
    ],
)
def test_records_pass_once_while_the_client_is_changed(
    kafka: Broker, topics: list[str], begun: list[int], protocol: GroupProtocol, members: int
) -> None:
    name = f"g{secrets.token_hex(4)}"
    busy = topics[:BUSY]
    with Admin(kafka.admin) as admin:
        places = [TopicPartition(topic, 0) for topic in busy]
        starts = admin.ends(places, committed=True)
    with ExitStack() as stack:
        writing = stack.enter_context(Writing(kafka, busy))
        steps = [CopyFrom(kafka.admin, busy, starts=starts) for _ in range(members)]
        loops = []
        for ordinal, step in enumerate(steps):
            settings = LoopSettings(kafka.admin, f"{name}.group", f"{name}.{ordinal}", protocol=protocol)
            loops.append(stack.enter_context(looping(settings, step)))
        for count in (BUSY, TOPICS, BUSY):
            for step in steps:
                step.topics = topics[:count]
            wanted = sorted(TopicPartition(topic, 0) for topic in topics[:count])
            eventually(lambda wanted=wanted: sorted(tp for loop in loops for tp in loop.positions) == wanted, 40)  # type: ignore[misc]
            seen = writing.written
            eventually(lambda seen=seen: writing.written > seen + 50, 30)  # type: ignore[misc]
        writing.end()
        eventually(
            lambda: all(
                len(values(kafka.admin, f"{topic}.copy")) - before >= writing.written
                for topic, before in zip(busy, begun, strict=True)
            ),
            30,
        )
    for topic, before in zip(busy, begun, strict=True):
        copied = [int(value) for value in values(kafka.admin, f"{topic}.copy")[before:]]
        assert copied == list(range(writing.written)), topic
