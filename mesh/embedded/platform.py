"""One mesh on this machine: Kafka, then what the platform keeps in it, then the registry and the gate."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from mesh.access import ADMIN, AUDIT, GATE, LINEAGE, REGISTRY, SCHEMAS, gate_acls, lineage_acls
from mesh.embedded.folder import DataFolder
from mesh.embedded.kafka import EmbeddedKafka, KafkaOptions
from mesh.embedded.ports import free_ports, require_free
from mesh.embedded.process import Service
from mesh.embedded.signals import StopRequest
from mesh.embedded.state import Running, State
from mesh.embedded.supervisor import Supervisor
from mesh.errors import PlatformFailure
from mesh.kafka import Acl, Admin, Connection
from mesh.kafka.security import Operation

_TOPICS = {
    # Kafka's default of 1 MB, framing included, would refuse schemas just below the registry's own limit of 1 MB.
    SCHEMAS: {"cleanup.policy": "compact", "max.message.bytes": "8388608"},
    AUDIT: {"cleanup.policy": "delete", "retention.ms": "-1"},
}
# DescribeConfigs: at its start the registry sees to it that its log is compacted.
_SCHEMAS: tuple[Operation, ...] = ("Read", "Write", "Create", "Describe", "DescribeConfigs")
_REGISTRY_ACLS = (
    *(Acl(REGISTRY, operation, "Topic", SCHEMAS) for operation in _SCHEMAS),
    Acl(REGISTRY, "Write", "TransactionalId", REGISTRY, "PREFIXED"),
    Acl(REGISTRY, "Describe", "TransactionalId", REGISTRY, "PREFIXED"),
    Acl(REGISTRY, "Read", "Group", REGISTRY, "PREFIXED"),
)


@dataclass(frozen=True, slots=True)
class PlatformOptions:
    """What may be chosen about a mesh; ports that are None are picked free at the first start and remembered."""

    registry_port: int | None = None
    kafka: KafkaOptions = field(default_factory=KafkaOptions)


Programs = Callable[[DataFolder, int], Sequence[Service]]
"""The programs above Kafka, in the order they start, for a folder and the registry's port."""


def mesh_programs(folder: DataFolder, registry_port: int) -> list[Service]:
    """The registry and the gate, each as its own principal."""
    url = f"http://127.0.0.1:{registry_port}"
    return [
        _program(
            folder, "registry", REGISTRY, ("registry", "serve", "--port", str(registry_port)), (registry_port,), url
        ),
        _program(folder, "gate", GATE, ("gate", "run")),
    ]


def _program(
    folder: DataFolder,
    name: str,
    principal: str,
    arguments: Sequence[str],
    ports: tuple[int, ...] = (),
    url: str | None = None,
) -> Service:
    return Service(
        name=name,
        command=[sys.executable, "-m", "mesh", *arguments],
        log=folder.logs / f"{name}.log",
        environment={**os.environ, "MESH_CONFIG": str(folder.config), "MESH_PRINCIPAL": principal},
        ready=None if url is None else lambda: answers_http(f"{url}/health"),
        ports=ports,
    )


def answers_http(url: str) -> bool:
    """Whether a server at ``url`` answers, and not that it cannot serve (5xx)."""
    try:
        return not httpx.get(url, timeout=2, trust_env=False).is_server_error
    except httpx.HTTPError:
        return False


class Platform:
    """A mesh in a folder. As a context manager it starts, and stops all it started in the end.

    Raises AlreadyRunning when another process runs the folder, PlatformFailure when it cannot run.
    """

    def __init__(
        self,
        folder: DataFolder,
        jars: Sequence[Path],
        options: PlatformOptions | None = None,
        tell: Callable[[str], None] = lambda _: None,
        programs: Programs = mesh_programs,
        stop: StopRequest | None = None,
    ) -> None:
        self.folder, self._jars, self._programs, self._tell = folder, jars, programs, tell
        self._options = options or PlatformOptions()
        self.stop_request = stop or StopRequest()
        self._supervisor = Supervisor(self.stop_request, tell, self._write_state)
        self._lock = folder.lock()
        self._ready = False

    def start(self) -> bool:
        """Start everything in order; False when asked to stop meanwhile. Whatever the outcome, call ``stop``."""
        self._lock.acquire()
        self.folder.prepare()
        port, kafka = self._registry_port(), self._kafka()
        self._tell("starting Kafka")
        if not self._supervisor.start(kafka.services()):
            return False
        self.folder.write_config(kafka.layout.bootstrap, port)
        furnish(kafka.connection, self.folder)
        for service in self._programs(self.folder, port):
            self._tell(f"starting the {service.name}")
            if not self._supervisor.start([service]):
                return False
        self._ready = True
        self._write_state(self.running())
        return True

    def watch(self) -> None:
        """Restart what dies until asked to stop."""
        self._supervisor.watch()

    def stop(self) -> None:
        """Stop everything in reverse order and give the folder back."""
        self._supervisor.stop()
        self._lock.release()

    def running(self) -> tuple[Running, ...]:
        """What runs now."""
        return self._supervisor.running()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _kafka(self) -> EmbeddedKafka:
        folder = self.folder
        if not folder.has_secret(ADMIN) and any(folder.kafka.iterdir()):
            raise PlatformFailure(
                f"the password of {ADMIN} is gone from {folder.root}/secrets; restore it, or start in another folder"
            )
        return EmbeddedKafka(folder.kafka, self._jars, folder.secret(ADMIN), self._options.kafka, folder.logs)

    def _registry_port(self) -> int:
        port = self._options.registry_port or self.folder.registry_port() or free_ports(1)[0]
        require_free(port, "the registry", "--registry-port")
        return port

    def _write_state(self, services: tuple[Running, ...]) -> None:
        self.folder.write_state(State(os.getpid(), self._ready, services))


def furnish(connection: Connection, folder: DataFolder) -> None:
    """Users, topics and rights of the platform itself; what is there already stays as it is."""
    with Admin(connection) as admin:
        known = admin.users()
        for principal in (GATE, REGISTRY, LINEAGE):
            if principal not in known or not folder.has_secret(principal):
                admin.create_user(principal, folder.secret(principal))
        there = set(admin.topic_names())
        for name, config in _TOPICS.items():
            if name not in there:
                admin.create_topic(name, 1, config)
        admin.create_acls([*_REGISTRY_ACLS, *gate_acls(), *lineage_acls()])
