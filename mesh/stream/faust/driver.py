"""Runs a processor on Faust: records of the inputs go into the engine, what it makes goes to the ingress."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Any, Final

from mesh.errors import PermanentError
from mesh.stream import Arrival, Fate, Outcome, Place, Punctuation, Task, Waiting
from mesh.stream.binding import Binding, Running, Tally, Told
from mesh.stream.emission import Emitter
from mesh.stream.faust.app import Application
from mesh.stream.faust.keeper import Keeper
from mesh.stream.faust.ledger import Entry
from mesh.stream.faust.routed import KeyedWiring
from mesh.stream.faust.run import serve
from mesh.stream.loop.horizon import Horizon
from mesh.stream.loop.lookups import Lookups
from mesh.stream.loop.work import IDLE_SECONDS
from mesh.types import TopicPartition

_POLL_SECONDS: Final = 0.1


def run_faust(binding: Binding, running: Running, stopping: Callable[[], bool], told: Told = lambda _: None) -> Tally:
    """Process until ``stopping()``, or the end of a bounded run.

    Raises ProcessingFailed and UsageError for what a function did, EncodingRefused for an output that is not of its
    schema, DeliveryFailed for one that the broker did not take, RecordsLost and MalformedBody for inputs.
    """
    driver = Driver(binding, bounded=running.until_end)
    driver.app.bridge.told = told
    try:
        driver.lookups.load(stopping, fixed=running.until_end)
        finish = driver.finish if running.finish else None
        serve(
            driver.app,
            stopping,
            until_end=running.until_end,
            before=running.before,
            finish=finish,
            over=driver.over,
        )
    finally:
        driver.lookups.close()
    return driver.app.bridge.tally


class Driver:
    """One processor on one worker; agents of the inputs that drive it, and tables of the others."""

    def __init__(self, binding: Binding, *, bounded: bool = False) -> None:
        tables = binding.tables()
        self.engine = binding.engine(tables)
        self.lookups = Lookups(binding, tables)
        self._wiring = KeyedWiring(binding)
        self.app = Application(self._wiring, "halt")
        self.keeper = Keeper(self.engine, self._wiring)
        self.app.bridge.state, self.app.bridge.settles = self.keeper, False
        self._products = {each.topic: name for name, each in binding.inputs.items()}
        contract = binding.contract
        self._emitter = Emitter(binding.encoder, contract.topics, contract.partitions, binding.parents_id)
        for product in sorted(self.engine.driving):
            self.app.agent(self.app.input(product), name=product)(self._agent(product))
        self._bounded, self._joined = bounded, False
        self._inner: list[TopicPartition] | None = None
        if self.engine.repartitioned:
            self.app.agent(self.app.repartition, name="keyed anew")(self._agent(""))
            self.app.on_partitions_assigned.connect(self._assigned, weak=False)
        self.app.task(self._follow)

    async def _follow(self) -> None:
        """Rows of tables come in between two records."""
        while not self.app.should_stop:
            self.lookups.refresh()
            if self._joined:
                await self._rest()
            await asyncio.sleep(_POLL_SECONDS)

    async def _assigned(self, *_: Any, **__: Any) -> None:
        """The group has met: what this worker holds is known."""
        self._joined = True

    async def _rest(self) -> None:
        """Of inputs that are keyed anew: those that give nothing more for now hold nobody up."""
        async with self.keeper.lock:
            if self.app.bridge.fault is not None:
                return
            for held in sorted(self.app.consumer.assignment()):
                place = self._place(held)
                if not place.repartitioned and self.engine.routes(place.product):
                    await self.keeper.task(place)
            await self.keeper.rest(self._gives_nothing)

    def _gives_nothing(self, log: TopicPartition, position: int, came_at: float) -> bool:
        if not self._bounded:
            return time.monotonic() - came_at > IDLE_SECONDS
        limit = self.app.bridge.limit(log)
        return limit is not None and position >= limit

    def over(self, horizon: Horizon, driving: Collection[TopicPartition]) -> bool:
        """Whether the inputs are dealt with, and what was keyed anew of them."""
        if not horizon.all_committed(driving):
            return False
        if not self.engine.repartitioned:
            return True
        if not self._joined or not self.keeper.rested:
            return False
        if self._inner is None:
            topic = self._wiring.contract.topics.repartition
            self._inner = [TopicPartition(topic, number) for number in range(self._wiring.contract.partitions)]
            horizon.extend(self._inner)
        return horizon.all_committed(self._inner)

    def _place(self, log: Any) -> Place:
        if log.topic == self._wiring.contract.topics.repartition:
            return Place("", log.partition, repartitioned=True)
        return Place(self._products[log.topic], log.partition)

    def _agent(self, product: str) -> Any:
        async def work(stream: Any) -> None:
            async for event in stream.events():
                await self._process(Place(product, event.message.partition, not product), event.message, event.value)

        return work

    async def _process(self, place: Place, message: Any, record: Any) -> None:
        """One record, again and again while it has to wait for a table; none that the run does not come to."""
        limit = self.app.bridge.limit(TopicPartition(message.topic, message.partition))
        if limit is not None and message.offset >= limit:
            return  # Not done, so nothing from here on is committed.
        while not await self._attempt(place, message, record):
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
                outcome = self._worked(task, place, message, record, entry)
                await self._send(outcome, message.timestamp)
            except Waiting as waiting:
                self.lookups.awaits(waiting)
                return False
            except PermanentError as error:
                # What can be parked the task has parked: this may have changed a state half-way.
                bridge.halt(error)
                return True
            entry.outputs += len(outcome.outputs)
            entry.fate, entry.failure, entry.done = outcome.fate, outcome.failure, True
            entry.silent = entry.silent or outcome.fate is Fate.KNOWN
            return True

    def _worked(self, task: Task, place: Place, message: Any, record: Any, entry: Entry) -> Outcome:
        """What a task makes of an entry of its log; where it is keyed anew, its fate is told by the next task."""
        arrived = record if place.repartitioned else Arrival.of(record, message.key, message.value)
        if isinstance(arrived, Punctuation):
            entry.silent = True
            return task.punctuate(arrived)
        outcome = task.apply(arrived)
        if not place.repartitioned and self.engine.routes(place.product):
            entry.silent = outcome.routed is not None
            self.keeper.route(place, arrived, outcome)
        return outcome

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
        async with self.keeper.lock:
            for held in sorted(self.app.consumer.assignment()):
                task = await self.keeper.task(self._place(held))
                if task is not None:
                    outcome = task.finish()
                    await self._send(outcome, None)
                    place = TopicPartition(held.topic, held.partition)
                    made[place] = await self.app.consumer.position(held), len(outcome.outputs)
            await self.app.bridge.finished(made, self.app.write)
