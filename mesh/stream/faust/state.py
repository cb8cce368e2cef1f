"""What a commit needs to know of the state that a processor keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Protocol

from mesh.stream import Changes, Place
from mesh.types import TopicPartition


class State(Protocol):
    """Follows the commit: written after the outputs, together with the input's offsets.

    Who holds ``lock`` processes a record or commits, so that a commit holds all of a record or nothing of it.
    """

    lock: asyncio.Lock

    def changes(self, logs: Collection[TopicPartition] | None = None) -> Mapping[Place, Changes]:
        """What the states have become since the last commit; of these logs alone, where they are given."""

    async def save(self, changes: Mapping[Place, Changes], positions: Mapping[TopicPartition, int]) -> None:
        """Write that, with the offsets it belongs to, and wait until the broker has both."""

    async def release(self, places: Collection[TopicPartition]) -> None:
        """These partitions are somebody else's now."""

    def watermark(self, log: TopicPartition) -> int | None:
        """How far event time has come in a log; None where nothing depends on it."""


class Stateless:
    """A program whose state, if it has any, is not the mesh's."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()

    def changes(self, logs: Collection[TopicPartition] | None = None) -> Mapping[Place, Changes]:
        """None."""
        return {}

    async def save(self, changes: Mapping[Place, Changes], positions: Mapping[TopicPartition, int]) -> None:
        """Nothing to write."""

    async def release(self, places: Collection[TopicPartition]) -> None:
        """Nothing to forget."""

    def watermark(self, log: TopicPartition) -> int | None:
        """None."""
        return None
