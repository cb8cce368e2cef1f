"""What became of the input between two commits, as the progress records that say so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from mesh.lineage import OffsetSet, Progress, failures_of
from mesh.stream.arrival import Fate, Outcome
from mesh.stream.batches import Made
from mesh.stream.binding import Bound, Tally
from mesh.stream.watermark import Source

# Asking the enumeration costs, and every record is asked.
_USED: Final = Fate.USED
_KNOWN: Final = Fate.KNOWN


@dataclass(slots=True)
class Fates:
    """The offsets of one input partition by what became of them, as they came."""

    delivered: list[int] = field(default_factory=list)
    filtered: list[int] = field(default_factory=list)
    late: list[int] = field(default_factory=list)
    parked: dict[int, str] = field(default_factory=dict)
    """With the kind of failure of each."""

    def note(self, offset: int, outcome: Outcome) -> None:
        """The next record."""
        fate = outcome.fate
        if fate is _KNOWN:
            return
        self.delivered.append(offset)
        if fate is _USED:
            return
        if fate is Fate.FILTERED:
            self.filtered.append(offset)
        elif fate is Fate.LATE:
            self.late.append(offset)
        elif fate is Fate.PARKED:
            self.parked[offset] = outcome.failure

    def note_all(self, offsets: Sequence[int], made: Made) -> None:
        """The next records, and what became of them together."""
        self.delivered += offsets
        self.filtered += made.filtered
        self.parked |= made.parked


@dataclass(frozen=True, slots=True)
class Author:
    """Who says so: the processor's name and its build."""

    processor: str
    build: str


@dataclass(slots=True)
class Observed:
    """One log between two commits: ``[start, end)`` of it, and its records by the input partition they came from."""

    start: int
    end: int
    outputs: int = 0
    sources: defaultdict[Source, Fates] = field(default_factory=lambda: defaultdict(Fates))

    def add_to(self, tally: Tally) -> None:
        """Count what was committed."""
        tally.outputs += self.outputs
        for fates in self.sources.values():
            tally.records += len(fates.delivered)
            tally.filtered += len(fates.filtered)
            tally.late += len(fates.late)
            tally.parked += len(fates.parked)

    def progress(
        self, author: Author, inputs: Mapping[str, Bound], watermark: int | None, now_ms: int, *, repartitioned: bool
    ) -> Iterator[Progress]:
        """A record for each input partition; out of a repartitioned log the ranges are those of the records seen."""
        told = {source: fates for source, fates in self.sources.items() if fates.delivered or not repartitioned}
        for count, ((product, partition), fates) in enumerate(told.items()):
            delivered = _offsets(fates.delivered) if repartitioned else _in_order(fates.delivered)
            runs = delivered.runs
            yield Progress(
                processor=author.processor,
                build=author.build,
                product=product,
                topic_id=inputs[product].topic_id,
                partition=partition,
                start=runs[0][0] if repartitioned else self.start,
                end=delivered.end if repartitioned else self.end,
                delivered=delivered,
                filtered=_offsets(fates.filtered),
                late=_offsets(fates.late),
                parked=_offsets(list(fates.parked)),
                failures=failures_of(fates.parked),
                outputs=0 if count else self.outputs,
                watermark=watermark,
                created_at=now_ms,
            )


def _offsets(offsets: list[int]) -> OffsetSet:
    """Ascending already, but where an interrupted writer wrote into a repartitioned log twice."""
    return OffsetSet.of(sorted(set(offsets)))


def _in_order(offsets: list[int]) -> OffsetSet:
    """Of a log in its order, so that the ends tell whether there are holes."""
    if offsets and offsets[-1] - offsets[0] + 1 == len(offsets):
        return OffsetSet(((offsets[0], len(offsets)),))
    return OffsetSet.of(offsets)
