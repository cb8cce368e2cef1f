"""What the gate saw and did with one partition in the transaction that is open: the raw material of its manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, cast

from mesh.errors import LineageBroken
from mesh.gate.passage import Passage, carried
from mesh.gate.product import GatedProduct
from mesh.judge import Batch
from mesh.kafka import AbortRequired
from mesh.lineage import (
    Descent,
    OffsetSet,
    PartitionChain,
    PartitionTransaction,
    RecordDigest,
    SchemaSeen,
    Settlement,
    Span,
    Stop,
    StopCause,
)
from mesh.types import Headers

ORIGIN_HEADER = "mesh-origin"


@dataclass(slots=True)
class Deliveries:
    """Where the records of one output partition went, from the reports of the first and the last of them.

    One object per attempt: reports of an aborted attempt (offset -1, ``_PURGE_QUEUE``) arrive late and must not count.
    """

    count: int = 0
    first: int | None = None
    last: int | None = None
    failure: str | None = None

    def report(self, error: Any, message: Any) -> None:
        """The producer's delivery callback."""
        if error is not None:
            self.failure = self.failure or error.name()
            return
        offset = message.offset()
        self.first = offset if self.first is None else min(self.first, offset)
        self.last = offset if self.last is None else max(self.last, offset)

    def span(self, where: str) -> Span | None:
        """The offsets written; None when nothing was.

        Raises AbortRequired when they are not contiguous: the markers of a fenced predecessor lie between them, and a
        manifest of base and count would be wrong about every record after them.
        """
        if self.failure is not None:
            raise AbortRequired(f"write to {where}", self.failure, "a record was not taken")
        if self.count == 0:
            return None
        if self.first is None or self.last is None or self.last - self.first + 1 != self.count:
            raise AbortRequired(
                f"write to {where}", "_NOT_CONTIGUOUS", f"{self.count} records, {self.first}-{self.last}"
            )
        return Span(self.first, self.count)


@dataclass(slots=True)
class Observation:
    """One partition in one attempt. Offsets are those of the ingress."""

    product: GatedProduct
    chain: PartitionChain
    ingress_to: int
    delivered: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    repeated: list[int] = field(default_factory=list)
    stubs: list[int] = field(default_factory=list)
    released: list[int] = field(default_factory=list)
    parked: list[int] = field(default_factory=list)
    keys_held: int = 0
    records_parked: int = 0
    stop: Stop | None = field(init=False)
    settlements: list[Settlement] = field(default_factory=list)
    commands_next: int | None = None
    origins: list[bytes | None] = field(default_factory=list)
    schemas: set[SchemaSeen] = field(default_factory=set)
    clauses: Counter[str] = field(default_factory=Counter)
    event_time: tuple[int, int] | None = None
    public: Deliveries = field(default_factory=Deliveries)
    quarantine: Deliveries = field(default_factory=Deliveries)
    read: RecordDigest = field(default_factory=RecordDigest)
    written: RecordDigest = field(default_factory=RecordDigest)
    passage: Passage | None = None
    """Of a derived product."""

    def __post_init__(self) -> None:
        # Whether there is room again is found out anew whenever something was done.
        known = self.chain.stop
        self.stop = known if known is not None and known.cause is not StopCause.FULL else None

    def saw(self, batch: Batch) -> None:
        """Take in what was read, before anything is decided about it."""
        self.schemas |= self.product.seen(batch)
        self.origins += map(_origin, batch.headers) if any(batch.headers) else repeat(None, len(batch))

    def descended(self, descents: Iterable[Descent | None], size: int = 0) -> None:
        """Records of a derived product have passed, in this order; ``size`` bytes of headers were looked at for it."""
        if self.passage is not None:
            self.passage.size += size
            for descent in filter(None, descents):
                self.passage.add(descent)

    def stub(self, offset: int) -> None:
        """An offset that goes to quarantine without its bytes."""
        self.refused.append(offset)
        self.stubs.append(offset)

    def happened(self, times: Sequence[int | None]) -> None:
        """Widen the event-time bounds by those of passed records, in epoch milliseconds; None has no time."""
        known = [time for time in times if time is not None] if None in times else cast("Sequence[int]", times)
        if known:
            low, high = min(known), max(known)
            before = self.event_time or (low, high)
            self.event_time = min(low, before[0]), max(high, before[1])

    def transaction(self, gate: str, created_at: int) -> PartitionTransaction:
        """What the chain needs for the next manifest; raises AbortRequired when the outputs are not contiguous."""
        topics = self.product.topics
        if self.passage is not None and len(self.passage.descents) != self.public.count:
            told = f"{self.public.count} records passed with {len(self.passage.descents)} descents"
            raise LineageBroken(self.chain.where, told)
        return PartitionTransaction(
            ingress_to=self.ingress_to,
            delivered=OffsetSet.of(self.delivered),
            refused=OffsetSet.of(self.refused),
            repeated=OffsetSet.of(self.repeated),
            released=OffsetSet.of(self.released),
            parked=OffsetSet.of(self.parked),
            stubs=OffsetSet.of(self.stubs),
            public=self.public.span(topics.public),
            quarantine=self.quarantine.span(topics.quarantine),
            schemas=tuple(sorted(self.schemas, key=lambda seen: (seen.schema_id, seen.key))),
            sha256_in=self.read.digest(),
            sha256_out=self.written.digest(),
            event_time=self.event_time,
            clause_counts=dict(sorted(self.clauses.items())),
            origins=self.origins,
            high_water=self.chain.high_water if self.passage is None else self.passage.high_water,
            parents=carried(self.chain) if self.passage is None else self.passage.column(),
            basis=self.product.basis,
            gate=gate,
            created_at=created_at,
            settlements=tuple(self.settlements),
            commands_next=self.commands_next,
            stop=self.stop if self.stop is not None and not self._passed_by(self.stop) else None,
            keys_held=self.keys_held,
            records_parked=self.records_parked,
        )

    def _passed_by(self, stop: Stop) -> bool:
        """Whether somebody let the partition go on, and its record was read since."""
        return stop.resumed and self.ingress_to > stop.offset


def _origin(headers: Headers) -> bytes | None:
    for name, value in headers:
        if name == ORIGIN_HEADER:
            return value
    return None
