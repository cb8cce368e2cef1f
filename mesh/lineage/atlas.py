"""Where coordinates lie: clusters, their topics by id, and the manifests of each partition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from mesh.errors import BrokerUnreachable, MeshError, NotAuthorised, NotFound, UsageError
from mesh.lineage.inventory import ClusterView, Inventory
from mesh.lineage.log import LineageLog, Reader
from mesh.lineage.manifest import Place
from mesh.lineage.reference import Reference
from mesh.types import Coordinate, ProductTopics, TopicPartition

_LINEAGE = ".lineage"


class Listing(ClusterView, Protocol):
    """A cluster that lists its topics; ``mesh.kafka.admin.Admin`` is one."""

    def topic_names(self) -> Sequence[str]:
        """Every topic that may be described."""

    def topic_ids(self, names: Iterable[str]) -> Mapping[str, UUID]:
        """The ids of those that exist and may be described."""


class Site(Protocol):
    """One cluster as lineage sees it."""

    @property
    def cluster(self) -> Listing: ...

    @property
    def reader(self) -> Reader: ...

    @property
    def raw(self) -> Reader | None:
        """Reads what was aborted, too."""


@dataclass(frozen=True, slots=True)
class OpenSite:
    """A site whose connections are there already."""

    cluster: Listing
    reader: Reader
    raw: Reader | None = None


@dataclass(frozen=True, slots=True)
class Holding:
    """One product where it lies, under the topic id that led there."""

    atlas: Atlas
    site: Site
    family: ProductTopics
    topic_id: UUID

    @property
    def inventory(self) -> Inventory:
        """Its topics; raises NotAuthorised."""
        return self.atlas.inventory(self.site, self.family)

    def log(self, partition: int) -> LineageLog:
        """The manifests of one partition; raises NotFound, NotAuthorised."""
        return self.atlas.log(self.site, self.family, partition)

    def coordinate(self, partition: int, offset: int) -> Coordinate:
        """Of a public record, for people."""
        return Coordinate(self.family.public, partition, offset, self.topic_id, self.site.cluster.cluster_id())


@dataclass
class Atlas:
    """The clusters an auditor can reach. Remembers what it looked up, so make one for each question.

    ``home`` gives the cluster a domain lives on.
    """

    sites: Sequence[Site]
    home: Callable[[str], Site]
    _found: dict[UUID, Holding] = field(default_factory=dict)
    _topics: dict[int, Mapping[UUID, ProductTopics]] = field(default_factory=dict)
    _ids: dict[int, str] = field(default_factory=dict)
    _inventories: dict[tuple[int, ProductTopics], Inventory] = field(default_factory=dict)
    _logs: dict[tuple[int, TopicPartition], LineageLog] = field(default_factory=dict)

    @classmethod
    def of_one(cls, cluster: Listing, reader: Reader, raw: Reader | None = None) -> Atlas:
        """A mesh of a single cluster."""
        site = OpenSite(cluster, reader, raw)
        return cls((site,), lambda _domain: site)

    def holding(self, family: ProductTopics) -> Holding:
        """A product by name; raises NotFound where it has no public topic, or none that may be described."""
        site = self.home(family.product.domain)
        topic_id = site.cluster.topic_ids([family.public]).get(family.public)
        if topic_id is None:
            raise NotFound("topic", family.public, "is the product applied, and may you read it?")
        return self._found.setdefault(topic_id, Holding(self, site, family, topic_id))

    def locate(self, reference: Reference) -> Holding:
        """The product whose public topic holds, or once held, a record.

        Raises NotFound for an id that no cluster knows, and BrokerUnreachable where a cluster that might know it does
        not answer.
        """
        if reference.topic_id in self._found:
            return self._found[reference.topic_id]
        silent: MeshError | None = None
        for find in (self._now, self._once):
            for site in self.sites:
                try:
                    if (family := find(site, reference)) is not None:
                        holding = Holding(self, site, family, reference.topic_id)
                        return self._found.setdefault(reference.topic_id, holding)
                except BrokerUnreachable as error:
                    silent = error
        if silent is not None:
            raise silent
        raise NotFound("topic with the id", str(reference.topic_id), "it is gone, or you may not see it")

    def _now(self, site: Site, reference: Reference) -> ProductTopics | None:
        return self._public(site).get(reference.topic_id)

    def _public(self, site: Site) -> Mapping[UUID, ProductTopics]:
        if id(site) not in self._topics:
            families = {str(each.public): each for each in _families(site.cluster.topic_names())}
            found = site.cluster.topic_ids(families)
            self._topics[id(site)] = {topic_id: families[name] for name, topic_id in found.items()}
        return self._topics[id(site)]

    def _once(self, site: Site, reference: Reference) -> ProductTopics | None:
        """The product whose manifests speak of an id that no topic has now."""
        known = set(self._public(site).values())
        names = (name.removesuffix(_LINEAGE) for name in site.cluster.topic_names() if name.endswith(_LINEAGE))
        families = list(_families(names))
        for family in sorted(families, key=lambda each: each in known):
            if self._remembers(site, family, reference):
                return family
        return None

    def _remembers(self, site: Site, family: ProductTopics, reference: Reference) -> bool:
        try:
            log = self.log(site, family, reference.partition)
        except (NotFound, NotAuthorised):
            return False
        newest = log.index.last()
        if newest is None or (newest[1].epoch == 0 and newest[1].topics.public != reference.topic_id):
            return False
        return log.index.find(Place.PUBLIC, reference.offset, reference.topic_id) is not None

    def inventory(self, site: Site, family: ProductTopics) -> Inventory:
        """The topics of a product; raises NotAuthorised."""
        key = id(site), family
        if key not in self._inventories:
            if id(site) not in self._ids:
                self._ids[id(site)] = site.cluster.cluster_id()
            self._inventories[key] = Inventory(family, site.cluster, self._ids[id(site)])
        return self._inventories[key]

    def log(self, site: Site, family: ProductTopics, partition: int) -> LineageLog:
        """The manifests of one partition; raises NotFound, NotAuthorised."""
        place = TopicPartition(family.lineage, partition)
        key = id(site), place
        if key not in self._logs:
            partitions = self.inventory(site, family).partitions
            if partition >= partitions:
                raise NotFound("partition", str(place), f"the topic has {partitions}")
            self._logs[key] = LineageLog(site.reader, place)
        return self._logs[key]


def _families(names: Iterable[str]) -> Iterable[ProductTopics]:
    for name in names:
        try:
            yield ProductTopics.of_public(name)
        except UsageError:
            continue
