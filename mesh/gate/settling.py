"""Settling commands: replayed records judged again and written, discarded ones closed, all of it told and audited."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mesh.access import AUDIT
from mesh.errors import DeadlineExceeded, MeshError
from mesh.gate.breaker import Stops
from mesh.gate.commands import CommandFeed
from mesh.gate.deposits import READ_SECONDS
from mesh.gate.descents import Descents
from mesh.gate.holding import Holding, Released
from mesh.gate.observation import Observation
from mesh.gate.orders import Clerk, Orders, Replay, Settled
from mesh.gate.product import GatedProduct
from mesh.gate.releasing import Releasing, Returning, returning
from mesh.judge import Batch, Verdicts
from mesh.kafka import LogReader, Message, Transaction
from mesh.lineage import PartitionChain, Result, Settlement
from mesh.types import Clock, TopicPartition

logger = logging.getLogger(__name__)

# What is away (a registry, a broker that fails over) is asked again soon, what is broken seldom.
_REST_SECONDS: Final = 1.0
_LONG_REST_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """The commands of one partition, read and judged, but not yet written."""

    product: GatedProduct
    clerk: Clerk
    orders: Orders
    released: Released
    """What was parked behind the records that are settled now, or were before."""
    returning: Sequence[Returning]
    """The replayed and the released records, in the order of the ingress."""


class Settler:
    """Serves the commands of the partitions a gate owns. Partitions are named by their ingress."""

    def __init__(
        self,
        feed: CommandFeed,
        reader: LogReader,
        stops: Stops,
        holding: Holding,
        clock: Clock,
        descents: Descents,
    ) -> None:
        self._feed, self._reader, self._clock = feed, reader, clock
        self.stops, self._holding, self.descents = stops, holding, descents
        self._settled: dict[TopicPartition, Settled] = {}
        self._open: dict[TopicPartition, Orders] = {}
        self._told: dict[TopicPartition, list[Settlement]] = {}
        self._resting: dict[TopicPartition, float] = {}

    def follow(self, chains: Mapping[TopicPartition, PartitionChain], products: Mapping[str, GatedProduct]) -> None:
        """Take up the commands of partitions whose chains were read from the lineage topic."""
        self._forget(chains)
        self.stops.forget(chains)
        for partition, chain in chains.items():
            if chain.stop is not None:
                self.stops.restore(partition, chain.stop)
        served = {tp: chain for tp, chain in chains.items() if chain.topics.commands is not None}
        self._feed.follow(
            {
                TopicPartition(products[tp.topic].topics.commands, tp.partition): chain.commands_next
                for tp, chain in served.items()
            }
        )

    def release(self, partitions: Collection[TopicPartition]) -> None:
        """Their next owner settles what is left; whether they stand still it reads from their manifests."""
        self.stops.forget(partitions)
        self._forget(partitions)
        self._feed.leave([_commands(partition) for partition in partitions])

    def _forget(self, partitions: Collection[TopicPartition]) -> None:
        for partition in partitions:
            self._settled.pop(partition, None)
            self._resting.pop(partition, None)

    def due(self, free: Callable[[TopicPartition], bool]) -> list[tuple[TopicPartition, list[Message]]]:
        """The partitions with commands to settle now or records to release, among those that are ``free``."""
        found = {_ingress(commands): messages for commands, messages in self._feed.waiting()}
        for partition in self._holding.leaving():
            found.setdefault(partition, [])
        now = self._clock.monotonic()
        return [
            (partition, messages)
            for partition, messages in found.items()
            if free(partition) and self._resting.get(partition, now) <= now
        ]

    def prepare(
        self, product: GatedProduct, partition: TopicPartition, chain: PartitionChain, messages: Sequence[Message]
    ) -> Prepared | None:
        """Read what commands are about and judge it by the contract in force; None when that has to wait."""
        clerk = Clerk(product, partition.partition, self._reader)
        try:
            if messages and partition not in self._settled:
                lineage = TopicPartition(product.topics.lineage, partition.partition)
                self._settled[partition] = Settled.read(self._reader, lineage, chain)
            stands = self.stops.stands(partition)
            orders = clerk.orders(messages, chain, self._settled.get(partition, Settled()), stands=stands)
            batch = _batch(orders.replays)
            product.learn(batch)
            verdicts = product.judge.judge(batch)
            replayed = returning(orders.replays, verdicts, partition, Released())
            ending = _ending(orders, self._examined(product, partition, chain, sorted(replayed)))
            released = self._holding.prepare(product, partition, ending)
            released, back = self._leaving(product, partition, chain, orders, verdicts, released)
        except MeshError as error:
            # Whatever it is, it must not stop the records: the commands wait, and so do the people behind them.
            seconds = _REST_SECONDS if error.retriable else _LONG_REST_SECONDS
            logger.warning("commands of %s wait %g s: %s", partition, seconds, error)
            self._resting[partition] = self._clock.monotonic() + seconds
            return None
        return Prepared(product, clerk, orders, released, back)

    def _leaving(
        self,
        product: GatedProduct,
        partition: TopicPartition,
        chain: PartitionChain,
        orders: Orders,
        verdicts: Verdicts,
        released: Released,
    ) -> tuple[Released, list[Returning]]:
        """What leaves and what is made of it; a record that its descent stops keeps those behind it from leaving."""
        while True:
            back = sorted(returning(orders.replays, verdicts, partition, released))
            back = self._examined(product, partition, chain, back)
            left = released.behind({each.ingress for each in back if each.keeps})
            if (len(left.records), left.holding) == (len(released.records), released.holding):
                return released, back
            released = left

    def _examined(
        self, product: GatedProduct, partition: TopicPartition, chain: PartitionChain, back: list[Returning]
    ) -> list[Returning]:
        """With what their descents add, for a derived product."""
        if product.contract.derivation is None:
            return back
        batch = Batch([each.key for each in back], [each.value for each in back], [each.headers for each in back])
        findings = {row: each.findings for row, each in enumerate(back) if each.findings}
        verdicts = Verdicts(findings, [each.time for each in back])
        examined = self.descents.examine(product, partition, chain, batch, verdicts)
        if examined.rows < len(back):
            raise DeadlineExceeded(f"reading the parents of {len(back)} records that return", READ_SECONDS)
        return [
            replace(
                each,
                findings=examined.verdicts.findings.get(row, ()),
                descent=examined.descents[row],
                repeated=row in examined.repeated,
            )
            for row, each in enumerate(back)
        ]

    def write(
        self, prepared: Prepared, transaction: Transaction, partition: TopicPartition, observation: Observation
    ) -> None:
        """Put the outcome into the transaction, which must not have touched the partition before."""
        orders, released = prepared.orders, prepared.released
        settlements = list(orders.settlements)
        results = {each.ingress: each.result for each in prepared.returning}
        settlements += [prepared.clerk.settlement(replay, results[replay.ingress]) for replay in orders.replays]
        releasing = Releasing(transaction, partition.partition, observation)
        for each in prepared.returning:
            releasing.write(each)
        self._holding.let_go(partition, transaction, released)
        observation.schemas |= prepared.product.seen(_batch(orders.replays)) | prepared.product.seen(released.batch)
        observation.settlements += sorted(settlements, key=lambda settlement: settlement.command)
        if orders.count:
            observation.commands_next = orders.next
            transaction.beside[_commands(partition)] = orders.next
        if observation.stop is not None and any(each.result is Result.RESUMED for each in settlements):
            observation.stop = replace(observation.stop, resumed=True)
        transaction.records += orders.count + len(released.records)
        self._audit(transaction, prepared, partition, observation.settlements)
        self._open[partition], self._told[partition] = orders, settlements

    def _audit(
        self,
        transaction: Transaction,
        prepared: Prepared,
        partition: TopicPartition,
        settlements: Collection[Settlement],
    ) -> None:
        topics, number = prepared.product.topics, partition.partition
        for settlement in settlements:
            content = {
                "event": "quarantine",
                "actor": settlement.actor,
                "at": int(self._clock.now() * 1000),
                "product": prepared.product.name,
                "record": f"{topics.quarantine}/{number}/{settlement.quarantined}",
                "command": f"{topics.commands}/{number}/{settlement.command}",
                "result": str(settlement.result),
                "reason": settlement.reason,
                "patch": settlement.patch,
            }
            value = json.dumps(content, ensure_ascii=False, sort_keys=True).encode(errors="replace")
            transaction.produce(AUDIT, 0, settlement.actor.encode(errors="replace"), value)

    def ended(self, *, committed: bool) -> None:
        """The transaction has ended: its commands are done with, or come again."""
        if committed:
            for partition, orders in self._open.items():
                self._feed.settled(_commands(partition), orders.count)
                for settlement in self._told[partition]:
                    self._settled.setdefault(partition, Settled()).add(settlement)
                    if settlement.result is Result.RESUMED:
                        self.stops.resume(partition)
        self.stops.ended(committed=committed)
        self._open.clear()
        self._told.clear()


def _batch(replays: Collection[Replay]) -> Batch:
    return Batch(
        [replay.record.key for replay in replays],
        [replay.value for replay in replays],
        [replay.record.headers for replay in replays],
    )


def _ending(orders: Orders, replayed: Sequence[Returning]) -> set[int]:
    """The ingress offsets of the refused records that hold no key any more once this is done."""
    discarded = {each.ingress for each in orders.settlements if each.result is Result.DISCARDED}
    return discarded | {each.ingress for each in replayed if not each.keeps}


def _commands(ingress: TopicPartition) -> TopicPartition:
    return TopicPartition(ingress.topic.removesuffix(".ingress") + ".commands", ingress.partition)


def _ingress(commands: TopicPartition) -> TopicPartition:
    return TopicPartition(commands.topic.removesuffix(".commands") + ".ingress", commands.partition)
