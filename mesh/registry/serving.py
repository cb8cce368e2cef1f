"""What the HTTP services of the mesh share: a socket, a server with its own signals, and checking logins."""

from __future__ import annotations

import ipaddress
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from mesh.errors import PlatformFailure
from mesh.kafka import Connection, verify_credentials
from mesh.registry.credentials import Verify

_BACKLOG: Final = 1024
_STOP_SECONDS: Final = 5


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


def listen(host: str, port: int, service: str = "the registry") -> socket.socket:
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
            f"{service} cannot listen on {host}:{port}: {error.strerror}; stop what uses it or choose another port"
        ) from None
    return bound


def url_of(bound: socket.socket) -> str:
    """Where a socket listens."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def server_of(app: ASGIApp) -> uvicorn.Server:
    """A server that logs nothing of its own and ends on SIGTERM and SIGINT with its own exit code."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        ws="none",
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    return _Server(config)


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
