"""Kafka as deploy/ runs it, in a container of testcontainers: SCRAM, the authorizer, and nothing granted."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from mesh.access import ADMIN
from mesh.kafka import Connection

IMAGE = "apache/kafka:4.3.1"
_HEALTH = "_mesh.health"
_PORT = 19092
_SETTINGS = Path(__file__).parents[2] / "deploy" / "kafka"
_FILES = ("server.properties", "log4j2.properties", "start.sh")
_START_SECONDS = 90
# Clients must be told an address that is only known once the container runs, so it waits to be told itself.
_WAIT = "until [ -s /tmp/advertised ]; do sleep 0.05; done; MESH_ADVERTISED=$(cat /tmp/advertised) exec bash {start}"


class KafkaContainer(DockerContainer):
    """One node, of the image and with the settings of deploy/compose.yaml."""

    def __init__(self) -> None:
        super().__init__(IMAGE, entrypoint=["bash", "-c", _WAIT.format(start="/etc/mesh/start.sh")])
        self._password = secrets.token_urlsafe(24)
        self.with_exposed_ports(_PORT)
        for name in _FILES:
            self.with_copy_into_container((_SETTINGS / name).read_bytes(), f"/etc/mesh/{name}")
        for user, password in ((ADMIN, self._password), (_HEALTH, secrets.token_urlsafe(24))):
            self.with_copy_into_container(password.encode(), f"/run/secrets/{user}")

    @property
    def bootstrap(self) -> str:
        """Where clients of this machine connect."""
        return f"{self.get_container_host_ip()}:{self.get_exposed_port(_PORT)}"

    @property
    def admin(self) -> Connection:
        """The super user's way in."""
        return Connection(self.bootstrap, principal=ADMIN, password=SecretStr(self._password))

    def open(self) -> None:
        """Tell Kafka its address and wait until it is up; raises TimeoutError with what it said."""
        advertised = f"CLIENT://localhost:9092,HOST://{self.bootstrap}"
        self.copy_into_container(advertised.encode(), "/tmp/advertised", 0o644)  # noqa: S108 - the container's
        LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(_START_SECONDS).wait_until_ready(self)


@contextmanager
def running_container() -> Iterator[KafkaContainer]:
    """A broker in a container; removed with its volumes afterwards."""
    container = KafkaContainer()
    try:
        container.start()
        container.open()
        yield container
    finally:
        container.stop()
