"""Taking up partitions: a product that cannot be taken up is set aside with a reason, and looked at again."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from mesh.errors import MeshError, PermanentError, RetriableError
from mesh.gate.holding import Holding
from mesh.gate.product import GatedProduct
from mesh.gate.recovery import SETTLE_SECONDS, TROUBLES, Recovered, Recovery, outputs_of
from mesh.lineage import PartitionChain
from mesh.types import Clock, TopicPartition

logger = logging.getLogger(__name__)

# Taking a product up again is a rebalance of the pool, and looking reads the end of each of its lineage partitions.
_FIRST_LOOK_SECONDS, _LONGEST_LOOK_SECONDS = 2.0, 30.0
_CLOSED_SECONDS = 5.0
# A client that gives up its last topic need not say that its partitions are gone; they are by then.
_GIVEN_UP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Aside:
    """Why a product stands still, and when to look whether that has changed; seconds."""

    reason: str
    again: float
    pause: float


class Uptake:
    """Takes up what a gate is assigned, so that one product never stops another. Products go by their ingress."""

    def __init__(self, recovery: Recovery, clock: Clock) -> None:
        self._recovery, self._clock = recovery, clock
        self._aside: dict[str, Aside] = {}
        self._closed: dict[str, Aside] = {}
        self._held: set[TopicPartition] = set()
        self._left_out: dict[str, float] = {}

    @property
    def aside(self) -> Collection[str]:
        """The products that are not served."""
        return self._aside.keys()

    def reasons(self) -> dict[str, str]:
        """Why, of each of them; may be asked by any thread."""
        return {topic: each.reason for topic, each in (self._closed.copy() | self._aside.copy()).items()}

    def recover(
        self, served: Mapping[TopicPartition, GatedProduct], offsets: Mapping[TopicPartition, int | None]
    ) -> Mapping[TopicPartition, Recovered]:
        """All at once, which is quick; one by one where something cannot be had.

        Together they wait once for what is open, however many of them it keeps.
        """
        self._held.update(served)
        until = self._clock.monotonic() + SETTLE_SECONDS
        try:
            return self._recovery.recover(served, offsets, until)
        except TROUBLES:
            recovered: dict[TopicPartition, Recovered] = {}
            for topic in {partition.topic for partition in served}:
                part = {partition: product for partition, product in served.items() if partition.topic == topic}
                try:
                    recovered |= self._recovery.recover(part, offsets, until)
                except TROUBLES as error:
                    self._set_aside(topic, str(error), _FIRST_LOOK_SECONDS)
        return recovered

    def released(self, partitions: Iterable[TopicPartition]) -> None:
        """These are another's now; a product that was set aside can only be given back once it was taken away."""
        self._held.difference_update(partitions)

    def hold(
        self, holding: Holding, chains: Mapping[TopicPartition, PartitionChain], products: Mapping[str, GatedProduct]
    ) -> Mapping[TopicPartition, PartitionChain]:
        """Take up what these partitions hold; gives those of which that could be read."""
        taken: dict[TopicPartition, PartitionChain] = {}
        for partition, chain in chains.items():
            try:
                holding.follow({partition: chain}, products)
                taken[partition] = chain
            except TROUBLES as error:
                self._set_aside(partition.topic, str(error), _FIRST_LOOK_SECONDS)
        return taken

    def with_state(self, topic: str, product: GatedProduct, chain: PartitionChain) -> PartitionChain | None:
        """See Recovery.with_state; None when the product had to be set aside."""
        try:
            return self._recovery.with_state(product, chain)
        except PermanentError as error:
            self._set_aside(topic, str(error), _FIRST_LOOK_SECONDS)
            return None

    def confirm(self, served: Iterable[tuple[GatedProduct, PartitionChain]]) -> None:
        """See Recovery.confirm."""
        self._recovery.confirm(served)

    def failed(self, products: Mapping[str, GatedProduct]) -> None:
        """A transaction over these aborted: find out whose outputs are denied, which Kafka does not say."""
        denied = self._denied(products.values())
        for topic, product in products.items():
            outputs = [name for name in outputs_of(product) if name in denied]
            if outputs:
                reason = f"the gate may not write to {', '.join(outputs)}; mesh plan shows the missing permission"
                self._set_closed(topic, reason)

    def closed(self, topic: str, product: GatedProduct) -> bool:
        """Whether an output of a product that failed is denied still; to try costs all the others a producer."""
        closed = self._closed.get(topic)
        if closed is not None and closed.again <= self._clock.monotonic():
            if self._denied([product]):
                self._set_closed(topic, closed.reason)
            else:
                del self._closed[topic]
                logger.info("%s is served again", topic)
        return topic in self._closed

    def _set_closed(self, topic: str, reason: str) -> None:
        if topic not in self._closed:
            logger.error("%s stands still, the others go on: %s", topic, reason)
        self._closed[topic] = Aside(reason, self._clock.monotonic() + _CLOSED_SECONDS, _CLOSED_SECONDS)

    def _denied(self, products: Collection[GatedProduct]) -> Collection[str]:
        try:
            return self._recovery.denied(products)
        except MeshError as error:
            logger.warning("what the gate may write is unknown: %s", error)
            return ()

    def look(self, applied: Mapping[str, GatedProduct]) -> None:
        """Forget products that are applied no more, and let those back in that can be served now."""
        now = self._clock.monotonic()
        for gone in self._closed.keys() - applied.keys():
            del self._closed[gone]
        for topic, aside in list(self._aside.items()):
            if topic not in applied:
                self._let_in(topic)
            elif self._given_up(topic, now) and aside.again <= now:
                self._look_at(topic, applied[topic], min(_LONGEST_LOOK_SECONDS, 2 * aside.pause))

    def _given_up(self, topic: str, now: float) -> bool:
        """Whether its partitions were taken away: a product let in before that is never given again."""
        since = self._left_out.setdefault(topic, now)
        return all(partition.topic != topic for partition in self._held) or now >= since + _GIVEN_UP_SECONDS

    def _let_in(self, topic: str) -> None:
        del self._aside[topic]
        self._left_out.pop(topic, None)

    def _look_at(self, topic: str, product: GatedProduct, pause: float) -> None:
        try:
            obstacle = self._recovery.obstacle(product)
        except RetriableError as error:
            obstacle = str(error)
        if obstacle is None:
            self._let_in(topic)
            logger.info("%s is served again", topic)
        else:
            self._set_aside(topic, obstacle, pause)

    def _set_aside(self, topic: str, reason: str, pause: float) -> None:
        known = self._aside.get(topic)
        if known is None or known.reason != reason:
            logger.error("%s stands still, the others go on: %s", topic, reason)
        self._aside[topic] = Aside(reason, self._clock.monotonic() + pause, pause)
