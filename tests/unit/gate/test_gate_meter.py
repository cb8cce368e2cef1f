"""The gate's metrics: told once a transaction, per partition, and never more for more records."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from mesh.gate.meter import GateMeter
from mesh.gate.observation import Observation
from mesh.lineage import PartitionChain, TopicIds
from mesh.telemetry import (
    ACCEPTED,
    CLAUSE,
    COMMIT,
    FINDINGS,
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
    Metric,
    Span,
    SpanStart,
    Telemetry,
)
from mesh.types import Headers, TopicPartition

PLACE = TopicPartition("a.b.v1.ingress", 3)


@dataclass
class Told(Telemetry):
    active = True
    values: list[tuple[str, float, Attributes]] = field(default_factory=list)
    spans: list[SpanStart] = field(default_factory=list)

    def add(self, metric: Metric, amount: int, attributes: Attributes) -> None:
        assert attributes.keys() == set(metric.attributes)
        self.values.append((metric.name, amount, attributes))

    def record(self, metric: Metric, value: float, attributes: Attributes) -> None:
        self.add(metric, cast("int", value), attributes)

    def span(self, start: SpanStart) -> Span:
        self.spans.append(start)
        return super().span(start)


@dataclass
class Ticking:
    at: float = 0.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        self.at += 0.5
        return self.at


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def meter(told: Told) -> GateMeter:
    return GateMeter(told, "_mesh.gate.default", Ticking())


CHAIN = PartitionChain.start("a.b", "cluster", 0, TopicIds(UUID(int=1), UUID(int=2), UUID(int=3)), 0)


def observation(records: int, refused: int, **clauses: int) -> Observation:
    product: Any = SimpleNamespace(name="a.b")
    made = Observation(product, CHAIN, 0, delivered=list(range(records)), clauses=Counter(clauses))
    made.public.count, made.quarantine.count = records - refused, refused
    return made


def test_what_was_committed_is_told_per_partition_and_clause(meter: GateMeter, told: Told) -> None:
    meter.completing()
    meter.settled({PLACE: observation(20_000, 7, low=3, high=5)}, committed=True)
    where = {PRODUCT: "a.b", PARTITION: "3"}
    assert told.values == [
        (TRANSACTIONS.name, 1, {OUTCOME: "committed"}),
        (COMMIT.name, 0.5, {}),
        (READ.name, 20_000, where),
        (ACCEPTED.name, 19_993, where),
        (QUARANTINED.name, 7, where),
        (FINDINGS.name, 3, {**where, CLAUSE: "low"}),
        (FINDINGS.name, 5, {**where, CLAUSE: "high"}),
    ]


def test_records_that_wait_and_leave_are_told_where_there_are_any(meter: GateMeter, told: Told) -> None:
    """What was read and what left earlier is what was accepted, quarantined, repeated or parked."""
    made = observation(10, 2)
    made.parked, made.released, made.repeated = [7, 8, 9], [1, 2], [4]
    made.public.count = 10 + 2 - 2 - 3 - 1
    meter.settled({PLACE: made}, committed=True)
    amounts = {name: amount for name, amount, _ in told.values}
    assert (amounts[PARKED.name], amounts[RELEASED.name], amounts[REPEATED.name]) == (3, 2, 1)
    gone = [ACCEPTED, QUARANTINED, REPEATED, PARKED]
    assert amounts[READ.name] + amounts[RELEASED.name] == sum(amounts[each.name] for each in gone)


def test_of_an_aborted_transaction_nothing_counts_but_itself(meter: GateMeter, told: Told) -> None:
    meter.saw([[(TRACEPARENT, b"x")]])
    meter.settled({PLACE: observation(5, 0)}, committed=False)
    assert told.values == [(TRANSACTIONS.name, 1, {OUTCOME: "aborted"})]
    assert told.spans == []
    meter.settled({}, committed=True)
    assert told.spans[0].links == ()


def test_a_span_links_few_records_and_looks_at_few(meter: GateMeter, told: Told) -> None:
    looked = []

    class Seen(list[Headers]):
        def __getitem__(self, part: Any) -> Any:
            looked.append(part)
            return super().__getitem__(part)

    for batch in range(3):
        meter.saw(Seen([[("other", None), (TRACEPARENT, b"%d-%d" % (batch, row))] for row in range(5_000)]))
    meter.settled({PLACE: observation(15_000, 0)}, committed=True)
    (span,) = told.spans
    assert len(span.links) == 32
    assert [part.stop for part in looked] == [32, 0, 0]
    assert (span.attributes or {})["messaging.batch.message_count"] == 15_000
