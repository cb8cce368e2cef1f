"""Tracing on a real broker: transactions with markers and aborts, expiry, re-creation and tampering."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from confluent_kafka import TopicPartition as ClientTopicPartition
from typer.testing import CliRunner

from mesh.cli.trace import trace as trace_command
from mesh.errors import LineageBroken, NotFound
from mesh.judge.frame import frame
from mesh.kafka import Admin, LogReader, Message
from mesh.kafka.transaction import TransactionalProducer
from mesh.lineage import (
    Atlas,
    Disposition,
    Link,
    PartitionChain,
    Presence,
    TopicIds,
    Trace,
    trace,
)
from mesh.lineage.balance import Fault
from mesh.lineage.reconcile import reconcile_partition
from mesh.types import Coordinate, ProductName, ProductTopics, SchemaId, TopicPartition
from tests.support.broker import Broker, eventually
from tests.support.smallgate import FINDING, PARTITION, SCHEMA, SmallGate

pytestmark = pytest.mark.broker

COMPACTING = {
    "cleanup.policy": "compact",
    "segment.ms": "100",
    "min.cleanable.dirty.ratio": "0.01",
    "max.compaction.lag.ms": "100",
}


@pytest.fixture
def topics(kafka: Broker) -> ProductTopics:
    return new_topics(kafka, {})


def new_topics(kafka: Broker, public: dict[str, str]) -> ProductTopics:
    topics = ProductTopics(ProductName(f"t{secrets.token_hex(4)}", "numbers"), 1)
    names = (topics.ingress, topics.public, topics.quarantine, topics.lineage)
    with Admin(kafka.admin) as admin:
        for name in names:
            admin.create_topic(name, 2, public if name == topics.public else {})
        eventually(lambda: len(admin.topics(names)) == len(names), 30)
    return topics


@pytest.fixture
def gate(kafka: Broker, topics: ProductTopics) -> SmallGate:
    return new_gate(kafka, topics)


def new_gate(kafka: Broker, topics: ProductTopics) -> SmallGate:
    with Admin(kafka.admin) as admin:
        cluster_id = admin.cluster_id()
    chain = PartitionChain.start(str(topics.product), cluster_id, PARTITION, topic_ids(kafka, topics), 0)
    return SmallGate(kafka.admin, topics, chain)


def topic_ids(kafka: Broker, topics: ProductTopics) -> TopicIds:
    with Admin(kafka.admin) as admin:
        found = admin.topics([topics.ingress, topics.public, topics.quarantine])
    return TopicIds(*(found[name].topic_id for name in (topics.ingress, topics.public, topics.quarantine)))


def publish(kafka: Broker, topics: ProductTopics, numbers: range, *, commit: bool = True) -> int:
    """Publish in one transaction; gives the offset after its marker."""
    producer = TransactionalProducer(kafka.admin, f"{topics.ingress}.publisher")
    producer.begin()
    for number in numbers:
        headers: list[tuple[str, bytes | None]] = [("mesh-origin", b"numbers.csv#%d" % number)]
        value = frame(SchemaId(3), b"%d" % number)
        producer.produce(topics.ingress, PARTITION, b"key-%d" % number, value, headers)
    producer.flush()
    if commit:
        producer.commit()
    else:
        producer.abort()
    place = TopicPartition(topics.ingress, PARTITION)
    ends: list[int] = []

    def settled() -> bool:
        with Admin(kafka.admin) as admin:
            ends[:] = [admin.ends([place], committed=committed)[place] for committed in (True, False)]
        return ends[0] == ends[1]

    eventually(settled)
    return ends[0]


def follow(kafka: Broker, topic: str, offset: int, **ids: Any) -> Trace:
    raw = LogReader(kafka.admin, committed=False)
    with Admin(kafka.admin) as admin, LogReader(kafka.admin) as reader, raw:
        return trace(Coordinate(topic, PARTITION, offset, **ids), reader, admin, raw)


def kind_of(kafka: Broker, topics: ProductTopics, offset: int) -> str:
    with pytest.raises(NotFound) as caught:
        follow(kafka, topics.public, offset)
    return caught.value.hint.partition(":")[0]


def all_records(kafka: Broker, topic: str) -> list[Message]:
    with LogReader(kafka.admin) as reader:
        return list(reader.read(TopicPartition(topic, PARTITION), 0, 1 << 60))


def expire(kafka: Broker, topic: str, before: int) -> None:
    with Admin(kafka.admin) as admin:
        futures = admin.client.delete_records([ClientTopicPartition(topic, PARTITION, before)])
        for future in futures.values():
            future.result(10)


@pytest.fixture
def settled(kafka: Broker, topics: ProductTopics, gate: SmallGate) -> SmallGate:
    """Three committed gate transactions with an aborted one between, over committed and aborted publications."""
    gate.run(publish(kafka, topics, range(20)))
    publish(kafka, topics, range(1_000, 1_007), commit=False)
    end = publish(kafka, topics, range(20, 40))
    gate.run(end, commit=False)
    gate.run(end)
    gate.run(publish(kafka, topics, range(40, 50)))
    eventually(lambda: len(all_records(kafka, topics.lineage)) == 3)
    return gate


def test_every_record_leads_back_to_the_row_it_came_from(
    kafka: Broker, topics: ProductTopics, settled: SmallGate
) -> None:
    seen = []
    with Admin(kafka.admin) as admin, LogReader(kafka.admin) as reader:
        for record in [*all_records(kafka, topics.public), *all_records(kafka, topics.quarantine)]:
            found = trace(Coordinate(record.topic(), PARTITION, record.offset()), reader, admin)
            refused = record.topic() == topics.quarantine
            number = (record.key() or b"").removeprefix(b"key-").decode()
            assert found.origin == f"numbers.csv#{number}"
            assert found.fate.disposition is (Disposition.QUARANTINED if refused else Disposition.PASSED)
            assert found.fate.findings == ((FINDING,) if refused else ())
            assert (found.schema.schema_id, found.schema.fingerprint) == (3, SCHEMA.fingerprint)
            assert found.record.timestamp == record.timestamp()[1]
            forth = trace(found.fate.ingress, reader, admin)
            assert (forth.fate, forth.origin) == (found.fate, found.origin)
            seen.append(int(number))
    assert sorted(seen) == list(range(50)), "and nothing of the aborted publication"


def test_holes_are_told_apart(kafka: Broker, topics: ProductTopics, settled: SmallGate) -> None:
    aborted = follow(kafka, topics.ingress, 23)
    assert (aborted.fate.disposition, aborted.record.presence) == (Disposition.NOT_DELIVERED, Presence.ABORTED)
    marker = follow(kafka, topics.ingress, 20)
    assert (marker.fate.disposition, marker.record.presence) == (Disposition.NOT_DELIVERED, Presence.MARKER)
    passed = {record.offset() for record in all_records(kafka, topics.public)}
    hole = next(offset for offset in range(max(passed)) if offset not in passed)
    kinds = {kind_of(kafka, topics, at) for at in range(hole, max(passed)) if at not in passed}
    assert kinds == {"aborted", "marker"}
    with pytest.raises(NotFound, match="pending: nothing has been committed"):
        follow(kafka, topics.public, 1_000)
    beyond = publish(kafka, topics, range(50, 52)) - 2
    with pytest.raises(NotFound, match="pending: no gate has settled it"):
        follow(kafka, topics.ingress, beyond)


def test_a_record_that_a_manifest_claims_and_nothing_explains_is_lost(
    kafka: Broker, topics: ProductTopics, gate: SmallGate
) -> None:
    end = publish(kafka, topics, range(20))
    gate.run(end, withhold=end - 2)
    eventually(lambda: len(all_records(kafka, topics.lineage)) == 1)
    claimed = gate.offsets[topics.public]
    assert follow(kafka, topics.public, claimed[-2]).record.presence is Presence.READABLE
    assert follow(kafka, topics.public, claimed[-1]).record.presence is Presence.LOST


def test_a_record_removed_or_altered_on_its_way_is_named(kafka: Broker, topics: ProductTopics, gate: SmallGate) -> None:
    gate.run(publish(kafka, topics, range(20)))
    gate.run(publish(kafka, topics, range(20, 40)), alter=24)
    altered = gate.offsets[topics.public][3]
    end = publish(kafka, topics, range(40, 60))
    gate.run(end, withhold=end - 2)
    removed = gate.offsets[topics.public][-1]
    with Admin(kafka.admin) as admin, LogReader(kafka.admin) as reader:
        balance = reconcile_partition(Atlas.of_one(admin, reader).holding(topics), PARTITION)
    assert [(each.fault, each.topic, each.partition, each.start, each.end) for each in balance.mismatches] == [
        (Fault.ALTERED, topics.public, PARTITION, altered, altered + 1),
        (Fault.MISSING, topics.public, PARTITION, removed, removed + 1),
    ]


def test_what_compaction_took_is_told_from_what_is_lost(kafka: Broker) -> None:
    topics = new_topics(kafka, COMPACTING)
    gate = new_gate(kafka, topics)
    for _ in range(3):
        gate.run(publish(kafka, topics, range(20)))
    eventually(lambda: len(all_records(kafka, topics.lineage)) == 3)

    def compacted() -> bool:
        # A segment is closed by the next record that comes to it.
        gate.run(publish(kafka, topics, range(20, 23)))
        return 1 not in {record.offset() for record in all_records(kafka, topics.public)}

    eventually(compacted, 60, every=0.3)
    assert follow(kafka, topics.public, 1).record.presence is Presence.COMPACTED


def test_lineage_outlives_records_and_older_manifests(kafka: Broker, topics: ProductTopics, settled: SmallGate) -> None:
    public = [record.offset() for record in all_records(kafka, topics.public)]
    before = follow(kafka, topics.public, public[-1])
    assert before.manifest.link is Link.INTACT
    assert follow(kafka, topics.public, public[0]).manifest.link is Link.FIRST
    for topic in (topics.public, topics.ingress):
        expire(kafka, topic, -1)
    after = follow(kafka, topics.public, public[-1])
    assert after.record.presence is Presence.EXPIRED
    assert (after.fate, after.origin, after.schema) == (before.fate, before.origin, before.schema)
    expire(kafka, topics.lineage, before.manifest.coordinate.offset)
    assert follow(kafka, topics.public, public[-1]).manifest.link is Link.UNVERIFIABLE
    with pytest.raises(NotFound, match="expired:"):
        follow(kafka, topics.public, public[0])


def test_a_recreated_topic_is_not_taken_for_the_old_one(
    kafka: Broker, topics: ProductTopics, settled: SmallGate
) -> None:
    old = settled.chain.topics.public
    offset = all_records(kafka, topics.public)[0].offset()
    with Admin(kafka.admin) as admin:
        admin.delete_topic(topics.public)
        eventually(lambda: topics.public not in admin.topics([topics.public]))
        admin.create_topic(topics.public, 2, {})
        eventually(lambda: topics.public in admin.topics([topics.public]))
    with pytest.raises(LineageBroken, match="re-created"):
        follow(kafka, topics.public, 0)
    found = follow(kafka, topics.public, offset, topic_id=old)
    assert found.record.presence is Presence.REPLACED
    assert found.replaced == (topics.public,)
    settled.chain = settled.chain.new_epoch(topic_ids(kafka, topics), settled.chain.ingress_next)
    settled.run(publish(kafka, topics, range(50, 60)))
    eventually(lambda: len(all_records(kafka, topics.lineage)) == 4)
    found = follow(kafka, topics.public, offset)
    assert (found.manifest.epoch, found.origin) == (1, "numbers.csv#50")
    assert follow(kafka, topics.public, offset, topic_id=old).manifest.epoch == 0


def test_a_forged_predecessor_breaks_the_chain(kafka: Broker, topics: ProductTopics, gate: SmallGate) -> None:
    gate.run(publish(kafka, topics, range(10)))
    gate.chain = PartitionChain(
        product=gate.chain.product,
        cluster_id=gate.chain.cluster_id,
        partition=PARTITION,
        topics=gate.chain.topics,
        sequence=gate.chain.sequence,
        previous=bytes(32),
        ingress_next=gate.chain.ingress_next,
        public_next=gate.chain.public_next,
        quarantine_next=gate.chain.quarantine_next,
    )
    gate.run(publish(kafka, topics, range(10, 20)))
    eventually(lambda: len(all_records(kafka, topics.lineage)) == 2)
    with pytest.raises(LineageBroken, match="not the one it was chained to"):
        follow(kafka, topics.public, all_records(kafka, topics.public)[-1].offset())


@pytest.fixture
def command(kafka: Broker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[typer.Typer]:
    assert kafka.admin.password is not None
    # A mesh.yaml or the data of `mesh up` in the folder of the tests would be taken for the mesh that is meant.
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MESH_CONFIG", raising=False)
    monkeypatch.setenv("MESH_CLUSTERS__MAIN__BOOTSTRAP", kafka.bootstrap)
    monkeypatch.setenv("MESH_CLUSTERS__MAIN__REGISTRY", "http://127.0.0.1:1")
    monkeypatch.setenv("MESH_CLUSTERS__MAIN__SECURITY_PROTOCOL", kafka.admin.security_protocol)
    monkeypatch.setenv("MESH_PRINCIPAL", kafka.admin.principal)
    monkeypatch.setenv("MESH_PASSWORD", kafka.admin.password.get_secret_value())
    app = typer.Typer()
    app.command()(trace_command)
    yield app


def test_the_command_prints_facts_without_a_registry(
    command: typer.Typer, kafka: Broker, topics: ProductTopics, settled: SmallGate
) -> None:
    refused = all_records(kafka, topics.quarantine)[-1]
    where = f"{topics.quarantine}/{PARTITION}/{refused.offset()}"
    told = CliRunner().invoke(command, [where, "--json"])
    assert told.exit_code == 0, told.stderr
    document = json.loads(told.stdout)
    assert document["asked"] == where
    assert document["disposition"] == "quarantined"
    assert document["findings"][0]["clause"] == FINDING.clause
    assert document["manifest"]["gate"] == f"{topics.public}.test-gate"
    table = CliRunner().invoke(command, [where])
    assert table.exit_code == 0
    assert f"origin\tnumbers.csv#{(refused.key() or b'').decode().removeprefix('key-')}" in table.stdout
    assert f"finding\t{FINDING.clause} at number: {FINDING.reason}" in table.stdout


@pytest.mark.parametrize(("where", "code"), [("nonsense", 2), ("operations.flights.v1/0/0", 1)])
def test_the_command_fails_in_one_sentence(command: typer.Typer, where: str, code: int) -> None:
    told = CliRunner().invoke(command, [where])
    assert told.exit_code == code
    assert told.stdout == ""
    assert told.stderr.startswith("error: ")
    assert told.stderr.count("\n") == 1
