"""The commands of the partitions a gate owns, read beside its group and kept until a transaction has settled them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import islice
from typing import Final

from mesh.kafka import Message, SideInput
from mesh.types import TopicPartition

# Commands come by hand or by script; more at once would make a transaction outlive its time-out.
_MOST: Final = 500
_MOST_BYTES: Final = 4_000_000


class CommandFeed:
    """Follows partitions of commands topics; ``waiting`` gives what nobody has settled."""

    def __init__(self, connect: Callable[[], SideInput]) -> None:
        self._connect = connect
        self._input: SideInput | None = None
        self._queues: dict[TopicPartition, deque[Message]] = {}

    def follow(self, starts: Mapping[TopicPartition, int]) -> None:
        """Read these partitions from here on; what was kept of them is dropped."""
        if not starts:
            return
        if self._input is None:
            self._input = self._connect()
        self._queues |= {partition: deque() for partition in starts}
        self._input.follow(starts)

    def leave(self, partitions: Collection[TopicPartition]) -> None:
        """These belong to somebody else now."""
        known = [self._queues.pop(partition) for partition in partitions if partition in self._queues]
        if known and self._input is not None:
            self._input.leave(partitions)

    def waiting(self) -> Iterator[tuple[TopicPartition, list[Message]]]:
        """The next commands of every partition that has some, as many as fit in one transaction."""
        if self._input is None:
            return
        if not any(len(queue) > _MOST for queue in self._queues.values()):
            for message in self._input.take(_MOST):
                self._queues[TopicPartition(message.topic(), message.partition())].append(message)
        for partition, queue in self._queues.items():
            if queue:
                yield partition, list(_within(queue))

    def settled(self, partition: TopicPartition, count: int) -> None:
        """The first ``count`` commands of a partition are done with."""
        queue = self._queues.get(partition, deque())
        for _ in range(min(count, len(queue))):
            queue.popleft()

    def close(self) -> None:
        """Give the connection back."""
        if self._input is not None:
            self._input.close()
            self._input = None


def _within(queue: deque[Message]) -> Iterator[Message]:
    size = 0
    for number, message in enumerate(islice(queue, _MOST)):
        size += len(message.value() or b"")
        if number and size > _MOST_BYTES:
            return
        yield message
