"""The chain a gate keeps per ingress partition: each manifest continues the one before it, or an epoch begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mesh.errors import LineageBroken
from mesh.lineage.descents_column import head_of
from mesh.lineage.digest import NO_RECORDS
from mesh.lineage.manifest import Basis, HighWater, Manifest, SchemaSeen, Span, TopicIds, digest_of
from mesh.lineage.offsets import EMPTY, OffsetSet
from mesh.lineage.origins import encode_origins
from mesh.lineage.settlement import Settlement
from mesh.lineage.stop import Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionTransaction:
    """What the gate observed of one partition in the transaction it is about to commit.

    Offsets are ingress offsets; ``public`` and ``quarantine`` are what the delivery callbacks told, None when nothing
    was written there. ``schemas`` holds registered schemas only: ids nobody registered would grow it without bound.
    """

    ingress_to: int
    """The offset that the transaction commits for the ingress partition."""
    delivered: OffsetSet
    basis: Basis
    gate: str
    created_at: int
    refused: OffsetSet = EMPTY
    repeated: OffsetSet = EMPTY
    parked: OffsetSet = EMPTY
    released: OffsetSet = EMPTY
    stubs: OffsetSet = EMPTY
    public: Span | None = None
    quarantine: Span | None = None
    schemas: tuple[SchemaSeen, ...] = ()
    sha256_in: bytes = NO_RECORDS
    sha256_out: bytes = NO_RECORDS
    event_time: tuple[int, int] | None = None
    high_water: tuple[HighWater, ...] = ()
    clause_counts: Mapping[str, int] = field(default_factory=dict)
    origins: Sequence[bytes | None] = ()
    """One per delivered offset in ascending order (None without ``mesh-origin``, and for stubs); or empty."""
    parents: bytes = b""
    settlements: tuple[Settlement, ...] = ()
    commands_next: int | None = None
    """The offset that the transaction commits for the partition of commands; None leaves it where it was."""
    stop: Stop | None = None
    keys_held: int = 0
    records_parked: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionChain:
    """Where the next manifest of a partition has to begin. Never changes: after the commit the gate takes the next one.

    ::

        manifest = chain.extend(transaction)            # nothing changed if the transaction aborts
        payload = encode_manifest(manifest, schema_id)
        ...                                             # produce and commit
        chain = PartitionChain.resume(manifest, payload, at)
    """

    product: str
    cluster_id: str
    partition: int
    topics: TopicIds
    epoch: int = 0
    sequence: int = 0
    previous: bytes = b""
    ingress_next: int
    public_next: int = 0
    quarantine_next: int = 0
    commands_next: int = 0
    settled_last: int = -1
    """Lineage offset of the newest manifest that settles; -1 when there is none."""
    stop: Stop | None = None
    """Why the partition stands still."""
    high_water: tuple[HighWater, ...] = ()
    """How far the processors' outputs had come after the last manifest."""
    late_last: int = -1
    """Lineage offset of the newest manifest with outputs that came out of order; -1 when there is none."""

    @classmethod
    def resume(cls, manifest: Manifest, payload: bytes, at: int | None = None) -> PartitionChain:
        """The chain after ``manifest``, whose committed bytes are ``payload``.

        ``at`` is its lineage offset, which the next manifest refers to if this one settles or has outputs that came out
        of order. Raises LineageBroken when it is needed and missing.
        """
        head = head_of(manifest)
        if (manifest.settles or head.late) and at is None:
            raise LineageBroken(
                f"{manifest.product} partition {manifest.partition}", "the manifest's offset is unknown"
            )
        return cls(
            product=manifest.product,
            cluster_id=manifest.cluster_id,
            partition=manifest.partition,
            topics=manifest.topics,
            epoch=manifest.epoch,
            sequence=manifest.sequence + 1,
            previous=digest_of(payload),
            ingress_next=manifest.ingress_to,
            public_next=manifest.public.end,
            quarantine_next=manifest.quarantine.end,
            commands_next=manifest.commands_next,
            settled_last=at if manifest.settles and at is not None else manifest.settled_before,
            stop=manifest.stop,
            high_water=manifest.high_water,
            late_last=at if head.late and at is not None else head.late_before,
        )

    @classmethod
    def start(
        cls, product: str, cluster_id: str, partition: int, topics: TopicIds, ingress_from: int
    ) -> PartitionChain:
        """The chain of a partition that has no manifest yet and is read from ``ingress_from``."""
        return cls(
            product=product, cluster_id=cluster_id, partition=partition, topics=topics, ingress_next=ingress_from
        )

    @property
    def where(self) -> str:
        return f"{self.product} partition {self.partition}"

    def verify(self, topics: TopicIds, committed: int) -> None:
        """Raises LineageBroken when the topics or the committed ingress offset are not those of the last manifest.

        Somebody reset an offset or re-created a topic then: the way on is ``new_epoch``, declared, never silent.
        """
        if topics != self.topics:
            raise LineageBroken(self.where, "a topic was re-created; the next manifest needs a new epoch")
        if committed != self.ingress_next:
            raise LineageBroken(
                self.where,
                f"its last manifest ends at {self.ingress_next} but {committed} is committed; start a new epoch",
            )

    def new_epoch(
        self, topics: TopicIds, ingress_from: int, public_next: int | None = None, quarantine_next: int | None = None
    ) -> PartitionChain:
        """The chain after a reset offset or a re-created topic; the digest of the last manifest is kept.

        The output positions are carried forward unless their topic was re-created; then they start at 0. A public topic
        that was made again is empty, so that nothing has passed before.
        """
        same = topics.public == self.topics.public
        public = self.public_next if same else 0
        quarantine = self.quarantine_next if topics.quarantine == self.topics.quarantine else 0
        return replace(
            self,
            topics=topics,
            epoch=self.epoch + 1,
            sequence=0,
            stop=None,
            high_water=self.high_water if same else (),
            late_last=self.late_last if same else -1,
            ingress_next=ingress_from,
            public_next=public if public_next is None else public_next,
            quarantine_next=quarantine if quarantine_next is None else quarantine_next,
        )

    def extend(self, transaction: PartitionTransaction) -> Manifest:
        """The manifest of the next transaction; raises LineageBroken when what was observed does not fit together."""
        manifest = Manifest(
            product=self.product,
            cluster_id=self.cluster_id,
            partition=self.partition,
            epoch=self.epoch,
            sequence=self.sequence,
            previous=self.previous,
            topics=self.topics,
            ingress_from=self.ingress_next,
            ingress_to=transaction.ingress_to,
            delivered=transaction.delivered,
            refused=transaction.refused,
            repeated=transaction.repeated,
            parked=transaction.parked,
            released=transaction.released,
            stubs=transaction.stubs,
            public=transaction.public or Span(self.public_next, 0),
            quarantine=transaction.quarantine or Span(self.quarantine_next, 0),
            schemas=transaction.schemas,
            sha256_in=transaction.sha256_in,
            sha256_out=transaction.sha256_out,
            event_time=transaction.event_time,
            high_water=transaction.high_water,
            basis=transaction.basis,
            clause_counts=transaction.clause_counts,
            origins=encode_origins(transaction.origins),
            parents=transaction.parents,
            created_at=transaction.created_at,
            gate=transaction.gate,
            settlements=transaction.settlements,
            settled_before=self.settled_last,
            commands_next=self.commands_next if transaction.commands_next is None else transaction.commands_next,
            stop=transaction.stop,
            keys_held=transaction.keys_held,
            records_parked=transaction.records_parked,
        )
        for problem in _problems(self, manifest, len(transaction.origins)):
            raise LineageBroken(self.where, problem)
        return manifest


def _problems(chain: PartitionChain, manifest: Manifest, origins: int) -> Iterable[str]:
    yield from _ingress_problems(manifest)
    yield from _output_problems("public", manifest.public, len(manifest.passed), chain.public_next)
    yield from _output_problems("quarantine", manifest.quarantine, len(manifest.refused), chain.quarantine_next)
    if origins not in (0, len(manifest.delivered)):
        yield f"{origins} origins were given for {len(manifest.delivered)} delivered records"
    if any(len(digest) != len(NO_RECORDS) for digest in (manifest.sha256_in, manifest.sha256_out)):
        yield "a digest over the records is not 32 bytes long"


def _ingress_problems(manifest: Manifest) -> Iterable[str]:
    begin, end = manifest.ingress_from, manifest.ingress_to
    if end < begin:
        yield f"the ingress would go back from {begin} to {end}"
    if manifest.delivered - OffsetSet.between(begin, end):
        yield f"records were delivered outside {begin} to {end}"
    if manifest.released.end > begin:
        yield f"a record at or after {begin} was released before it was read"
    fates = (manifest.refused, manifest.repeated, manifest.parked)
    together = manifest.refused | manifest.repeated | manifest.parked
    if len(together) != sum(map(len, fates)):
        yield "an offset has two dispositions"
    if together - manifest.handled:
        yield "a disposition was given to a record that was neither delivered nor released"
    if manifest.stubs - manifest.refused:
        yield "a stub is missing among the refused records"


def _output_problems(name: str, span: Span, expected: int, next_offset: int) -> Iterable[str]:
    if span.count != expected:
        yield f"{expected} records belong on the {name} topic but {span.count} were written"
    if span.base < next_offset:
        yield f"the {name} topic would go back from {next_offset} to {span.base}"
