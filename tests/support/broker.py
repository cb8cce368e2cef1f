"""The broker tests share: a real Kafka, the embedded one or one they were pointed at."""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from mesh.embedded.jars import JarCache, locked_jars
from mesh.embedded.kafka import EmbeddedKafka, KafkaOptions
from mesh.kafka import Acl, Admin, Connection, verify_credentials


def eventually(condition: Callable[[], object], seconds: float = 10.0, *, every: float | None = None) -> None:
    """Poll until ``condition()`` is true; fail after ``seconds``. Rests twice as long as asking took, unless told."""
    deadline = time.monotonic() + seconds
    while True:
        asked = time.monotonic()
        if condition():
            return
        told = time.monotonic()
        if told > deadline:
            raise AssertionError(f"did not come true within {seconds:g} s: {condition}")
        time.sleep(every if every is not None else min(max(0.05, 2 * (told - asked)), 1.0))


def permit(admin: Admin, acls: Iterable[Acl]) -> None:
    """Add permissions and wait until the brokers know them: the controller takes them earlier."""
    wanted = set(acls)
    admin.create_acls(wanted)
    eventually(lambda: wanted <= admin.acls(), 30)


class Broker:
    """A running cluster and the administrator's way in."""

    def __init__(self, admin: Connection) -> None:
        self.admin = admin
        self._known: dict[str, Connection] = {}

    @property
    def bootstrap(self) -> str:
        """Where clients connect."""
        return self.admin.bootstrap

    def connection(self, principal: str) -> Connection:
        """The way in for a principal without any rights but those a test grants; created on first use."""
        # A new password for a platform's principal would lock out the registry and the gates other tests share.
        assert not principal.startswith("_mesh."), f"{principal} belongs to the platform; take it from the mesh fixture"
        if principal not in self._known:
            self._known[principal] = self._created(principal)
        return self._known[principal]

    def _created(self, principal: str) -> Connection:
        password = secrets.token_urlsafe(16)
        with Admin(self.admin) as admin:
            admin.create_user(principal, password)
        connection = self.admin.as_principal(principal, password)
        eventually(lambda: verify_credentials(connection))
        return connection


@contextmanager
def running_broker() -> Iterator[Broker]:
    """The broker of ``MESH_TEST_BOOTSTRAP``, else an embedded one in a temporary folder."""
    bootstrap = os.environ.get("MESH_TEST_BOOTSTRAP")
    if bootstrap:
        password = SecretStr(os.environ["MESH_TEST_PASSWORD"])
        yield Broker(Connection(bootstrap, principal=os.environ["MESH_TEST_PRINCIPAL"], password=password))
        return
    with tempfile.TemporaryDirectory(prefix="mesh-kafka-") as folder, embedded_kafka(Path(folder)) as kafka:
        yield Broker(kafka.connection)


def embedded_kafka(folder: Path, options: KafkaOptions | None = None) -> EmbeddedKafka:
    """A cluster in ``folder``, not yet started; of one node unless told."""
    jars = JarCache.of_environment().provide(locked_jars())
    return EmbeddedKafka(folder, jars, secrets.token_urlsafe(16), options or KafkaOptions(heap_mib=1024))
