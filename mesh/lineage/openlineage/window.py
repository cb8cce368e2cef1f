"""What one job did in one minute: the content of one complete snapshot, gathered from manifests or commits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from mesh.lineage.manifest import Manifest, Place
from mesh.lineage.offsets import EMPTY, OffsetSet
from mesh.lineage.progress import Progress
from mesh.lineage.stop import Stop, StopCause
from mesh.types import ProductTopics, Topic

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, order=True)
class Job:
    """The gate of a product, or the processor that makes it (``processor`` is its name then).

    A processor with several products is a job for each of them: its edges are explicit that way.
    """

    topic: Topic
    processor: str = ""

    @property
    def namespace(self) -> str:
        """One for each domain."""
        return self.family.product.domain

    @property
    def name(self) -> str:
        return f"{self.processor or 'gate'}:{self.topic}"

    @property
    def family(self) -> ProductTopics:
        return ProductTopics.of_public(self.topic)


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """A partition of an input or output."""

    output: bool
    topic: Topic
    topic_id: UUID | None
    partition: int


@dataclass(slots=True)
class Window:
    """The work of one job under one contract version and build, within one minute of the gate's or processor's clock.

    Ranges may be told twice after a crash, so offsets are joined as sets. ``started`` and ``ended`` are the moments of
    the first and the last thing told.
    """

    job: Job
    minute: int
    version: str
    build: str
    started: int = 0
    ended: int = 0
    offsets: dict[Stretch, OffsetSet] = field(default_factory=dict)
    ranges: dict[Stretch, tuple[int, int]] = field(default_factory=dict)
    dispositions: Counter[str] = field(default_factory=Counter)
    clauses: Counter[str] = field(default_factory=Counter)
    sources: dict[Topic, str] = field(default_factory=dict)
    """The inputs that a processor told of: public topic, and product."""
    stops: dict[int, Stop] = field(default_factory=dict)

    def rows(self, topic: Topic, *, output: bool) -> int:
        """Records of one input or output, all partitions together."""
        return sum(len(each) for at, each in self.offsets.items() if (at.topic, at.output) == (topic, output))

    def manifest(self, manifest: Manifest) -> None:
        """Add one transaction of a gate."""
        self._at(manifest.created_at)
        family, ids, partition = self.job.family, manifest.topics, manifest.partition
        ingress = Stretch(False, family.ingress, ids.ingress, partition)
        self._add(ingress, manifest.delivered, manifest.ingress_from, manifest.ingress_to)
        for place, topic in ((Place.PUBLIC, family.public), (Place.QUARANTINE, family.quarantine)):
            span = manifest.span(place)
            written = Stretch(True, topic, ids.of(place), partition)
            self._add(written, OffsetSet.between(span.base, span.end), span.base, span.end)
        told = {
            "accepted": manifest.public.count,
            "refused": manifest.quarantine.count,
            "repeated": len(manifest.repeated),
            "parked": len(manifest.parked),
        }
        self.dispositions.update(told)
        self.clauses.update(manifest.clause_counts)
        self.stops.pop(partition, None)
        if manifest.stop is not None and manifest.stop.cause is not StopCause.FULL and not manifest.stop.resumed:
            self.stops[partition] = manifest.stop

    def progress(self, progress: Progress, source: Topic) -> None:
        """Add one commit of a processor, which read ``source``."""
        self._at(progress.created_at)
        self.sources[source] = progress.product
        read = Stretch(False, source, progress.topic_id, progress.partition)
        new = progress.delivered - self.offsets.get(read, EMPTY)
        self._add(read, progress.delivered, progress.start, progress.end)
        self.dispositions["delivered"] += len(new)
        for name in ("filtered", "late", "parked"):
            among: OffsetSet = getattr(progress, name)
            self.dispositions[name] += len(among & new)
        self.dispositions["outputs"] += progress.outputs

    def stretches(self) -> Iterator[tuple[Stretch, tuple[int, int], int]]:
        """Each partition with its range of offsets and how many records are among them."""
        for at, span in sorted(self.ranges.items(), key=lambda each: _order(each[0])):
            yield at, span, len(self.offsets[at])

    def _at(self, moment: int) -> None:
        self.started = min(self.started, moment) if self.started else moment
        self.ended = max(self.ended, moment)

    def _add(self, at: Stretch, offsets: OffsetSet, start: int, end: int) -> None:
        low, high = self.ranges.get(at, (start, end))
        self.ranges[at] = min(low, start), max(high, end)
        self.offsets[at] = self.offsets.get(at, EMPTY) | offsets


def _order(at: Stretch) -> tuple[bool, str, int]:
    return at.output, at.topic, at.partition
