"""The gate's metrics and its one span per transaction, told when the transaction has ended and never per record."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from mesh.errors import MeshError
from mesh.gate.lag import Lag, LagMeter
from mesh.gate.observation import Observation
from mesh.kafka import Admin, Connection, LogReader
from mesh.telemetry import (
    ACCEPTED,
    BATCH,
    CLAUSE,
    COMMIT,
    FINDINGS,
    GROUP,
    LAG_RECORDS,
    LAG_SECONDS,
    OPERATION,
    OPERATION_TYPE,
    OUTCOME,
    PARKED,
    PARTITION,
    PRODUCT,
    QUARANTINED,
    READ,
    RELEASED,
    REPEATED,
    TRACEPARENT,
    TRANSACTIONS,
    Attributes,
    Measurements,
    SpanName,
    SpanStart,
    Telemetry,
)
from mesh.types import Clock, Headers, ProductTopics, TopicPartition

# Enough to find a publisher by; collectors keep 128 links of a span at most.
_MOST_LINKS: Final = 32
# One look serves both gauges of an export.
_FRESH_SECONDS: Final = 1.0

Positions = Callable[[], Mapping[TopicPartition, int]]


class GateMeter:
    """Tells what the gate's step did. Made only where somebody listens: ask ``telemetry.active`` before."""

    def __init__(self, telemetry: Telemetry, group: str, clock: Clock) -> None:
        self._telemetry, self._group, self._clock = telemetry, group, clock
        self._links: dict[bytes, None] = {}
        self._began = 0.0

    def saw(self, headers: Sequence[Headers]) -> None:
        """Remember where some of the records of a batch came from; looks at few of them however large it is."""
        for each in headers[: _MOST_LINKS - len(self._links)]:
            for name, value in each:
                if name == TRACEPARENT and value is not None:
                    self._links[value] = None

    def completing(self) -> None:
        """The transaction is about to be committed."""
        self._began = self._clock.monotonic()

    def settled(self, done: Mapping[TopicPartition, Observation], *, committed: bool) -> None:
        """It has ended."""
        self._telemetry.add(TRANSACTIONS, 1, {OUTCOME: "committed" if committed else "aborted"})
        if committed:
            self._telemetry.record(COMMIT, self._clock.monotonic() - self._began, {})
            for partition, observation in done.items():
                self._count(partition, observation)
            self._span(sum(len(each.delivered) for each in done.values()))
        self._links.clear()

    def _count(self, partition: TopicPartition, observation: Observation) -> None:
        attributes = _attributes(observation.product.name, partition)
        self._telemetry.add(READ, len(observation.delivered), attributes)
        self._telemetry.add(ACCEPTED, observation.public.count, attributes)
        self._telemetry.add(QUARANTINED, observation.quarantine.count, attributes)
        rare = {REPEATED: observation.repeated, PARKED: observation.parked, RELEASED: observation.released}
        for metric, offsets in rare.items():
            if offsets:
                self._telemetry.add(metric, len(offsets), attributes)
        for clause, count in observation.clauses.items():
            self._telemetry.add(FINDINGS, count, {**attributes, CLAUSE: clause})

    def _span(self, records: int) -> None:
        attributes: Attributes = {OPERATION: "process", OPERATION_TYPE: "process", GROUP: self._group, BATCH: records}
        with self._telemetry.span(SpanStart(SpanName.TRANSACTION, "", attributes, (), tuple(self._links))):
            pass

    def observe(self, connection: Connection, positions: Positions) -> LagGauge:
        """Have lag measured when metrics are exported; close what is given in the end."""
        gauge = LagGauge(connection, positions, self._clock)
        self._telemetry.observe(LAG_RECORDS, gauge.records)
        self._telemetry.observe(LAG_SECONDS, gauge.seconds)
        return gauge


class LagGauge:
    """Lag of the partitions a gate holds, over connections of its own; called by the threads of exporters."""

    def __init__(self, connection: Connection, positions: Positions, clock: Clock) -> None:
        self._connection, self._positions, self._clock = connection, positions, clock
        self._lock = threading.Lock()
        self._clients: tuple[Admin, LogReader] | None = None
        self._found: Mapping[TopicPartition, Lag] = {}
        self._looked = float("-inf")
        self._closed = False

    def records(self) -> Measurements:
        """For the gauge of records."""
        return [(lag.records, attributes) for attributes, lag in self._lags()]

    def seconds(self) -> Measurements:
        """For the gauge of seconds; what nobody knows is left out."""
        now = int(self._clock.now() * 1000)
        return [(lag.seconds(now), each) for each, lag in self._lags() if lag.since is not None or not lag.records]

    def close(self) -> None:
        """Give the connections back."""
        with self._lock:
            self._closed = True
            for client in self._clients or ():
                client.close()

    def _lags(self) -> Iterator[tuple[Attributes, Lag]]:
        with self._lock:
            if not self._closed and time.monotonic() - self._looked > _FRESH_SECONDS:
                self._found = self._measured()
                self._looked = time.monotonic()
            found = self._found
        for partition, lag in found.items():
            yield _attributes(str(ProductTopics.of_any(partition.topic).product), partition), lag

    def _measured(self) -> Mapping[TopicPartition, Lag]:
        if self._clients is None:
            self._clients = Admin(self._connection), LogReader(self._connection)
        try:
            return LagMeter(*self._clients).measure(self._positions())
        except MeshError:
            # The loop meets the same trouble and says so; an export without lag says it too.
            return {}


def _attributes(product: str, partition: TopicPartition) -> dict[str, str | int]:
    return {PRODUCT: product, PARTITION: str(partition.partition)}
