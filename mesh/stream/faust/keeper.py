"""The state of the partitions held: taken up from the changelog, written back together with the input's offsets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from mesh.kafka import Admin, LogReader
from mesh.kafka.transaction import TransactionalProducer, outside_group
from mesh.stream import Arrival, Changes, Engine, Outcome, Place, Scope, Task
from mesh.stream.emission import Emitted
from mesh.stream.faust.routed import Routed
from mesh.stream.faust.wiring import Wiring
from mesh.stream.loop.restoring import Changelog
from mesh.types import ProductName, TopicPartition


@dataclass(slots=True)
class _Kept:
    task: Task
    log: TopicPartition
    scopes: frozenset[Scope]
    floor: int = 0
    """Records before this one are in the state that was taken up."""
    routed: Routed | None = None
    """Where records of an input are keyed anew: those that have not been written yet."""
    producer: TransactionalProducer | None = None
    """Owns the state of this partition: whoever takes it over fences a worker that was only thought to be gone."""


class Keeper:
    """One task a partition. Blocking calls of the client run in threads; one at a time, under ``lock``.

    ``lock`` is held while a record is processed and while a commit is made, so that a commit holds all of a record or
    nothing of it. State and offset are one transaction: a state that is ahead of its offset would take records again.
    """

    def __init__(self, engine: Engine, wiring: Wiring) -> None:
        self.lock = asyncio.Lock()
        self._engine, self._wiring = engine, wiring
        self._kept: dict[Place, _Kept] = {}
        self._group: object = None

    async def task(self, place: Place, offset: int | None = None) -> Task | None:
        """The task of a partition, with its state; None for a record that is in it already."""
        kept = self._kept.get(place)
        if kept is None:
            kept = _Kept(
                self._engine.task(place), self._log(place), self._engine.scopes(place), routed=self._routed(place)
            )
            if kept.scopes or kept.routed is not None:
                await asyncio.to_thread(self._take_over, place, kept)
            self._kept[place] = kept
        return kept.task if offset is None or offset >= kept.floor else None

    def _log(self, place: Place) -> TopicPartition:
        if place.repartitioned:
            return place.of(self._wiring.contract.topics.repartition)
        return place.of(self._wiring.bound(ProductName.parse(place.product)).topic)

    def _routed(self, place: Place) -> Routed | None:
        if place.repartitioned or not self._engine.routes(place.product):
            return None
        return Routed(self._wiring.contract.topics.repartition, self._wiring.contract.partitions, place)

    def _take_over(self, place: Place, kept: _Kept) -> None:
        binding = self._wiring.binding
        name = f"{binding.group}.faust.{place.product or '*'}.{place.partition}"
        # First the take-over: nothing is written behind what is read then.
        kept.producer = TransactionalProducer(binding.connection, name)
        if self._group is None:
            self._group = outside_group(binding.connection, binding.group)
        with Admin(binding.connection) as admin, LogReader(binding.connection) as reader:
            changelog = Changelog(admin, reader, binding.contract.topics.changelog, binding.contract.partitions)
            entries = changelog.read(kept.scopes)
            kept.floor = admin.committed(binding.group, [kept.log])[kept.log] or 0
        kept.task.restore([entry for scope in kept.scopes for entry in entries[scope]])

    def tasks(self) -> Mapping[Place, Task]:
        """Of the partitions held and begun."""
        return {place: kept.task for place, kept in self._kept.items()}

    def watermark(self, log: TopicPartition) -> int | None:
        """How far event time has come in a log."""
        return next((kept.task.watermark() for kept in self._kept.values() if kept.log == log), None)

    def route(self, place: Place, arrival: Arrival, outcome: Outcome) -> None:
        """A record of an input goes to the topic of records keyed anew with the next commit, unless it is left out."""
        routed = self._kept[place].routed
        if routed is not None:
            routed.take(arrival, outcome)

    async def rest(self, over: Callable[[TopicPartition, int, float], bool]) -> None:
        """Say of every input partition that gives nothing more for now that nobody is to wait for it.

        ``over`` is asked with the partition, the next offset of it, and when its last record came.
        """
        for kept in self._kept.values():
            routed = kept.routed
            if routed is not None and not routed.rested and over(kept.log, kept.floor, routed.came_at):
                await asyncio.to_thread(self._write, kept, list(routed.resting()), None)
                routed.rested = True

    @property
    def rested(self) -> bool:
        """Whether that was said of all that are held."""
        return all(kept.routed is None or kept.routed.rested for kept in self._kept.values())

    def changes(self, logs: Collection[TopicPartition] | None = None) -> Mapping[Place, Changes]:
        """What every state has become, or that of these logs: one whose offset is not committed must not be ahead."""
        found = {place: kept for place, kept in self._kept.items() if kept.scopes}
        return {place: kept.task.changes() for place, kept in found.items() if logs is None or kept.log in logs}

    async def save(self, changes: Mapping[Place, Changes], positions: Mapping[TopicPartition, int]) -> None:
        """Write it, each partition's with its offset; raises Fenced where another worker has taken it over."""
        for place, kept in self._kept.items():
            position = positions.get(kept.log)
            written = list(self._emitted(kept, changes[place])) if place in changes else []
            if kept.routed is not None and position is not None:
                written += kept.routed.written()
            if written or (position is not None and kept.producer is not None):
                await asyncio.to_thread(self._write, kept, written, position)
        for place, kept in self._kept.items():
            if place in changes:
                kept.task.committed()
            if kept.routed is not None and kept.log in positions:
                kept.routed.committed()
            kept.floor = positions.get(kept.log, kept.floor)

    def _emitted(self, kept: _Kept, changes: Changes) -> Iterator[Emitted]:
        at = self._wiring.beside(kept.log.partition)
        return (Emitted(self._wiring.contract.topics.changelog, at, key, value) for key, value in changes)

    def _write(self, kept: _Kept, written: Collection[Emitted], position: int | None) -> None:
        producer = kept.producer
        if producer is None:
            return
        producer.begin()
        for each in written:
            producer.produce(each.topic, each.partition, each.key, each.value, each.headers or None)
        producer.flush()
        if position is not None:
            producer.send_offsets({kept.log: position}, self._group)
        producer.commit()

    async def release(self, places: Collection[TopicPartition]) -> None:
        """Their state is read again when they come back."""
        async with self.lock:
            for place in [place for place, kept in self._kept.items() if kept.log in places]:
                producer = self._kept.pop(place).producer
                if producer is not None:
                    await asyncio.to_thread(producer.abandon)
