"""Loopback ports: which are free, and a clear word when a wanted one is not."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack

from mesh.errors import PlatformFailure

_HOST = "127.0.0.1"
# Below the range systems hand to outgoing connections: a remembered port there could be taken by any browser tab.
_RANGE = range(20_000, 32_000)
_TRIES = 500


def free_ports(count: int) -> list[int]:
    """``count`` different ports nobody listens on now; raises PlatformFailure when there are none."""
    found: list[int] = []
    with ExitStack() as held:
        for port in random.SystemRandom().sample(_RANGE, _TRIES):
            if len(found) == count:
                break
            probe = held.enter_context(socket.socket())
            if _bound(probe, port):
                found.append(port)
    if len(found) < count:
        raise PlatformFailure(f"no free port on {_HOST} between {_RANGE.start} and {_RANGE.stop}")
    return found


def require_free(port: int, use: str, option: str) -> None:
    """Raise PlatformFailure, naming the port, when another program listens on it."""
    with socket.socket() as probe:
        if not _bound(probe, port):
            raise PlatformFailure(
                f"port {port} for {use} is in use by another program; stop that one, or choose a port with {option}"
            )


def _bound(probe: socket.socket, port: int) -> bool:
    # As Java does: a port whose last connections are still in TIME_WAIT counts as free.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((_HOST, port))
        probe.listen(1)
    except OSError:
        return False
    return True


def answers(port: int, seconds: float = 0.5) -> bool:
    """Whether something takes connections on a loopback port."""
    try:
        with socket.create_connection((_HOST, port), timeout=seconds):
            return True
    except OSError:
        return False
