"""What is told is what a collector and Prometheus get: real SDK, real exporters, no network but loopback."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from mesh.embedded.ports import free_ports
from mesh.errors import SettingsError
from mesh.settings import TelemetrySettings
from mesh.telemetry import (
    METRICS,
    OPERATION,
    PARTITION,
    PRODUCT,
    READ,
    Kind,
    SpanName,
    SpanStart,
    Telemetry,
    _Live,
    telemetry_of,
)

trace = pytest.importorskip("opentelemetry.sdk.trace")
export = pytest.importorskip("opentelemetry.sdk.trace.export")
memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
pytest.importorskip("opentelemetry.exporter.prometheus")

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans() -> Any:
    return memory.InMemorySpanExporter()


@pytest.fixture
def telemetry(spans: Any) -> Iterator[Telemetry]:
    provider = trace.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(spans))
    yield _Live(tracers=provider)
    provider.shutdown()


def scrape(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return str(answer.read().decode())


def test_every_metric_is_served_under_the_name_that_dashboards_use() -> None:
    port = free_ports(1)[0]
    telemetry = telemetry_of(TelemetrySettings(prometheus=port), "test", serve=True)
    try:
        for metric in METRICS:
            if metric.kind is Kind.COUNTER:
                telemetry.add(metric, 3, dict.fromkeys(metric.attributes, "x"))
            elif metric.kind is Kind.HISTOGRAM:
                telemetry.record(metric, 0.25, {})
            else:
                telemetry.observe(metric, lambda: [(7, {PRODUCT: "a.b", PARTITION: "0"})])
        text = scrape(port)
        for metric in METRICS:
            name = metric.prometheus + ("_count" if metric.kind is Kind.HISTOGRAM else "")
            assert f"\n{name}{{" in text, f"{name} is not among\n{text}"
        assert f'{READ.prometheus}{{mesh_product="x",messaging_destination_partition_id="x"' in text
    finally:
        telemetry.close()
    with pytest.raises(OSError, match="refused"):
        scrape(port)


def test_a_port_that_is_taken_is_said_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"cannot be served on 127.0.0.1:{port}"):
            telemetry_of(TelemetrySettings(prometheus=port), "test", serve=True)


def test_a_span_goes_on_where_the_record_came_from(telemetry: Telemetry, spans: Any) -> None:
    with telemetry.span(SpanStart(SpanName.SEND, "a.b.v1.ingress", {OPERATION: "send"})) as sent:
        headers = sent.headers
    assert [name for name, _ in headers] == ["traceparent"]
    with telemetry.span(SpanStart(SpanName.PROCESS, "a.b.v1", {}, [("other", None), *headers])):
        pass
    first, second = spans.get_finished_spans()
    assert (first.name, second.name) == ("send a.b.v1.ingress", "process a.b.v1")
    assert first.parent is None
    assert second.parent.span_id == first.context.span_id
    assert second.context.trace_id == first.context.trace_id
    assert (first.kind.name, second.kind.name) == ("PRODUCER", "CONSUMER")
    assert first.attributes["messaging.system"] == "kafka"


def test_what_a_program_does_meanwhile_belongs_to_the_span(telemetry: Telemetry, spans: Any) -> None:
    with telemetry.span(SpanStart(SpanName.PROCESS, "outer")), telemetry.span(SpanStart(SpanName.SEND, "inner")):
        pass
    with telemetry.span(SpanStart(SpanName.SEND, "after")):
        pass
    inner, outer, after = spans.get_finished_spans()
    assert inner.parent.span_id == outer.context.span_id
    assert after.parent is None


@pytest.mark.parametrize("junk", [b"", b"\xff\xfe", b"00-0-0-0", b"x" * 10_000, PARENT.replace(b"0af", b"XYZ")])
def test_headers_that_are_no_context_are_passed_over(telemetry: Telemetry, spans: Any, junk: bytes) -> None:
    start = SpanStart(SpanName.TRANSACTION, links=[junk, PARENT], parent=[("traceparent", junk)])
    with telemetry.span(start):
        pass
    (span,) = spans.get_finished_spans()
    assert span.parent is None
    assert [f"{link.context.span_id:x}" for link in span.links] == ["b7ad6b7169203331"]


def test_an_error_is_told_by_its_class_and_never_by_its_text(telemetry: Telemetry, spans: Any) -> None:
    with pytest.raises(ValueError, match="tin"), telemetry.span(SpanStart(SpanName.PROCESS, "t")):
        raise ValueError("tin 123-45-6789")
    (span,) = spans.get_finished_spans()
    assert span.attributes["error.type"] == "ValueError"
    assert span.status.status_code.name == "ERROR"
    assert "123-45-6789" not in span.to_json()
