"""The embedded Kafka on its own: what survives a restart, and what it says when it cannot start."""

from __future__ import annotations

import errno
import json
import socket
import threading
from pathlib import Path

import pytest

from mesh.embedded.jars import JarCache, locked_jars
from mesh.embedded.kafka import EmbeddedKafka, KafkaOptions
from mesh.embedded.signals import StopRequest
from mesh.embedded.supervisor import Patience, Supervisor
from mesh.errors import BrokerError, BrokerUnreachable, PlatformFailure, RequestRefused
from mesh.kafka import Acl, Admin, Connection, LogReader, Producer, verify_credentials
from mesh.types import TopicPartition
from tests.support.broker import eventually, permit
from tests.support.disk import small_disk

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def jars() -> list[Path]:
    return JarCache.of_environment().provide(locked_jars())


@pytest.fixture
def kafka_folder(tmp_path: Path) -> Path:
    return tmp_path / "kafka"


def test_data_users_and_rights_survive_a_restart(kafka_folder: Path, jars: list[Path]) -> None:
    rights = {Acl("weather", "Write", "Topic", "t"), Acl("desk", "Read", "Group", "desk", "PREFIXED")}
    with EmbeddedKafka(kafka_folder, jars, "first-secret") as kafka:
        with Admin(kafka.connection) as admin:
            admin.create_topic("t", 3, {"cleanup.policy": "compact"})
            admin.create_user("weather", "sun")
            permit(admin, rights)
            before, cluster = admin.topics(["t"]), admin.cluster_id()
        user = kafka.connection.as_principal("weather", "sun")
        eventually(lambda: verify_credentials(user))
        with Producer(user) as producer:
            producer.write("t", key=b"k", value=b"kept", partition=2)
    with EmbeddedKafka(kafka_folder, jars, "first-secret") as kafka, Admin(kafka.connection) as admin:
        assert kafka.connection.bootstrap == user.bootstrap
        assert (admin.topics(["t"]), admin.cluster_id()) == (before, cluster)
        assert {"weather", "_mesh.admin"} <= admin.users()
        assert admin.acls() == rights
        assert verify_credentials(user)
        with LogReader(kafka.connection) as reader:
            assert [m.value() for m in reader.read(TopicPartition("t", 2), 0, 1)] == [b"kept"]


def test_what_was_acknowledged_survives_a_kill(kafka_folder: Path, jars: list[Path]) -> None:
    with EmbeddedKafka(kafka_folder, jars, "s") as kafka:
        with Admin(kafka.connection) as admin:
            admin.create_topic("t", 1, {})
        with Producer(kafka.connection) as producer:
            producer.write("t", key=None, value=b"kept")
        kafka.node(1).kill()
    with EmbeddedKafka(kafka_folder, jars, "s") as kafka, LogReader(kafka.connection) as reader:
        assert [m.value() for m in reader.read(TopicPartition("t", 0), 0, 1)] == [b"kept"]


def test_secrets_are_private_and_in_no_log(kafka_folder: Path, jars: list[Path]) -> None:
    with EmbeddedKafka(kafka_folder, jars, "an-admin-secret") as kafka:
        pid = kafka.node(1).pid
        command = Path(f"/proc/{pid}/cmdline").read_bytes() if Path("/proc").is_dir() else b""
    internal = json.loads((kafka_folder / "cluster.json").read_text())["internal_password"]
    holders = []
    for path in (each for each in kafka_folder.rglob("*") if each.is_file()):
        content = path.read_bytes()
        if internal.encode() in content or b"an-admin-secret" in content:
            holders.append(path.name)
            assert path.stat().st_mode & 0o077 == 0, path
    assert sorted(holders) == ["cluster.json", "server.properties"]
    assert internal.encode() not in command
    assert kafka_folder.stat().st_mode & 0o777 == 0o700


def test_a_port_in_use_is_named(kafka_folder: Path, jars: list[Path]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PlatformFailure, match=f"port {port} for Kafka is in use by another program.*--port"):
            EmbeddedKafka(kafka_folder, jars, "s", KafkaOptions(port=port)).start()
    with EmbeddedKafka(kafka_folder, jars, "s", KafkaOptions(port=port)) as kafka:
        assert kafka.connection.bootstrap == f"127.0.0.1:{port}"


def test_an_early_end_shows_kafkas_own_words(kafka_folder: Path, jars: list[Path]) -> None:
    EmbeddedKafka(kafka_folder, jars, "s").services()
    impossible = KafkaOptions(properties={"num.io.threads": "none"})
    with pytest.raises(PlatformFailure, match=r"kafka ended while starting(.|\n)*num\.io\.threads"):
        EmbeddedKafka(kafka_folder, jars, "s", impossible).start()


def test_a_failed_first_start_leaves_nothing_half_done(kafka_folder: Path, jars: list[Path]) -> None:
    with pytest.raises(PlatformFailure, match=r"could not prepare(.|\n)*format\.log"):
        EmbeddedKafka(kafka_folder, [], "s").start()
    (kafka_folder / "node-1" / "data.new").mkdir()
    assert not (kafka_folder / "node-1" / "data").exists()
    with EmbeddedKafka(kafka_folder, jars, "s"):
        pass


def test_a_full_disk_at_the_first_start_is_said(tmp_path: Path, jars: list[Path]) -> None:
    with small_disk(tmp_path / "disk", "8k") as disk, pytest.raises(PlatformFailure, match="no disk space left in"):
        EmbeddedKafka(disk / "kafka", jars, "s").start()


def test_a_disk_that_fills_up_later_is_said(tmp_path: Path, jars: list[Path]) -> None:
    with small_disk(tmp_path / "disk", "4m") as disk:
        kafka = EmbeddedKafka(disk / "kafka", jars, "s")
        supervisor = Supervisor(StopRequest(), patience=Patience(deaths=1, pause=0.1))
        try:
            supervisor.start(kafka.services())
            fill(disk / "filler")
            writer = threading.Thread(target=write_until_refused, args=(kafka.connection,))
            writer.start()
            with pytest.raises(PlatformFailure, match="no disk space left in"):
                supervisor.watch()
            writer.join()
        finally:
            supervisor.stop()


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as full:
            assert full.errno == errno.ENOSPC


def write_until_refused(connection: Connection) -> None:
    """A topic needs new files, so a broker without room fails at once."""
    with Admin(connection) as admin:
        for number in range(10):
            try:
                admin.create_topic(f"t{number}", 3, {})
            except (BrokerUnreachable, BrokerError, RequestRefused):
                return


@pytest.mark.soak  # the short round of tests/faults/test_three_brokers.py stands on the same three nodes
def test_three_nodes_go_on_without_one(kafka_folder: Path, jars: list[Path]) -> None:
    with EmbeddedKafka(kafka_folder, jars, "s", KafkaOptions(nodes=3)) as kafka:
        with Admin(kafka.connection) as admin:
            admin.create_topic("t", 3, {})
            # Another node may be asked than the one that knows of the topic already.
            eventually(lambda: [topic.replication for topic in admin.topics(["t"]).values()] == [3])
        kafka.node(1).kill()
        with Producer(kafka.connection) as producer:
            for partition in range(3):
                producer.write("t", key=None, value=b"kept", partition=partition)
        kafka.restart(1)
        with LogReader(kafka.connection) as reader:
            for partition in range(3):
                assert [m.value() for m in reader.read(TopicPartition("t", partition), 0, 1)] == [b"kept"]
