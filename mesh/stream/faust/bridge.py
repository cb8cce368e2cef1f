"""Between Faust and the mesh: the parents of what is sent, what may be sent, and when an offset is committed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from mesh.consumer import Record
from mesh.errors import EncodingRefused, MeshError, ParentsUnknown, ProcessorStopped, UsageError
from mesh.lineage import (
    PARENTS_HEADER,
    Descent,
    OffsetSet,
    ParentSet,
    Progress,
    Reference,
    encode_deposit,
    encode_progress,
    failures_of,
)
from mesh.stream.binding import Tally, Told
from mesh.stream.calling import told
from mesh.stream.declared import OnError
from mesh.stream.emission import PROGRESS_KEY, SET_KEY
from mesh.stream.faust.accounts import Account, accounts
from mesh.stream.faust.ledger import Entry, Ledger, Observed
from mesh.stream.faust.outbox import Outbox
from mesh.stream.faust.scope import Scope, current, swap
from mesh.stream.faust.state import State, Stateless
from mesh.stream.faust.wiring import Fetched, Wiring
from mesh.stream.parking import Notices, reason_of
from mesh.types import TopicPartition

logger = logging.getLogger(__name__)

Parent = Reference | Record
Offsets = Callable[[Mapping[TopicPartition, int]], Awaitable[bool]]
"""Commits the offsets; False where the group did not take them."""
Write = Callable[[str, int, bytes, bytes], Awaitable[Reference]]
"""Writes key and value to a partition of a topic and waits until the broker has them."""

_OURS: Final = "mesh-"
"""Headers of the mesh: what a record carried as an input is not true of what is made from it."""
_STRAYS: Final = 4096


class Bridge:
    """One processor's records between Faust and the mesh."""

    def __init__(self, wiring: Wiring, on_error: OnError = "halt") -> None:
        self.wiring, self.on_error = wiring, on_error
        self.topics = wiring.contract.topics
        self.ledger, self.outbox = Ledger(), Outbox()
        self.fault: BaseException | None = None
        self.state: State = Stateless()
        self.names, self._build = wiring.binding.names, wiring.binding.build
        self.tally = Tally()
        self.told: Told = lambda _: None
        self.settles = True
        """A record is done when its task asks for the next one; the engine's driver says it itself."""
        self.limit: Callable[[TopicPartition], int | None] = lambda _: None
        """The first offset of a partition that a bounded run leaves alone."""
        self.turn: asyncio.Event | None = None
        """Set once everything sent before has been handed to the client: outputs leave in the order they were made."""
        self._read: tuple[Any, Record] | None = None
        self._strays: OrderedDict[Reference, Entry] = OrderedDict()
        self._notices = Notices(wiring.group)

    def halt(self, error: BaseException) -> None:
        """Nothing is sent or committed from now on; the first reason counts."""
        if self.fault is None:
            self.fault = error
            logger.error("%s stops: %s", self.wiring.group, type(error).__name__)

    def take(self, fetched: Fetched, message: object) -> None:
        """A record begins to be processed."""
        driving, base = self.wiring.origin(fetched)
        place = TopicPartition(fetched.name, fetched.number)
        self.ledger.take(place, Entry(driving, fetched.place, message, base))

    def acknowledged(self, place: TopicPartition, message: Any) -> None:
        """The program says itself that a record is done."""
        entry = self.ledger.find(place, message.offset)
        if entry is not None and entry.message is message:
            entry.done = True

    def record(self, message: Any) -> Record:
        """A message decoded, once for its key and its value; what cannot be read stops the processor."""
        if self._read is None or self._read[0] is not message:
            try:
                self._read = message, self.wiring.read(Fetched.of(message))
            except Exception as error:
                self.halt(error)
                raise
        return self._read[1]

    def keyed_anew(self, topic: str) -> bool:
        """Whether it is the topic of records keyed anew."""
        return topic == self.topics.repartition

    def permit(self, topic: str) -> None:
        """Raises UsageError for a topic that a processor of this product does not write to."""
        if topic not in (self.topics.ingress, self.topics.repartition):
            raise UsageError(f"a processor of {self.wiring.group} sends to {self.topics.ingress} alone, not to {topic}")

    def failed(self, error: BaseException) -> None:
        """The program raised an error while the present record was processed: set it aside, or stop."""
        if isinstance(error, ParentsUnknown | UsageError):
            # The program itself is wrong, not what it does to one record.
            self.halt(error)
            return
        scope = current()
        where = self.wiring.told(scope.entry.driving) if scope is not None else "an unknown record"
        # What was keyed anew has no line of its own among the offsets of the inputs.
        if self.on_error == "park" and scope is not None and not scope.entry.base:
            # An encoding that was refused says which field; of any other error the class and the line are enough.
            reason = reason_of(error) if isinstance(error, EncodingRefused) else told(error)
            scope.entry.park(reason)
            self._notices.tell(where, reason)
            return
        # An error of the mesh never holds a value; any other may.
        cause = str(error) if isinstance(error, MeshError) else type(error).__name__
        stopped = ProcessorStopped(self.wiring.group, where, cause)
        stopped.__cause__ = error
        self.halt(stopped)

    def dress(self, topic: str, headers: Mapping[str, bytes]) -> tuple[dict[str, bytes], Descent, Scope]:
        """The headers of a record to be sent, and what it says of itself; raises UsageError, ParentsUnknown."""
        scope = current()
        if scope is None:
            raise ParentsUnknown(self.wiring.group)
        if self.fault is not None:
            raise ProcessorStopped(self.wiring.group, "an earlier record", type(self.fault).__name__)
        if topic == self.topics.ingress:
            descent = scope.descend(self.names)
            scope.entry.outputs += 1
            for each in scope.taken:
                each.used = True
        else:
            entry = scope.entry
            descent = Descent(entry.driving, entry.number(), ParentSet.of([entry.driving]))
            entry.used = True
        kept = {name: value for name, value in headers.items() if not name.startswith(_OURS)}
        return kept, descent, scope

    @contextmanager
    def derive(self, *parents: Parent) -> Iterator[None]:
        """What is sent in this block was made from these records; the last one drives it where no record does."""
        if not parents:
            raise UsageError("derive names the records that what is sent was made from; name at least one")
        references = [_reference(each) for each in parents]
        named = [self._entry(each) for each in references]
        outer = current()
        if outer is not None:
            inner = Scope(outer.entry, outer.timestamp, set(references))
        else:
            inner = Scope(named[-1], None, set(references), tuple(named))
        before = swap(inner)
        try:
            yield
        finally:
            inner.closed = True
            swap(before)

    def _entry(self, reference: Reference) -> Entry:
        """The record where it is being processed, else one that only counts what it drives."""
        found = self.wiring.readers.get(reference.topic_id)
        if found is None:
            raise UsageError("derive names a record of a topic that is no input of this product")
        place = TopicPartition(found[0].topic, reference.partition)
        entry = self.ledger.find(place, reference.offset) or self._strays.get(reference)
        if entry is None:
            entry = self._strays[reference] = Entry(reference, reference.offset)
            while len(self._strays) > _STRAYS:
                self._strays.popitem(last=False)
        return entry

    async def deposit(self, descent: Descent, write: Write) -> Descent:
        """The same, with a set too large for a header in the topic of parents, acknowledged."""
        if descent.fits or descent.parents is None:
            return descent
        partition = self.wiring.beside(descent.driving.partition)
        return descent.deposited(await write(self.topics.parents, partition, SET_KEY, encode_deposit(descent.parents)))

    async def commit(self, places: Collection[TopicPartition], write: Write, offsets: Offsets) -> bool:
        """Outputs acknowledged, then what became of the input, then state and offsets; False where nothing may be."""
        if self.fault is not None:
            return False
        try:
            async with self.state.lock:
                # Now, and not as they were asked for: a state holds every record that is done.
                positions = {place: at for place, at in self.ledger.committable().items() if place in places}
                return bool(positions) and await self._commit(positions, write, offsets)
        except Exception as error:  # noqa: BLE001 - whatever it is: an offset that is not committed is read again
            self.halt(error)
            return False

    async def _commit(self, positions: Mapping[TopicPartition, int], write: Write, offsets: Offsets) -> bool:
        changes = self.state.changes(positions)
        await self.outbox.settle(self.topics.ingress)
        for place, position in positions.items():
            for about in accounts(self.wiring, place, position, self.ledger):
                await self._tell(about, place, write)
        # Somebody may have failed meanwhile; what was told is told again then.
        if self.fault is not None:
            return False
        await self.state.save(changes, positions)
        if not await offsets(positions):
            return False
        for place, position in positions.items():
            _, entries = self.ledger.below(place, position)
            Observed.of(entries).add_to(self.tally)
        self.ledger.committed(positions)
        self.told(self.tally)
        return True

    async def finished(self, made: Mapping[TopicPartition, tuple[int, int]], write: Write) -> None:
        """What was open has been closed where the inputs end: by partition its position and how many outputs."""
        changes = self.state.changes()
        await self.outbox.settle(self.topics.ingress)
        for place, (at, count) in made.items():
            if count and place.topic in self.wiring.topic_ids:
                about = Account(self.wiring.topic_ids[place.topic], place.partition, (at, at), Observed(outputs=count))
                await self._tell(about, place, write)
            self.tally.outputs += count
        await self.state.save(changes, {})
        self.told(self.tally)

    async def release(self, places: Collection[TopicPartition]) -> None:
        """These partitions are somebody else's now; what was being processed counts for nothing."""
        self.ledger.release(places)
        await self.state.release(places)

    async def _tell(self, about: Account, log: TopicPartition, write: Write) -> None:
        seen = about.seen
        progress = Progress(
            processor=self.names.processor,
            build=self._build,
            product=str(self.wiring.readers[about.topic_id][0].source.contract.product),
            topic_id=about.topic_id,
            partition=about.partition,
            start=about.span[0],
            end=about.span[1],
            delivered=OffsetSet.of(seen.delivered),
            filtered=OffsetSet.of(seen.filtered),
            late=OffsetSet.of(seen.late),
            parked=OffsetSet.of(sorted(seen.parked)),
            failures=failures_of(seen.parked),
            outputs=seen.outputs,
            watermark=self.state.watermark(log),
            created_at=int(time.time() * 1000),
        )
        partition = self.wiring.beside(about.partition)
        await write(self.topics.parents, partition, PROGRESS_KEY, encode_progress(progress))


def header_of(descent: Descent) -> dict[str, bytes]:
    """The header that a record travels with."""
    return {PARENTS_HEADER: descent.encode()}


def _reference(parent: Any) -> Reference:
    """Of a record, a reference, or a Faust event that holds a record."""
    if isinstance(parent, Reference):
        return parent
    record = parent if isinstance(parent, Record) else getattr(parent, "value", None)
    if not isinstance(record, Record) or record.coordinate.topic_id is None:
        raise UsageError("derive takes records (or events) of the inputs, as the program got them")
    place = record.coordinate
    return Reference(record.coordinate.topic_id, place.partition, place.offset)
