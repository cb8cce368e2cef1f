"""The state of the partitions held: taken up from the changelog, written back together with the input's offsets."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mesh.kafka import Admin, LogReader
from mesh.kafka.transaction import TransactionalProducer, outside_group
from mesh.stream import Changes, Engine, Place, Scope, Task
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
            log = place.of(self._wiring.bound(ProductName.parse(place.product)).topic)
            kept = _Kept(self._engine.task(place), log, self._engine.scopes(place))
            if kept.scopes:
                await asyncio.to_thread(self._take_over, place, kept)
            self._kept[place] = kept
        return kept.task if offset is None or offset >= kept.floor else None

    def _take_over(self, place: Place, kept: _Kept) -> None:
        binding = self._wiring.binding
        name = f"{binding.group}.faust.{place.product}.{place.partition}"
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

    def watermark(self, product: str, partition: int) -> int | None:
        """How far event time has come in a partition."""
        kept = self._kept.get(Place(product, partition))
        return None if kept is None else kept.task.watermark()

    def changes(self) -> Mapping[Place, Changes]:
        """What every state has become."""
        return {place: kept.task.changes() for place, kept in self._kept.items() if kept.scopes}

    async def save(self, changes: Mapping[Place, Changes], positions: Mapping[TopicPartition, int]) -> None:
        """Write it, each partition's with its offset; raises Fenced where another worker has taken it over."""
        for place, each in changes.items():
            kept = self._kept[place]
            entries, position = list(each), positions.get(kept.log)
            if entries or position is not None:
                await asyncio.to_thread(self._write, kept, entries, position)
        for kept in self._kept.values():
            kept.task.committed()

    def _write(self, kept: _Kept, entries: Collection[tuple[bytes, bytes | None]], position: int | None) -> None:
        producer, topic = kept.producer, self._wiring.contract.topics.changelog
        if producer is None:
            return
        producer.begin()
        for key, value in entries:
            producer.produce(topic, self._wiring.beside(kept.log.partition), key, value, None)
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
