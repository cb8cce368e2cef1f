"""Runs a processor on Faust: records of the inputs go into the engine, what it makes goes to the ingress."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from mesh.errors import PermanentError, UsageError
from mesh.stream import Arrival, Outcome, Place, Waiting
from mesh.stream.binding import Binding, Running, Tally, Told
from mesh.stream.emission import Emitter
from mesh.stream.faust.app import Application
from mesh.stream.faust.keeper import Keeper
from mesh.stream.faust.run import serve
from mesh.stream.faust.wiring import Wiring
from mesh.stream.loop.lookups import Lookups
from mesh.types import TopicPartition

_POLL_SECONDS: Final = 0.1


def run_faust(binding: Binding, running: Running, stopping: Callable[[], bool], told: Told = lambda _: None) -> Tally:
    """Process until ``stopping()``, or the end of a bounded run.

    Raises ProcessingFailed and UsageError for what a function did, EncodingRefused for an output that is not of its
    schema, DeliveryFailed for one that the broker did not take, RecordsLost and MalformedBody for inputs.
    """
    driver = Driver(binding)
    driver.app.bridge.told = told
    try:
        driver.lookups.load(stopping, fixed=running.until_end)
        finish = driver.finish if running.finish else None
        serve(driver.app, stopping, until_end=running.until_end, before=running.before, finish=finish)
    finally:
        driver.lookups.close()
    return driver.app.bridge.tally


class Driver:
    """One processor on one worker; agents of the inputs that drive it, and tables of the others."""

    def __init__(self, binding: Binding) -> None:
        _check(binding)
        tables = binding.tables()
        self.engine = binding.engine(tables)
        self.lookups = Lookups(binding, tables)
        self.app = Application(Wiring(binding), "halt")
        self.keeper = Keeper(self.engine, self.app.bridge.wiring)
        self.app.bridge.state, self.app.bridge.settles = self.keeper, False
        contract = binding.contract
        self._emitter = Emitter(binding.encoder, contract.topics, contract.partitions, binding.parents_id)
        for product in sorted(self.engine.driving):
            self.app.agent(self.app.input(product), name=product)(self._agent(product))
        self.app.task(self._follow)

    async def _follow(self) -> None:
        """Rows of tables come in between two records."""
        while not self.app.should_stop:
            self.lookups.refresh()
            await asyncio.sleep(_POLL_SECONDS)

    def _agent(self, product: str) -> Any:
        async def work(stream: Any) -> None:
            async for event in stream.events():
                await self._process(product, event.message, event.value)

        return work

    async def _process(self, product: str, message: Any, record: Any) -> None:
        """One record, again and again while it has to wait for a table; none that the run does not come to."""
        limit = self.app.bridge.limit(TopicPartition(message.topic, message.partition))
        if limit is not None and message.offset >= limit:
            return  # Not done, so nothing from here on is committed.
        while not await self._attempt(Place(product, message.partition), message, record):
            await asyncio.sleep(_POLL_SECONDS)

    async def _attempt(self, place: Place, message: Any, record: Any) -> bool:
        bridge = self.app.bridge
        async with self.keeper.lock:
            entry = bridge.ledger.find(TopicPartition(message.topic, message.partition), message.offset)
            if entry is None or entry.message is not message or bridge.fault is not None:
                return True  # The partition was given away, or everything stands still.
            try:
                task = await self.keeper.task(place, entry.offset)
                if task is None:
                    entry.used = entry.done = True
                    return True
                outcome = task.apply(Arrival.of(record, message.key, message.value))
                await self._send(outcome, message.timestamp)
            except Waiting as waiting:
                self.lookups.awaits(waiting)
                return False
            except PermanentError as error:
                # It may have changed a state half-way, so nothing can be set aside here.
                bridge.halt(error)
                return True
            entry.outputs += len(outcome.outputs)
            entry.fate, entry.done = outcome.fate, True
            return True

    async def _send(self, outcome: Outcome, timestamp: float | None) -> None:
        """Everything of a record, in order, before a commit can begin."""
        for output in outcome.outputs:
            deposit = self._emitter.deposit(output)
            place = None
            if deposit is not None:
                kept = await self.app.write(deposit.topic, deposit.partition, deposit.key, deposit.value)
                place = kept.partition, kept.offset
            emitted = self._emitter.record(output, place)
            await self.app.output.publish_message(self.app.output.emitted(emitted, timestamp))

    async def finish(self) -> None:
        """The inputs end here for good: close what is open in the partitions held."""
        made: dict[TopicPartition, tuple[int, int]] = {}
        products = {each.topic: name for name, each in self.app.bridge.wiring.binding.inputs.items()}
        async with self.keeper.lock:
            for held in sorted(self.app.consumer.assignment()):
                task = await self.keeper.task(Place(products[held.topic], held.partition))
                if task is not None:
                    outcome = task.finish()
                    await self._send(outcome, None)
                    place = TopicPartition(held.topic, held.partition)
                    made[place] = await self.app.consumer.position(held), len(outcome.outputs)
            await self.app.bridge.finished(made, self.app.write)


def _check(binding: Binding) -> None:
    if binding.repartition:
        raise UsageError(
            f"{binding.contract.product} keys records anew, in event-time order over all its inputs; Faust sends them "
            "as they come, so run it on the loop"
        )
