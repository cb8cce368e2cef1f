"""Runs a Faust application in this process: until it is stopped, until the present end, or until it halts."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from typing import Any, Final

from mesh.errors import MeshError, ProcessorStopped
from mesh.kafka import Admin
from mesh.types import TopicPartition

_LOOK_SECONDS: Final = 0.05
# Faust waits for its services without a bound where a broker has left.
_STOP_SECONDS: Final = 30.0


def run(app: Any, *, until_end: bool = False) -> None:
    """Process records; ends at SIGTERM or SIGINT, or with ``until_end`` at the end that the inputs have now.

    Raises ProcessorStopped for a program's own error, and whatever else leaves no way to go on; records that are not
    committed then come again at the next start.
    """
    wiring = app.bridge.wiring
    ends: Mapping[TopicPartition, int] | None = None
    if until_end:
        with Admin(wiring.connection) as admin:
            ends = admin.ends(wiring.places, committed=True)
    asyncio.run(_serve(app, ends))
    error = app.bridge.fault or app.crash_reason
    if error is None:
        return
    if isinstance(error, MeshError):
        raise error
    raise ProcessorStopped(wiring.group, "no record of its own", type(error).__name__) from error


async def _serve(app: Any, ends: Mapping[TopicPartition, int] | None) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    await app.start()
    while not (stopping.is_set() or app.bridge.fault is not None or app.crashed):
        if ends is not None and await _finished(app, ends):
            break
        await asyncio.sleep(_LOOK_SECONDS)
    await asyncio.wait_for(app.stop(), _STOP_SECONDS)


async def _finished(app: Any, ends: Mapping[TopicPartition, int]) -> bool:
    """Whether this worker has read its partitions to their ends, and committed what came of them."""
    consumer = app.consumer
    held = {TopicPartition(place.topic, place.partition): place for place in consumer.assignment()}
    if app.rebalancing or not held:
        return False
    for place, end in ends.items():
        if place in held and (await consumer.position(held[place]) or 0) < end:
            return False
    await consumer.commit()
    return bool(app.bridge.ledger.idle)
