"""The one place every record passes that a Faust program sends, however it sends it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from faust.topics import Topic

from mesh.errors import UsageError
from mesh.lineage import Descent
from mesh.stream.emission import BY_KEY, Emitted
from mesh.stream.faust.bridge import header_of
from mesh.stream.faust.schema import refuse_serializers


class Descended(Topic):
    """Gives what is sent to it its parents: through ``send``, ``send_soon``, ``forward``, sinks and ``group_by``."""

    def as_future_message(self, key: Any = None, value: Any = None, *more: Any, **options: Any) -> Any:
        """The record to be sent; raises UsageError for another topic, ParentsUnknown where no record is processed."""
        refuse_serializers(options.get("key_serializer"), options.get("value_serializer"))
        bridge, name = self.app.bridge, self.get_topic_name()
        bridge.permit(name)
        if key is None and name == bridge.topics.ingress and not isinstance(value, bytes | None):
            key = bridge.wiring.encoder.key_of(value)
        future = super().as_future_message(key, value, *more, **options)
        message = future.message
        headers, descent, scope = bridge.dress(name, _mapping(message.headers))
        timestamp = message.timestamp if message.timestamp is not None else scope.timestamp
        partition = message.partition
        if partition is None and message.key is None:
            # As a repeated one meets the first: a record without a key lies where its driver does.
            partition = bridge.wiring.beside(descent.driving.partition)
        future.message = message._replace(headers=headers, timestamp=timestamp, partition=partition)
        return self._in_turn(future, descent)

    def emitted(self, record: Emitted, timestamp: float | None) -> Any:
        """A record of the engine's, which has named its parents itself."""
        partition = None if record.partition == BY_KEY else record.partition
        headers = dict(record.headers)
        future = super().as_future_message(record.key, record.value, partition, timestamp, headers)
        return self._in_turn(future, None)

    def _in_turn(self, future: Any, descent: Descent | None) -> Any:
        bridge = self.app.bridge
        future.descent, future.after, future.handed = descent, bridge.turn, asyncio.Event()
        bridge.turn = future.handed
        bridge.outbox.add(future)
        return future

    async def publish_message(self, future: Any, wait: bool = False) -> Any:
        """Send it after all that was made before it; a set too large for a header is deposited, and acknowledged."""
        bridge = self.app.bridge
        try:
            if future.after is not None:
                await future.after.wait()
            if future.descent is not None:
                settled = await bridge.deposit(future.descent, self.app.write)
                headers = _mapping(future.message.headers) | header_of(settled)
                future.message = future.message._replace(headers=headers)
            return await super().publish_message(future, wait=wait)
        except BaseException:
            bridge.outbox.drop(future)
            raise
        finally:
            future.handed.set()

    def derive_topic(self, **options: Any) -> Any:
        """Refused: a mesh's topics are made by ``mesh apply`` alone."""
        raise UsageError(
            f"{self} has no topics beside it; to key records anew set repartition in the contract's derivation and "
            "write group_by(..., name=..., topic=app.repartition)"
        )


def _mapping(headers: Any) -> dict[str, bytes]:
    return dict(headers.items() if isinstance(headers, Mapping) else headers or ())
