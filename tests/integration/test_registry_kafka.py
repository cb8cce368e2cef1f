"""The registry on a real Kafka: what it writes, restarts, successors, rights, logins and signals."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from mesh.errors import (
    Fenced,
    NotAuthorised,
    NotFound,
    PlatformFailure,
    RegistryUnreachable,
    RequestRefused,
    SchemaRefused,
)
from mesh.kafka import Acl, Admin, LogReader
from mesh.kafka.security import Operation
from mesh.registry import RegistryClient
from mesh.registry.log import IDENTITY, KafkaSchemaLog
from mesh.registry.records import Mark, SchemaVersion
from mesh.registry.replica import SchemaReplica
from mesh.registry.serving import listen, verifier
from mesh.types import SchemaId, TopicPartition
from tests.support.broker import Broker, eventually, permit
from tests.support.mesh import RunningMesh
from tests.support.registry import DOMAIN, PLATFORM, served

pytestmark = pytest.mark.broker

ONE = '{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}'
TWO = ONE.replace("}]}", '},{"name":"b","type":"int","default":0}]}')


@pytest.fixture
def topic(kafka: Broker) -> Iterator[str]:
    name = f"t{secrets.token_hex(4)}.schemas"
    yield name
    with Admin(kafka.admin) as admin:
        if name in admin.topics([name]):
            admin.delete_topic(name)


def client_as(url: str, login: tuple[str, str] = DOMAIN, deadline: float = 10.0) -> RegistryClient:
    return RegistryClient(url, login[0], SecretStr(login[1]), deadline=deadline)


def raw(kafka: Broker, topic: str) -> list[tuple[object, object]]:
    with LogReader(kafka.admin) as reader:
        records = list(reader.read(TopicPartition(topic, 0), 0, 10_000))
    return [(json.loads(each.key() or b""), each.value() and json.loads(each.value() or b"")) for each in records]


def test_what_is_written_is_in_confluent_s_format(kafka: Broker, topic: str) -> None:
    with served(KafkaSchemaLog(kafka.admin, topic)) as url, client_as(url, PLATFORM) as client:
        client.register("s", ONE, product="d.p")
        client.set_compatibility("s", "FULL")
    metadata = {"properties": {"mesh.product": "d.p"}}
    value = {"subject": "s", "version": 1, "id": 1, "metadata": metadata, "schema": ONE, "deleted": False}
    assert raw(kafka, topic) == [
        ({"keytype": "NOOP", "magic": 0}, {"maxId": 0}),
        ({"keytype": "SCHEMA", "subject": "s", "version": 1, "magic": 1}, value),
        ({"keytype": "CONFIG", "subject": "s", "magic": 0}, {"subject": "s", "compatibilityLevel": "FULL"}),
    ]
    with Admin(kafka.admin) as admin:
        state = admin.topics([topic])[topic]
    assert (state.partitions, state.config["cleanup.policy"]) == (1, "compact")


def test_every_write_is_read_by_the_next_request(kafka: Broker, topic: str) -> None:
    with served(KafkaSchemaLog(kafka.admin, topic)) as url, client_as(url) as writer, client_as(url) as reader:
        for number in range(15):
            schema = f'{{"type":"fixed","name":"F","size":{number + 1}}}'
            made = writer.register(f"s{number}", schema)
            assert reader.latest(f"s{number}").id == made == number + 1
            assert reader.schema(made) == schema


def test_everything_survives_a_restart(kafka: Broker, topic: str) -> None:
    with served(KafkaSchemaLog(kafka.admin, topic)) as url, client_as(url) as client:
        first = client.register("s", ONE)
        client.set_compatibility("s", "FULL_TRANSITIVE")
        client.register("gone", '"int"')
        for path in ("/subjects/gone", "/subjects/gone?permanent=true"):
            assert httpx.delete(url + path, auth=DOMAIN).json() == [1]
    with served(KafkaSchemaLog(kafka.admin, topic)) as url, client_as(url) as client:
        assert (client.subjects(), client.schema(first), client.compatibility("s")) == (["s"], ONE, "FULL_TRANSITIVE")
        assert client.register("s", ONE) == first
        assert client.register("new", '"string"') == 3


def test_threads_get_one_id_for_one_schema(kafka: Broker, topic: str) -> None:
    with served(KafkaSchemaLog(kafka.admin, topic)) as url, client_as(url) as client:
        ids: set[int] = set()
        threads = [
            threading.Thread(target=lambda number=number: ids.add(client.register(f"s{number % 3}", ONE)))
            for number in range(12)
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert ids == {1}
        assert [client.versions(f"s{number}") for number in range(3)] == [[1], [1], [1]]


def test_a_successor_fences_its_predecessor_which_ends(kafka: Broker, topic: str) -> None:
    with pytest.raises(Fenced), served(KafkaSchemaLog(kafka.admin, topic)) as old, client_as(old, deadline=1) as first:
        first.register("s", ONE)
        with served(KafkaSchemaLog(kafka.admin, topic)) as new, client_as(new) as second:
            assert second.latest("s").id == 1
            with pytest.raises(RegistryUnreachable):
                first.register("late", TWO)
            assert second.register("t", TWO) == 2
            assert second.subjects() == ["s", "t"]
            eventually(lambda: not _answers(old), 15)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1).is_success
    except httpx.TransportError:
        return False


def test_it_needs_no_more_rights_than_the_platform_gives(kafka: Broker, topic: str) -> None:
    principal = f"t{secrets.token_hex(4)}"
    with pytest.raises(NotAuthorised), served(KafkaSchemaLog(kafka.connection(principal), topic)):
        pass
    grant(kafka, principal, topic)
    connection = kafka.connection(principal)
    with served(KafkaSchemaLog(connection, topic)) as url, client_as(url) as client:
        assert client.register("s", ONE) == 1
        assert httpx.get(f"{url}/health").json()["status"] == "ok"


def grant(kafka: Broker, principal: str, topic: str) -> None:
    operations: tuple[Operation, ...] = ("Read", "Write", "Create", "Describe", "DescribeConfigs")
    transactions: tuple[Operation, ...] = ("Write", "Describe")
    with Admin(kafka.admin) as admin:
        permit(admin, [Acl(principal, each, "Topic", topic) for each in operations])
        permit(admin, [Acl(principal, each, "TransactionalId", IDENTITY, "PREFIXED") for each in transactions])


def finds_its_topic(replica: SchemaReplica) -> bool:
    """Whether its client knows of it."""
    try:
        replica.ids("never")
    except RegistryUnreachable:
        return False
    return True


def test_a_replica_says_of_schemas_what_the_registry_says(kafka: Broker, topic: str) -> None:
    """Live versions alone, texts of softly deleted ones too, and whatever was written since it was asked before."""
    with (
        served(KafkaSchemaLog(kafka.admin, topic)) as url,
        client_as(url) as client,
        closing(SchemaReplica(kafka.admin, 10, topic)) as replica,
    ):

        def agree() -> None:
            for subject in ("s", "t", "gone", "never"):
                with client_as(url) as fresh:
                    assert replica.ids(subject) == fresh.ids(subject), subject
            for number in range(1, 6):
                with client_as(url) as fresh:
                    assert said(replica, number) == said(fresh, number), number

        # A topic that has just been made is known to one client before it is to another.
        eventually(lambda: finds_its_topic(replica), 20)
        agree()
        client.register("s", ONE.replace(",", " , "))
        client.register("gone", '"int"')
        agree()
        client.register("s", TWO)
        client.register("t", TWO)
        client.register("gone", '"long"')
        agree()
        for path in ("/subjects/s/versions/1", "/subjects/gone/versions/2", "/subjects/gone/versions/2?permanent=true"):
            assert httpx.delete(url + path, auth=DOMAIN).is_success
        agree()
        assert said(replica, 1) == ONE
        assert said(replica, 4) is None
        assert replica.ids("s") == {3: 2}


def said(source: RegistryClient | SchemaReplica, number: int) -> str | None:
    try:
        return source.schema(SchemaId(number))
    except NotFound:
        return None


def test_a_replica_of_a_log_that_is_missing_or_denied_begins_to_answer_once_it_can_read(
    kafka: Broker, topic: str
) -> None:
    principal = f"t{secrets.token_hex(4)}"
    with closing(SchemaReplica(kafka.connection(principal), 5, topic)) as replica:
        for _ in range(2):
            with pytest.raises(RegistryUnreachable, match="missing or denied"):
                replica.ids("s")
        with served(KafkaSchemaLog(kafka.admin, topic)) as url, client_as(url) as client:
            client.register("s", ONE)
            with pytest.raises(RegistryUnreachable, match="missing or denied"):
                replica.ids("s")
            with Admin(kafka.admin) as admin:
                permit(admin, [Acl(principal, each, "Topic", topic) for each in READS])
            eventually(lambda: known(replica) == {1: 1}, 15)


READS: tuple[Operation, ...] = ("Read", "Describe")


def known(replica: SchemaReplica) -> dict[SchemaId, int]:
    try:
        return replica.ids("s")
    except RegistryUnreachable:
        return {}


def test_a_log_that_could_lose_schemas_is_refused(kafka: Broker, topic: str) -> None:
    with Admin(kafka.admin) as admin:
        admin.create_topic(topic, 1, {"cleanup.policy": "delete"})
    with pytest.raises(RequestRefused, match=r"cleanup\.policy=compact"), served(KafkaSchemaLog(kafka.admin, topic)):
        pass


def test_the_largest_schema_fits_and_a_small_topic_says_so(kafka: Broker, topic: str) -> None:
    def enum(symbols: int) -> str:
        return json.dumps({"type": "enum", "name": "E", "symbols": [f"s{n:06}" for n in range(symbols)]})

    with served(KafkaSchemaLog(kafka.admin, topic)) as url, client_as(url) as client:
        schema = enum(90_000)
        assert json.loads(client.schema(client.register("large", schema))) == json.loads(schema)
        with pytest.raises(SchemaRefused) as refused:
            client.register("larger", enum(120_000))
        assert refused.value.code == 42209
        with Admin(kafka.admin) as admin:
            admin.set_config(topic, {"max.message.bytes": "100000"})
        with pytest.raises(SchemaRefused) as refused:
            client.register("here", enum(50_000))
        assert refused.value.code == 42209
        assert client.register("small", ONE) == 2


def test_health_asks_the_broker_for_the_end_of_the_log(kafka: Broker, topic: str) -> None:
    with served(KafkaSchemaLog(kafka.admin, topic)) as url, client_as(url) as client:
        client.register("s", ONE)
        answer = httpx.get(f"{url}/health")
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")


def test_a_log_after_a_failed_write_goes_on(kafka: Broker, topic: str) -> None:
    """What a transaction of unknown outcome left behind is settled by taking the identity again."""
    log = KafkaSchemaLog(kafka.admin, topic)
    seen: list[object] = []
    try:
        log.start(lambda records, position: seen.extend(records))
        log.append(Mark(1))
        log._drop_producer()
        record = SchemaVersion("s", 1, 1, ONE)
        log.append(record)
        eventually(lambda: record in seen)
    finally:
        log.close()


class TestLogins:
    """Credentials are Kafka's own."""

    def test_a_principal_writes_with_its_own_password_only(self, kafka: Broker, topic: str) -> None:
        principal = f"t{secrets.token_hex(4)}"
        password = kafka.connection(principal).password
        assert password is not None
        log = KafkaSchemaLog(kafka.admin, topic)
        with served(log, verifier(kafka.admin), open_reads=False) as url:
            with client_as(url, (principal, password.get_secret_value())) as right:
                assert right.register("s", ONE) == 1
            for login in ((principal, "wrong"), ("nobody", "wrong")):
                with client_as(url, login) as wrong, pytest.raises(NotAuthorised):
                    wrong.register("s", TWO)
            with RegistryClient(url) as anonymous, pytest.raises(NotAuthorised):
                anonymous.subjects()


class TestTheCommand:
    """``mesh registry serve`` as the supervisor runs it."""

    @pytest.fixture
    def environment(self, mesh: RunningMesh, topic: str, tmp_path: Path) -> dict[str, str]:
        connection = mesh.connection(IDENTITY)
        grant(mesh.kafka, IDENTITY, topic)
        cluster = {
            "bootstrap": connection.bootstrap,
            "registry": "http://127.0.0.1:0",
            "security_protocol": connection.security_protocol,
        }
        config = tmp_path / "mesh.yaml"
        config.write_text(json.dumps({"clusters": {"main": cluster}, "secret": "env:SECRET"}))
        assert connection.password is not None
        return {**os.environ, "MESH_CONFIG": str(config), "SECRET": connection.password.get_secret_value()}

    def test_it_stops_on_sigterm_and_starts_again_where_it_was_killed(
        self, environment: dict[str, str], topic: str
    ) -> None:
        with _process(environment, topic) as (process, url):
            assert httpx.get(f"{url}/subjects").json() == []
            process.kill()
            process.wait(10)
        with _process(environment, topic) as (process, url):
            assert httpx.get(f"{url}/health").status_code == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0

    def test_a_port_in_use_is_one_sentence(self, environment: dict[str, str], topic: str) -> None:
        taken = listen("127.0.0.1", 0)
        port = str(taken.getsockname()[1])
        with pytest.raises(PlatformFailure, match=port):
            listen("127.0.0.1", int(port))
        done = subprocess.run(
            [*_command(topic), "--port", port], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        taken.close()
        assert (done.returncode, done.stdout) == (1, "")
        assert "Traceback" not in done.stderr and f"cannot listen on 127.0.0.1:{port}" in done.stderr


def _command(topic: str) -> list[str]:
    return [sys.executable, "-m", "mesh", "registry", "serve", "--topic", topic]


@contextmanager
def _process(environment: dict[str, str], topic: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with subprocess.Popen(
        [*_command(topic), "--port", "0"], env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stderr is not None
            found = re.search(r"schema registry at (\S+)", process.stderr.readline())
            assert found is not None
            yield process, found.group(1)
        finally:
            process.kill()
