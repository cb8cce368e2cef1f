"""How far a judged batch may be handled, and which of it has to wait: held keys first, then what stops a partition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mesh.gate.breaker import Stops
from mesh.gate.holding import Holding
from mesh.gate.holds import NOTHING_HELD, Screened
from mesh.gate.product import GatedProduct
from mesh.judge import Verdicts
from mesh.kafka import Message, Run
from mesh.lineage import Stop, StopCause
from mesh.types import TopicPartition


@dataclass(frozen=True, slots=True)
class Handling:
    """``rows`` of a batch are handled now, by ``verdicts``; ``stop`` is new, and to be recorded."""

    rows: int
    verdicts: Verdicts
    screened: Screened = NOTHING_HELD
    stop: Stop | None = None


class Screening:
    """Asks the holds and the stops of a gate's partitions. ``now`` gives seconds since the epoch."""

    def __init__(self, holding: Holding, stops: Stops, now: Callable[[], float]) -> None:
        self._holding, self._stops, self._now = holding, stops, now

    def waits(self, partition: TopicPartition, record: Message, known: Stop | None) -> bool:
        """Whether it is known without judging that the next record cannot be handled yet."""
        if self._stops.stands(partition):
            return True
        full = known is not None and known.cause is StopCause.FULL and known.offset == record.offset()
        return full and self._holding.waits(partition, record)

    def handling(
        self, product: GatedProduct, partition: TopicPartition, run: Run, verdicts: Verdicts, known: Stop | None
    ) -> Handling:
        """What is to be done with a judged batch; ``known`` is the stop that is recorded already."""
        screened = self._holding.screen(product, partition, run.keys, verdicts)
        rows = len(run) if screened.full is None else screened.full
        # What is parked is judged when it is released; until then its findings count for nothing.
        judged = verdicts.first(rows, screened.parked) if screened is not NOTHING_HELD else verdicts
        row = self._stops.row(partition, product.contract, judged, run.offsets[:rows])
        if row is not None:
            judged = judged.first(row)
            again = self._holding.screen(product, partition, run.keys[:row], judged)
            return Handling(row, judged, again, self._stops.stop(partition))
        stop = self._full(product, run.offsets[rows], known) if rows < len(run) else None
        return Handling(rows, judged, screened, stop)

    def _full(self, product: GatedProduct, offset: int, known: Stop | None) -> Stop | None:
        if known is not None and known.cause is StopCause.FULL and known.offset == offset:
            return None
        return Stop(
            cause=StopCause.FULL,
            offset=offset,
            reason=f"{product.most_waiting:,} records wait for refused ones of their keys, which is the most",
            contract_version=product.contract.version,
            since=int(self._now() * 1000),
        )
