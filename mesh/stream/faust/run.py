"""Runs a Faust application in this process: until it is stopped, until the present end, or until it halts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from typing import Any, Final

from mesh.errors import MeshError, ProcessorStopped, RecordsLost
from mesh.kafka import Admin, LogReader
from mesh.stream.faust.wiring import Wiring
from mesh.stream.loop.horizon import Horizon, bound
from mesh.types import TopicPartition

Finish = Callable[[], Awaitable[None]]
Over = Callable[[Horizon, Collection[TopicPartition]], bool]

_LOOK_SECONDS: Final = 0.05
# Faust waits for its services without a bound where a broker has left.
_STOP_SECONDS: Final = 30.0


def serve(
    app: Any,
    stopping: Callable[[], bool],
    *,
    until_end: bool = False,
    before: datetime | None = None,
    finish: Finish | None = None,
    over: Over = lambda horizon, driving: horizon.all_committed(driving),
) -> None:
    """Process records until ``stopping()``, or with ``until_end`` what the inputs hold now, in the whole group.

    With ``before`` that is what lies before the first record of that event time or later; see ``Bridge.limit``.
    ``over`` says when that is done; asked in a thread of its own.

    Raises RecordsLost where retention took what the group had not read, ProcessorStopped for a program's own error, and
    whatever else leaves no way to go on; records that are not committed come again at the next start.
    """
    wiring: Wiring = app.bridge.wiring
    with Admin(wiring.binding.connection) as admin, LogReader(wiring.binding.connection) as reader:
        _check_kept(wiring, admin)
        horizon = Horizon(admin, reader, wiring.group)
        if until_end:
            topics = {place.topic for place in app.driving}
            driving = [name for name, each in wiring.binding.inputs.items() if each.topic in topics]
            bound(horizon, wiring.binding, driving, before)
            app.bridge.limit = horizon.limit
        done = (lambda: over(horizon, app.driving)) if until_end else None
        asyncio.run(_serve(app, stopping, done, finish))
    error = app.bridge.fault or app.crash_reason
    if isinstance(error, MeshError):
        raise error
    if error is not None:
        raise ProcessorStopped(wiring.group, "no record of its own", type(error).__name__) from error


def _check_kept(wiring: Wiring, admin: Admin) -> None:
    """Faust would begin again at what there is, without a word."""
    beginnings = admin.beginnings(wiring.places)
    for place, committed in admin.committed(wiring.group, wiring.places).items():
        if committed is not None and committed < beginnings[place]:
            raise RecordsLost(place.topic, place.partition, committed)


async def _serve(
    app: Any, stopping: Callable[[], bool], done: Callable[[], bool] | None, finish: Finish | None
) -> None:
    await app.start()
    while not (stopping() or app.bridge.fault is not None or app.crashed):
        if done is not None and await asyncio.to_thread(done):
            if finish is not None:
                await finish()
            break
        await asyncio.sleep(_LOOK_SECONDS)
    await asyncio.wait_for(app.stop(), _STOP_SECONDS)
