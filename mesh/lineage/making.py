"""How a derived record was made: its parents from wherever they are kept, the processor's build from its commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from mesh.errors import LineageBroken, MeshError, NotAuthorised, NotFound
from mesh.lineage.atlas import Holding
from mesh.lineage.descent import Deposit, Descent, Identity
from mesh.lineage.descents_column import DescentsColumn, column_of
from mesh.lineage.manifest import Manifest
from mesh.lineage.origins import decode_origins
from mesh.lineage.parents import ParentSet
from mesh.lineage.progress_log import ProgressLog, deposited
from mesh.lineage.reference import Reference
from mesh.lineage.search import Entry
from mesh.lineage.station import Making
from mesh.types import Topic, TopicPartition

_LOOK_BACK = 512
"""Manifests looked through for the output that a record continues: a processor mostly wrote it soon before."""


_OPEN = 64
"""Manifests kept open: the records of a walk lie close together."""


def descents_of(manifest: Manifest) -> DescentsColumn | None:
    """The descents of all records a manifest passed; None for a product of source. Raises LineageBroken."""
    column = column_of(manifest)
    if column is not None and len(column.descents) != manifest.public.count:
        where = f"{manifest.product} partition {manifest.partition}"
        told = f"its manifest tells of {manifest.public.count} records and of the parents of {len(column.descents)}"
        raise LineageBroken(where, told)
    return column


def parents_of(holding: Holding, descent: Descent) -> ParentSet | None:
    """The parents of a record, fetched where they were too many for its header; None when they are no longer kept.

    Raises NotFound, NotAuthorised, and LineageBroken for a set that is not the one the record speaks of.
    """
    deposit = descent.deposit
    if deposit is None:
        return descent.parents
    found = deposited(holding.site.reader, _lying(holding, deposit), deposit.at.offset)
    if found is not None and found.digest() != deposit.sha256:
        raise LineageBroken(f"{_lying(holding, deposit)}/{deposit.at.offset}", "another parent set lies there")
    return found


def _lying(holding: Holding, deposit: Deposit) -> TopicPartition:
    return TopicPartition(holding.family.parents, deposit.at.partition)


class Opened:
    """A manifest whose columns are unpacked once, however many of its records are asked about."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self._identities: dict[Identity, int] | None = None

    @cached_property
    def column(self) -> DescentsColumn | None:
        """The descents of the records it passed."""
        return descents_of(self.manifest)

    @cached_property
    def origins(self) -> Sequence[bytes | None]:
        """The origins of the records it read."""
        return decode_origins(self.manifest.origins)

    def identified(self, output: str, wanted: Identity) -> int | None:
        """The public offset of the record with an identity, on the public topic ``output``."""
        if self.column is None:
            return None
        if self._identities is None:
            processor, base = self.column.head.processor, self.manifest.public.base
            rows = enumerate(self.column.descents)
            self._identities = {each.identity(processor, output): base + row for row, each in rows}
        return self._identities.get(wanted)


@dataclass
class Makers:
    """Answers for many records; remembers the logs it reads, and the manifests it opened last."""

    _logs: dict[TopicPartition, ProgressLog | None] = field(default_factory=dict)
    _opened: dict[tuple[Topic, int, int], Opened] = field(default_factory=dict)

    def open(self, holding: Holding, entry: Entry) -> Opened:
        """A manifest, from memory if it was opened lately."""
        key = holding.family.lineage, entry[1].partition, entry[0]
        if key not in self._opened:
            while len(self._opened) >= _OPEN:
                del self._opened[next(iter(self._opened))]
            self._opened[key] = Opened(entry[1])
        return self._opened[key]

    def making(self, holding: Holding, entry: Entry, column: DescentsColumn, offset: int) -> Making:
        """Of the record at one public offset, whose manifest and column these are."""
        descent = column.descents[offset - entry[1].public.base]
        made = self.told(holding, descent, column.head.processor)
        if descent.previous is not None:
            made.continues = self._before(holding, entry, descent.previous)
        return made

    def told(self, holding: Holding, descent: Descent, processor: str = "") -> Making:
        """What a record says of itself, on whichever topic; without the output that it continues."""
        made = Making(
            processor=processor,
            driving=descent.driving,
            index=descent.index,
            count=descent.count,
            sha256=descent.sha256.hex(),
            parents=None,
            continuing=descent.previous is not None,
        )
        self._add_parents(made, holding, descent)
        self._add_build(made, holding)
        return made

    def _add_parents(self, made: Making, holding: Holding, descent: Descent) -> None:
        try:
            made.parents = parents_of(holding, descent)
            made.trouble = "" if made.parents is not None else "its parents are no longer kept, only their digest"
        except MeshError as error:
            made.trouble = str(error)

    def _add_build(self, made: Making, holding: Holding) -> None:
        log = self._log(holding, made.driving.partition)
        told = log.covering(made.driving) if log is not None else None
        if told is not None:
            made.build, made.committed_at = told[1].build, told[1].created_at
            made.processor = made.processor or told[1].processor

    def _log(self, holding: Holding, source: int) -> ProgressLog | None:
        """The commits of the processor over one input partition, as far as they may be read."""
        place = TopicPartition(holding.family.parents, source % holding.inventory.partitions)
        if place not in self._logs:
            try:
                self._logs[place] = ProgressLog(holding.site.reader, place)
            except (NotAuthorised, NotFound):
                self._logs[place] = None
        return self._logs[place]

    def _before(self, holding: Holding, entry: Entry, wanted: Identity) -> Reference | None:
        """The nearest earlier output of the partition with this identity."""
        log = holding.log(entry[1].partition)
        found: Entry | None = entry
        for _ in range(_LOOK_BACK):
            if found is None:
                return None
            at = self.open(holding, found).identified(holding.family.public, wanted)
            if at is not None:
                return Reference(found[1].topics.public, found[1].partition, at)
            found = log.index.before(found[0])
        return None
