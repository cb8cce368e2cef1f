"""Holding keys: what is parked is written, what may leave is read and judged again, and all of it is taken up anew."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from mesh.errors import LineageBroken
from mesh.gate.holds import NOTHING_HELD, Holds, Parked, Screened, name_of
from mesh.gate.observation import Observation
from mesh.gate.parking import ParkedRecord, held_key, held_value, kept, parked_key, parked_value
from mesh.gate.product import GatedProduct
from mesh.gate.spans import spans
from mesh.judge import Batch, Verdicts
from mesh.kafka import LogReader, Message, Transaction
from mesh.lineage import PartitionChain
from mesh.types import Finding, Headers, Reaction, TopicPartition

logger = logging.getLogger(__name__)

# More at once would make a transaction outlive its time-out.
_MOST: Final = 500
_MOST_BYTES: Final = 4_000_000
_READ_SECONDS: Final = 5.0
_ALL: Final = 1 << 62
_KEEPING: Final = (Reaction.HOLD_KEY, Reaction.HALT)


def keeping(findings: Sequence[Finding]) -> bool:
    """Whether a record judged again holds its key, still or anew: those behind one that halts do not pass it either."""
    return any(finding.reaction in _KEEPING for finding in findings)


@dataclass(frozen=True, slots=True)
class Released:
    """The parked records of one partition that leave in the next transaction, in the order of the ingress.

    ``holding`` are the rows that hold their key from now on; what waits behind them is not among the records.
    """

    records: Sequence[ParkedRecord] = ()
    names: Sequence[bytes] = ()
    verdicts: Verdicts = field(default_factory=lambda: Verdicts({}, []))
    holding: frozenset[int] = frozenset()
    settled: Collection[int] = ()

    @property
    def batch(self) -> Batch:
        """The records as the judge takes them."""
        return _batch(self.records)

    def behind(self, keeping: Collection[int]) -> Released:
        """Those that leave when the records at these ingress offsets hold their keys, too: none behind them."""
        return _going(self.records, self.names, self.verdicts, self.settled, keeping)


@dataclass(slots=True)
class _Place:
    """One partition: its holds, where their entries lie, and those to be deleted with the next transaction."""

    holds: Holds
    ingress: UUID
    where: TopicPartition
    stale: list[bytes]

    def write(self, transaction: Transaction, entry: bytes, value: bytes | None) -> None:
        """Change an entry; None deletes it."""
        transaction.produce(self.where.topic, self.where.partition, entry, value)


class Parking:
    """Writes the records of one partition that have to wait, within one attempt."""

    def __init__(self, place: _Place, transaction: Transaction, observation: Observation) -> None:
        self._place, self._transaction, self._observation = place, transaction, observation

    def park(self, record: Message, headers: Headers, careful: Any) -> None:
        """Write a record to the topic of state; ``careful`` wraps the delivery callback."""
        key, place = record.key() or b"", self._place
        parked = Parked(record.offset(), len(key) + len(record.value() or b""))
        entry, value = parked_key(place.ingress, parked.ingress, key), parked_value(record.value())
        topic, number, when = place.where.topic, place.where.partition, record.timestamp()[1]
        self._transaction.produce(topic, number, entry, value, headers or None, when, careful(parked.report))
        place.holds.park(key, parked)
        self._observation.parked.append(parked.ingress)

    def hold(self, key: bytes, ingress: int) -> None:
        """A refused record holds its key from now on."""
        self._place.holds.hold(key, ingress)


class Holding:
    """The held keys of the partitions that a gate owns, by ingress partition."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self._places: dict[TopicPartition, _Place] = {}

    def follow(self, chains: Mapping[TopicPartition, PartitionChain], products: Mapping[str, GatedProduct]) -> None:
        """Take up what partitions hold; their topic of state must be readable up to its end."""
        for partition, chain in chains.items():
            self._places.pop(partition, None)
            if chain.topics.state is not None:
                self._places[partition] = self._read(partition, chain, products[partition.topic])

    def _read(self, partition: TopicPartition, chain: PartitionChain, product: GatedProduct) -> _Place:
        where = TopicPartition(product.topics.state, partition.partition)
        entries = self._reader.read(where, 0, _ALL)
        found = kept(entries, chain.topics.ingress, chain.ingress_next)
        if found.foreign:
            logger.error(
                "%s: %d parked records are of an ingress topic that was re-created; they stay in %s and pass no more",
                partition,
                found.foreign,
                where.topic,
            )
        return _Place(Holds(product.most_waiting, found.held), chain.topics.ingress, where, found.stale)

    def release(self, partitions: Collection[TopicPartition]) -> None:
        """They belong to somebody else now."""
        for partition in partitions:
            self._places.pop(partition, None)

    def known(self, partition: TopicPartition) -> bool:
        """Whether its holds were taken up; they are not where the topic of state came later than the assignment."""
        return partition in self._places

    def leaving(self) -> list[TopicPartition]:
        """The partitions with records that may leave."""
        return [partition for partition, place in self._places.items() if place.holds.leaving()]

    def screen(
        self, product: GatedProduct, partition: TopicPartition, keys: Sequence[bytes | None], verdicts: Verdicts
    ) -> Screened:
        """What becomes of judged records because of held keys."""
        place = self._places.get(partition)
        if place is None:
            return NOTHING_HELD
        place.holds.most = product.most_waiting
        return place.holds.screen(keys, verdicts)

    def waits(self, partition: TopicPartition, record: Message) -> bool:
        """Whether a record's key is held and there is no room for it."""
        place, key = self._places.get(partition), record.key()
        if place is None or key is None or place.holds.room > 0:
            return False
        return place.holds.get(name_of(key)) is not None

    def parking(self, partition: TopicPartition, transaction: Transaction, observation: Observation) -> Parking | None:
        """The way into the topic of state; None for a partition that has none."""
        place = self._places.get(partition)
        return Parking(place, transaction, observation) if place is not None else None

    def prepare(self, product: GatedProduct, partition: TopicPartition, settled: Collection[int]) -> Released:
        """Read and judge what may leave, given the ingress offsets of the refused records that are being settled.

        Raises what the reader and the registry do; LineageBroken when a parked record is gone.
        """
        place = self._places.get(partition)
        if place is None:
            return Released()
        place.holds.most = product.most_waiting
        ending = (place.holds.name_held_by(ingress) for ingress in settled)
        names = dict.fromkeys([*place.holds.leaving(), *(name for name in ending if name is not None)])
        chosen = sorted(place.holds.waiting(names, _MOST, _MOST_BYTES), key=lambda each: each[1].ingress)
        records = self._fetched(place, [parked for _, parked in chosen])
        batch = _batch(records)
        product.learn(batch)
        verdicts = product.judge.judge(batch)
        return _going(records, [name for name, _ in chosen], verdicts, settled)

    def _fetched(self, place: _Place, chosen: Sequence[Parked]) -> list[ParkedRecord]:
        wanted = {parked.at: parked.ingress for parked in chosen}
        found: dict[int, ParkedRecord] = {}
        for low, high in spans(wanted):
            for message in self._reader.read(place.where, low, high + 1, _READ_SECONDS):
                record = ParkedRecord.of(message) if message.offset() in wanted else None
                if record is not None:
                    found[record.ingress] = record
        for at, ingress in wanted.items():
            if ingress not in found:
                raise LineageBroken(
                    f"{place.where}/{at}", f"the parked record of ingress offset {ingress} is not there"
                )
        return [found[parked.ingress] for parked in chosen]

    def let_go(self, partition: TopicPartition, transaction: Transaction, released: Released) -> None:
        """Note in the open transaction who is settled, who left, and who holds a key now."""
        place = self._places.get(partition)
        if place is None:
            return
        for ingress in released.settled:
            place.holds.settle(ingress)
        for row, (name, record) in enumerate(zip(released.names, released.records, strict=True)):
            place.holds.let_go(name)
            place.write(transaction, parked_key(place.ingress, record.ingress, record.key), None)
            if row in released.holding:
                place.holds.hold(record.key, record.ingress)
        place.holds.free()

    def complete(self, transaction: Transaction, partition: TopicPartition, observation: Observation) -> None:
        """Write what has changed about held keys, and how much is held from now on."""
        place = self._places.get(partition)
        if place is None:
            return
        again = {parked_key(place.ingress, offset, b"")[:_STALE] for offset in observation.parked}
        for entry in place.stale:
            # One that was read again and parked again is as it should be.
            if entry[:_STALE] not in again:
                place.write(transaction, entry, None)
        for name, holder in place.holds.changes():
            place.write(transaction, held_key(place.ingress, name), held_value(holder) if holder is not None else None)
        observation.keys_held, observation.records_parked = len(place.holds), place.holds.parked

    def ended(self, done: Collection[TopicPartition], *, committed: bool) -> None:
        """The transaction has ended."""
        for partition in done:
            place = self._places.get(partition)
            if place is not None and committed:
                place.holds.commit()
                place.stale.clear()
            elif place is not None:
                place.holds.roll_back()


_STALE: Final = 25
"""Bytes of an entry's key that name a parked record: kind, ingress topic and offset."""


def _batch(records: Sequence[ParkedRecord]) -> Batch:
    return Batch(
        [record.key for record in records],
        [record.value for record in records],
        [record.headers for record in records],
    )


def _going(
    records: Sequence[ParkedRecord],
    names: Sequence[bytes],
    verdicts: Verdicts,
    settled: Collection[int],
    others: Collection[int] = (),
) -> Released:
    """Those that leave: of each key up to the first that holds it again, by the verdicts or because others say so."""
    held: set[bytes] = set()
    going: list[int] = []
    holding: list[int] = []
    for row, name in enumerate(names):
        if name in held:
            continue
        if keeping(verdicts.findings.get(row, ())) or records[row].ingress in others:
            held.add(name)
            holding.append(len(going))
        going.append(row)
    return Released(
        [records[row] for row in going],
        [names[row] for row in going],
        Verdicts(
            {at: verdicts.findings[row] for at, row in enumerate(going) if row in verdicts.findings},
            [verdicts.event_times[row] for row in going],
        ),
        frozenset(holding),
        settled,
    )
