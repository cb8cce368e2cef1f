"""Records whose handling fails, set aside: nothing has come of them, and the rest goes on."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from mesh.contract import Contract
from mesh.errors import EncodingRefused
from mesh.producer.encoding import RecordEncoder
from mesh.stream.arrival import Arrival, Changes, Encoded, Fate, Outcome, Output, Punctuation
from mesh.stream.task import ProcessingFailed, Task, WindowFailed

logger = logging.getLogger(__name__)

OF_ONE_RECORD: Final = (ProcessingFailed, EncodingRefused)
"""What goes wrong with a record, and not with the processor; WindowFailed is left out of it."""

# Whoever reads the log has to learn of every kind of failure, and not of every record.
_EVERY_SECONDS: Final = 60.0


@dataclass(slots=True)
class _Kind:
    told_at: float
    since: int = 0


@dataclass(slots=True)
class Notices:
    """Says which records were parked: each kind of failure at once, then once a minute with how many more."""

    product: str
    clock: Callable[[], float] = time.monotonic
    _kinds: dict[str, _Kind] = field(default_factory=dict)

    def tell(self, where: object, reason: str) -> None:
        """One more record."""
        kind, now = self._kinds.get(reason), self.clock()
        if kind is None:
            self._kinds[reason] = _Kind(now)
            logger.warning("%s parks %s: %s", self.product, where, reason)
            return
        kind.since += 1
        if now - kind.told_at >= _EVERY_SECONDS:
            logger.warning("%s parks %s and others, %d in all: %s", self.product, where, kind.since, reason)
            kind.told_at, kind.since = now, 0


class Parking:
    """What a processor that parks does with its outputs and with the records that fail.

    Outputs are encoded before a record counts as handled, so that one that is not of its schema leaves nothing behind.
    """

    def __init__(self, product: str, encoded_by: tuple[Contract, RecordEncoder] | None) -> None:
        self._notices = Notices(product)
        self._encoder = None if encoded_by is None else encoded_by[1]

    def sealed(self, outputs: Iterable[Output]) -> list[Output]:
        """The outputs encoded; raises EncodingRefused."""
        return list(outputs) if self._encoder is None else [_sealed(self._encoder, each) for each in outputs]

    def park(self, where: object, error: ProcessingFailed | EncodingRefused) -> Outcome:
        """Say it; raises the error where it is of no single record."""
        if isinstance(error, WindowFailed):
            raise error
        reason = reason_of(error)
        self._notices.tell(where, reason)
        return Outcome(Fate.PARKED, failure=reason)


def _sealed(encoder: RecordEncoder, output: Output) -> Output:
    value: Any = output.value
    if type(value) is not Encoded:
        value = Encoded(encoder.key_of(value), encoder.value(value))
    return Output(value, output.driving if output.alone else output.descent)


def reason_of(error: ProcessingFailed | EncodingRefused) -> str:
    """Which kind of failure it is, for logs and lineage: never anything that a record holds.

    Of a path only the field is told: below it there may be the keys of a map.
    """
    if isinstance(error, ProcessingFailed):
        return f"{error.function} raised {error.reason}"
    known = "is not a field" not in error.reason
    name = re.split(r"[.\[]", error.path)[0] if known else ""
    return f"an output is not of its schema: {name or 'a field'} {error.reason}"


class ParkingTask:
    """A task whose failing records are parked; all the rest is the task's own."""

    def __init__(self, task: Task, parking: Parking) -> None:
        self._task, self._parking = task, parking

    def apply(self, arrival: Arrival) -> Outcome:
        """The next record. Where it fails the task has changed nothing, not even how far event time has come."""
        try:
            return self._task.apply(arrival)
        except OF_ONE_RECORD as error:
            return self._parking.park(arrival.record.coordinate, error)

    def restore(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """The task's own."""
        self._task.restore(entries)

    def punctuate(self, punctuation: Punctuation) -> Outcome:
        """The task's own."""
        return self._task.punctuate(punctuation)

    def finish(self) -> Outcome:
        """The task's own."""
        return self._task.finish()

    def changes(self) -> Changes:
        """The task's own."""
        return self._task.changes()

    def committed(self) -> None:
        """The task's own."""
        self._task.committed()

    def rolled_back(self) -> None:
        """The task's own."""
        self._task.rolled_back()

    def watermark(self) -> int | None:
        """The task's own."""
        return self._task.watermark()
