"""An auditor's questions, put to whichever clusters can answer them; nothing but Kafka has to run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from types import TracebackType
from typing import Self

from mesh.catalog import Catalog
from mesh.contract import Contract
from mesh.errors import NotFound
from mesh.kafka import Admin, Connection, LogReader
from mesh.lineage import Atlas, Disposition, Graph, Place, Reach, Reference, Site, Trace, ancestry
from mesh.lineage.balance import Balance, GateBalance, HopBalance, Mismatch
from mesh.lineage.hops import Account, accounts, outputs_mismatch, reconcile_hop
from mesh.lineage.reconcile import Advance, Window, reconcile_partition
from mesh.lineage.trace import Walk
from mesh.settings import Cluster, Settings
from mesh.types import Coordinate, ProductName, ProductTopics, TopicPartition


class ReachedSite:
    """A cluster of the configuration, connected to when it is first asked."""

    def __init__(self, connection: Connection, stack: ExitStack) -> None:
        self._connection, self._stack = connection, stack

    @cached_property
    def cluster(self) -> Admin:
        """What is there."""
        return self._stack.enter_context(Admin(self._connection))

    def catalog(self) -> Catalog:
        """The contracts in force there, as they are now."""
        self._catalog.refresh(relist=True)
        return self._catalog

    @cached_property
    def _catalog(self) -> Catalog:
        return self._stack.enter_context(Catalog(self._connection))

    @cached_property
    def reader(self) -> LogReader:
        """Committed records."""
        return self._stack.enter_context(LogReader(self._connection))

    @cached_property
    def raw(self) -> LogReader:
        """Aborted ones, too."""
        return self._stack.enter_context(LogReader(self._connection, committed=False))


class Inquiry:
    """Answers one auditor's questions as ``principal``; use it in a ``with`` block, in one thread.

    Raises what the questions raise: NotFound, NotAuthorised, LineageBroken, BrokerUnreachable, UsageError.
    """

    def __init__(self, settings: Settings, principal: str | None = None) -> None:
        self._settings, self._principal = settings, principal
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
            alone = self._settings.model_copy(update={"clusters": {"one": cluster}})
            self._sites[cluster] = ReachedSite(Connection.of(alone, self._principal), self._stack)
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

    def contract(self, product: ProductName) -> Contract:
        """The contract in force; raises NotFound."""
        found = self.site(product.domain).catalog().contracts().get(product)
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
        gate = [reconcile_partition(holding, each, window, advance) for each in range(holding.inventory.partitions)]
        hops, odd = self._hops(atlas, contract, gate, window)
        return Balance(str(product), gate, hops, odd)

    def _hops(
        self, atlas: Atlas, contract: Contract, gate: Sequence[GateBalance], window: Window
    ) -> tuple[list[HopBalance], list[Mismatch]]:
        if contract.derivation is None:
            return [], []
        holding = atlas.holding(contract.topics)
        said = accounts(holding, window)
        sources = [atlas.holding(self.contract(each).topics) for each in contract.derivation.inputs]
        hops = [
            reconcile_hop(str(contract.product), source, each, said.get((source.topic_id, each), Account()), window)
            for source in sources
            for each in range(source.inventory.partitions)
        ]
        odd = outputs_mismatch(holding, said.values(), gate) if window == Window() else None
        return hops, [odd] if odd is not None else []

    def size(self, product: ProductName) -> int:
        """How many records a reconciliation will about look at: for a progress bar."""
        holding = self.atlas(product.domain).holding(self.contract(product).topics)
        ingress = holding.inventory.present(Place.INGRESS)
        places = (TopicPartition(ingress.name, each) for each in range(ingress.partitions)) if ingress else ()
        return sum(end - begin for begin, end in map(holding.site.reader.bounds, places))

    def behind(self, found: Trace, reach: Reach | None = None) -> Graph | None:
        """The ancestry of what was traced; None where it never came to be a public record."""
        at = found.asked if found.place is Place.PUBLIC else found.fate.settled
        if found.fate.disposition is not Disposition.PASSED or at is None or at.topic_id is None:
            return None
        return self.ancestry(at, reach)


def _reference(coordinate: Coordinate, atlas: Atlas) -> Reference:
    """A public coordinate by topic id, of the present topic unless it says another."""
    topic_id = coordinate.topic_id
    if topic_id is None:
        topic_id = atlas.holding(ProductTopics.of_any(coordinate.topic)).topic_id
    return Reference(topic_id, coordinate.partition, coordinate.offset)


def _domain(coordinate: Coordinate) -> str:
    return ProductTopics.of_any(coordinate.topic).product.domain
