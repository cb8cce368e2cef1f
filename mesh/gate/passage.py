"""What one transaction lets pass of a derived product's partition, and what its manifest says of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mesh.lineage import ColumnHead, Descent, DescentsColumn, HighWater, PartitionChain, encode_descents
from mesh.lineage.marks import (
    OutputName,
    Position,
    Source,
    above,
    high_water_of,
    marks_of,
    name_of,
    position_of,
    source_of,
)


@dataclass(slots=True)
class Passage:
    """One partition in one attempt; begins with the marks of the last manifest and dies with the attempt."""

    processor: str
    marks: dict[Source, Position]
    late_before: int
    descents: list[Descent] = field(default_factory=list)
    """Of the records that went to the public topic, in that order."""
    late: bool = False
    size: int = 0
    """Bytes of the headers looked at; the column of the manifest takes no more."""
    _named: dict[OutputName, Descent] = field(default_factory=dict)
    _indexed: int = 0

    @classmethod
    def after(cls, chain: PartitionChain, processor: str) -> Passage:
        """Nothing has passed since the last manifest."""
        return cls(processor, marks_of(chain.high_water), chain.late_last)

    def fork(self) -> Passage:
        """The same, to try on it what a batch would come to."""
        copies = dict(self.marks), self.late_before, list(self.descents), self.late, self.size
        return Passage(self.processor, *copies, dict(self._named), self._indexed)

    def add(self, descent: Descent) -> None:
        """A record has passed."""
        if self.reaches(descent):
            self.marks[source_of(self.processor, descent)] = position_of(descent)
        else:
            self.late = True
        self.descents.append(descent)

    def reaches(self, descent: Descent) -> bool:
        """Whether the output comes in order: above everything that its source's records have made so far."""
        return above(self.marks, self.processor, descent)

    def before(self, descent: Descent) -> bytes | None:
        """The digest with which the same output passed in this transaction."""
        fresh = self.descents[self._indexed :]
        self._named |= {name_of(each): each for each in fresh}
        self._indexed += len(fresh)
        known = self._named.get(name_of(descent))
        return known.digest if known is not None else None

    @property
    def high_water(self) -> tuple[HighWater, ...]:
        """The marks for the next manifest."""
        return high_water_of(self.marks)

    def column(self) -> bytes:
        """The parents column for the next manifest; also without records it carries its list on."""
        return encode_descents(DescentsColumn(ColumnHead(self.processor, self.late, self.late_before), self.descents))


def carried(chain: PartitionChain) -> bytes:
    """The column of a manifest whose contract says nothing of a derivation, after others that did."""
    if chain.late_last < 0:
        return b""
    nothing: Sequence[Descent] = ()
    return encode_descents(DescentsColumn(ColumnHead("", late_before=chain.late_last), nothing))
