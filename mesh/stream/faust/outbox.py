"""Records that were sent and that the broker has not acknowledged yet."""

from __future__ import annotations

import asyncio
from typing import Any

from mesh.errors import DeliveryFailed


class Outbox:
    """Waited for before any offset is committed: Faust itself only logs what the broker refused."""

    def __init__(self) -> None:
        self._pending: set[asyncio.Future[Any]] = set()
        self._failed: list[str] = []

    def add(self, future: asyncio.Future[Any]) -> None:
        """A record is on its way; the future is done once the broker has it."""
        self._pending.add(future)
        future.add_done_callback(self._arrived)

    def drop(self, future: asyncio.Future[Any]) -> None:
        """It never left: whoever sent it was told by an exception."""
        self._pending.discard(future)

    async def settle(self, topic: str) -> None:
        """Wait for everything sent until now; raises DeliveryFailed where the broker refused something."""
        waiting = set(self._pending)
        if waiting:
            await asyncio.wait(waiting)
            # The futures call back one turn of the event loop later.
            await asyncio.sleep(0)
        if self._failed:
            raise DeliveryFailed(topic, len(self._failed), self._failed[0], "nothing after it was committed")

    def _arrived(self, future: asyncio.Future[Any]) -> None:
        if future not in self._pending:
            return
        self._pending.discard(future)
        if future.cancelled():
            self._failed.append("cancelled")
        elif (error := future.exception()) is not None:
            self._failed.append(type(error).__name__)
