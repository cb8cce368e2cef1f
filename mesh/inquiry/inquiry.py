"""An auditor's questions, put to whichever clusters can answer them; nothing but Kafka has to run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import timedelta
from types import TracebackType
from typing import Self

from mesh.contract import Contract
from mesh.errors import BrokerUnreachable, NotAuthorised, NotFound
from mesh.inquiry.sites import ReachedSite
from mesh.kafka import Connection
from mesh.lineage import Atlas, Disposition, Graph, Place, Reach, Reference, Result, Site, Trace, ancestry
from mesh.lineage.ancestry import ancestry_of_refused, parents_of
from mesh.lineage.balance import Balance, HopBalance
from mesh.lineage.effect import Effect, Impact
from mesh.lineage.hops import Accounts, accounts, outputs_mismatch, reconcile_input
from mesh.lineage.impact import Consumer, Forward, ForwardIndex
from mesh.lineage.key_search import MOST, KeySearch, search_key
from mesh.lineage.outlook import outlooks
from mesh.lineage.reconcile import Advance, Window, reconcile_partition
from mesh.lineage.station import Station
from mesh.lineage.trace import Walk
from mesh.lineage.why import Answer, use_of, why
from mesh.producer import key_body
from mesh.settings import Cluster, Settings
from mesh.types import Coordinate, ProductName, ProductTopics, TopicPartition


class Inquiry:
    """Answers one auditor's questions as ``principal``; use it in a ``with`` block, in one thread.

    Raises what the questions raise: NotFound, NotAuthorised, LineageBroken, BrokerUnreachable, UsageError.
    """

    def __init__(self, settings: Settings, principal: str | None = None, index: ForwardIndex | None = None) -> None:
        self._settings, self._principal, self._index = settings, principal, index
        self._stack = ExitStack()
        self._sites: dict[Cluster, ReachedSite] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._sites.clear()
        self._stack.close()

    def site(self, domain: str) -> ReachedSite:
        """The cluster a domain lives on."""
        return self._site(self._settings.cluster_of(domain))

    def _site(self, cluster: Cluster) -> ReachedSite:
        if cluster not in self._sites:
            connection = Connection.to(self._settings, cluster, self._principal)
            self._sites[cluster] = ReachedSite(connection, self._stack)
        return self._sites[cluster]

    def atlas(self, domain: str) -> Atlas:
        """Every cluster, that of ``domain`` first."""
        near = self.site(domain)
        others = (self._site(cluster) for cluster in self._settings.clusters.values())
        sites: list[Site] = [near, *(each for each in others if each is not near)]
        return Atlas(sites, self.site)

    def trace(self, coordinate: Coordinate) -> Trace:
        """One record back to its ingress coordinate and its publisher's origin."""
        return self.walk(coordinate).follow()

    def walk(self, coordinate: Coordinate) -> Walk:
        """The same, not yet gone."""
        site = self.site(ProductTopics.of_any(coordinate.topic).product.domain)
        return Walk(coordinate, site.reader, site.cluster, site.raw)

    def ancestry(self, coordinate: Coordinate, reach: Reach | None = None) -> Graph:
        """What a public record was made from, back to the source rows; see ``mesh.lineage.ancestry``."""
        atlas = self.atlas(_domain(coordinate))
        return ancestry(_reference(coordinate, atlas), atlas, reach)

    def parents(self, coordinate: Coordinate, part: range) -> tuple[Station, list[Station]]:
        """A public record, and a part of its direct parents; see ``mesh.lineage.ancestry.parents_of``."""
        atlas = self.atlas(_domain(coordinate))
        return parents_of(_reference(coordinate, atlas), atlas, part)

    def contract(self, product: ProductName) -> Contract:
        """The contract in force; raises NotFound."""
        found = self.site(product.domain).catalog().contract(product)
        if found is None:
            raise NotFound("product", str(product), "is its contract applied? (mesh apply)")
        return found

    def reconcile(
        self, product: ProductName, window: Window | None = None, advance: Advance = lambda _records: None
    ) -> Balance:
        """Hold every partition of a product against its manifests, and of a derived one against what it was made from.

        Nothing that is wrong raises: it is in the balance, with partition and range.
        """
        window, contract, atlas = window or Window(), self.contract(product), self.atlas(product.domain)
        holding = atlas.holding(contract.topics)
        # Commits before manifests: what a processor says meanwhile is about records that are there later.
        said = accounts(holding, window) if contract.derivation is not None else {}
        gate = [reconcile_partition(holding, each, window, advance) for each in range(holding.inventory.partitions)]
        hops, closed = self._hops(atlas, contract, said, window)
        odd = outputs_mismatch(holding, said.values(), gate) if window == Window() else None
        return Balance(str(product), gate, hops, [odd] if odd is not None else [], closed)

    def _hops(
        self, atlas: Atlas, contract: Contract, said: Accounts, window: Window
    ) -> tuple[list[HopBalance], dict[str, str]]:
        hops, closed = list[HopBalance](), dict[str, str]()
        for each in contract.derivation.inputs if contract.derivation is not None else ():
            try:
                source = atlas.holding(self.contract(each).topics)
                hops += reconcile_input(str(contract.product), source, said, window)
            except (NotAuthorised, NotFound, BrokerUnreachable) as error:
                closed[str(each)] = str(error)
        return hops, closed

    def size(self, product: ProductName) -> int:
        """How many records a reconciliation will about look at: for a progress bar."""
        holding = self.atlas(product.domain).holding(self.contract(product).topics)
        ingress = holding.inventory.present(Place.INGRESS)
        places = (TopicPartition(ingress.name, each) for each in range(ingress.partitions)) if ingress else ()
        return sum(end - begin for begin, end in map(holding.site.reader.bounds, places))

    def why(self, coordinate: Coordinate) -> Answer:
        """Where one record ended, and what processors did with it; see ``mesh.lineage.why``."""
        answer = why(self.walk(coordinate))
        public = _public(answer)
        if public is None:
            return answer
        atlas = self.atlas(_domain(coordinate))
        readers, _ = self._consumers(atlas, [public.product])
        direct = [each for each in readers if public.product in {str(s.family.product) for s in each.sources}]
        impact = Forward(direct, self._index).of(public, only=1)
        uses = (use_of(public.reference, each, _outputs(impact, each)) for each in direct)
        return replace(answer, uses=tuple(uses))

    def why_key(
        self, product: ProductName, key: str, most: int = MOST, advance: Advance = lambda _records: None
    ) -> tuple[KeySearch, list[Answer]]:
        """The same for every record of a key that is found; ``key`` as it is written in a CSV, JSON for several fields.

        At most so many offsets of each partition are read, the newest.
        """
        contract = self.contract(product)
        body = key_body(contract, key)
        holding = self.atlas(product.domain).holding(contract.topics)
        search = search_key(holding, body, most, advance)
        return search, [self.why(each) for each in search.found]

    def impact(
        self, coordinate: Coordinate, horizon: timedelta | None = None, advance: Advance = lambda _offsets: None
    ) -> Impact:
        """Everything that was made from a public record, and whether more can follow; see ``mesh.lineage.impact``."""
        found = self.trace(coordinate)
        public = effect_of(found)
        if public is None:
            raise NotFound("public record", str(coordinate), "it never passed, so nothing was made from it (mesh why)")
        consumers, closed = self._consumers(self.atlas(_domain(coordinate)), [public.product])
        impact = Forward(consumers, self._index, advance).of(public)
        milliseconds = None if horizon is None else int(horizon.total_seconds() * 1000)
        told = tuple(outlooks(impact, consumers, milliseconds))
        return replace(impact, closed={**closed, **impact.closed}, outlooks=told)

    def _consumers(self, atlas: Atlas, products: Sequence[str]) -> tuple[list[Consumer], dict[str, str]]:
        """Every product made from these, directly or not; and the clusters that could not be asked."""
        contracts, closed = self._contracts()
        derived = [each for each in contracts if each.derivation is not None]
        reached, level = set(products), set(products)
        while level:
            level = {str(each.product) for each in derived if _inputs(each) & level} - reached
            reached |= level
        consumers: list[Consumer] = []
        for contract in derived:
            try:
                if str(contract.product) in reached:
                    consumers.append(_consumer(atlas, contracts, contract))
            except (NotFound, BrokerUnreachable) as error:
                closed[str(contract.product)] = str(error)
        return consumers, closed

    def _contracts(self) -> tuple[list[Contract], dict[str, str]]:
        """Every contract in force, older majors too."""
        found: list[Contract] = []
        closed: dict[str, str] = {}
        for name, cluster in self._settings.clusters.items():
            try:
                found += self._site(cluster).catalog().live().values()
            except BrokerUnreachable as error:
                closed[name] = str(error)
        return found, closed

    def behind(self, found: Trace, reach: Reach | None = None) -> Graph | None:
        """The ancestry of what was traced; of a record that did not pass, what it says of itself, else None."""
        at = found.asked if found.place is Place.PUBLIC else found.fate.settled
        if found.fate.disposition is Disposition.PASSED and at is not None and at.topic_id is not None:
            return self.ancestry(at, reach)
        if found.descent is None:
            return None
        holding = self.atlas(_domain(found.asked)).holding(ProductTopics.of_any(found.asked.topic))
        return ancestry_of_refused(found.asked, found.descent, holding, reach)


def effect_of(found: Trace) -> Effect | None:
    """The public record that a trace leads to; None where none came to be."""
    at = found.asked if found.place is Place.PUBLIC else found.fate.settled
    if found.fate.disposition is Disposition.QUARANTINED:
        at = found.later.settled if found.later is not None and found.later.result is Result.PASSED else None
    if at is None or at.topic_id is None or found.fate.disposition not in (Disposition.PASSED, Disposition.QUARANTINED):
        return None
    reference = Reference(at.topic_id, at.partition, at.offset)
    when, event_time = found.manifest.created_at, found.event_time
    return Effect(reference, at, found.product, None, (), None, found.basis, when, event_time)


def _public(answer: Answer) -> Effect | None:
    return effect_of(answer.trace) if answer.trace is not None else None


def _outputs(impact: Impact, consumer: Consumer) -> list[Effect]:
    product = str(consumer.holding.family.product)
    return [each for each in impact.effects if each.product == product]


def _consumer(atlas: Atlas, contracts: Sequence[Contract], contract: Contract) -> Consumer:
    inputs = _inputs(contract)
    sources = [atlas.holding(each.topics) for each in contracts if str(each.product) in inputs]
    return Consumer(atlas.holding(contract.topics), sources)


def _inputs(contract: Contract) -> set[str]:
    return {str(each) for each in contract.derivation.inputs} if contract.derivation is not None else set()


def _reference(coordinate: Coordinate, atlas: Atlas) -> Reference:
    """A public coordinate by topic id, of the present topic unless it says another."""
    family = ProductTopics.of_any(coordinate.topic)
    topic_id = coordinate.topic_id
    if topic_id is None:
        topic_id = atlas.holding(family).topic_id
    else:
        with suppress(NotFound):
            # Known from now on: nobody has to list the topics of all clusters for it.
            atlas.holding(family)
    return Reference(topic_id, coordinate.partition, coordinate.offset)


def _domain(coordinate: Coordinate) -> str:
    return ProductTopics.of_any(coordinate.topic).product.domain
