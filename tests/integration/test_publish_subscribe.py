"""Publishing and subscribing by product name, through a running registry and gate."""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient

from mesh import ContractViolation, Mesh, NotAuthorised, NotFound, Record, RecordsLost
from mesh.contract import Contract
from mesh.errors import UsageError
from mesh.kafka import Admin, LogReader
from mesh.types import TopicPartition
from tests.support.broker import eventually
from tests.support.contracts import Draft
from tests.support.mesh import RunningMesh

pytestmark = pytest.mark.broker

SEEN_AT = {"name": "seen_at", "logicalType": "timestamp", "physicalType": "long/timestamp-millis"}
MOMENT = datetime(2013, 1, 31, 10, tzinfo=UTC)
PARTITIONS = 3

Make = Callable[..., Contract]


@dataclass
class Thirty:
    """Thirty readings, and subscribers that have not read them yet."""

    contract: Contract
    names: Iterator[str]


@pytest.fixture
def reader() -> str:
    """The name of a subscription nobody else has."""
    return "r" + secrets.token_hex(4)


@pytest.fixture
def make(mesh: RunningMesh, reader: str) -> Make:
    """Applies a product of a new domain, which ``reader`` may read."""

    def made(**changes: Any) -> Contract:
        domain = "p" + secrets.token_hex(4)
        contract = Draft(product=f"{domain}.readings", readers=[reader], extra=[SEEN_AT], **changes).contract()
        mesh.apply(contract)
        return contract

    return made


@pytest.fixture(scope="module")
def thirty(mesh: RunningMesh) -> Thirty:
    """A product of one partition that holds thirty readings, for tests that only read."""
    names = [f"q{secrets.token_hex(4)}" for _ in range(8)]
    domain = "p" + secrets.token_hex(4)
    topic = {"partitions": 1}
    contract = Draft(product=f"{domain}.readings", readers=names, extra=[SEEN_AT], topic=topic).contract()
    mesh.apply(contract)
    with Mesh.connect(mesh.folder.config) as way_in:
        publish(mesh, way_in, contract, 30)
    return Thirty(contract, iter(names))


@pytest.fixture(scope="module")
def untouched(mesh: RunningMesh) -> Contract:
    """A product that nothing is ever written to, for tests of refusals."""
    contract = Draft(product=f"p{secrets.token_hex(4)}.readings", extra=[SEEN_AT]).contract()
    mesh.apply(contract)
    return contract


@pytest.fixture
def way_in(mesh: RunningMesh) -> Iterator[Mesh]:
    with Mesh.connect(mesh.folder.config) as connected:
        yield connected


def publish(mesh: RunningMesh, way_in: Mesh, contract: Contract, count: int, start: int = 0) -> None:
    """So many readings, numbered by their speed, on seven stations; waits until the gate has passed them."""
    with way_in.producer(contract.product) as publisher:
        for number in range(start, start + count):
            record = {"station": f"S{number % 7}", "speed": number / 1000, "seen_at": MOMENT}
            publisher.publish(record, origin=f"readings#{number}")
    mesh.await_gated(contract)


def numbers(records: Iterator[Record]) -> list[int]:
    return sorted(round(record.value["speed"] * 1000) for record in records if record.value is not None)


def everything(way_in: Mesh, contract: Contract, name: str) -> list[int]:
    with way_in.subscribe(contract.product, name=name, purpose="testing", until_end=True) as subscription:
        return numbers(subscription)


def ends(mesh: RunningMesh, topic: str, partitions: int = PARTITIONS) -> int:
    with Admin(mesh.admin) as admin:
        return sum(admin.ends([TopicPartition(topic, n) for n in range(partitions)], committed=True).values())


def test_a_record_arrives_as_it_was_published(mesh: RunningMesh, way_in: Mesh, make: Make, reader: str) -> None:
    contract = make()
    with way_in.producer(contract.product) as publisher:
        publisher.publish(
            {"station": "EWR", "speed": 12, "seen_at": MOMENT}, origin="weather.csv#7", headers=[("mine", b"1")]
        )
    assert publisher.published == 1
    mesh.await_gated(contract)
    with way_in.subscribe(contract.product, name=reader, purpose="testing", until_end=True) as subscription:
        (record,) = subscription
    with Admin(mesh.admin) as admin:
        topic_id = admin.topics([contract.topics.public])[contract.topics.public].topic_id
    assert record.value == {"station": "EWR", "speed": 12.0, "seen_at": MOMENT}
    assert (record.key, str(record.product)) == ("EWR", str(contract.product))
    assert list(record.headers) == [("mine", b"1"), ("mesh-origin", b"weather.csv#7")]
    assert (record.coordinate.topic, record.coordinate.topic_id) == (contract.topics.public, topic_id)


def test_what_breaks_the_contract_is_told_in_full_and_not_sent(
    mesh: RunningMesh, way_in: Mesh, untouched: Contract
) -> None:
    contract = untouched
    with way_in.producer(contract.product) as publisher:
        with pytest.raises(ContractViolation) as broken:
            publisher.publish({"station": "EWR", "speed": 400.0}, headers=[("mesh-verdict", b"mine")])
        assert {finding.clause for finding in broken.value.findings} == {"speed-possible", "header.reserved"}
        with pytest.raises(ContractViolation) as broken:
            publisher.publish({"station": "EWR", "speed": "fast"})
        assert [(finding.clause, finding.path) for finding in broken.value.findings] == [("schema.misfit", "speed")]
        with pytest.raises(ContractViolation) as broken:
            publisher.publish({"station": "EWR", "speed": 1.0}, key="JFK")
        assert [finding.clause for finding in broken.value.findings] == ["key.mismatch"]
    assert ends(mesh, contract.topics.ingress) == 0


def test_without_the_check_the_gate_alone_judges(mesh: RunningMesh, way_in: Mesh, make: Make) -> None:
    contract = make()
    with way_in.producer(contract.product, check=False) as publisher:
        publisher.publish({"station": "EWR", "speed": 400.0})
        with pytest.raises(ContractViolation, match="speed"):
            publisher.publish({"station": "EWR", "speed": None})
    mesh.await_gated(contract)
    assert ends(mesh, contract.topics.public) == 0
    assert ends(mesh, contract.topics.quarantine) > 0


def test_a_key_is_retracted_on_a_compacted_product_only(
    mesh: RunningMesh, way_in: Mesh, make: Make, reader: str, untouched: Contract
) -> None:
    contract = make(topic={"partitions": 1, "cleanupPolicy": "compact"})
    with way_in.producer(contract.product) as publisher:
        publisher.publish({"station": "EWR", "speed": 1.0})
        publisher.retract("EWR")
        with pytest.raises(UsageError, match="say which key"):
            publisher.publish(None)
    mesh.await_gated(contract)
    with way_in.subscribe(contract.product, name=reader, purpose="testing", until_end=True) as subscription:
        assert [(record.key, record.value is None) for record in subscription] == [("EWR", False), ("EWR", True)]
    with (
        way_in.producer(untouched.product) as publisher,
        pytest.raises(UsageError, match="is not compacted"),
    ):
        publisher.retract("EWR")


def test_keys_lie_where_javas_clients_put_them(mesh: RunningMesh, way_in: Mesh, make: Make) -> None:
    contract = make()
    publish(mesh, way_in, contract, 60)
    with LogReader(mesh.admin) as log:
        found = {
            (message.key(), message.partition())
            for partition in range(PARTITIONS)
            for message in log.read(TopicPartition(contract.topics.ingress, partition), 0, 1 << 60)
        }
    assert len(found) == 7
    assert all(partition == (murmur2(key or b"") & 0x7FFFFFFF) % PARTITIONS for key, partition in found)


def murmur2(data: bytes) -> int:
    """The hash of Kafka's Java clients, written from its definition."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(data)
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    if len(data) > whole:
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


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


def test_another_domain_may_not_publish(way_in: Mesh, untouched: Contract, thirty: Thirty) -> None:
    contract, other = untouched, thirty.contract
    with (
        pytest.raises(NotAuthorised) as refused,
        way_in.producer(contract.product, principal=other.product.domain) as publisher,
    ):
        publisher.publish({"station": "EWR", "speed": 1.0})
    assert (refused.value.principal, refused.value.code) == (other.product.domain, "TOPIC_AUTHORIZATION_FAILED")


def test_a_refusal_is_raised_before_everything_was_handed_over(
    way_in: Mesh, untouched: Contract, thirty: Thirty
) -> None:
    contract, other = untouched, thirty.contract
    with (
        pytest.raises(NotAuthorised),
        way_in.producer(contract.product, principal=other.product.domain) as publisher,
    ):
        for _ in range(2_000_000):
            publisher.publish({"station": "EWR", "speed": 1.0})
    assert publisher.published < 2_000_000


def test_a_reader_without_a_grant_is_refused_by_name(way_in: Mesh, untouched: Contract, thirty: Thirty) -> None:
    contract, other = untouched, thirty.contract
    with pytest.raises(NotAuthorised, match=f"may not read {contract.product}"):
        way_in.subscribe(contract.product, name=other.product.domain, purpose="testing")


def test_a_group_that_is_not_ones_own_is_refused(way_in: Mesh, thirty: Thirty) -> None:
    contract, reader = thirty.contract, next(thirty.names)
    with (
        way_in.subscribe(contract.product, name="somebody-else", purpose="testing", principal=reader) as subscription,
        pytest.raises(NotAuthorised, match="GROUP_AUTHORIZATION_FAILED"),
    ):
        next(subscription)


def test_a_purpose_that_the_contract_does_not_allow_is_refused(way_in: Mesh, thirty: Thirty) -> None:
    with pytest.raises(NotAuthorised, match="only for testing"):
        way_in.subscribe(thirty.contract.product, name=next(thirty.names), purpose="marketing")


def test_products_are_listed_and_unknown_ones_told(way_in: Mesh, untouched: Contract) -> None:
    contract = untouched
    assert contract.product in way_in.products()
    assert way_in.contract(str(contract.product)) == contract
    with pytest.raises(NotFound, match=r"mesh apply"):
        way_in.contract("nobody.nothing")


def test_a_record_is_traced_by_its_owner(mesh: RunningMesh, thirty: Thirty) -> None:
    contract = thirty.contract
    with Mesh.connect(mesh.folder.config, principal=contract.product.domain) as owner:
        assert owner.trace(f"{contract.topics.public}/0/17").origin == "readings#17"


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
