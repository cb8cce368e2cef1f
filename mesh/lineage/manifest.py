"""The manifest: what one transaction did with one ingress partition, as a value and as Avro bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from mesh.errors import LineageBroken
from mesh.lineage.offsets import EMPTY, OffsetSet
from mesh.lineage.settlement import Result, Settlement
from mesh.lineage.stop import Stop
from mesh.types import SchemaId

_MOVES = (Result.PASSED, Result.REFUSED)

FORMAT = 3
"""The format this code writes: the first field of every manifest, by which a reader chooses the schema."""


class Place(StrEnum):
    """The three topics of a product whose offsets a manifest accounts for."""

    INGRESS = "ingress"
    PUBLIC = "public"
    QUARANTINE = "quarantine"


class Disposition(StrEnum):
    """Where one ingress offset ended in the transaction that handled it."""

    PASSED = "passed"
    QUARANTINED = "quarantined"
    REPEATED = "repeated"
    PARKED = "parked"
    NOT_DELIVERED = "not delivered"
    """A publisher's transaction marker, or a record of a transaction that the publisher aborted."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A disposition, with the public or quarantine offset the record got where it got one."""

    disposition: Disposition
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """``count`` offsets from ``base``; with a count of 0 the base is the next offset, carried forward."""

    base: int
    count: int

    @property
    def end(self) -> int:
        """One past the last offset."""
        return self.base + self.count

    def __contains__(self, offset: int) -> bool:
        return self.base <= offset < self.end


@dataclass(frozen=True, slots=True)
class TopicIds:
    """The Kafka ids of a product's topics, which a re-created topic of the same name does not share."""

    ingress: UUID
    public: UUID
    quarantine: UUID
    state: UUID | None = None
    commands: UUID | None = None

    def of(self, place: Place) -> UUID:
        """The id of the topic at ``place``."""
        return {Place.INGRESS: self.ingress, Place.PUBLIC: self.public, Place.QUARANTINE: self.quarantine}[place]


@dataclass(frozen=True, slots=True)
class SchemaSeen:
    """A registered schema met in the transaction; ``fingerprint`` is the SHA-256 of its canonical form in hex."""

    schema_id: SchemaId
    fingerprint: str
    key: bool = False


@dataclass(frozen=True, slots=True)
class HighWater:
    """How far one processor's outputs had come: the last (parent offset, output index) of a parent partition."""

    processor: str
    topic_id: UUID
    partition: int
    offset: int
    output_index: int


@dataclass(frozen=True, slots=True)
class Basis:
    """What the verdicts rest on: the contract, the digest of its rule set (hex) and the build of the gate."""

    contract_id: str
    contract_version: str
    rule_set: str
    build: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One transaction of one ingress partition. The offset sets hold ingress offsets.

    ``handled`` are the delivered and the released ones; each is refused, repeated, parked or else passed. The gate
    writes both outputs in ascending ingress order, which is why positions are enough to map them. Released offsets lie
    before ``ingress_from``: they were parked, or quarantined and replayed, earlier.
    """

    product: str
    cluster_id: str
    partition: int
    epoch: int
    sequence: int
    """Counts the manifests of the epoch from 0."""
    previous: bytes
    """SHA-256 of the payload of the partition's previous manifest; empty for the first. Epochs do not cut the chain."""
    topics: TopicIds
    ingress_from: int
    ingress_to: int
    delivered: OffsetSet
    refused: OffsetSet = EMPTY
    repeated: OffsetSet = EMPTY
    parked: OffsetSet = EMPTY
    released: OffsetSet = EMPTY
    stubs: OffsetSet = EMPTY
    """Refused ones whose bytes could not be fetched or forwarded; the digests leave them out."""
    public: Span
    quarantine: Span
    schemas: tuple[SchemaSeen, ...] = ()
    sha256_in: bytes
    sha256_out: bytes
    event_time: tuple[int, int] | None = None
    """Minimum and maximum over the passed records, epoch milliseconds."""
    high_water: tuple[HighWater, ...] = ()
    basis: Basis
    clause_counts: Mapping[str, int]
    origins: bytes = b""
    """Column of ``mesh.lineage.origins``, one entry per delivered offset."""
    parents: bytes = b""
    """Empty for source products."""
    created_at: int
    """Epoch milliseconds of the gate's clock."""
    gate: str
    """The transactional id that committed it."""
    settlements: tuple[Settlement, ...] = ()
    """The operators' commands settled here; the records they name are among the released ones."""
    settled_before: int = -1
    """Lineage offset of the newest earlier manifest that settles, so that these form a list of their own."""
    commands_next: int = 0
    """The next offset of the partition of commands; carried forward."""
    stop: Stop | None = None
    """Why the partition stands still after this transaction, carried forward until its record is read."""
    keys_held: int = 0
    """How many keys are held after this transaction, and how many records are parked behind them."""
    records_parked: int = 0

    @property
    def handled(self) -> OffsetSet:
        return self.delivered | self.released

    @property
    def settles(self) -> bool:
        """Whether commands were settled or records released here: whoever asks what became of a record looks here."""
        return bool(self.settlements or self.released)

    @property
    def passed(self) -> OffsetSet:
        """The ingress offsets that went to the public topic, in the order they went."""
        return self.handled - self.refused - self.repeated - self.parked

    def span(self, place: Place) -> Span:
        """The offsets of the topic at ``place`` that this manifest accounts for."""
        if place is Place.PUBLIC:
            return self.public
        if place is Place.QUARANTINE:
            return self.quarantine
        return Span(self.ingress_from, self.ingress_to - self.ingress_from)

    def settlement(self, ingress: int) -> Settlement | None:
        """The command by which a released record went to an output here; None for one that no command moved."""
        moved = (each for each in self.settlements if each.ingress == ingress and each.result in _MOVES)
        return next(moved, None)

    def public_to_ingress(self, offset: int) -> int:
        """The ingress offset of a public one; raises LineageBroken outside this manifest's span."""
        return _selected(self.passed, self.public, offset)

    def quarantine_to_ingress(self, offset: int) -> int:
        """The ingress offset of a quarantined one; raises LineageBroken outside this manifest's span."""
        return _selected(self.refused, self.quarantine, offset)

    def _passed_before(self, offset: int) -> int:
        """As ``passed.rank``, without building the set for every question."""
        others = (self.refused, self.repeated, self.parked)
        return self.handled.rank(offset) - sum(each.rank(offset) for each in others)

    def ingress_to_outcome(self, offset: int) -> Outcome:
        """Where an ingress offset ended here; raises LineageBroken for one neither covered nor released here."""
        if offset in self.refused:
            return Outcome(Disposition.QUARANTINED, self.quarantine.base + self.refused.rank(offset))
        if offset in self.repeated:
            return Outcome(Disposition.REPEATED)
        if offset in self.parked:
            return Outcome(Disposition.PARKED)
        if offset in self.handled:
            return Outcome(Disposition.PASSED, self.public.base + self._passed_before(offset))
        if offset in self.span(Place.INGRESS):
            return Outcome(Disposition.NOT_DELIVERED)
        raise LineageBroken(
            f"ingress offset {offset}", f"its manifest covers {self.ingress_from} to {self.ingress_to} only"
        )


def _selected(offsets: OffsetSet, span: Span, offset: int) -> int:
    if offset not in span:
        raise LineageBroken(f"offset {offset}", f"its manifest covers {span.base} to {span.end} only")
    return offsets.nth(offset - span.base)


def digest_of(payload: bytes) -> bytes:
    """What the next manifest carries as ``previous``: SHA-256 of the whole framed payload."""
    return hashlib.sha256(payload).digest()
