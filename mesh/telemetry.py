"""Metrics, spans and the trace context in record headers; silent and free of cost until an exporter is configured."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from types import TracebackType
from typing import Any, Final, Self

from mesh.errors import SettingsError
from mesh.settings import TelemetrySettings
from mesh.types import Headers

logger = logging.getLogger(__name__)

Attributes = Mapping[str, str | int]
Measurements = Iterable[tuple[float, Attributes]]

TRACEPARENT: Final = "traceparent"

# Attributes of the semantic conventions for messaging, https://opentelemetry.io/docs/specs/semconv/messaging/
SYSTEM: Final = "messaging.system"
DESTINATION: Final = "messaging.destination.name"
PARTITION: Final = "messaging.destination.partition.id"
OPERATION: Final = "messaging.operation.name"
OPERATION_TYPE: Final = "messaging.operation.type"
GROUP: Final = "messaging.consumer.group.name"
OFFSET: Final = "messaging.kafka.offset"
BATCH: Final = "messaging.batch.message_count"
ERROR: Final = "error.type"
# Our own, where the conventions have none.
PRODUCT: Final = "mesh.product"
CLAUSE: Final = "mesh.clause"
CAUSE: Final = "mesh.cause"
OUTCOME: Final = "mesh.outcome"
PURPOSE: Final = "mesh.purpose"

_OF_PARTITION = (PRODUCT, PARTITION)


class Kind(StrEnum):
    """What an instrument does with the numbers it is given."""

    COUNTER = "counter"
    HISTOGRAM = "histogram"
    GAUGE = "gauge"
    """Asked for its values when they are exported."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: its name, UCUM unit, and the attributes its values carry."""

    name: str
    kind: Kind
    unit: str
    description: str
    attributes: tuple[str, ...] = ()

    @property
    def prometheus(self) -> str:
        """What Prometheus calls it, as OpenTelemetry's exporter translates names; histograms add ``_bucket`` etc."""
        unit = {"s": "_seconds"}.get(self.unit, "")
        return self.name.replace(".", "_") + unit + ("_total" if self.kind is Kind.COUNTER else "")


SENT = Metric(
    "messaging.client.sent.messages",
    Kind.COUNTER,
    "{message}",
    "Records a program has published",
    (SYSTEM, OPERATION, DESTINATION),
)
CONSUMED = Metric(
    "messaging.client.consumed.messages",
    Kind.COUNTER,
    "{message}",
    "Records a subscription has processed",
    (SYSTEM, OPERATION, GROUP),
)
READ = Metric("mesh.gate.records.read", Kind.COUNTER, "{record}", "Ingress records judged", _OF_PARTITION)
ACCEPTED = Metric("mesh.gate.records.accepted", Kind.COUNTER, "{record}", "Records made public", _OF_PARTITION)
QUARANTINED = Metric("mesh.gate.records.quarantined", Kind.COUNTER, "{record}", "Records refused", _OF_PARTITION)
REPEATED = Metric("mesh.gate.records.repeated", Kind.COUNTER, "{record}", "Outputs that came again", _OF_PARTITION)
PARKED = Metric("mesh.gate.records.parked", Kind.COUNTER, "{record}", "Records that began to wait", _OF_PARTITION)
RELEASED = Metric(
    "mesh.gate.records.released",
    Kind.COUNTER,
    "{record}",
    "Records read earlier that left: parked ones, and those that were replayed",
    _OF_PARTITION,
)
FINDINGS = Metric(
    "mesh.gate.findings",
    Kind.COUNTER,
    "{record}",
    "Records that broke a clause; one record may break several",
    (*_OF_PARTITION, CLAUSE),
)
TRANSACTIONS = Metric("mesh.gate.transactions", Kind.COUNTER, "{transaction}", "Transactions ended", (OUTCOME,))
COMMIT = Metric("mesh.gate.commit.duration", Kind.HISTOGRAM, "s", "From the manifests to the end of the commit")
LAG_RECORDS = Metric("mesh.gate.lag.records", Kind.GAUGE, "{record}", "Ingress records not judged yet", _OF_PARTITION)
LAG_SECONDS = Metric(
    "mesh.gate.lag.duration", Kind.GAUGE, "s", "How long the oldest ingress record has waited", _OF_PARTITION
)
BREACHES = Metric(
    "mesh.sla.breaches", Kind.COUNTER, "{breach}", "Promises of contracts that were broken", (PRODUCT, CLAUSE, CAUSE)
)

METRICS: Final = (
    SENT,
    CONSUMED,
    READ,
    ACCEPTED,
    QUARANTINED,
    REPEATED,
    PARKED,
    RELEASED,
    FINDINGS,
    TRANSACTIONS,
    COMMIT,
    LAG_RECORDS,
    LAG_SECONDS,
    BREACHES,
)
"""Every metric of the mesh; an instrument is made of these alone."""


class SpanName(StrEnum):
    """Every span; the first two are followed by the topic, as the conventions ask."""

    SEND = "send"
    PROCESS = "process"
    TRANSACTION = "mesh.gate.transaction"


@dataclass(frozen=True, slots=True)
class SpanStart:
    """A span to be: the context of ``parent`` is taken from record headers, each of ``links`` is a traceparent."""

    name: SpanName
    topic: str = ""
    attributes: Attributes | None = None
    parent: Headers = ()
    links: Sequence[bytes] = ()


class Span:
    """Work under way, as a context manager: what happens inside belongs to it. This one is told to nobody."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """It ends; an error marks it with the error's class and never its text, which may show values."""

    @property
    def headers(self) -> list[tuple[str, bytes | None]]:
        """Its trace context (W3C), to be carried by a record."""
        return []


class Telemetry:
    """Tells nobody anything; ``telemetry_of`` gives one that does."""

    active = False
    """Whether anybody listens; ask before making what ``add``, ``record`` or ``span`` are given."""

    def add(self, metric: Metric, amount: int, attributes: Attributes) -> None:
        """Count on."""

    def record(self, metric: Metric, value: float, attributes: Attributes) -> None:
        """One value of a histogram."""

    def observe(self, metric: Metric, ask: Callable[[], Measurements]) -> None:
        """Have a gauge ask for its values at every export, in the exporter's thread."""

    def span(self, start: SpanStart) -> Span:
        """Begin a span; enter it, or it is never told."""
        return Span()

    def close(self) -> None:
        """Send what is still to be sent."""


SILENT: Final = Telemetry()


def telemetry_of(settings: TelemetrySettings | None, service: str, *, serve: bool = False) -> Telemetry:
    """The telemetry that is configured, else that of a program which has set up OpenTelemetry itself, else silence.

    Only with ``serve``, for processes that stay, is the port for Prometheus opened. Raises SettingsError when the
    packages of the extra ``telemetry`` are missing or the port cannot be had.
    """
    port = settings.prometheus if settings is not None and serve else None
    if settings is None or (settings.otlp is None and port is None):
        # A program that has configured the SDK has imported it; to import it here would cost everybody else.
        return _Live() if "opentelemetry.sdk" in sys.modules else SILENT
    try:
        return _Live(*_providers(settings, service, port))
    except ImportError as error:
        raise SettingsError(
            f"telemetry is configured, but {error.name} is missing: pip install 'mesh-backbone[telemetry]'"
        ) from None
    except OSError as error:
        raise SettingsError(f"metrics cannot be served on {settings.host}:{port}: {error.strerror}") from None


def _providers(settings: TelemetrySettings, service: str, port: int | None) -> tuple[Any, Any, Callable[[], None]]:
    """A tracer provider, a meter provider, and what ends them and the server of Prometheus."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    resource = Resource.create({"service.name": service, "service.version": version("mesh-backbone")})
    tracers = TracerProvider(resource=resource)
    readers: list[Any] = []
    endings: list[Callable[[], object]] = [tracers.shutdown]
    if settings.otlp is not None:
        readers.append(_otlp(settings.otlp.rstrip("/"), tracers))
    if port is not None:
        reader, stop = _prometheus(settings.host, port)
        readers.append(reader)
        endings.append(stop)
    meters = MeterProvider(resource=resource, metric_readers=readers)
    endings.insert(0, meters.shutdown)

    def end() -> None:
        for each in endings:
            each()

    return tracers, meters, end


def _otlp(url: str, tracers: Any) -> Any:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces")))
    return PeriodicExportingMetricReader(OTLPMetricExporter(f"{url}/v1/metrics"))


def _prometheus(host: str, port: int) -> tuple[Any, Callable[[], None]]:
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from prometheus_client import CollectorRegistry, start_http_server

    registry = CollectorRegistry()
    server, thread = start_http_server(port, addr=host, registry=registry)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return PrometheusMetricReader(registry=registry), stop


class _Live(Telemetry):
    """Speaks through OpenTelemetry; without providers of its own through those of the process."""

    active = True

    def __init__(self, tracers: Any = None, meters: Any = None, end: Callable[[], None] = lambda: None) -> None:
        from opentelemetry import metrics, trace

        self._tracer = (tracers or trace.get_tracer_provider()).get_tracer("mesh", version("mesh-backbone"))
        self._meter = (meters or metrics.get_meter_provider()).get_meter("mesh", version("mesh-backbone"))
        self._instruments: dict[str, Any] = {}
        self._end = end

    def add(self, metric: Metric, amount: int, attributes: Attributes) -> None:
        self._instrument(metric).add(amount, attributes)

    def record(self, metric: Metric, value: float, attributes: Attributes) -> None:
        self._instrument(metric).record(value, attributes)

    def _instrument(self, metric: Metric) -> Any:
        found = self._instruments.get(metric.name)
        if found is None:
            make = self._meter.create_counter if metric.kind is Kind.COUNTER else self._meter.create_histogram
            found = self._instruments[metric.name] = make(metric.name, metric.unit, metric.description)
        return found

    def observe(self, metric: Metric, ask: Callable[[], Measurements]) -> None:
        from opentelemetry.metrics import Observation

        def answer(_: Any) -> list[Any]:
            return [Observation(value, dict(attributes)) for value, attributes in ask()]

        self._meter.create_observable_gauge(metric.name, [answer], metric.unit, metric.description)

    def span(self, start: SpanStart) -> Span:
        return _LiveSpan(self._tracer, start)

    def close(self) -> None:
        self._end()


class _LiveSpan(Span):
    def __init__(self, tracer: Any, start: SpanStart) -> None:
        from opentelemetry import trace

        kind = trace.SpanKind.PRODUCER if start.name is SpanName.SEND else trace.SpanKind.CONSUMER
        self._span = tracer.start_span(
            f"{start.name} {start.topic}".rstrip(),
            context=_context(start.parent) if start.parent else None,
            kind=kind,
            attributes={SYSTEM: "kafka", **(start.attributes or {})},
            links=[link for text in start.links if (link := _link(text)) is not None],
        )

    def __enter__(self) -> Self:
        from opentelemetry import context, trace

        self._token = context.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from opentelemetry import context
        from opentelemetry.trace import StatusCode

        context.detach(self._token)
        if kind is not None:
            self._span.set_attribute(ERROR, kind.__qualname__)
            self._span.set_status(StatusCode.ERROR)
        self._span.end()

    @property
    def headers(self) -> list[tuple[str, bytes | None]]:
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        carrier: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carrier, trace.set_span_in_context(self._span))
        return [(name, text.encode()) for name, text in carrier.items()]


def _context(headers: Headers) -> Any:
    """The trace context that record headers carry, on top of the one in force; bytes that are none are passed over."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    wanted = {TRACEPARENT, "tracestate"}
    carrier = {name: value.decode("ascii", "replace") for name, value in headers if name in wanted and value}
    return TraceContextTextMapPropagator().extract(carrier)


def _link(traceparent: bytes) -> Any:
    from opentelemetry import trace

    found = trace.get_current_span(_context([(TRACEPARENT, traceparent)])).get_span_context()
    return trace.Link(found) if found.is_valid else None
