"""The topic of parents as a log: which processor was at work on an input offset, and what became of its records."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from mesh.errors import LineageBroken
from mesh.kafka.message import Message
from mesh.lineage.log import Reader
from mesh.lineage.parents import ParentSet
from mesh.lineage.progress import Progress, decode_parents_record
from mesh.lineage.reference import Reference
from mesh.types import TopicPartition

Told = tuple[int, Progress]
"""What a processor said, with its offset in the topic of parents."""

_CHUNK = 64

_LOOK_BACK = 8192
"""Offsets looked through where halving finds nothing: a record nobody has read yet must not cost the whole log."""


class ProgressLog:
    """One partition of a derived product's topic of parents."""

    def __init__(self, reader: Reader, partition: TopicPartition) -> None:
        self._reader, self._partition = reader, partition
        self.begin, self.end = reader.bounds(partition)
        self._remembered: dict[tuple[int, int], list[Told]] = {}

    def covering(self, source: Reference) -> Told | None:
        """A commit of the processor that covers an input record; None when there is none yet.

        Each input partition's ranges ascend, so halving finds it, unless the processor was set back: then the newest
        ones are looked through.
        """
        return self._halving(source) or next(self._newest(source), None)

    def last_word(self, source: Reference) -> Told | None:
        """The last of the commits that say what became of an input record, among the newest; None where none does."""
        return next((each for each in self._newest(source) if source.offset in each[1].delivered), None)

    def told(self) -> Iterator[Told]:
        """Every commit, as they were written."""
        yield from self._told(self.begin, self.end)

    def _halving(self, source: Reference) -> Told | None:
        low, high = self.begin, self.end
        while low < high:
            middle = (low + high) // 2
            found = self._next(middle, high, source.topic_id, source.partition)
            if found is None or found[1].start > source.offset:
                high = middle
            elif source.offset < found[1].end:
                return found
            else:
                low = found[0] + 1
        return None

    def _next(self, start: int, end: int, topic_id: UUID, partition: int) -> Told | None:
        size = _CHUNK
        while start < end:
            for each in self._chunk(start, min(end, start + size)):
                if (each[1].topic_id, each[1].partition) == (topic_id, partition):
                    return each
            start, size = start + size, size * 2
        return None

    def _newest(self, source: Reference) -> Iterator[Told]:
        """The commits that cover an input record, among the newest ones, the last first."""
        return (each for each in self._newest_first() if _covers(each, source))

    def _newest_first(self) -> Iterator[Told]:
        end, size = self.end, _CHUNK
        while end > max(self.begin, self.end - _LOOK_BACK):
            start = max(self.begin, end - size)
            yield from reversed(self._chunk(start, end))
            end, size = start, size * 2

    def _chunk(self, start: int, end: int) -> list[Told]:
        if (start, end) not in self._remembered:
            self._remembered[start, end] = list(self._told(start, end))
        return self._remembered[start, end]

    def _told(self, start: int, end: int) -> Iterator[Told]:
        for message in self._reader.read(self._partition, start, end):
            content = _decoded(message)
            if isinstance(content, Progress):
                yield message.offset(), content


def deposited(reader: Reader, partition: TopicPartition, offset: int) -> ParentSet | None:
    """A parent set that was too large for its header; None when it is no longer kept. Raises LineageBroken."""
    message = reader.fetch(partition, offset)
    content = _decoded(message) if message is not None else None
    if content is None or isinstance(content, ParentSet):
        return content
    raise LineageBroken(f"{partition}/{offset}", "no parent set lies there")


def _decoded(message: Message) -> Progress | ParentSet:
    try:
        return decode_parents_record(message.value() or b"")
    except LineageBroken as error:
        raise LineageBroken(f"{message.topic()}/{message.partition()}/{message.offset()}", error.reason) from None


def _covers(told: Told, source: Reference) -> bool:
    progress = told[1]
    same = (progress.topic_id, progress.partition) == (source.topic_id, source.partition)
    return same and progress.start <= source.offset < progress.end
