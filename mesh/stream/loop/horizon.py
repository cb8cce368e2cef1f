"""Where a bounded run stops: the last records that the inputs held when it began."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from datetime import datetime

from mesh.consumer.record import RecordReader
from mesh.errors import RetriableError
from mesh.kafka import Admin, LogReader, Message
from mesh.stream.binding import Binding
from mesh.types import TopicPartition

logger = logging.getLogger(__name__)

TimeOf = Callable[[Message], datetime | None]
"""The event time of a record of one input."""

_ASK_SECONDS = 0.3
_TAIL = 64


def bound(horizon: Horizon, binding: Binding, driving: Collection[str], before: datetime | None) -> None:
    """Set where a run until the end stops: where these inputs end now, or at their first record of a time or later."""
    for product in driving:
        places = binding.inputs[product].places()
        horizon.extend(places)
        if before is not None:
            horizon.cut(places, before, _times(binding.reader(product)))


def _times(reader: RecordReader) -> TimeOf:
    return lambda message: reader.read(message).event_time


class Horizon:
    """What a run until the end has to deal with, and whether the group has: every member goes on until all is done.

    A partition's target is the offset after its last record, since a marker may follow that nobody reads; 0 where there
    is no record.
    """

    def __init__(
        self, admin: Admin, reader: LogReader, group: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._admin, self._reader, self._group, self._clock = admin, reader, group, clock
        self._targets: dict[TopicPartition, int] = {}
        self._dealt_with: set[TopicPartition] = set()
        self._asked = float("-inf")

    def extend(self, places: Collection[TopicPartition]) -> None:
        """These up to their present end."""
        ends = self._admin.ends(places, committed=True)
        self._targets |= {place: self._last(place, end) for place, end in ends.items()}

    def cut(self, places: Collection[TopicPartition], before: datetime, time_of: TimeOf) -> None:
        """These, which must be extended, up to their first record of that event time or later, where there is one.

        What the group has committed is not looked at again; a record without an event time is never the first.
        """
        for place, at in self._admin.committed(self._group, places).items():
            self._targets[place] = self._until(place, at or 0, before, time_of)

    def _until(self, place: TopicPartition, start: int, before: datetime, time_of: TimeOf) -> int:
        end = start
        for message in self._reader.read(place, start, self._targets[place]):
            time = time_of(message)
            if time is not None and time >= before:
                return end
            end = message.offset() + 1
        return self._targets[place]

    def _last(self, place: TopicPartition, end: int) -> int:
        low, _ = self._reader.bounds(place)
        span = _TAIL
        while end > low:
            offsets = [message.offset() for message in self._reader.read(place, end - span, end)]
            if offsets:
                return offsets[-1] + 1
            if end - span <= low:
                break
            span *= 8
        return 0

    def limit(self, place: TopicPartition) -> int | None:
        """The first offset that is not dealt with any more."""
        return self._targets.get(place)

    def passed(self, place: TopicPartition, position: int) -> bool:
        """Whether a partition has been dealt with up to its target."""
        target = self._targets.get(place)
        return target is not None and position >= target

    def all_committed(self, places: Collection[TopicPartition]) -> bool:
        """Whether the group has committed its way past the targets of these; asked a few times a second at most."""
        waiting = [place for place in places if place not in self._dealt_with]
        if not waiting:
            return True
        if self._clock() - self._asked < _ASK_SECONDS:
            return False
        self._asked = self._clock()
        try:
            committed = self._admin.committed(self._group, waiting)
        except RetriableError as error:
            logger.debug("%s; asked again", error)
            return False
        for place, at in committed.items():
            if self.passed(place, at or 0):
                self._dealt_with.add(place)
        return self._dealt_with.issuperset(waiting)
