"""Sinks of OpenLineage events: where they are configured, and that none of them can hold anything up."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mesh.errors import SettingsError
from mesh.kafka import Connection
from mesh.lineage.openlineage.sinks import Outbox, Outboxes, PostSink, Tally
from mesh.settings import Settings
from tests.support.broker import eventually

EVENT = {"eventType": "START", "job": {"namespace": "d", "name": "gate:d.c.v1"}}


def settings(tmp_path: Path, openlineage: Any) -> Settings:
    path = tmp_path / "mesh.yaml"
    cluster = {"bootstrap": "127.0.0.1:1", "registry": "http://127.0.0.1:1"}
    path.write_text(json.dumps({"clusters": {"one": cluster}, "lineage": {"openlineage": openlineage}}), "utf-8")
    return Settings.load(path)


class Blocked:
    """A sink that hangs until it is let go."""

    def __init__(self) -> None:
        self.go, self.hangs = threading.Event(), threading.Event()
        self.sent = 0

    def send(self, key: str, event: str) -> None:
        self.hangs.set()
        self.go.wait(60)
        self.sent += 1

    def close(self) -> None:
        """Nothing is held."""


def test_a_sink_that_hangs_costs_dropped_events_which_are_counted_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sink = Blocked()
    box = Outbox("slow", sink, capacity=5)
    with caplog.at_level(logging.WARNING):
        for _ in range(6):
            box.put("job", "{}")
        assert sink.hangs.wait(60)
        for _ in range(44):
            box.put("job", "{}")
    assert box.tally.dropped >= 44
    assert len(caplog.records) == 1
    sink.go.set()
    box.close()
    assert box.tally.sent == 50 - box.tally.dropped == sink.sent


@contextmanager
def server(status: int, seen: list[tuple[str, bytes]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.headers.get("Authorization", ""), body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=found.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{found.server_port}/api/v1/lineage"
    finally:
        found.shutdown()
        thread.join()
        found.server_close()


def test_failures_are_counted_and_told_once_and_never_raised(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[tuple[str, bytes]] = []
    with caplog.at_level(logging.WARNING, "mesh"), server(500, seen) as url:
        box = Outbox("marquez", PostSink(url))
        for _ in range(3):
            box.put("job", "{}")
        eventually(lambda: box.tally == Tally(0, 3, 0), 30)
        box.close()
    told = [each for each in caplog.records if each.name.startswith("mesh")]
    assert len(told) == 1
    assert "500" in told[0].getMessage()


def test_several_sinks_get_every_event_and_one_that_is_away_disturbs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARQUEZ_TOKEN", "s3cret")
    console, seen = io.StringIO(), list[tuple[str, bytes]]()
    with server(201, seen) as url:
        sinks = [
            {"kind": "http", "url": url, "token": "env:MARQUEZ_TOKEN"},
            {"kind": "http", "url": "http://127.0.0.1:1/nobody"},
            {"kind": "composite", "sinks": [{"kind": "file", "path": "events.ndjson"}, {"kind": "console"}]},
        ]
        configured = settings(tmp_path, {"kind": "composite", "sinks": sinks})
        boxes = Outboxes.of(configured, Connection("127.0.0.1:1"), console)
        boxes.send([EVENT, EVENT])
        boxes.close()
    assert [json.loads(body) for _, body in seen] == [EVENT, EVENT]
    assert {header for header, _ in seen} == {"Bearer s3cret"}
    lines = (tmp_path / "events.ndjson").read_text("utf-8")
    assert [json.loads(line) for line in lines.splitlines()] == [EVENT, EVENT]
    assert console.getvalue() == lines


@pytest.mark.parametrize(
    ("openlineage", "told"),
    [
        ({"kind": "carrier-pigeon"}, "carrier-pigeon"),
        ({"kind": "http"}, "url"),
        ({"kind": "composite", "sinks": []}, "sinks"),
        ({"kind": "file", "path": "x", "topic": "y"}, "topic"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, openlineage: Any, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        settings(tmp_path, openlineage)


def test_a_token_that_is_missing_is_told(tmp_path: Path) -> None:
    configured = settings(tmp_path, {"kind": "http", "url": "http://127.0.0.1:1", "token": "env:NOBODY_SETS_THIS"})
    with pytest.raises(SettingsError, match="NOBODY_SETS_THIS"):
        Outboxes.of(configured, Connection("127.0.0.1:1"), io.StringIO())


def test_without_sinks_nothing_is_made(tmp_path: Path) -> None:
    boxes = Outboxes.of(settings(tmp_path, None), Connection("127.0.0.1:1"), io.StringIO())
    boxes.send([EVENT])
    assert boxes.tallies == {}
    boxes.close()
