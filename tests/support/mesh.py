"""A whole mesh on the broker tests share: registry and gate as processes of their own, contracts applied."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import yaml

from mesh.catalog import Catalog
from mesh.contract import Contract
from mesh.embedded import tether
from mesh.embedded.folder import DataFolder
from mesh.embedded.platform import answers_http, furnish
from mesh.embedded.ports import free_ports
from mesh.errors import RetriableError
from mesh.kafka import Admin, Connection
from mesh.plan import Folder, Site, apply, survey
from mesh.registry import RegistryClient
from mesh.settings import Settings
from mesh.types import TopicPartition
from tests.support.broker import Broker, eventually


class Program:
    """A ``mesh`` command in a process of its own that can be killed and started again."""

    def __init__(self, folder: DataFolder, *arguments: str) -> None:
        self._folder, self._arguments = folder, arguments
        self.process: subprocess.Popen[bytes] | None = None
        self.log: Path = folder.logs / ("-".join(arguments[:2]) + ".log")

    def start(self) -> None:
        environment = {**os.environ, "MESH_CONFIG": str(self._folder.config)}
        log: IO[bytes]
        with self.log.open("ab") as log:
            # Tied to this process: a test run that is killed leaves nothing behind.
            tie = [sys.executable, tether.__file__, str(os.getpid())]
            command = [*tie, sys.executable, "-m", "mesh", *self._arguments]
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def ensure(self) -> None:
        """Start it where it does not run, however the test before ended."""
        if self.process is None or self.process.poll() is not None:
            self.start()

    def await_life(self, ready: Callable[[], bool]) -> None:
        """Wait until it is ready; fail with its last words when it ends instead."""
        process = self.process
        assert process is not None
        eventually(lambda: process.poll() is not None or ready(), 30)
        assert process.poll() is None, self.log.read_text(encoding="utf-8")[-2000:]

    def kill(self) -> None:
        """As the kernel would: no chance to tidy up."""
        self._end(signal.SIGKILL)

    def stop(self, within: float = 30) -> int:
        """As an operator would; gives the exit code."""
        return self._end(signal.SIGTERM, within)

    def _end(self, number: int, within: float = 30) -> int:
        if self.process is None:
            return 0
        self.process.send_signal(number)
        return self.process.wait(within)


class RunningMesh:
    """The mesh of a test session."""

    def __init__(self, kafka: Broker, folder: DataFolder) -> None:
        self.kafka, self.folder = kafka, folder
        self.settings: Settings = folder.settings()
        self.gate = Program(folder, "gate", "run")
        self.registry_program = Program(folder, "registry", "serve")

    @property
    def admin(self) -> Connection:
        return self.kafka.admin

    def registry(self, principal: str | None = None) -> RegistryClient:
        """A client of the registry, anonymous or as somebody."""
        if principal is None:
            return RegistryClient(self.settings.home.registry)
        return RegistryClient(self.settings.home.registry, principal, self.settings.password(principal))

    def connection(self, principal: str) -> Connection:
        """The way in of a principal that a contract made."""
        return Connection.of(self.settings, principal)

    def apply(self, *contracts: Contract, source: str = "tests") -> None:
        """Apply contracts, as `mesh apply` does."""
        with Site.open(self.settings, contracts[0].product.domain) as site:
            folder = Folder(source, tuple(contracts))
            apply(survey(site, folder.contracts, folder.source), site)

    def catalog(self) -> Catalog:
        return Catalog(self.admin)

    def await_gated(self, contract: Contract, seconds: float = 30.0) -> None:
        """Wait until the gate has committed the end of every ingress partition of a product."""
        places = [TopicPartition(contract.topics.ingress, number) for number in range(contract.partitions)]
        with Admin(self.admin) as admin:

            def done() -> bool:
                try:
                    ends = admin.ends(places, committed=True)
                    committed = admin.committed("_mesh.gate.default", places)
                except RetriableError:
                    return False
                return all((committed[place] or 0) >= end for place, end in ends.items())

            eventually(done, seconds)


@contextmanager
def running_mesh(kafka: Broker, beside: Mapping[str, Mapping[str, Any]] | None = None) -> Iterator[RunningMesh]:
    """Furnish the broker and run a registry and a gate on it; ``beside`` are other clusters of its configuration."""
    with tempfile.TemporaryDirectory(prefix="mesh-tests-") as root:
        folder = DataFolder(Path(root))
        folder.prepare()
        (folder.root / "secrets" / "_mesh.admin").write_text(_password(kafka.admin), encoding="utf-8")
        furnish(kafka.admin, folder)
        port = free_ports(1)[0]
        if beside is not None:
            # The first cluster of a configuration is its home; what follows is filled in by the next line.
            folder.config.write_text(yaml.safe_dump({"clusters": {"main": {}, **beside}}, sort_keys=False), "utf-8")
        folder.write_config(kafka.bootstrap, port)
        mesh = RunningMesh(kafka, folder)
        try:
            mesh.registry_program.start()
            mesh.registry_program.await_life(lambda: answers_http(mesh.settings.home.registry))
            mesh.gate.start()
            yield mesh
        finally:
            mesh.gate.stop()
            mesh.registry_program.stop()


def _password(connection: Connection) -> str:
    return connection.password.get_secret_value() if connection.password is not None else ""


def now_ms() -> int:
    return int(time.time() * 1000)
