"""Serving the registry: its socket, its signals, and ending when the log is lost to another process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

from mesh.kafka import Connection
from mesh.registry.app import application
from mesh.registry.credentials import Credentials
from mesh.registry.exchange import Service
from mesh.registry.log import TOPIC, KafkaSchemaLog
from mesh.registry.registry import Registry
from mesh.registry.serving import listen, server_of, url_of, verifier

_WATCH_SECONDS = 0.5


class RegistryServer:
    """One registry on one socket. ``run`` blocks; ``stop`` may be called from any thread."""

    def __init__(self, service: Service, bound: socket.socket) -> None:
        self.registry, self._socket = service.registry, bound
        self._server = server_of(application(service))
        self._done = threading.Event()

    @property
    def url(self) -> str:
        """Where it listens."""
        return url_of(self._socket)

    def run(self, ready: Callable[[str], None] = lambda url: None) -> None:
        """Start, say where, and serve until SIGTERM, SIGINT or ``stop``.

        Raises what ended it: Fenced when another registry has taken the log over, or what the broker says.
        """
        watch = threading.Thread(target=self._watch, name="registry-watch", daemon=True)
        try:
            self.registry.start()
            ready(self.url)
            watch.start()
            self._server.run(sockets=[self._socket])
        finally:
            self._done.set()
            self.registry.close()
            self._socket.close()
        if self.registry.failure is not None:
            raise self.registry.failure

    def stop(self) -> None:
        """Answer what is under way, then end."""
        self._server.should_exit = True

    def _watch(self) -> None:
        while not self._done.wait(_WATCH_SECONDS):
            if self.registry.failure is not None:
                self.stop()


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Where a registry listens, who may read from it, and which topic is its log."""

    host: str = "127.0.0.1"
    port: int = 8081
    open_reads: bool = True
    topic: str = TOPIC


def serve(connection: Connection, options: ServerOptions, ready: Callable[[str], None]) -> None:
    """Run a registry until a signal; raises MeshError."""
    registry = Registry(KafkaSchemaLog(connection, options.topic))
    service = Service(registry, Credentials(verifier(connection)), options.open_reads)
    RegistryServer(service, listen(options.host, options.port)).run(ready)
