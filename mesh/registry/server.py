"""Serving the registry: its socket, its signals, and ending when the log is lost to another process."""

from __future__ import annotations

import ipaddress
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import uvicorn

from mesh.errors import PlatformFailure
from mesh.kafka import Connection, verify_credentials
from mesh.registry.app import application
from mesh.registry.credentials import Credentials, Verify
from mesh.registry.exchange import Service
from mesh.registry.log import TOPIC, KafkaSchemaLog
from mesh.registry.registry import Registry

_BACKLOG = 1024
_STOP_SECONDS = 5
_WATCH_SECONDS = 0.5


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a socket bound to ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def verifier(connection: Connection) -> Verify:
    """Verifies logins by a handshake with the broker that ``connection`` leads to."""

    def verify(principal: str, password: str) -> bool:
        return verify_credentials(connection.as_principal(principal, password))

    return verify


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one, who connects early waits. Raises PlatformFailure."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle's delay off only for sockets that say they are TCP.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise PlatformFailure(
            f"the registry cannot listen on {host}:{port}: {error.strerror}; stop what uses it or choose another port"
        ) from None
    return bound


class RegistryServer:
    """One registry on one socket. ``run`` blocks; ``stop`` may be called from any thread."""

    def __init__(self, service: Service, bound: socket.socket) -> None:
        self.registry, self._socket = service.registry, bound
        config = uvicorn.Config(
            application(service),
            log_config=None,
            access_log=False,
            ws="none",
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=_STOP_SECONDS,
        )
        self._server = _Server(config)
        self._done = threading.Event()

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

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


class _Server(uvicorn.Server):
    """Ends with its own exit code after a signal: the library's server raises the signal again when it is done."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def leave(_: int, __: FrameType | None) -> None:
            self.should_exit = True

        before = {each: signal.signal(each, leave) for each in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


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
