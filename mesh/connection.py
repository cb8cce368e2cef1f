"""The mesh as programs see it: products by name, whatever cluster they live on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from mesh.catalog import Catalog
from mesh.consumer import Reading, Subscription
from mesh.consumer.record import Source
from mesh.contract import Contract
from mesh.errors import NotAuthorised, NotFound, UsageError
from mesh.inquiry import Inquiry
from mesh.inquiry.collecting import Collected, Collecting, collect
from mesh.kafka import Admin, Connection
from mesh.lineage import Graph, Reach, Trace
from mesh.lineage.ancestry import DEEP, SHOWN
from mesh.lineage.balance import Balance
from mesh.lineage.effect import Impact
from mesh.lineage.reconcile import Window
from mesh.lineage.why import Answer
from mesh.producer import Publisher
from mesh.registry import RegistryClient
from mesh.settings import Cluster, Settings
from mesh.telemetry import telemetry_of
from mesh.types import Coordinate, ProductName, TopicPartition

if TYPE_CHECKING:  # processors are loaded by those who run one
    from mesh.stream import Processor
    from mesh.stream.binding import Binding, Located, Runtime, Tally, Told

_PLATFORM: Final = "_mesh."


class Mesh:
    """The way in, got by ``Mesh.connect()``; a context manager. Not for use by two threads at once.

    Who acts: the ``principal`` given to a call, else the one given to ``connect``. Where neither is given, a
    subscription acts as its own name, and a producer as the configured principal, or as its product's domain where
    that is a platform principal, as on a mesh started with ``mesh up``. Every principal's secret is found through the
    configuration.
    """

    def __init__(self, settings: Settings, principal: str | None = None) -> None:
        self.settings, self.principal = settings, principal
        self._catalogs: dict[Cluster, Catalog] = {}
        self._registries: dict[Cluster, RegistryClient] = {}
        self._telemetry = telemetry_of(settings.telemetry, principal or settings.principal or "mesh")

    @classmethod
    def connect(cls, config: Path | None = None, principal: str | None = None) -> Mesh:
        """The mesh of a configuration file, else of ``$MESH_CONFIG``, ``mesh.yaml`` or ``.mesh/mesh.yaml``.

        Clusters are reached when they are first needed. Raises SettingsError.
        """
        return cls(Settings.load(config), principal)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back; producers and subscriptions are closed by whoever opened them."""
        for catalog in self._catalogs.values():
            catalog.close()
        for registry in self._registries.values():
            registry.close()
        self._catalogs.clear()
        self._registries.clear()
        self._telemetry.close()

    def products(self) -> tuple[ProductName, ...]:
        """Every product in force on every cluster, sorted; raises BrokerUnreachable."""
        found: set[ProductName] = set()
        for cluster in self.settings.clusters.values():
            found.update(self._refreshed(cluster).contracts())
        return tuple(sorted(found))

    def contract(self, product: str | ProductName) -> Contract:
        """The contract of a product as it is in force now, its newest major; raises NotFound, BrokerUnreachable."""
        name = _named(product)
        catalog = self._refreshed(self.settings.cluster_of(name.domain), name.domain)
        contract = catalog.contract(name)
        if contract is None:
            raise NotFound("product", str(name), _hint(catalog, name))
        return contract

    def producer(self, product: str | ProductName, *, check: bool = True, principal: str | None = None) -> Publisher:
        """Publish to a product; use it in a ``with`` block.

        ``check=False`` leaves the verdict to the gate alone: records that break the contract then travel as far as the
        quarantine. Raises NotFound for a product that was never applied, SettingsError without a secret.
        """
        contract = self.contract(product)
        domain = contract.product.domain
        connection = Connection.of(self.settings, principal or self._acting() or domain, domain)
        registry = self._registry(self.settings.cluster_of(domain))
        return Publisher(contract, connection, registry, check=check, telemetry=self._telemetry)

    def subscribe(
        self,
        *products: str | ProductName,
        name: str,
        purpose: str,
        principal: str | None = None,
        from_beginning: bool = True,
        until_end: bool = False,
        idle_seconds: float | None = None,
        skip_lost: bool = False,
    ) -> Subscription:
        """Read products under a name, for a purpose that their contracts allow; use it in a ``with`` block.

        It goes on where a subscription of that name stopped, the first time at the beginning unless ``from_beginning``
        is false. Other members of the same name share the partitions. ``until_end`` stops at the present end,
        ``idle_seconds`` when nothing has come for so long; ``skip_lost`` passes over what expired unread. Raises
        NotFound, NotAuthorised, BrokerUnreachable, UsageError.
        """
        contracts = [self.contract(each) for each in dict.fromkeys(map(_named, products))]
        cluster = self._one_cluster(contracts)
        connection = Connection.of(self.settings, principal or self.principal or name, contracts[0].product.domain)
        reading = Reading(from_beginning, until_end, idle_seconds, skip_lost)
        sources, ends = _sources(connection, contracts, self._registry(cluster), ends=until_end)
        return Subscription(connection, name, purpose, sources, reading, ends, self._telemetry)

    def faust(self, product: str | ProductName, *, on_error: Literal["halt", "park"] = "halt") -> Any:
        """A Faust application that makes a derived product; needs the extra ``faust``.

        It acts as the product's domain. Raises NotFound, NotAuthorised, SettingsError, and UsageError for a product
        that is not derived.
        """
        from mesh.stream import Processor  # noqa: PLC0415

        # Faust is loaded where somebody asks for it, and nowhere else.
        application = import_module("mesh.stream.faust.app").application
        return application(self._bound(Processor(str(product))), on_error)

    def process(
        self,
        processor: Processor,
        *,
        runtime: Runtime = "loop",
        ordinal: int = 0,
        until_end: bool = False,
        finish: bool = False,
        before: datetime | None = None,
        stopping: Callable[[], bool] = lambda: False,
        told: Told = lambda _: None,
    ) -> Tally:
        """Run a processor until ``stopping()``, as its product's domain unless a principal was given to ``connect``.

        Processes of one processor share the partitions; each has its own ``ordinal``. ``until_end`` stops when what the
        inputs hold now is dealt with, or at the first record of ``before`` or later; ``finish`` also closes what is
        open then. ``told`` hears of every commit. Raises NotFound, NotAuthorised, UsageError, ProcessingFailed,
        EncodingRefused, RecordsLost, Fenced, BrokerUnreachable.
        """
        from mesh.stream.binding import Running  # noqa: PLC0415
        from mesh.stream.run import run  # noqa: PLC0415

        return run(self._bound(processor), Running(runtime, ordinal, until_end, finish, before), stopping, told)

    def _bound(self, processor: Processor) -> Binding:
        from mesh.stream.binding import bind  # noqa: PLC0415

        contract = self.contract(processor.product)
        if contract.derivation is None:
            raise UsageError(f"{contract.product} is no derived product; its contract names no derivation")
        acting = self.principal or contract.product.domain
        inputs = [self._located(self.contract(each), acting) for each in contract.derivation.inputs]
        return bind(processor, self._located(contract, acting), inputs)

    def _located(self, contract: Contract, acting: str) -> Located:
        from mesh.stream.binding import Located  # noqa: PLC0415

        cluster = self.settings.cluster_of(contract.product.domain)
        return Located(contract, Connection.to(self.settings, cluster, acting), self._registry(cluster))

    def trace(self, coordinate: str | Coordinate) -> Trace:
        """Follow a public or quarantined record back to where it came from; raises NotAuthorised, LineageBroken.

        Only the product's domain and the platform may read its lineage.
        """
        with Inquiry(self.settings, self.principal) as inquiry:
            return inquiry.trace(_coordinate(coordinate))

    def ancestry(self, coordinate: str | Coordinate, depth: int | None = DEEP, most: int | None = SHOWN) -> Graph:
        """What a derived public record was made from, back to the source rows, across products and clusters.

        ``depth`` hops, and ``most`` parents of each partition (None: all). Where lineage may not be read, or is
        gone, a station says so and the walk goes on elsewhere. Raises for the record itself, as ``trace``.
        """
        with Inquiry(self.settings, self.principal) as inquiry:
            return inquiry.ancestry(_coordinate(coordinate), Reach(depth, most))

    def why(self, coordinate: str | Coordinate) -> Answer:
        """Where a record ended, by which clause or filter, and what processors did with it; raises as ``trace``."""
        with Inquiry(self.settings, self.principal) as inquiry:
            return inquiry.why(_coordinate(coordinate))

    def impact(self, coordinate: str | Coordinate, horizon: timedelta | None = None) -> Impact:
        """Everything that was made from a public record, across products, and whether more can follow.

        ``horizon`` is how long after its event time windows may still use a record. Raises as ``trace``.
        """
        with Inquiry(self.settings, self.principal) as inquiry:
            return inquiry.impact(_coordinate(coordinate), horizon)

    def reconcile(
        self, product: str | ProductName, since: datetime | None = None, until: datetime | None = None
    ) -> Balance:
        """Whether every partition of a product adds up: in = out + refused + parked + repeated + pending.

        ``since`` and ``until`` choose transactions by when the gate committed them. Whatever is wrong is in the
        balance, with partition and range. Raises NotFound, NotAuthorised, BrokerUnreachable.
        """
        with Inquiry(self.settings, self.principal) as inquiry:
            return inquiry.reconcile(_named(product), Window.between(since, until))

    def collect_lineage(
        self, index: Path, *, until_end: bool = False, stopping: Callable[[], bool] = lambda: False
    ) -> Collected:
        """Fold the lineage of the first cluster into a file until ``stopping()``, and send OpenLineage events of it.

        ``until_end`` stops when all that is there now is in the file. It goes on where the file stopped; a file that is
        deleted is made again. Acts as ``_mesh.lineage`` where no principal is configured. Raises SettingsError and
        NotAuthorised.
        """
        return collect(self.settings, Collecting(index, stopping, until_end), sys.stdout, self.principal)

    def serve_lineage(
        self, index: Path, host: str = "127.0.0.1", port: int = 8082, ready: Callable[[str], None] = lambda _url: None
    ) -> None:
        """Answer the questions about lineage over HTTP until a signal, each as whoever asks it.

        ``index`` is the collector's file, ``ready`` hears the URL. Raises SettingsError, PlatformFailure.
        """
        # The web server takes a third of a second to import, which other programs need not pay.
        service = import_module("mesh.inquiry.service.server")
        service.serve(self.settings, service.Serving(index, host, port), ready, self.principal)

    def _acting(self) -> str | None:
        configured = self.settings.principal
        return self.principal or (configured if configured and not configured.startswith(_PLATFORM) else None)

    def _refreshed(self, cluster: Cluster, domain: str | None = None) -> Catalog:
        catalog = self._catalogs.get(cluster)
        if catalog is None:
            who = self.principal or self.settings.principal or domain
            catalog = self._catalogs[cluster] = Catalog(Connection.to(self.settings, cluster, who))
        catalog.refresh(relist=True)
        return catalog

    def _registry(self, cluster: Cluster) -> RegistryClient:
        if cluster not in self._registries:
            self._registries[cluster] = RegistryClient(cluster.registry)
        return self._registries[cluster]

    def _one_cluster(self, contracts: list[Contract]) -> Cluster:
        if not contracts:
            raise UsageError("name at least one product to subscribe to")
        clusters = {self.settings.cluster_of(each.product.domain) for each in contracts}
        if len(clusters) > 1:
            raise UsageError("these products live on different clusters; take those of each cluster apart")
        return clusters.pop()


def _coordinate(coordinate: str | Coordinate) -> Coordinate:
    return Coordinate.parse(coordinate) if isinstance(coordinate, str) else coordinate


def _named(product: str | ProductName) -> ProductName:
    return ProductName.parse(product) if isinstance(product, str) else product


def _hint(catalog: Catalog, name: ProductName) -> str:
    unreadable = [reason for topic, reason in catalog.unreadable.items() if topic.startswith(f"{name}.v")]
    if unreadable:
        return f"its contract cannot be read by this version of the mesh: {unreadable[0]}"
    return "is its contract applied? (mesh apply; mesh.products() lists what is there)"


def _sources(
    connection: Connection, contracts: list[Contract], registry: RegistryClient, *, ends: bool
) -> tuple[list[Source], Mapping[TopicPartition, int]]:
    """What the subscription reads; described as the subscriber, so that what is not granted is refused by name here."""
    sources: list[Source] = []
    partitions: list[TopicPartition] = []
    with Admin(connection) as admin:
        cluster_id = admin.cluster_id()
        for contract in contracts:
            topic = contract.topics.public
            try:
                state = admin.topics([topic])[topic]
            except KeyError:
                raise NotFound("topic", topic, "its contract is applied, but the topic is gone: mesh plan") from None
            except NotAuthorised as error:
                raise NotAuthorised(error.principal, f"read {contract.product}", error.code) from None
            sources.append(Source(contract, registry, state.topic_id, cluster_id))
            partitions += [TopicPartition(topic, number) for number in range(state.partitions)]
        return sources, admin.ends(partitions, committed=True) if ends else {}
