"""The gate's step of the transactional loop: judge, route, and write one manifest per partition and transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence

from mesh.errors import MeshError, PermanentError, RegistryUnreachable
from mesh.gate.descents import Examined
from mesh.gate.holding import Holding
from mesh.gate.meter import GateMeter
from mesh.gate.observation import Deliveries, Observation
from mesh.gate.passage import Passage
from mesh.gate.ports import ContractSource, SchemaSource
from mesh.gate.product import GatedProduct
from mesh.gate.routing import Routing
from mesh.gate.screening import Screening
from mesh.gate.settling import Prepared, Settler
from mesh.gate.uptake import Uptake
from mesh.judge import Batch, Verdicts
from mesh.kafka import AbortRequired, Message, Run, Transaction
from mesh.lineage import Manifest, PartitionChain, Stop, StopCause, encode_manifest
from mesh.types import Clock, Finding, TopicPartition

logger = logging.getLogger(__name__)


class GateStep:
    """Serves every applied product. One instance per gate process; ``identity`` is its transactional id."""

    def __init__(
        self,
        identity: str,
        contracts: ContractSource,
        registry: SchemaSource,
        uptake: Uptake,
        settler: Settler,
        holding: Holding,
        clock: Clock,
        meter: GateMeter | None = None,
    ) -> None:
        self._meter = meter
        self._identity, self._contracts, self._registry = identity, contracts, registry
        self._uptake, self._settler, self._holding, self._clock = uptake, settler, holding, clock
        self._products: dict[str, GatedProduct] = {}
        self._applied: dict[str, GatedProduct] = {}
        self._chains: dict[TopicPartition, PartitionChain] = {}
        self._open: dict[TopicPartition, Observation] = {}
        self._next: dict[TopicPartition, tuple[Manifest, bytes, Deliveries]] = {}
        self._unforwardable: dict[TopicPartition, set[int]] = {}
        self._troubles: dict[str, str] = {}
        self._asked = self._restored = False
        self._screening = Screening(holding, settler.stops, clock.now)

    def inputs(self) -> Collection[str]:
        """The ingress topics of every applied product; contracts that changed take effect with the next transaction."""
        self._contracts.refresh()
        self._asked = True
        applied = {contract.topics.ingress: contract for contract in self._contracts.live().values()}
        for ingress, contract in applied.items():
            known = self._applied.get(ingress)
            if known is None or known.contract.digest != contract.digest:
                self._applied[ingress] = GatedProduct(contract, self._registry)
        for gone in self._applied.keys() - applied.keys():
            del self._applied[gone]
            self._troubles.pop(gone, None)
        if not self._open:
            self._products = dict(self._applied)
        self._uptake.look(self._applied)
        return self._applied.keys() - self._uptake.aside

    @property
    def joined(self) -> bool:
        """Whether the group has given this gate its partitions, if only none; true where nothing is to be gated."""
        return self._restored or (self._asked and not self._applied)

    def troubles(self) -> dict[str, str]:
        """What stands still now, by ingress topic or partition, and why; may be asked by any thread."""
        stops = {str(tp): chain.stop for tp, chain in self._chains.copy().items()}
        full = {name: stop.reason for name, stop in stops.items() if stop is not None and stop.cause is StopCause.FULL}
        return self._troubles.copy() | self._uptake.reasons() | full | self._settler.stops.standing()

    def positions(self) -> dict[TopicPartition, int]:
        """The next offset of every partition held, as committed; may be asked by any thread."""
        # Copied at once, which is atomic; the loop's thread changes it.
        return {partition: chain.ingress_next for partition, chain in self._chains.copy().items()}

    def restore(self, offsets: Mapping[TopicPartition, int | None]) -> Mapping[TopicPartition, int]:
        """Take up each partition's chain; gives where to read on.

        Left out are partitions whose records expired and products that cannot be taken up.
        """
        if not self._open:
            self._products = dict(self._applied)
        served = {tp: self._products[tp.topic] for tp in offsets if tp.topic in self._products}
        self._restored = True
        starts: dict[TopicPartition, int] = {}
        for partition, recovered in self._uptake.recover(served, offsets).items():
            if recovered.expired:
                self.expired(partition, recovered.chain.ingress_next)
                continue
            self._troubles.pop(str(partition), None)
            self._chains[partition] = recovered.chain
            starts[partition] = recovered.chain.ingress_next
        self._settler.descents.forget(offsets)
        taken = {partition: self._chains[partition] for partition in starts}
        taken = dict(self._uptake.hold(self._holding, taken, self._products))
        for partition in starts.keys() - taken.keys():
            self._chains.pop(partition)
        self._settler.follow(taken, self._products)
        return {partition: start for partition, start in starts.items() if partition in taken}

    def release(self, partitions: Collection[TopicPartition]) -> None:
        """Forget the chains: their next owner reads them from the lineage topic."""
        for partition in partitions:
            self._chains.pop(partition, None)
            self._unforwardable.pop(partition, None)
            self._troubles.pop(str(partition), None)
        self._settler.descents.forget(partitions)
        self._holding.release(partitions)
        self._settler.release(partitions)
        self._uptake.released(partitions)

    def attend(self, begin: Callable[[TopicPartition], Transaction], ready: Callable[[TopicPartition], bool]) -> None:
        """Settle the operators' commands; they come before the records of a transaction, whose offsets are higher."""
        prepared = [
            (partition, done)
            for partition, messages in self._settler.due(
                lambda tp: ready(tp) and tp in self._chains and not self._closed(tp)
            )
            if (done := self._prepared(partition, messages))
        ]
        for partition, each in prepared:
            observation = self._observation(each.product, partition)
            self._settler.write(each, begin(partition), partition, observation)

    def _closed(self, partition: TopicPartition) -> bool:
        product = self._products.get(partition.topic)
        return product is not None and self._uptake.closed(partition.topic, product)

    def _prepared(self, partition: TopicPartition, messages: Sequence[Message]) -> Prepared | None:
        product = self._products.get(partition.topic)
        if product is None:
            return None
        return self._settler.prepare(product, partition, self._chains[partition], messages)

    def process(self, transaction: Transaction, partition: TopicPartition, records: Sequence[Message]) -> int:
        """Judge and route; fewer than all when a schema cannot be asked for, or the contract has the partition stop."""
        product = self._products.get(partition.topic)
        if product is None or self._closed(partition) or not self._ready(product, partition, records[0]):
            return 0
        run = Run.of(records)
        batch = Batch(run.keys, run.values, run.headers)
        try:
            product.learn(batch)
        except RegistryUnreachable as error:
            logger.warning("%s is parked: %s", partition, error)
            return 0
        examined = self._examined(product, partition, run, batch)
        if examined.rows < len(run):
            run = run.first(examined.rows)
        handling = self._screening.handling(product, partition, run, examined.verdicts, self._known_stop(partition))
        if handling.stop is not None:
            self._record_stop(transaction, product, partition, handling.stop)
        if handling.rows == 0:
            return 0
        if handling.rows < len(records):
            records, run = records[: handling.rows], run.first(handling.rows)
            batch = Batch(run.keys, run.values, run.headers)
        if handling.screened.parked and examined.repeated:
            # What waits has not passed: what repeats it is no repetition yet.
            examined = self._examined(product, partition, run, batch, handling.screened.parked)
            if examined.rows < len(run):
                return 0
        observation = self._observation(product, partition)
        observation.saw(batch)
        if self._meter is not None:
            self._meter.saw(run.headers)
        routing = self._routing(transaction, partition, observation)
        routing.parked = handling.screened.parked
        for row in handling.screened.holding:
            routing.hold(records[row])
        routing.route(run, examined.decided(handling.verdicts, handling.screened.parked), records)
        observation.ingress_to = records[-1].offset() + 1
        return len(records)

    def _examined(
        self,
        product: GatedProduct,
        partition: TopicPartition,
        run: Run,
        batch: Batch,
        parked: Collection[int] = (),
    ) -> Examined:
        """The verdicts, and what the descents of a derived product add; no rows while they cannot be looked into."""
        verdicts = product.judge.judge(batch)
        seen, unforwardable = self._open.get(partition), self._unforwardable.get(partition, ())
        barred = {row for row, offset in enumerate(run.offsets) if offset in unforwardable} if unforwardable else set()
        passage = seen.passage if seen is not None else None
        try:
            return self._settler.descents.examine(
                product, partition, self._chains[partition], batch, verdicts, passage, barred.union(parked)
            )
        except MeshError as error:
            # Whatever it is, it is the trouble of one product.
            trouble = f"its parents cannot be looked into: {error}"
            if self._troubles.get(partition.topic) != trouble:
                logger.warning("%s is parked: %s", partition, trouble)
            self._troubles[partition.topic] = trouble
            return Examined(Verdicts({}, ()), 0)

    def unreadable(self, transaction: Transaction, partition: TopicPartition, offset: int, reason: str) -> None:
        """The record itself cannot be had: a stub in quarantine takes its place."""
        product = self._products[partition.topic]
        observation = self._observation(product, partition)
        observation.delivered.append(offset)
        observation.origins.append(None)
        finding = Finding("record.unreadable", "", f"the record cannot be fetched: {reason}")
        self._routing(transaction, partition, observation).stub(offset, finding, {})
        observation.ingress_to = offset + 1

    def _observation(self, product: GatedProduct, partition: TopicPartition) -> Observation:
        if partition not in self._open:
            chain = self._chains[partition]
            derivation = product.contract.derivation
            passage = Passage.after(chain, derivation.processor) if derivation is not None else None
            self._open[partition] = Observation(product, chain, chain.ingress_next, passage=passage)
        return self._open[partition]

    def _routing(self, transaction: Transaction, partition: TopicPartition, observation: Observation) -> Routing:
        unforwardable = self._unforwardable.setdefault(partition, set())
        parking = self._holding.parking(partition, transaction, observation)
        return Routing(transaction, partition, observation, unforwardable, parking)

    def _ready(self, product: GatedProduct, partition: TopicPartition, record: Message) -> bool:
        """Whether records can be handled; the holds of a contract that did not hold keys before are taken up here."""
        if product.holds_keys and not self._holding.known(partition):
            if partition in self._open:
                return False
            chain = self._uptake.with_state(partition.topic, product, self._chains[partition])
            if chain is None:
                return False
            self._chains[partition] = chain
            self._holding.follow({partition: self._chains[partition]}, self._products)
        return not self._screening.waits(partition, record, self._known_stop(partition))

    def _known_stop(self, partition: TopicPartition) -> Stop | None:
        return self._open[partition].stop if partition in self._open else self._chains[partition].stop

    def _record_stop(
        self, transaction: Transaction, product: GatedProduct, partition: TopicPartition, stop: Stop
    ) -> None:
        observation = self._observation(product, partition)
        observation.stop = stop
        # A manifest that covers no record still has to be of the partition's owner.
        transaction.positions.setdefault(partition, observation.ingress_to)

    def complete(self, transaction: Transaction) -> None:
        """Outputs have their offsets: write a manifest for each partition the transaction touched."""
        try:
            self._describe(transaction)
        except PermanentError as error:
            # It is one product's, and the others must go on: the loop finds out whose.
            raise AbortRequired("describe the transaction", "_STEP", str(error)) from None
        finally:
            # Asked while the manifests travel. Where a topic was made again, that is why they could not be written.
            self._uptake.confirm((each.product, each.chain) for each in self._open.values())

    def _describe(self, transaction: Transaction) -> None:
        created_at = int(self._clock.now() * 1000)
        if self._meter is not None:
            self._meter.completing()
        for partition, observation in self._open.items():
            self._holding.complete(transaction, partition, observation)
            manifest = observation.chain.extend(observation.transaction(self._identity, created_at))
            payload = encode_manifest(manifest, observation.product.manifest_schema_id())
            topic = observation.product.topics.lineage
            place = Deliveries(1)
            transaction.produce(topic, partition.partition, None, payload, report=place.report)
            self._next[partition] = manifest, payload, place

    def settled(self, transaction: Transaction, *, committed: bool) -> None:
        """Adopt the new chains if the transaction committed; otherwise nothing has happened."""
        if committed:
            for partition, (manifest, payload, place) in self._next.items():
                self._chains[partition] = PartitionChain.resume(manifest, payload, place.first)
                self._unforwardable.pop(partition, None)
                self._troubles.pop(partition.topic, None)
                if (passage := self._open[partition].passage) is not None:
                    self._settler.descents.settled(partition, passage)
        else:
            self._uptake.failed({name: self._applied[name] for name in transaction.topics & self._applied.keys()})
        self._holding.ended(self._open, committed=committed)
        self._settler.ended(committed=committed)
        if self._meter is not None:
            self._meter.settled(self._open, committed=committed)
        self._open.clear()
        self._next.clear()
        self._products = dict(self._applied)

    def blocked(self, topic: str, reason: str) -> None:
        """Said by the loop when this product alone makes its transactions abort."""
        self._troubles[topic] = reason
        logger.error("%s is blocked: %s", topic, reason)

    def expired(self, partition: TopicPartition, offset: int) -> None:
        """Unread records are gone. Standing still is the only honest thing to do: going on would hide the loss."""
        self._troubles[str(partition)] = f"offset {offset} expired before it was read"
        logger.error("%s stands still: offset %d expired before it was read", partition, offset)
