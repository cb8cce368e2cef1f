"""Where a gate goes on after an assignment: the last committed manifest of each partition, read when it can be read."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from mesh.errors import BrokerError, DeadlineExceeded, LineageBroken, NotFound, PermanentError
from mesh.gate.parking import kept
from mesh.gate.product import GatedProduct
from mesh.kafka import Admin, LogReader, RestoreRequired
from mesh.lineage import Manifest, PartitionChain, TopicIds, decode_manifest
from mesh.types import TopicPartition

logger = logging.getLogger(__name__)

# A predecessor that died for good leaves its transaction open until the broker's time-out (10 s, checked every 10 s).
SETTLE_SECONDS: Final = 25.0
"""How long outputs may take to become readable before their product has to be set aside."""
TROUBLES: Final = (PermanentError, BrokerError, DeadlineExceeded)
"""What is wrong with one product; any other error is about the cluster, and there is no product to blame."""
NO_LEADER: Final = "the brokers that hold it are away"
_POLL_SECONDS = 0.05
_TAIL = 16
_ALL = 1 << 62


@dataclass(frozen=True, slots=True)
class Recovered:
    """A partition's chain, and whether the offset it goes on from is still there."""

    chain: PartitionChain
    expired: bool


class Recovery:
    """Reads what is, for partitions that have just been assigned."""

    def __init__(self, admin: Admin, reader: LogReader) -> None:
        self._admin, self._reader = admin, reader
        self._lineages: dict[str, UUID] = {}
        self._unsettled: dict[TopicPartition, int] = {}

    def recover(
        self,
        products: Mapping[TopicPartition, GatedProduct],
        offsets: Mapping[TopicPartition, int | None],
        until: float,
    ) -> dict[TopicPartition, Recovered]:
        """The chain of each ingress partition, given the group's stable committed offsets.

        First the outputs have to be readable up to their present end: commit and stable offset return before the
        committed end of an output moves, so reading earlier would miss the last transaction. That is waited for
        ``until`` a monotonic time; then raises DeadlineExceeded. Raises BrokerError where a partition has no leader.
        """
        states = self._states(products.values())
        self._await_settled(products, states, until)
        beginnings = self._admin.beginnings(products)
        cluster = self._admin.cluster_id()
        return {
            partition: self._one(partition, product, states, offsets[partition], beginnings[partition], cluster)
            for partition, product in products.items()
        }

    def with_state(self, product: GatedProduct, chain: PartitionChain) -> PartitionChain:
        """The chain of a partition whose contract came to hold keys after it was taken up; raises NotFound."""
        state = self._admin.topics([product.topics.state]).get(product.topics.state)
        if state is None:
            raise NotFound("topic", product.topics.state, "apply its contract (mesh apply)")
        return replace(chain, topics=replace(chain.topics, state=state.topic_id))

    def obstacle(self, product: GatedProduct) -> str | None:
        """Why a product cannot be taken up, if so: a topic is not there or denied, or what is on it cannot be read."""
        try:
            states = self._states([product])
            ingress, state = product.topics.ingress, product.topics.state
            for number in range(self._admin.topics([ingress])[ingress].partitions):
                self._last_manifest(TopicPartition(product.topics.lineage, number))
                if state in states:
                    kept(self._reader.read(TopicPartition(state, number), 0, _ALL), states[ingress], _ALL)
            self._settle(product, states.keys())
        except TROUBLES as error:
            return str(error)
        return None

    def _settle(self, product: GatedProduct, existing: Collection[str]) -> None:
        """Raises DeadlineExceeded as long as what kept a product from being taken up is open.

        Other members of the pool write to its other partitions, so an open transaction alone says nothing.
        """
        outputs = {*outputs_of(product), product.topics.state} & set(existing)
        goals = {partition: end for partition, end in self._unsettled.items() if partition.topic in outputs}
        present = self._admin.ends(goals, committed=False)
        self._forget(goals)
        # A topic that was made again ends earlier than the one that was waited for.
        self._unsettled |= self._open({partition: min(end, present[partition]) for partition, end in goals.items()})
        if waiting := goals.keys() & self._unsettled.keys():
            raise _unfinished(waiting)

    def _open(self, goals: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """Those that cannot be read up to there yet."""
        ends = self._admin.ends(goals, committed=True)
        return {partition: end for partition, end in goals.items() if ends[partition] < end}

    def _forget(self, partitions: Iterable[TopicPartition]) -> None:
        for partition in list(partitions):
            self._unsettled.pop(partition, None)

    def denied(self, products: Collection[GatedProduct]) -> list[str]:
        """The outputs of these that the gate may not write to."""
        return self._admin.denied_writes(name for product in products for name in outputs_of(product))

    def confirm(self, served: Iterable[tuple[GatedProduct, PartitionChain]]) -> None:
        """Raises RestoreRequired when a topic of these products is not the one that their chains are about.

        To be asked after the records of a transaction were read and written, and before it commits: a client goes on
        at its old offset in a topic that was made again, and its records from before that offset would be skipped.
        """
        known = {each for product, chain in served for each in self._known(product, chain)}
        found = self._admin.topic_ids(name for name, _ in known)
        changed = {name for name, topic_id in known if found.get(name) != topic_id}
        if changed:
            raise RestoreRequired(f"{', '.join(sorted(changed))} was deleted, or made again")

    def _known(self, product: GatedProduct, chain: PartitionChain) -> Iterator[tuple[str, UUID | None]]:
        topics = product.topics
        yield topics.ingress, chain.topics.ingress
        yield topics.public, chain.topics.public
        yield topics.quarantine, chain.topics.quarantine
        yield topics.lineage, self._lineages.get(topics.lineage)
        if product.holds_keys and chain.topics.state is not None:
            yield topics.state, chain.topics.state

    def _states(self, products: Collection[GatedProduct]) -> dict[str, UUID]:
        """The ids of the topics; raises NotFound and NotAuthorised where one that is needed is missing or denied."""
        names = {name for each in products for name in (each.topics.ingress, *outputs_of(each))}
        # Without commands nothing of what is read is at stake. Keys may be held from when the contract still held some.
        states = {name: state.topic_id for name, state in self._admin.topics(names).items()}
        states |= self._admin.topic_ids({name for e in products for name in (e.topics.commands, e.topics.state)})
        for name in names - states.keys():
            raise NotFound("topic", name, "apply its contract (mesh apply)")
        if dark := self._admin.leaderless(sorted(states)):
            raise BrokerError(f"use {', '.join(map(str, dark))}", "LEADER_NOT_AVAILABLE", NO_LEADER)
        self._lineages |= {each.topics.lineage: states[each.topics.lineage] for each in products}
        return states

    def _await_settled(
        self, products: Mapping[TopicPartition, GatedProduct], states: Mapping[str, UUID], until: float
    ) -> None:
        outputs = [
            TopicPartition(topic, partition.partition)
            for partition, product in products.items()
            for topic in (
                product.topics.public,
                product.topics.quarantine,
                product.topics.lineage,
                product.topics.state,
            )
            if topic != product.topics.state or topic in states
        ]
        self._forget(outputs)
        goal = self._open(self._admin.ends(outputs, committed=False))
        while goal and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
            goal = self._open(goal)
        self._unsettled |= goal
        if goal:
            raise _unfinished(goal)

    def _one(
        self,
        partition: TopicPartition,
        product: GatedProduct,
        states: Mapping[str, UUID],
        committed: int | None,
        beginning: int,
        cluster: str,
    ) -> Recovered:
        topics = _ids(product, states)
        last = self._last_manifest(TopicPartition(product.topics.lineage, partition.partition))
        if last is None:
            chain = PartitionChain.start(
                product.name, cluster, partition.partition, topics, beginning if committed is None else committed
            )
            return Recovered(chain, expired=committed is not None and committed < beginning)
        chain = PartitionChain.resume(*last)
        if chain.topics.state is not None and topics.state is None:
            # Gone or denied, that is the question: what is parked must not be given up for want of a permission.
            self._admin.topics([product.topics.state])
        chain = _stated(_commanded(chain, topics), topics)
        chain = self._continued(chain, topics, committed, beginning)
        return Recovered(chain, expired=chain.ingress_next < beginning)

    def _continued(
        self, chain: PartitionChain, topics: TopicIds, committed: int | None, beginning: int
    ) -> PartitionChain:
        if topics.ingress != chain.topics.ingress:
            logger.warning("%s: the ingress topic was re-created; a new epoch begins at %d", chain.where, beginning)
            return chain.new_epoch(topics, beginning)
        start = chain.ingress_next if committed is None else committed
        if topics != chain.topics or start != chain.ingress_next:
            logger.warning("%s: an output was re-created or an offset reset; a new epoch begins", chain.where)
            return chain.new_epoch(topics, start)
        return chain

    def _last_manifest(self, partition: TopicPartition) -> tuple[Manifest, bytes, int] | None:
        low, end = self._reader.bounds(partition)
        span = _TAIL
        while end > low:
            records = [(record.value(), record.offset()) for record in self._reader.read(partition, end - span, end)]
            payload, at = records[-1] if records else (None, 0)
            if payload is not None:
                return _decoded(payload, partition, at), payload, at
            if end - span <= low:
                return None
            span *= 4
        return None


def outputs_of(product: GatedProduct) -> tuple[str, ...]:
    """The topics that the gate cannot do without writing to."""
    topics = product.topics
    state = (topics.state,) if product.holds_keys else ()
    return topics.public, topics.quarantine, topics.lineage, *state


def _unfinished(partitions: Collection[TopicPartition]) -> DeadlineExceeded:
    return DeadlineExceeded(f"an open transaction on {', '.join(sorted(map(str, partitions)))}", SETTLE_SECONDS)


def _decoded(payload: bytes, partition: TopicPartition, at: int) -> Manifest:
    try:
        return decode_manifest(payload)
    except LineageBroken as error:
        reason = f"{error.where} at offset {at}, the last one, is none ({error.reason}); see docs/operations.md"
        raise LineageBroken(str(partition), reason) from None


def _ids(product: GatedProduct, states: Mapping[str, UUID]) -> TopicIds:
    topics = product.topics
    return TopicIds(
        ingress=states[topics.ingress],
        public=states[topics.public],
        quarantine=states[topics.quarantine],
        commands=states.get(topics.commands),
        state=states.get(topics.state),
    )


def _commanded(chain: PartitionChain, topics: TopicIds) -> PartitionChain:
    """The chain with the commands topic there is now; a new one begins at its beginning, and nothing else changes."""
    former = chain.topics.commands
    if former == topics.commands:
        return chain
    start = chain.commands_next if former is None else 0
    return replace(chain, topics=replace(chain.topics, commands=topics.commands), commands_next=start)


def _stated(chain: PartitionChain, topics: TopicIds) -> PartitionChain:
    """The chain with the topic of state there is now; what was held in a former one is gone with it."""
    if chain.topics.state not in (None, topics.state):
        logger.error("%s: its topic of state is gone, and with it what was parked there", chain.where)
    return replace(chain, topics=replace(chain.topics, state=topics.state))
