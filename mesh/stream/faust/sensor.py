"""Where Faust tells that a record begins and ends: the scope of what is sent meanwhile."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import faust

from mesh.stream.faust.bridge import Bridge
from mesh.stream.faust.scope import Scope, enter
from mesh.stream.faust.wiring import Fetched
from mesh.types import TopicPartition


class Scopes(faust.Sensor):
    """Opens a scope for each record in the task that processes it; Faust's ``current_event`` is a weak reference."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        super().__init__()

    def on_message_in(self, tp: Any, offset: int, message: Any) -> None:
        """The first stream takes it."""
        self._bridge.take(Fetched.of(message), message)

    def on_stream_event_in(self, tp: Any, offset: int, stream: Any, event: Any) -> dict[str, Any]:
        """A task begins with it."""
        entry = self._bridge.ledger.find(TopicPartition(tp.topic, tp.partition), offset)
        if entry is None:
            return {}
        scope = Scope(entry, event.message.timestamp)
        enter(scope)
        return {"scope": scope}

    def on_stream_event_out(
        self, tp: Any, offset: int, stream: Any, event: Any, state: dict[str, Any] | None = None
    ) -> None:
        """The task asks for the next one; or it was cancelled, or failed, in the middle, and this one is not done."""
        scope: Scope | None = (state or {}).get("scope")
        if scope is None:
            return
        scope.closed = True
        if self._bridge.settles and not isinstance(sys.exception(), GeneratorExit | asyncio.CancelledError):
            scope.entry.done = True
