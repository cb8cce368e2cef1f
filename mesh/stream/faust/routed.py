"""Records of an input partition on their way to the topic of records keyed anew, and that topic as it is read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from mesh.lineage import Reference
from mesh.stream import Arrival, Fate, Outcome, Place
from mesh.stream.emission import Emitted
from mesh.stream.faust.wiring import Fetched, Wiring
from mesh.stream.rekeying import Headway, RekeyedReader, rekeyed

_NOWHERE: Final = Reference(UUID(int=0), 0, 0)
"""What drives an entry that is no record."""


@dataclass(slots=True)
class Routed:
    """What one input partition gave since the last commit. Written in one transaction with its offset, each once.

    ``came_at`` is when its last record came, by a monotonic clock.
    """

    topic: str
    partitions: int
    place: Place
    rested: bool = False
    came_at: float = field(default_factory=time.monotonic)
    _moved: list[Emitted] = field(default_factory=list)
    _headway: Headway = field(init=False)

    def __post_init__(self) -> None:
        self._headway = Headway((self.place.product, self.place.partition))

    def take(self, arrival: Arrival, outcome: Outcome) -> None:
        """The next record, under its new key. Without one event time has come so far all the same, unless it failed."""
        self.rested, self.came_at = False, time.monotonic()
        if outcome.fate is not Fate.PARKED:
            self._headway.saw(arrival)
        if outcome.routed is not None:
            self._moved.append(rekeyed(self.topic, arrival, outcome.routed))

    def written(self) -> list[Emitted]:
        """What is to be written: the records, then how far time has come."""
        return [*self._moved, *self._headway.told(self.topic, self.partitions, rests=False)]

    def resting(self) -> Iterator[Emitted]:
        """That nothing more comes for now."""
        return self._headway.told(self.topic, self.partitions, rests=True)

    def committed(self) -> None:
        """All of it is in Kafka; what was read last still counts where the partition rests."""
        self._moved.clear()
        self._headway.furthest = None


class KeyedWiring(Wiring):
    """The wiring of the engine, whose topic of records keyed anew has a form of its own."""

    @cached_property
    def _keyed(self) -> RekeyedReader:
        readers = self.readers.items()
        return RekeyedReader({topic_id: (bound.topic, reader.read) for topic_id, (bound, reader) in readers})

    @cached_property
    def _repartition(self) -> str:
        return self.contract.topics.repartition

    def origin(self, fetched: Fetched) -> tuple[Reference, int]:
        """The public record behind an entry; its outputs are numbered by the engine."""
        if fetched.name != self._repartition:
            return super().origin(fetched)
        return self._keyed.source(fetched) or _NOWHERE, 0

    def read(self, fetched: Fetched) -> Any:
        """The record; of the topic of records keyed anew its entry, an arrival or punctuation."""
        return self._keyed.read(fetched) if fetched.name == self._repartition else super().read(fetched)
