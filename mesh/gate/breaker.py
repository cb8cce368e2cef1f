"""When a partition stops rather than go on: too many refusals, or a clause whose reaction is to halt."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mesh.contract import Contract
from mesh.contract.fields import custom
from mesh.judge import Verdicts
from mesh.lineage import Stop, StopCause
from mesh.types import Reaction, TopicPartition

logger = logging.getLogger(__name__)

_RECORDS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What a contract lets pass into quarantine: a share of the last ``of`` records, a run of refusals in a row."""

    share: float | None = None
    of: int = _RECORDS
    run: int | None = None

    @classmethod
    def read(cls, contract: Contract) -> Limits | None:
        """The custom property ``breaker: {share: 0.5, of: 1000, run: 200}`` of the schema object; None without one."""
        given: Any = custom(contract.document.source["schema"][0]).get("breaker")
        if given is None:
            return None
        try:
            share, run = given.get("share"), given.get("run")
            limits = cls(None if share is None else float(share), int(given.get("of", _RECORDS)), run and int(run))
        except (AttributeError, TypeError, ValueError):
            logger.warning("%s: the breaker %r cannot be read, so there is none", contract.product, given)
            return None
        return limits


@dataclass(slots=True)
class _Window:
    """The last records of a partition as far as a breaker looks."""

    blocks: deque[tuple[int, int]] = field(default_factory=deque)
    run: int = 0

    def share(self, limits: Limits, count: int, refused: int) -> float:
        """The share of refusals when another block comes; 0 as long as too few records were seen."""
        self.blocks.append((count, refused))
        seen = sum(each for each, _ in self.blocks)
        while seen - self.blocks[0][0] >= limits.of:
            seen -= self.blocks.popleft()[0]
        return sum(each for _, each in self.blocks) / seen if seen >= limits.of else 0.0

    def overrun(self, limits: Limits, count: int, refused: Collection[int]) -> int | None:
        """The row at which the run of refusals gets too long."""
        for row in range(count):
            self.run = self.run + 1 if row in refused else 0
            if limits.run is not None and self.run >= limits.run:
                return row
        return None


class Stops:
    """Which partitions of a gate stand still by their contract's will, and why.

    A stop is recorded by the transaction in which it was found; people are alerted when that has committed.
    """

    def __init__(self, alert: Callable[[Contract, int, str], None], now: Callable[[], float] = time.time) -> None:
        self._alert, self._now = alert, now
        self._limits: dict[str, Limits | None] = {}
        self._windows: dict[TopicPartition, _Window] = {}
        self._stopped: dict[TopicPartition, Stop] = {}
        self._unrecorded: dict[TopicPartition, Contract] = {}
        self._let_through: dict[TopicPartition, int] = {}

    def stands(self, partition: TopicPartition) -> bool:
        """Whether a partition waits for somebody to say that it may go on."""
        return partition in self._stopped

    def standing(self) -> dict[str, str]:
        """Those that wait, by name, each with the offset it waits at; may be asked by any thread."""
        stopped = self._stopped.copy().items()
        return {str(place): f"its contract stopped it at offset {stop.offset}" for place, stop in stopped}

    def stop(self, partition: TopicPartition) -> Stop | None:
        """Why a partition stands; None where it does not."""
        return self._stopped.get(partition)

    def restore(self, partition: TopicPartition, stop: Stop) -> None:
        """Take up what the last manifest of a partition says: that it stands, or may pass the record it stood at."""
        if stop.resumed:
            self._let_through[partition] = stop.offset
        elif stop.cause is not StopCause.FULL:
            self._stopped[partition] = stop
            logger.warning("%s stands still: %s", partition, stop.reason)

    def row(
        self, partition: TopicPartition, contract: Contract, verdicts: Verdicts, offsets: Sequence[int]
    ) -> int | None:
        """The first row that is not to be handled; from then on the partition stands."""
        if not verdicts.findings and partition not in self._windows:
            return None
        cause, (row, reason) = StopCause.HALT, self._halting(partition, verdicts, offsets)
        if row is None:
            cause, (row, reason) = StopCause.BREAKER, self._broken(partition, contract, verdicts, len(offsets))
        if row is not None:
            self._stopped[partition] = Stop(
                cause=cause,
                offset=offsets[row],
                reason=reason,
                contract_version=contract.version,
                since=int(self._now() * 1000),
            )
            self._unrecorded[partition] = contract
        return row

    def ended(self, *, committed: bool) -> None:
        """The transaction has ended; what came to nothing is found again."""
        if not committed:
            self._windows.clear()
        for partition, contract in self._unrecorded.items():
            if committed:
                self._alert(contract, partition.partition, self._stopped[partition].reason)
            else:
                self._stopped.pop(partition, None)
        self._unrecorded.clear()

    def _halting(self, partition: TopicPartition, verdicts: Verdicts, offsets: Sequence[int]) -> tuple[int | None, str]:
        for row in sorted(verdicts.findings):
            halts = [each.clause for each in verdicts.findings[row] if each.reaction is Reaction.HALT]
            if halts and offsets[row] > self._let_through.get(partition, -1):
                return row, f"{partition}/{offsets[row]} breaks `{halts[0]}`, which halts"
        return None, ""

    def _broken(
        self, partition: TopicPartition, contract: Contract, verdicts: Verdicts, count: int
    ) -> tuple[int | None, str]:
        if contract.digest not in self._limits:
            self._limits[contract.digest] = Limits.read(contract)
        limits = self._limits[contract.digest]
        if limits is None:
            return None, ""
        window, refused = self._windows.setdefault(partition, _Window()), verdicts.refusals
        share = window.share(limits, count, len(refused))
        clauses = Counter(each.clause for row in refused for each in verdicts.findings[row])
        most = clauses.most_common(1)[0][0] if clauses else "other clauses"
        if limits.share is not None and refused and share >= limits.share:
            return 0, f"{share:.0%} refused, mostly by `{most}`"
        row = window.overrun(limits, count, refused)
        return row, f"{window.run:,} refused in a row, mostly by `{most}`"

    def resume(self, partition: TopicPartition) -> None:
        """Go on: what was seen is forgotten, and the record that halted goes to quarantine."""
        stop = self._stopped.pop(partition, None)
        if stop is not None:
            self._let_through[partition] = stop.offset
        self._windows.pop(partition, None)

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """These belong to somebody else now."""
        for partition in partitions:
            self._windows.pop(partition, None)
            self._stopped.pop(partition, None)
            self._unrecorded.pop(partition, None)
            self._let_through.pop(partition, None)


def alarm(contract: Contract, partition: int, reason: str) -> str:
    """What a person on call needs: what stopped, why, since which version, and what to do."""
    product = contract.product
    return (
        f"{product} p{partition} stopped: {reason} since {contract.version};"
        f" next: mesh quarantine show {product} state=open, then mesh gate resume {product} --partition {partition}"
    )
