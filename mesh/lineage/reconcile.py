"""Does every partition of a product add up: the records that lie there, held against every manifest and its chain."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mesh.errors import LineageBroken
from mesh.kafka.message import Message
from mesh.lineage.atlas import Holding
from mesh.lineage.balance import Fault, GateBalance, Mismatch, spread
from mesh.lineage.encoding import decode_manifest
from mesh.lineage.holding_up import Evidence, Shelf, Shelves
from mesh.lineage.log import Reader
from mesh.lineage.manifest import Manifest, Place, digest_of
from mesh.types import TopicPartition

_WINDOW = 256
"""Lineage offsets taken together; their records are read at once."""

_RECORDS = 5_000
"""Records of each topic held in memory at once, beyond those of a single transaction."""

_ATTEMPTS, _PAUSE = 30, 0.1
"""Transactions become visible partition by partition: a record may be there a moment before its manifest."""

Advance = Callable[[int], None]
"""Told how many records were looked at."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which transactions: those of ``[since, until)`` by the gate's clock, epoch milliseconds; None: no bound."""

    since: int | None = None
    until: int | None = None

    @classmethod
    def between(cls, since: datetime | None, until: datetime | None) -> Window:
        """The same by times."""
        return cls(*(None if each is None else int(each.timestamp() * 1000) for each in (since, until)))

    def holds(self, moment: int) -> bool:
        """Whether a moment lies in it."""
        return (self.since is None or moment >= self.since) and (self.until is None or moment < self.until)


@dataclass(frozen=True, slots=True)
class _Link:
    """A manifest where it lies."""

    at: int
    payload: bytes
    manifest: Manifest


def reconcile_partition(
    holding: Holding,
    partition: int,
    window: Window | None = None,
    advance: Advance = lambda _records: None,
    wait: Callable[[float], None] = time.sleep,
) -> GateBalance:
    """Hold one partition of a product against its manifests; raises NotAuthorised, NotFound, BrokerUnreachable.

    Nothing that is wrong raises: it is named in the balance, with partition and range.
    """
    audit = _Audit(holding, partition, window or Window(), advance)
    audit.go_through()
    audit.tail(wait)
    return audit.balance


@dataclass
class _Audit:
    """One partition, manifest by manifest."""

    holding: Holding
    partition: int
    window: Window
    advance: Advance
    balance: GateBalance = field(init=False)
    _last: _Link | None = None
    _counted: Manifest | None = None
    _next: int = 0
    _bounds: dict[Place, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.balance = GateBalance(str(self.holding.family.product), self.partition)
        self._lineage = TopicPartition(self.holding.family.lineage, self.partition)
        self._reader: Reader = self.holding.site.reader
        # Ends before manifests: whatever is written meanwhile has its manifest after the last one read here.
        for place in Place:
            if self.holding.inventory.present(place) is not None:
                self._bounds[place] = self._reader.bounds(self._place(place))
        self._begin, _ = self._reader.bounds(self._lineage)
        self._next = self._begin

    def _place(self, place: Place) -> TopicPartition:
        return TopicPartition(self.holding.inventory.names[place], self.partition)

    def go_through(self) -> None:
        """Every manifest there is now."""
        _, end = self._reader.bounds(self._lineage)
        while self._next < end:
            upto = min(self._next + _WINDOW, end)
            messages = list(self._reader.read(self._lineage, self._next, upto))
            self._next = upto
            for batch in _batches(self._linked(messages)):
                self._check(batch)

    def _linked(self, messages: Sequence[Message]) -> Iterator[_Link]:
        """The manifests of the window, each held against the one before it."""
        for message in messages:
            payload = message.value() or b""
            try:
                link = _Link(message.offset(), payload, decode_manifest(payload))
            except LineageBroken as error:
                self._wrong(message.offset(), error.reason)
                continue
            for problem in self._problems(link):
                self._wrong(link.at, problem)
            self._last = link
            if self.window.holds(link.manifest.created_at):
                yield link

    def _wrong(self, at: int, reason: str) -> None:
        self._add(Mismatch(Fault.CHAIN, self._lineage.topic, self.partition, at, at + 1, reason))

    def _add(self, mismatch: Mismatch) -> None:
        self.balance.mismatches.append(mismatch)

    def _problems(self, link: _Link) -> Iterator[str]:
        manifest, last = link.manifest, self._last
        about = (manifest.product, manifest.partition, manifest.cluster_id)
        if about != (str(self.holding.family.product), self.partition, self.holding.inventory.cluster_id):
            yield f"it is the manifest of {manifest.product} partition {manifest.partition}"
        if last is None:
            if manifest.previous and self._begin == 0:
                yield "the manifests before it are gone, though nothing has expired"
            return
        if manifest.previous != digest_of(last.payload):
            yield f"it does not continue the manifest before it, at {last.at}"
        if manifest.epoch == last.manifest.epoch:
            yield from _tiling(last.manifest, manifest)
        elif manifest.epoch != last.manifest.epoch + 1 or manifest.sequence:
            yield f"epoch {manifest.epoch} does not begin after epoch {last.manifest.epoch}"

    def _check(self, batch: Sequence[_Link]) -> None:
        shelves = self._shelves(batch)
        for link in batch:
            evidence = Evidence(link.manifest, shelves)
            self._count(link.manifest, evidence)
            self.balance.mismatches += evidence.mismatches()
            self._between(link.manifest, shelves)
            self._counted = link.manifest
        self.advance(sum(len(each.manifest.delivered) for each in batch))

    def _count(self, manifest: Manifest, evidence: Evidence) -> None:
        balance = self.balance
        if not balance.manifests:
            balance.start = manifest.ingress_from
        balance.manifests += 1
        balance.end = manifest.ingress_to
        balance.read += len(manifest.delivered)
        balance.released += len(manifest.released)
        balance.passed += evidence.count(Place.PUBLIC)
        balance.refused += evidence.count(Place.QUARANTINE)
        balance.parked += len(manifest.parked)
        balance.repeated += len(manifest.repeated)
        balance.expired += evidence.expired()

    def _shelves(self, batch: Sequence[_Link]) -> Shelves:
        return {place: self._shelf(place, batch) for place in Place}

    def _shelf(self, place: Place, batch: Sequence[_Link]) -> Shelf:
        """The records that the manifests speak of, those released from earlier, and those just before."""
        state, manifests = self.holding.inventory.present(place), [link.manifest for link in batch]
        name = self.holding.inventory.names[place]
        if state is None or any(each.topics.of(place) != state.topic_id for each in manifests):
            return Shelf(name, 0, {}, same=False)
        where, begin = self._place(place), self._bounds[place][0]
        start = self._begins(place, manifests[0])
        records = self._reader.read(where, start, manifests[-1].span(place).end)
        kept = {record.offset(): record for record in records}
        if place is Place.INGRESS:
            released = {at for each in manifests for at in each.released if at < start}
            kept |= {at: found for at in sorted(released) if (found := self._reader.fetch(where, at)) is not None}
        return Shelf(name, begin, kept, compacts="compact" in state.config.get("cleanup.policy", ""))

    def _begins(self, place: Place, first: Manifest) -> int:
        last = self._counted
        same = last is not None and last.topics == first.topics and last.span(place).end <= first.span(place).base
        return last.span(place).end if last is not None and same else first.span(place).base

    def _between(self, manifest: Manifest, shelves: Shelves) -> None:
        """Records between two transactions, where only markers may lie."""
        for place in (Place.PUBLIC, Place.QUARANTINE):
            odd = [
                at
                for at in range(self._begins(place, manifest), manifest.span(place).base)
                if at in shelves[place].records
            ]
            self._foreign(place, odd)

    def _foreign(self, place: Place, offsets: Sequence[int]) -> None:
        topic = self.holding.inventory.names[place]
        self.balance.mismatches += spread(
            Fault.FOREIGN, (topic, self.partition), offsets, "no manifest accounts for it"
        )

    def tail(self, wait: Callable[[float], None]) -> None:
        """What lies behind the last manifest: records still to be read, and none on the outputs."""
        if self.window.until is not None:
            return
        for place in (Place.PUBLIC, Place.QUARANTINE):
            for attempt in range(_ATTEMPTS):
                odd = self._behind(place)
                if not odd:
                    break
                if attempt == _ATTEMPTS - 1:
                    self._foreign(place, odd)
                else:
                    wait(_PAUSE)
                    self.go_through()
        self.balance.pending = len(self._behind(Place.INGRESS))

    def _behind(self, place: Place) -> list[int]:
        state, bounds = self.holding.inventory.present(place), self._bounds.get(place)
        if state is None or bounds is None:
            return []
        last = self._last.manifest if self._last is not None else None
        if last is not None and last.topics.of(place) != state.topic_id:
            last = None
        start = last.span(place).end if last is not None else 0
        return [record.offset() for record in self._reader.read(self._place(place), start, bounds[1])]


def _tiling(last: Manifest, manifest: Manifest) -> Iterator[str]:
    if manifest.sequence != last.sequence + 1:
        yield f"number {manifest.sequence} follows number {last.sequence}"
    if manifest.ingress_from != last.ingress_to:
        yield f"it begins at ingress offset {manifest.ingress_from}, the one before it ended at {last.ingress_to}"
    for place in (Place.PUBLIC, Place.QUARANTINE):
        if manifest.span(place).base < last.span(place).end:
            yield f"its {place} records overlap those of the one before it"


def _batches(links: Iterator[_Link]) -> Iterator[list[_Link]]:
    """Neighbours of one epoch, together not many more records than may be held."""
    batch: list[_Link] = []
    size = 0
    for link in links:
        if batch and (size >= _RECORDS or link.manifest.topics != batch[-1].manifest.topics):
            yield batch
            batch, size = [], 0
        batch.append(link)
        size += link.manifest.ingress_to - link.manifest.ingress_from
    if batch:
        yield batch
