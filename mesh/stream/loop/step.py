"""A processor's step of the transactional loop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, Final, cast

from mesh.errors import MalformedBody, RecordsLost
from mesh.kafka import Admin, Message, Transaction
from mesh.lineage import encode_progress
from mesh.stream.arrival import Arrival, Fate, Outcome, Output, Place, Punctuation
from mesh.stream.batches import Bulk, Made, Stretch
from mesh.stream.binding import Binding, Running, Tally, Told
from mesh.stream.emission import PROGRESS_KEY, Emitted, Emitter
from mesh.stream.engine import Engine
from mesh.stream.loop.horizon import Horizon
from mesh.stream.loop.lookups import Lookups
from mesh.stream.loop.restoring import Changelog
from mesh.stream.loop.work import IDLE_SECONDS, DirectRead, Open, Work, direct
from mesh.stream.loop.writing import Writer, produce
from mesh.stream.observed import Author, Observed
from mesh.stream.rekeying import Headway, RekeyedReader, rekeyed
from mesh.stream.scope import Scope
from mesh.stream.tables import Waiting
from mesh.types import TopicPartition

logger = logging.getLogger(__name__)

# A slow function must not outlive the transaction (10 s), which the broker would then abort for good.
_SLICE_SECONDS: Final = 3.0
_LOOK_EVERY: Final = 64


@dataclass(frozen=True, slots=True)
class Parts:
    """What the step works with."""

    engine: Engine
    lookups: Lookups
    changelog: Changelog
    horizon: Horizon
    admin: Admin


class ProcessorStep:
    """Gives each log's records to its task; everything that follows from them goes into the one transaction."""

    def __init__(self, binding: Binding, parts: Parts, running: Running, told: Told) -> None:
        self._binding, self._parts, self._running, self._told = binding, parts, running, told
        self._topics, self._partitions = binding.contract.topics, binding.contract.partitions
        self._writer = Writer(Emitter(binding.encoder, self._topics, self._partitions, binding.parents_id))
        self._author = Author(binding.names.processor, binding.build)
        self._products = {binding.inputs[each].topic: each for each in parts.engine.driving}
        self._rekeyed = any(parts.engine.routes(each) for each in parts.engine.driving)
        self._works: dict[TopicPartition, Work] = {}
        self._open: dict[TopicPartition, Open] = {}
        self._inner: list[TopicPartition] | None = None
        self._joined = False
        self.tally = Tally()

    def inputs(self) -> Collection[str]:
        """The public topics whose records drive outputs, and the repartitioned log."""
        return [*self._products, self._topics.repartition] if self._rekeyed else list(self._products)

    def restore(self, offsets: Mapping[TopicPartition, int | None]) -> Mapping[TopicPartition, int]:
        """New tasks with the state of the changelog; raises RecordsLost where retention took unread records."""
        self._joined = True
        places = {partition: self._place(partition) for partition in offsets}
        engine = self._parts.engine
        scopes = {partition: engine.scopes(place) for partition, place in places.items()}
        entries = self._parts.changelog.read(frozenset().union(*scopes.values()))
        beginnings = self._parts.admin.beginnings(offsets)
        for partition, place in places.items():
            committed, first = offsets[partition], beginnings[partition]
            if committed is not None and committed < first:
                raise RecordsLost(partition.topic, partition.partition, committed)
            work = self._work(place, first if committed is None else committed)
            work.task.restore([entry for scope in scopes[partition] for entry in entries[scope]])
            self._works[partition] = work
        return {partition: self._works[partition].position for partition in offsets}

    def _place(self, partition: TopicPartition) -> Place:
        if partition.topic == self._topics.repartition:
            return Place("", partition.partition, repartitioned=True)
        return Place(self._products[partition.topic], partition.partition)

    def _work(self, place: Place, position: int) -> Work:
        engine, now = self._parts.engine, time.monotonic()
        if not place.repartitioned:
            read = direct(self._binding.reader(place.product))
            return Work(place, engine.task(place), read, engine.routes(place.product), position, now)
        names = (each for each in engine.driving if engine.routes(each))
        inputs = {
            self._binding.inputs[each].topic_id: (self._binding.inputs[each].topic, self._binding.reader(each).read)
            for each in names
        }
        return Work(place, engine.task(place), RekeyedReader(inputs).read, routes=False, position=position, came_at=now)

    def release(self, partitions: Collection[TopicPartition]) -> None:
        """Another process holds them now and reads their state itself."""
        for partition in partitions:
            self._works.pop(partition, None)

    def attend(self, begin: Callable[[TopicPartition], Transaction], ready: Callable[[TopicPartition], bool]) -> None:
        """Take the tables' new rows; say which inputs rest; close what is open where the inputs end for good."""
        self._parts.lookups.refresh()
        for partition, work in self._works.items():
            if not ready(partition):
                continue
            if work.routes and not work.rested and self._rests(partition, work):
                begin(partition)
                self._opened(partition, work).rests = True
            elif self._ends(partition, work):
                self._finish(begin(partition), partition, work)

    def _rests(self, partition: TopicPartition, work: Work) -> bool:
        if self._running.until_end:
            return self._parts.horizon.passed(partition, work.position)
        return time.monotonic() - work.came_at > IDLE_SECONDS

    def _ends(self, partition: TopicPartition, work: Work) -> bool:
        bounded = self._running.finish and not work.routes and not work.finished
        return bounded and self._parts.horizon.passed(partition, work.position)

    def _finish(self, transaction: Transaction, partition: TopicPartition, work: Work) -> None:
        self._write(transaction, self._opened(partition, work), work.task.finish().outputs)

    def process(self, transaction: Transaction, partition: TopicPartition, records: Sequence[Message]) -> int:
        """Work through the records; fewer than all when one has to wait for a table, or the run ends before it."""
        work = self._works[partition]
        opened = self._opened(partition, work)
        limit, began = self._parts.horizon.limit(partition), time.monotonic()
        work.came_at, work.rested, opened.rests = began, False, False
        if limit is not None:
            records = list(takewhile(lambda message: message.offset() < limit, records))
        if isinstance(work.task, Bulk):
            done = self._take_all(transaction, work, opened, records)
        else:
            done = self._take_each(transaction, work, opened, records)
        if done:
            opened.observed.end = records[done - 1].offset() + 1
        return done

    def _take_each(self, transaction: Transaction, work: Work, opened: Open, records: Sequence[Message]) -> int:
        began, done = time.monotonic(), 0
        for message in records:
            if done % _LOOK_EVERY == 0 and time.monotonic() - began > _SLICE_SECONDS:
                break
            if not self._take(transaction, work, opened, message):
                break
            done += 1
        return done

    def _take_all(self, transaction: Transaction, work: Work, opened: Open, records: Sequence[Message]) -> int:
        """In stretches of the task's size."""
        began, done, task = time.monotonic(), 0, cast("Bulk[Any]", work.task)
        topic_id = self._binding.inputs[work.place.product].topic_id
        fates = opened.observed.sources[work.place.product, work.place.partition]
        while done < len(records) and time.monotonic() - began <= _SLICE_SECONDS:
            stretch = Stretch(topic_id, records[done : done + task.size], cast(DirectRead, work.read))
            tried, made = self._together(task, stretch)
            fates.note_all([message.offset() for message in tried[: made.taken]], made)
            self._write(transaction, opened, made.outputs)
            done += made.taken
            if len(tried) < len(stretch.messages):
                break
        return done

    def _together(self, task: Bulk[Any], stretch: Stretch) -> tuple[Sequence[Message], Made]:
        """As many of the first records as need not wait for a table; fewer and fewer are tried."""
        messages = stretch.messages
        while messages:
            try:
                return messages, task.apply_all(replace(stretch, messages=messages))
            except Waiting as waiting:
                if not self._parts.lookups.awaits(waiting):
                    messages = messages[: len(messages) // 2]
        return [], Made()

    def _take(self, transaction: Transaction, work: Work, opened: Open, message: Message) -> bool:
        entry = work.read(message)
        while True:
            try:
                outcome = work.apply(entry)
            except Waiting as waiting:
                if not self._parts.lookups.awaits(waiting):
                    return False
            else:
                break
        if work.routes:
            self._pass_on(transaction, opened, entry, outcome)
        elif isinstance(entry, Arrival):
            opened.fates_of(entry).note(entry.reference.offset, outcome)
        self._write(transaction, opened, outcome.outputs)
        return True

    def _pass_on(self, transaction: Transaction, opened: Open, entry: Arrival | Punctuation, outcome: Outcome) -> None:
        """Its fate is told once: by the function that takes it, not by the one that only keys it anew."""
        if not isinstance(entry, Arrival):
            return
        if outcome.routed is None:
            opened.fates_of(entry).note(entry.reference.offset, outcome)
        else:
            produce(transaction, rekeyed(self._topics.repartition, entry, outcome.routed))
        if outcome.fate is not Fate.PARKED:
            opened.headway.saw(entry)

    def _write(self, transaction: Transaction, opened: Open, outputs: Sequence[Output]) -> None:
        for output in outputs:
            self._writer.write(transaction, output)
        opened.observed.outputs += len(outputs)

    def _opened(self, partition: TopicPartition, work: Work) -> Open:
        if partition not in self._open:
            source = work.place.product, work.place.partition
            self._open[partition] = Open(
                Observed(work.position, work.position), Headway(source), work.place.repartitioned
            )
        return self._open[partition]

    def unreadable(self, transaction: Transaction, partition: TopicPartition, offset: int, reason: str) -> None:
        """A public record that cannot be read is nothing to pass over; raises MalformedBody."""
        raise MalformedBody(f"{partition}/{offset} cannot be read: {reason}; the processor stops before it")

    def expired(self, partition: TopicPartition, offset: int) -> None:
        """Retention took unread records: raises RecordsLost, since going on would hide it."""
        raise RecordsLost(partition.topic, partition.partition, offset)

    def blocked(self, topic: str, reason: str) -> None:
        """Said by the loop when this input alone makes its transactions abort."""
        logger.error("%s is blocked: %s", topic, reason)

    def complete(self, transaction: Transaction) -> None:
        """Write what waited for the flush, then what was done with the input, and the state."""
        self._writer.settle(transaction)
        now_ms = int(time.time() * 1000)
        for partition, opened in self._open.items():
            work = self._works[partition]
            self._tell_progress(transaction, work, opened.observed, now_ms)
            self._punctuate(transaction, work, opened)
            for key, value in work.task.changes():
                at = self._parts.changelog.partition_of(Scope.parse(key)[0])
                transaction.produce(self._parts.changelog.topic, at, key, value)

    def _tell_progress(self, transaction: Transaction, work: Work, observed: Observed, now_ms: int) -> None:
        told = observed.progress(
            self._author,
            self._binding.inputs,
            work.task.watermark(),
            now_ms,
            repartitioned=work.place.repartitioned or work.routes,
        )
        for each in told:
            at = each.partition % self._partitions
            produce(transaction, Emitted(self._topics.parents, at, PROGRESS_KEY, encode_progress(each)))

    def _punctuate(self, transaction: Transaction, work: Work, opened: Open) -> None:
        if work.routes:
            for each in opened.headway.told(self._topics.repartition, self._partitions, rests=opened.rests):
                produce(transaction, each)

    def settled(self, transaction: Transaction, *, committed: bool) -> None:
        """State follows the transaction."""
        for partition, opened in self._open.items():
            work = self._works.get(partition)
            if work is None:
                continue
            if committed:
                self._adopt(partition, work, opened, transaction)
            else:
                work.task.rolled_back()
        if committed:
            self._told(self.tally)
        else:
            self._writer.drop()
        self._open.clear()

    def _adopt(self, partition: TopicPartition, work: Work, opened: Open, transaction: Transaction) -> None:
        work.finished = work.finished or self._ends(partition, work)
        work.task.committed()
        work.position = transaction.positions.get(partition, work.position)
        work.rested = work.rested or opened.rests
        opened.observed.add_to(self.tally)

    def done(self) -> bool:
        """Whether a run until the end has nothing left to do, in the whole group."""
        if not self._running.until_end or self._open or not self._joined:
            return False
        horizon = self._parts.horizon
        if not all(horizon.passed(partition, work.position) for partition, work in self._own()):
            return False
        if any(work.routes and not work.rested for _, work in self._own()):
            return False
        if not horizon.all_committed(self._outer()):
            return False
        if self._rekeyed and not self._inner_done(horizon):
            return False
        return not any(self._ends(partition, work) for partition, work in self._works.items())

    def _own(self) -> list[tuple[TopicPartition, Work]]:
        return [(partition, work) for partition, work in self._works.items() if not work.place.repartitioned]

    def _outer(self) -> list[TopicPartition]:
        return [place for each in self._parts.engine.driving for place in self._binding.inputs[each].places()]

    def _inner_done(self, horizon: Horizon) -> bool:
        """The repartitioned log ends where it ends once every input has been written into it."""
        if self._inner is None:
            self._inner = [TopicPartition(self._topics.repartition, number) for number in range(self._partitions)]
            horizon.extend(self._inner)
        return horizon.all_committed(self._inner)
