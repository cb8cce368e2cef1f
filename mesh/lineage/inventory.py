"""The topics of one product: what they are called, and what is there under those names now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from mesh.errors import NotFound, UsageError
from mesh.kafka.admin import TopicState
from mesh.lineage.manifest import Manifest, Place
from mesh.types import Coordinate, ProductTopics, TopicPartition


class ClusterView(Protocol):
    """What is on the cluster; ``mesh.kafka.admin.Admin`` is one."""

    def cluster_id(self) -> str:
        """The cluster's own id."""

    def topics(self, names: Iterable[str]) -> Mapping[str, TopicState]:
        """The state of the named topics; those that do not exist are left out."""


class Inventory:
    """The topics of one product on its cluster, as they are when it is made; whoever knows the cluster's id says it."""

    def __init__(self, family: ProductTopics, cluster: ClusterView, cluster_id: str | None = None) -> None:
        self.family = family
        self.names = {Place.INGRESS: family.ingress, Place.PUBLIC: family.public, Place.QUARANTINE: family.quarantine}
        self._states = cluster.topics([*self.names.values(), family.lineage])
        self.cluster_id = cluster.cluster_id() if cluster_id is None else cluster_id

    def place_of(self, name: str) -> Place:
        """Which of the three topics it is; raises UsageError for another kind."""
        for place, known in self.names.items():
            if known == name:
                return place
        raise UsageError(f"{name} holds no records of the product; trace one of its {', '.join(Place)} topics")

    @property
    def partitions(self) -> int:
        """How many partitions the product has; raises NotFound when it has no lineage."""
        return self._lineage().partitions

    def lineage(self, asked: Coordinate) -> TopicPartition:
        """The lineage partition that speaks of a coordinate; raises NotFound."""
        state = self._lineage()
        if asked.partition >= state.partitions:
            raise NotFound("partition", f"{asked.topic}/{asked.partition}", f"the topic has {state.partitions}")
        return TopicPartition(state.name, asked.partition)

    def _lineage(self) -> TopicState:
        state = self._states.get(self.family.lineage)
        if state is None:
            raise NotFound("topic", self.family.lineage, "is the product applied, and may you read its lineage?")
        return state

    def present(self, place: Place) -> TopicState | None:
        """The topic that is at the place now."""
        return self._states.get(self.names[place])

    def coordinate(self, place: Place, offset: int, manifest: Manifest) -> Coordinate:
        """An offset of the incarnation that a manifest speaks of."""
        topic_id = manifest.topics.of(place)
        return Coordinate(self.names[place], manifest.partition, offset, topic_id, self.cluster_id)

    def unchanged(self, place: Place, manifest: Manifest) -> TopicState | None:
        """The topic, if it still is the one the manifest speaks of."""
        state = self.present(place)
        return state if state is not None and state.topic_id == manifest.topics.of(place) else None
