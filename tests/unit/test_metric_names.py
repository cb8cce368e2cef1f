"""The list of metrics: one meaning each, named by the conventions, and nothing of OpenTelemetry without being asked."""

from __future__ import annotations

import re
import subprocess
import sys

from mesh.telemetry import METRICS, SILENT, Kind, SpanName, SpanStart


def test_names_are_unique_and_in_the_form_of_the_conventions() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert re.fullmatch(r"(messaging|mesh)(\.[a-z]+)+", metric.name)
        assert metric.unit == "s" or re.fullmatch(r"\{[a-z]+\}", metric.unit), metric.name
        assert metric.description[0].isupper()
        assert metric.description[-1] != "."


def test_durations_are_in_seconds_and_no_name_says_so() -> None:
    assert all(metric.unit == "s" for metric in METRICS if metric.kind is Kind.HISTOGRAM)
    assert not any("second" in metric.name for metric in METRICS)


def test_silence_takes_everything_and_gives_no_headers() -> None:
    for metric in METRICS:
        SILENT.add(metric, 1, {})
        SILENT.record(metric, 1.0, {})
        SILENT.observe(metric, list)
    with SILENT.span(SpanStart(SpanName.SEND, "a.b.v1.ingress")) as span:
        assert span.headers == []
    assert not SILENT.active


def test_nothing_of_opentelemetry_is_imported_unless_it_is_configured() -> None:
    program = (
        "import sys, mesh.connection, mesh.gate\n"
        "from mesh.telemetry import SILENT, telemetry_of\n"
        "from mesh.settings import TelemetrySettings\n"
        "assert telemetry_of(None, 'x') is SILENT\n"
        "assert telemetry_of(TelemetrySettings(prometheus=9464), 'a program that comes and goes') is SILENT\n"
        "assert not [name for name in sys.modules if name.startswith(('opentelemetry', 'prometheus_client'))]\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
