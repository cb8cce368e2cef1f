"""Where events go. None of them can stop what is told about: a bounded queue, and what does not fit is counted."""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TextIO

import httpx
from pydantic import SecretStr

from mesh.errors import MeshError
from mesh.kafka import Connection, Producer
from mesh.settings import CompositeSink, ConsoleSink, FileSink, HttpSink, KafkaSink, Settings, SinkSettings

logger = logging.getLogger(__name__)

CAPACITY: Final = 10_000
"""Events waiting for one sink; some 35 MB. More would only put off the moment at which they are dropped."""

_SECONDS: Final = 5.0
_CLOSING: Final = object()


class Sink(Protocol):
    """Takes events one by one; may raise MeshError, OSError or httpx.HTTPError, and may be slow."""

    def send(self, key: str, event: str) -> None:
        """Deliver one event; ``key`` is the same for all of one job."""

    def close(self) -> None:
        """Give back what is held."""


class PostSink:
    """Posts each event to a URL."""

    def __init__(self, url: str, token: SecretStr | None = None) -> None:
        headers = {"Content-Type": "application/json"}
        headers |= {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
        self._url = url
        self._client = httpx.Client(timeout=_SECONDS, trust_env=False, headers=headers)

    def send(self, key: str, event: str) -> None:
        """One request; an answer of 400 or more is a failure."""
        self._client.post(self._url, content=event.encode()).raise_for_status()

    def close(self) -> None:
        self._client.close()


class TextSink:
    """Writes a line for each event."""

    def __init__(self, text: TextIO, *, own: bool) -> None:
        self._text, self._own = text, own

    def send(self, key: str, event: str) -> None:
        """One line, at once."""
        self._text.write(event + "\n")
        self._text.flush()

    def close(self) -> None:
        if self._own:
            self._text.close()


class TopicSink:
    """Writes each event to a topic, keyed as OpenLineage's own transport does."""

    def __init__(self, connection: Connection, topic: str) -> None:
        self._producer, self._topic = Producer(connection, linger_ms=0), topic

    def send(self, key: str, event: str) -> None:
        """Wait until the broker has it: what it refuses is to be counted with the event that it refused."""
        self._producer.write(self._topic, key=f"run:{key}".encode(), value=event.encode(), partition=None)

    def close(self) -> None:
        self._producer.close()


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the events of one sink."""

    sent: int
    failed: int
    dropped: int


class Outbox:
    """A queue before one sink, and a thread that empties it. ``put`` never waits and never raises."""

    def __init__(self, name: str, sink: Sink, capacity: int = CAPACITY) -> None:
        self.name, self._sink = name, sink
        self._waiting: queue.Queue[Any] = queue.Queue(capacity)
        self._sent = self._failed = self._dropped = 0
        self._told = self._full = False
        self._thread = threading.Thread(target=self._run, name=f"openlineage-{name}", daemon=True)
        self._thread.start()

    @property
    def tally(self) -> Tally:
        return Tally(self._sent, self._failed, self._dropped)

    def put(self, key: str, event: str) -> None:
        """Take an event for the sink, or drop and count it when too many wait; told once until all were taken."""
        if self._waiting.empty():
            self._full = False
        try:
            self._waiting.put_nowait((key, event))
        except queue.Full:
            self._dropped += 1
            if not self._full:
                self._full = True
                logger.warning(
                    "OpenLineage events for %s are dropped: %d wait already", self.name, self._waiting.maxsize
                )

    def close(self, seconds: float = _SECONDS) -> None:
        """Let what waits out, for at most ``seconds``."""
        try:
            self._waiting.put(_CLOSING, timeout=seconds)
        except queue.Full:
            return
        self._thread.join(seconds)

    def _run(self) -> None:
        while (taken := self._waiting.get()) is not _CLOSING:
            self._deliver(*taken)
        try:
            self._sink.close()
        except (MeshError, OSError, httpx.HTTPError) as error:
            self._fail(error)

    def _deliver(self, key: str, event: str) -> None:
        try:
            self._sink.send(key, event)
        except (MeshError, OSError, ValueError, httpx.HTTPError, httpx.InvalidURL) as error:
            self._fail(error)
        else:
            self._sent += 1
            self._told = False

    def _fail(self, error: Exception) -> None:
        self._failed += 1
        if not self._told:
            self._told = True
            logger.warning("OpenLineage events do not reach %s: %s", self.name, error)


class Outboxes:
    """All sinks that are configured."""

    def __init__(self, boxes: Iterable[Outbox] = ()) -> None:
        self._boxes = tuple(boxes)

    @classmethod
    def of(cls, settings: Settings, connection: Connection, console: TextIO) -> Outboxes:
        """The sinks of the settings; raises SettingsError for a token that is missing, OSError for a file."""
        configured = settings.lineage.openlineage
        if configured is None:
            return cls()
        return cls(Outbox(_name(each), _sink(each, settings, connection, console)) for each in _flat(configured))

    def send(self, events: Iterable[dict[str, Any]]) -> None:
        """Give each event to every sink."""
        if not self._boxes:
            return
        for event in events:
            text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
            for box in self._boxes:
                box.put(f"{event['job']['namespace']}/{event['job']['name']}", text)

    @property
    def tallies(self) -> dict[str, Tally]:
        return {box.name: box.tally for box in self._boxes}

    def close(self) -> None:
        """Let what waits out, for some seconds at most."""
        for box in self._boxes:
            box.close()


def _flat(settings: SinkSettings) -> list[HttpSink | FileSink | KafkaSink | ConsoleSink]:
    if isinstance(settings, CompositeSink):
        return [each for inner in settings.sinks for each in _flat(inner)]
    return [settings]


def _name(settings: HttpSink | FileSink | KafkaSink | ConsoleSink) -> str:
    match settings:
        case HttpSink():
            return httpx.URL(settings.url).host or "http"
        case FileSink():
            return settings.path.name
        case KafkaSink():
            return settings.topic
    return settings.kind


def _sink(
    chosen: HttpSink | FileSink | KafkaSink | ConsoleSink, settings: Settings, connection: Connection, console: TextIO
) -> Sink:
    match chosen:
        case HttpSink():
            return PostSink(chosen.url, settings.token(chosen.token) if chosen.token else None)
        case FileSink():
            return TextSink(_appending(settings.folder / chosen.path), own=True)
        case KafkaSink():
            return TopicSink(connection, chosen.topic)
    return TextSink(console, own=False)


def _appending(path: Path) -> TextIO:
    return path.open("a", encoding="utf-8")
