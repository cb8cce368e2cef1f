"""OpenLineage events on a topic of a real broker: in order, keyed by their job, and no harm where it is denied."""

from __future__ import annotations

import io
import json
import secrets
from pathlib import Path
from typing import Any

import pytest

from mesh.kafka import Admin, Connection, LogReader
from mesh.lineage.openlineage.sinks import Outboxes
from mesh.settings import Settings
from mesh.types import TopicPartition
from tests.support.broker import Broker, eventually

pytestmark = pytest.mark.broker


PARTITIONS = 8


def places(topic: str) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in range(PARTITIONS)]


def events(count: int) -> list[dict[str, Any]]:
    return [{"job": {"namespace": "d", "name": f"gate:{number % 2}"}, "number": number} for number in range(count)]


def outboxes(tmp_path: Path, connection: Connection, topic: str) -> Outboxes:
    path = tmp_path / "mesh.yaml"
    sinks = [{"kind": "kafka", "topic": topic}, {"kind": "file", "path": "events.ndjson"}]
    cluster = {"bootstrap": connection.bootstrap, "registry": "http://127.0.0.1:1"}
    openlineage = {"kind": "composite", "sinks": sinks}
    path.write_text(json.dumps({"clusters": {"one": cluster}, "lineage": {"openlineage": openlineage}}), "utf-8")
    return Outboxes.of(Settings.load(path), connection, io.StringIO())


@pytest.fixture
def topic(kafka: Broker) -> str:
    name = f"openlineage{secrets.token_hex(4)}"
    with Admin(kafka.admin) as admin:
        admin.create_topic(name, PARTITIONS, {})
    return name


def test_events_arrive_in_order_under_the_key_of_their_job(kafka: Broker, tmp_path: Path, topic: str) -> None:
    boxes = outboxes(tmp_path, kafka.admin, topic)
    boxes.send(events(50))
    boxes.close()
    assert boxes.tallies[topic].sent == 50
    with LogReader(kafka.admin) as reader:
        read = [list(reader.read(place, 0, 50)) for place in places(topic)]
    for job in range(2):
        mine = [[each for each in part if each.key() == b"run:d/gate:%d" % job] for part in read]
        (found,) = filter(None, mine)
        assert [json.loads(each.value() or b"") for each in found] == events(50)[job::2]


def test_a_topic_that_may_not_be_written_holds_nothing_up(kafka: Broker, tmp_path: Path, topic: str) -> None:
    """The other sink gets every event, and what failed is counted."""
    boxes = outboxes(tmp_path, kafka.connection(f"collector{secrets.token_hex(4)}"), topic)
    for event in events(20):
        boxes.send([event])
    eventually(lambda: boxes.tallies[topic].failed > 0, 30)
    boxes.close()
    assert len((tmp_path / "events.ndjson").read_text("utf-8").splitlines()) == 20
    with LogReader(kafka.admin) as reader:
        assert {reader.bounds(place) for place in places(topic)} == {(0, 0)}
