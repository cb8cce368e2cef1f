"""Publishing to one product: encoded and judged before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from pydantic import BaseModel

from mesh.contract import Contract
from mesh.errors import ContractViolation, EncodingRefused, UsageError
from mesh.judge import Batch, Judge
from mesh.kafka import Connection, Producer
from mesh.lineage import descent_in
from mesh.lineage.trace import ORIGIN_HEADER
from mesh.producer.encoding import RecordEncoder, SchemaIds
from mesh.producer.models import as_plain
from mesh.producer.outcomes import LineageOutcomes
from mesh.producer.ticket import Office, Ticket
from mesh.telemetry import (
    DESTINATION,
    OPERATION,
    OPERATION_TYPE,
    SENT,
    SILENT,
    SYSTEM,
    TRACEPARENT,
    Attributes,
    SpanName,
    SpanStart,
    Telemetry,
)
from mesh.types import Finding, Headers, ProductName

SCHEMA_CLAUSE = "schema.misfit"
"""The clause of a finding about a record that the schema cannot hold."""

# Acknowledgements cost least in bulk, and a failure must not be noticed much later than it happened.
_CHECK_EVERY = 256


class Publisher:
    """Publishes to the ingress of one product; got by ``mesh.producer("domain.name")``. Not for two threads at once.

    Records are sent in the background: ``publish`` returns before the broker has them, waits while 128 MiB or 200,000
    records are on their way, and raises a failure of an earlier record as soon as it is known. ``flush``, and leaving
    the ``with`` block without an error, wait for all of them. The verdict that counts is the gate's; the check made
    here is the same one, made early.
    """

    def __init__(
        self,
        contract: Contract,
        connection: Connection,
        registry: SchemaIds,
        *,
        check: bool = True,
        telemetry: Telemetry = SILENT,
    ) -> None:
        self.contract, self._telemetry = contract, telemetry
        self._counted = 0
        self.published = 0
        """Records handed over so far; after ``flush`` the broker has them."""
        self._encoder = RecordEncoder(contract, registry)
        self._judge = _judge(contract, self._encoder) if check else None
        self._topic = contract.topics.ingress
        self._producer = Producer(connection)
        self._outcomes = LineageOutcomes(connection, contract.topics)
        self._office = Office(str(contract.product), self._producer, self._outcomes)

    @property
    def product(self) -> ProductName:
        """The product published to."""
        return self.contract.product

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.flush()
        self._count()
        self._producer.close()
        self._outcomes.end()

    def publish(
        self,
        record: Mapping[str, Any] | BaseModel | None,
        *,
        key: object = None,
        origin: str | None = None,
        headers: Headers = (),
    ) -> Ticket:
        """Send a record by field names; ``datetime``, ``date``, ``time``, ``Decimal`` and ``UUID`` are taken.

        So is a pydantic model, such as those that ``mesh contract export pydantic`` writes. The key is made from the
        record's primary key unless it is given. ``origin`` says where in the source system the record came from, such
        as ``orders.csv#17``; traces show it. A record of None retracts ``key``.

        Whoever wants to know what the gate made of the record asks the ticket: ``ticket.settle(timeout=5)``. It costs
        nothing until then.

        Raises ContractViolation with every finding, before anything is sent. Failures of earlier records:
        NotAuthorised, DeliveryFailed, BrokerUnreachable.

        Where a program traces, the record carries the trace context (W3C ``traceparent``), unless ``headers`` hold one.
        """
        if not self._telemetry.active or any(name == TRACEPARENT for name, _ in headers):
            return self._publish(record, key, origin, headers)
        with self._telemetry.span(SpanStart(SpanName.SEND, self._topic, self._attributes)) as span:
            return self._publish(record, key, origin, [*headers, *span.headers])

    def _publish(
        self, record: Mapping[str, Any] | BaseModel | None, key: object, origin: str | None, headers: Headers
    ) -> Ticket:
        value, key_bytes = self._encoded(as_plain(record), key)
        sent = headers if origin is None else [*headers, (ORIGIN_HEADER, origin.encode())]
        if self._judge is not None:
            self._judged(key_bytes, value, sent)
        ticket = Ticket(self._office)
        self._producer.produce(self._topic, key=key_bytes, value=value, headers=sent, report=ticket.report)
        self.published += 1
        if self.published % _CHECK_EVERY == 0:
            self._producer.check()
        return ticket

    def retract(self, key: object, *, origin: str | None = None) -> Ticket:
        """Say that a key is no more, on a compacted product; raises UsageError on others, ContractViolation."""
        return self.publish(None, key=key, origin=origin)

    def flush(self, seconds: float = 60.0) -> None:
        """Wait until the broker has every record.

        Raises NotAuthorised, DeliveryFailed, BrokerUnreachable; DeadlineExceeded after ``seconds``.
        """
        self._producer.flush(seconds)
        self._count()

    @property
    def _attributes(self) -> Attributes:
        return {SYSTEM: "kafka", OPERATION: "send", OPERATION_TYPE: "send", DESTINATION: self._topic}

    def _count(self) -> None:
        """Tell how many were handed over since the last time."""
        if self._telemetry.active and self.published > self._counted:
            self._telemetry.add(SENT, self.published - self._counted, _of_metric(self._attributes))
            self._counted = self.published

    def _encoded(self, record: Mapping[str, Any] | None, key: object) -> tuple[bytes | None, bytes | None]:
        try:
            if record is None:
                return None, self._retracted(key)
            return self._encoder.value(record), self._encoder.key_of(record) if key is None else self._encoder.key(key)
        except EncodingRefused as error:
            raise ContractViolation(str(self.product), [refusal(error)]) from None

    def _retracted(self, key: object) -> bytes:
        if self.contract.cleanup != "compact":
            raise UsageError(f"{self.product} is not compacted: what was published stays; publish a correction instead")
        if key is None:
            raise UsageError(f"say which key of {self.product} to retract: publish(None, key=...)")
        return self._encoder.key(key)

    def _judged(self, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        assert self._judge is not None  # noqa: S101  (asked before)
        findings = self._judge(key, value, headers)
        if any(finding.refuses for finding in findings):
            raise ContractViolation(str(self.product), findings)


def _of_metric(attributes: Attributes) -> Attributes:
    return {name: attributes[name] for name in SENT.attributes}


def refusal(error: EncodingRefused) -> Finding:
    """What the schema cannot hold, as a finding like those of the contract's clauses."""
    return Finding(SCHEMA_CLAUSE, error.path, error.reason)


Verdict = Callable[[bytes | None, bytes | None, Headers], tuple[Finding, ...]]


def _judge(contract: Contract, encoder: RecordEncoder) -> Verdict:
    """The gate's own judge, for one record at a time."""
    judge = Judge(contract)
    judge.learn(encoder.value_id, contract.value_schema_json)
    if encoder.key_id is not None:
        judge.learn(encoder.key_id, contract.key_schema_json, key=True)

    def verdict(key: bytes | None, value: bytes | None, headers: Headers) -> tuple[Finding, ...]:
        findings = judge.judge(Batch([key], [value], [headers])).findings.get(0, ())
        descent = descent_in(headers)[0] if contract.derivation is not None else None
        return (*findings, descent) if isinstance(descent, Finding) else findings

    return verdict
