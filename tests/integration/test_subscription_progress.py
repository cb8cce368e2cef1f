"""How far a subscription has come: what is committed, handed over, begun, ended, lost and interrupted."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient

from mesh import Mesh, RecordsLost
from mesh.contract import Contract
from mesh.kafka import Admin
from mesh.types import TopicPartition
from tests.support.broker import eventually
from tests.support.mesh import RunningMesh
from tests.support.readings import Make, Thirty, everything, numbers, publish

pytestmark = pytest.mark.broker


def test_an_exception_leaves_the_record_at_hand_for_the_next_run(way_in: Mesh, thirty: Thirty) -> None:
    contract, reader = thirty.contract, next(thirty.names)
    seen: list[int] = []

    def read(fail_at: int) -> None:
        with way_in.subscribe(contract.product, name=reader, purpose="testing", until_end=True) as subscription:
            for record in subscription:
                if record.coordinate.offset == fail_at:
                    raise ValueError("a bug of the reader's own")
                seen.append(record.coordinate.offset)

    with pytest.raises(ValueError, match="own"):
        read(10)
    read(-1)
    assert seen == list(range(30))


def test_leaving_in_order_commits_the_record_at_hand(mesh: RunningMesh, way_in: Mesh, thirty: Thirty) -> None:
    contract, reader = thirty.contract, next(thirty.names)
    with way_in.subscribe(contract.product, name=reader, purpose="testing", until_end=True) as subscription:
        for record in subscription:
            if record.coordinate.offset == 10:
                break
    with way_in.subscribe(contract.product, name=reader, purpose="testing", until_end=True) as subscription:
        assert next(subscription).coordinate.offset == 11
        subscription.stop()
        assert list(subscription) == []
    with Admin(mesh.admin) as admin:
        place = TopicPartition(contract.topics.public, 0)
        assert admin.committed(reader, [place]) == {place: 12}


READER = """
import sys
from pathlib import Path
from mesh import Mesh
with Mesh.connect(Path(sys.argv[1])) as mesh:
    with mesh.subscribe(sys.argv[2], name=sys.argv[3], purpose="testing", until_end=sys.argv[4] == "end") as records:
        for record in records:
            print(record.coordinate, round(record.value["speed"] * 1000), flush=True)
"""


def reading(mesh: RunningMesh, contract: Contract, name: str, until: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", READER, str(mesh.folder.config), str(contract.product), name, until]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_killed_reader_skips_nothing(mesh: RunningMesh, way_in: Mesh, make: Make, reader: str) -> None:
    contract = make()
    publish(mesh, way_in, contract, 12_000)
    seen: set[int] = set()
    rounds = 0
    for wanted in (4_000, 0):
        process = reading(mesh, contract, reader, "end")
        assert process.stdout is not None
        for line in process.stdout:
            seen.add(int(line.split()[1]))
            if wanted and len(seen) >= wanted:
                process.kill()
                rounds += 1
                break
        process.stdout.close()
        process.wait(30)
    assert rounds == 1
    assert seen == set(range(12_000))


def test_members_of_one_name_share_the_work_and_hand_it_over(
    mesh: RunningMesh, way_in: Mesh, make: Make, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without the commits of every second, only those made when partitions go can keep records from coming twice.
    monkeypatch.setattr("mesh.consumer.subscription._COMMIT_SECONDS", 3600.0)
    contract = make()
    seen: list[list[tuple[int, int]]] = [[], []]
    enough = threading.Event()

    def read(number: int) -> None:
        with (
            Mesh.connect(mesh.folder.config) as own,
            own.subscribe(contract.product, name=reader, purpose="testing", idle_seconds=8) as subscription,
        ):
            for record in subscription:
                seen[number].append((record.coordinate.partition, record.coordinate.offset))
                if number == 0 and enough.is_set():
                    return

    total = 0

    def more() -> bool:
        nonlocal total
        publish(mesh, way_in, contract, 500, start=total)
        total += 500
        return bool(seen[1])

    first, second = (threading.Thread(target=read, args=(number,)) for number in (0, 1))
    more()
    first.start()
    eventually(lambda: len(seen[0]) == total, 30)
    second.start()
    eventually(more, 60)
    enough.set()
    more()
    for thread in (first, second):
        thread.join(60)
        assert not thread.is_alive()
    both = seen[0] + seen[1]
    assert len(set(both)) == total
    assert len(both) == total, "every hand-over was in order, so nothing came twice"


def test_a_subscription_begins_at_the_end_when_asked(mesh: RunningMesh, way_in: Mesh, make: Make, reader: str) -> None:
    contract = make(topic={"partitions": 1})
    publish(mesh, way_in, contract, 5)
    with way_in.subscribe(
        contract.product, name=reader, purpose="testing", from_beginning=False, idle_seconds=2
    ) as subscription:
        assert list(subscription) == []
        publish(mesh, way_in, contract, 5, start=5)
    assert everything(way_in, contract, reader) == [5, 6, 7, 8, 9]


def test_until_end_stops_where_it_began_though_more_comes(
    mesh: RunningMesh, way_in: Mesh, make: Make, reader: str
) -> None:
    contract = make()
    publish(mesh, way_in, contract, 50)
    with way_in.subscribe(contract.product, name=reader, purpose="testing", until_end=True) as subscription:
        publish(mesh, way_in, contract, 50, start=50)
        assert numbers(subscription) == list(range(50))
    assert everything(way_in, contract, reader) == list(range(50, 100))


def test_several_products_are_read_at_once(mesh: RunningMesh, way_in: Mesh, make: Make, reader: str) -> None:
    one, other = make(), make()
    publish(mesh, way_in, one, 3)
    publish(mesh, way_in, other, 2)
    with way_in.subscribe(
        one.product, str(other.product), name=reader, purpose="testing", until_end=True
    ) as subscription:
        products = [record.product for record in subscription]
    assert (products.count(one.product), products.count(other.product)) == (3, 2)


def test_records_that_expired_unread_are_told_or_passed_over_as_asked(
    mesh: RunningMesh, way_in: Mesh, make: Make, reader: str
) -> None:
    contract = make(topic={"partitions": 1})
    publish(mesh, way_in, contract, 20)
    with way_in.subscribe(contract.product, name=reader, purpose="testing", until_end=True) as subscription:
        next(subscription)
    expire(mesh, contract.topics.public, 10)
    with (
        way_in.subscribe(contract.product, name=reader, purpose="testing", until_end=True) as subscription,
        pytest.raises(RecordsLost) as lost,
    ):
        list(subscription)
    assert (lost.value.topic, lost.value.wanted) == (contract.topics.public, 1)
    with way_in.subscribe(
        contract.product, name=reader, purpose="testing", until_end=True, skip_lost=True
    ) as subscription:
        assert numbers(subscription) == list(range(10, 20))


def expire(mesh: RunningMesh, topic: str, before: int) -> None:
    """Delete records as retention would."""
    client = AdminClient(mesh.admin.config())
    for future in client.delete_records([confluent_kafka.TopicPartition(topic, 0, before)]).values():
        future.result(10)


def test_a_reader_is_stopped_by_a_signal(mesh: RunningMesh, way_in: Mesh, thirty: Thirty) -> None:
    contract, reader = thirty.contract, next(thirty.names)
    process = reading(mesh, contract, reader, "never")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(30)]
    process.send_signal(signal.SIGINT)
    process.stdout.close()
    assert process.wait(15) != 0
    assert len(lines) == 30
    assert everything(way_in, contract, reader) in ([], [29])
