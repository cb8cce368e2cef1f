"""Whether a gate works and whether it serves everything, told over HTTP to whoever restarts or routes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

from mesh.errors import SettingsError
from mesh.types import Clock, TopicPartition

# Taking up partitions waits up to 60 s for a broker that fails over; a loop that has not turned for longer hangs.
STUCK_SECONDS = 75.0


class Serving(Protocol):
    """What a gate's step knows of itself; asked by other threads than its own."""

    @property
    def joined(self) -> bool:
        """Whether the group has given it its partitions, or there are none to be had."""

    def positions(self) -> Mapping[TopicPartition, int]:
        """The partitions held."""

    def troubles(self) -> Mapping[str, str]:
        """What cannot be served now, and why."""


class GateHealth:
    """The two questions. ``registry`` gives why the registry cannot be asked, and an empty text when it can."""

    def __init__(self, registry: Callable[[], str], clock: Clock) -> None:
        self._registry, self._clock = registry, clock
        self._turned = clock.monotonic()
        self._step: Serving | None = None

    def serving(self, step: Serving) -> None:
        """The step whose gate this is about."""
        self._step = step

    def turned(self) -> None:
        """The loop has come round."""
        self._turned = self._clock.monotonic()

    def alive(self) -> list[str]:
        """Why the process should be started again; empty when it should not."""
        silent = self._clock.monotonic() - self._turned
        return [f"the loop has not turned for {silent:.0f} s"] if silent > STUCK_SECONDS else []

    def ready(self) -> list[str]:
        """Why not everything is served; empty when it is."""
        reasons = self.alive()
        step = self._step
        if step is None or not step.joined:
            reasons.append("the group has not given it its partitions yet")
        if registry := self._registry():
            reasons.append(registry)
        troubles = step.troubles() if step is not None else {}
        return reasons + [f"{name}: {reason}" for name, reason in sorted(troubles.items())]

    def answer(self, path: str) -> tuple[HTTPStatus, dict[str, object]]:
        """What a request gets: 200 or 503 with the reasons, 404 for any other path."""
        questions = {"/health": self.alive, "/ready": self.ready}
        if path not in questions:
            return HTTPStatus.NOT_FOUND, {"error": "ask /health or /ready"}
        reasons = questions[path]()
        content: dict[str, object] = {"ok": not reasons, "reasons": reasons}
        if path == "/ready" and self._step is not None:
            content["partitions"] = len(self._step.positions())
        return (HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK), content


@contextmanager
def serving_health(health: GateHealth, place: str) -> Iterator[int]:
    """Answer requests at ``PORT`` (on loopback) or ``HOST:PORT`` meanwhile; gives the port. Raises SettingsError."""
    host, _, port = place.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise SettingsError(f"{place!r} is no place to answer at; write a port, or HOST:PORT")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, content = health.answer(self.path.partition("?")[0])
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the library
            """Probes come every few seconds; nobody wants to read of them."""

    try:
        server = ThreadingHTTPServer((host or "127.0.0.1", int(port)), Handler)
    except OSError as error:
        raise SettingsError(f"cannot answer at {place}: {error.strerror}; choose another port") from None
    thread = threading.Thread(target=server.serve_forever, name="health", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
