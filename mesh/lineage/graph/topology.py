"""The products, the processors between them, and nothing that no declaration or record names; at one instant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from mesh.contract import Contract
from mesh.lineage.graph.facts import Activity, Consumption, Declaration
from mesh.types import ProductName, ProductTopics, Topic

SPAN_MS = 60_000
"""Rates are those of the minute before the instant."""


class Grade(StrEnum):
    """How a fact is known: from contracts, from what gates and processors recorded, or from both."""

    DECLARED = "declared"
    OBSERVED = "observed"
    BOTH = "declared, observed"

    @classmethod
    def of(cls, *, declared: bool, observed: bool) -> Grade:
        """The grade of what at least one of the two knows."""
        return cls.BOTH if declared and observed else cls.DECLARED if declared else cls.OBSERVED


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductNode:
    """A product at an instant. ``version`` is that of the contract in force.

    ``judged_by`` is the version its gate last judged by, empty where it never did. Rates are records per second.
    """

    topic: Topic
    product: ProductName
    version: str
    judged_by: str
    owner: str
    status: str
    grade: Grade
    rate: float
    refused_rate: float
    last_active: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One edge: ``processor`` makes ``target`` from ``source``, in the versions in force then; rate of input records.

    Products that one processor makes from different inputs have hops of their own, and no others.
    """

    source: Topic
    source_version: str
    processor: str
    target: Topic
    target_version: str
    build: str
    grade: Grade
    rate: float


@dataclass(frozen=True, slots=True)
class Graph:
    """The graph as it stood at ``at``, epoch milliseconds; sorted by topic."""

    at: int
    products: tuple[ProductNode, ...]
    hops: tuple[Hop, ...]

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "at": self.at,
            "products": [_product_json(each) for each in self.products],
            "hops": [_hop_json(each) for each in self.hops],
        }

    def around(self, product: ProductName) -> Graph:
        """Only what a product is made from and what is made from it, however far."""
        start = {each.topic for each in self.products if each.product == product}
        back = _reached(start, [(hop.target, hop.source) for hop in self.hops])
        forth = _reached(start, [(hop.source, hop.target) for hop in self.hops])
        kept = back | forth
        hops = tuple(hop for hop in self.hops if {hop.source, hop.target} <= back or {hop.source, hop.target} <= forth)
        return Graph(self.at, tuple(each for each in self.products if each.topic in kept), hops)


def graph_at(
    at: int,
    declarations: Iterable[Declaration],
    activities: Iterable[Activity],
    consumptions: Iterable[Consumption],
    topics: Mapping[UUID, Topic],
) -> Graph:
    """Fold what was known at ``at``, epoch milliseconds; later facts are passed over.

    ``topics`` names the public topics by id, those of earlier incarnations too.
    """
    building = _Building(at, topics)
    for declaration in declarations:
        building.declare(declaration)
    for activity in activities:
        building.act(activity)
    for consumption in consumptions:
        building.consume(consumption)
    return Graph(at, tuple(building.products()), tuple(building.hops()))


@dataclass(slots=True)
class _Seen:
    """What was recorded of an edge."""

    records: int = 0
    build: str = ""
    last: int = -1


class _Building:
    """One fold; facts may come in any order."""

    def __init__(self, at: int, topics: Mapping[UUID, Topic]) -> None:
        self._at, self._topics = at, topics
        self._declared: dict[Topic, Declaration] = {}
        self._latest: dict[Topic, Activity] = {}
        self._accepted: dict[Topic, int] = defaultdict(int)
        self._refused: dict[Topic, int] = defaultdict(int)
        self._seen: dict[tuple[Topic, str, Topic], _Seen] = defaultdict(_Seen)
        self._named: dict[tuple[Topic, str, Topic], _Seen] = defaultdict(_Seen)

    def declare(self, declaration: Declaration) -> None:
        known = self._declared.get(declaration.topic)
        if declaration.at <= self._at and (known is None or known.at <= declaration.at):
            self._declared[declaration.topic] = declaration

    def act(self, activity: Activity) -> None:
        if activity.start > self._at:
            return
        known = self._latest.get(activity.topic)
        if known is None or known.end <= activity.end:
            self._latest[activity.topic] = activity
        if self._recent(activity.end):
            self._accepted[activity.topic] += activity.accepted
            self._refused[activity.topic] += activity.refused
        for topic_id, count in activity.sources.items():
            if topic_id in self._topics:
                edge = self._topics[topic_id], activity.processor, activity.topic
                self._count(self._named[edge], count, activity.end, "")

    def consume(self, consumption: Consumption) -> None:
        if consumption.start > self._at:
            return
        source = self._topics.get(consumption.topic_id) or self._newest(consumption.source)
        if source is not None:
            seen = self._seen[source, consumption.processor, consumption.topic]
            self._count(seen, consumption.delivered, consumption.end, consumption.build)

    def _count(self, seen: _Seen, records: int, end: int, build: str) -> None:
        if self._recent(end):
            seen.records += records
        if end >= seen.last:
            seen.last, seen.build = end, build or seen.build

    def _recent(self, end: int) -> bool:
        return self._at - SPAN_MS < end

    def _newest(self, product: ProductName) -> Topic | None:
        live = [each.contract for each in self._declared.values() if not each.retired]
        majors = [each for each in live if each.product == product]
        return max(majors, key=lambda each: each.major).topics.public if majors else None

    def _there(self, topic: Topic) -> bool:
        declared = self._declared.get(topic)
        return not declared.retired if declared is not None else topic in self._latest

    def products(self) -> list[ProductNode]:
        there = [topic for topic in sorted(self._declared.keys() | self._latest.keys()) if self._there(topic)]
        return [self._product(topic) for topic in there]

    def _product(self, topic: Topic) -> ProductNode:
        declared, latest = self._declared.get(topic), self._latest.get(topic)
        contract = declared.contract if declared else None
        judged_by = latest.version if latest else ""
        return ProductNode(
            topic=topic,
            product=ProductTopics.of_public(topic).product,
            version=contract.version if contract else judged_by,
            judged_by=judged_by,
            owner=contract.owner if contract else "",
            status=contract.status if contract else "",
            grade=Grade.of(declared=contract is not None, observed=latest is not None),
            rate=_per_second(self._accepted[topic]),
            refused_rate=_per_second(self._refused[topic]),
            last_active=latest.end if latest else None,
        )

    def hops(self) -> list[Hop]:
        declared = {edge for each in self._declared.values() for edge in self._edges(each.contract) if not each.retired}
        # A processor tells of every record it read, the parents only of those that led to an output.
        seen = self._named | self._seen
        current = {edge for edge, each in seen.items() if self._current(edge, each, declared)}
        versions = {each.topic: each.version for each in self.products()}
        edges = sorted(edge for edge in declared | current if edge[0] in versions and edge[2] in versions)
        return [self._hop(edge, seen.get(edge), edge in declared, versions) for edge in edges]

    def _hop(
        self, edge: tuple[Topic, str, Topic], seen: _Seen | None, declared: bool, versions: Mapping[Topic, str]
    ) -> Hop:
        source, processor, target = edge
        return Hop(
            source=source,
            source_version=versions[source],
            processor=processor,
            target=target,
            target_version=versions[target],
            build=seen.build if seen else "",
            grade=Grade.of(declared=declared, observed=seen is not None),
            rate=_per_second(seen.records) if seen else 0.0,
        )

    def _current(self, edge: tuple[Topic, str, Topic], seen: _Seen, declared: set[tuple[Topic, str, Topic]]) -> bool:
        """Whether a recorded edge still stood: until a contract of its product came into force that names others."""
        declaration = self._declared.get(edge[2])
        return edge in declared or declaration is None or seen.last >= declaration.at

    def _edges(self, contract: Contract) -> list[tuple[Topic, str, Topic]]:
        derivation = contract.derivation
        if derivation is None:
            return []
        sources = (self._newest(each) for each in derivation.inputs)
        return [(each, derivation.processor, contract.topics.public) for each in sources if each is not None]


def _reached(start: set[Topic], edges: Iterable[tuple[Topic, Topic]]) -> set[Topic]:
    following: dict[Topic, list[Topic]] = defaultdict(list)
    for one, other in edges:
        following[one].append(other)
    found, waiting = set(start), list(start)
    while waiting:
        new = [each for each in following[waiting.pop()] if each not in found]
        found.update(new)
        waiting += new
    return found


def _per_second(records: int) -> float:
    return round(records * 1000 / SPAN_MS, 3)


def _product_json(node: ProductNode) -> dict[str, Any]:
    return {
        "topic": node.topic,
        "product": str(node.product),
        "version": node.version,
        "judged_by": node.judged_by,
        "owner": node.owner,
        "status": node.status,
        "known": node.grade,
        "records_per_second": node.rate,
        "refused_per_second": node.refused_rate,
        "last_active": node.last_active,
    }


def _hop_json(hop: Hop) -> dict[str, Any]:
    return {
        "from": hop.source,
        "from_version": hop.source_version,
        "processor": hop.processor,
        "to": hop.target,
        "to_version": hop.target_version,
        "build": hop.build,
        "known": hop.grade,
        "records_per_second": hop.rate,
    }
