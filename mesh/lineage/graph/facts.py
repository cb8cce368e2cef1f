"""What the graph is folded from: declarations of contracts, transactions of gates, commits of processors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from mesh.contract import Contract
from mesh.lineage.descent import Descent
from mesh.lineage.descents_column import DescentsColumn
from mesh.lineage.manifest import Manifest
from mesh.lineage.progress import Progress
from mesh.types import ProductName, ProductTopics, Topic

RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Declaration:
    """A contract came into force at ``at``, epoch milliseconds; a retired one ended its product then."""

    at: int
    contract: Contract

    @property
    def topic(self) -> Topic:
        """The public topic it speaks of."""
        return self.contract.topics.public

    @property
    def retired(self) -> bool:
        return self.contract.status == RETIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What a gate did for one product between ``start`` and ``end``, epoch milliseconds, both included.

    ``sources`` counts records by the topic id that their parents lie in, ``processor`` is the name they gave for what
    made them; both are empty for a product of source.
    """

    topic: Topic
    version: str
    build: str
    start: int
    end: int
    accepted: int = 0
    refused: int = 0
    repeated: int = 0
    processor: str = ""
    sources: Mapping[UUID, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumption:
    """What a processor did with one input between ``start`` and ``end`` to make the product of ``topic``."""

    topic: Topic
    processor: str
    build: str
    source: ProductName
    topic_id: UUID
    start: int
    end: int
    delivered: int = 0
    filtered: int = 0
    late: int = 0
    outputs: int = 0


def activity_of(lineage: str, manifest: Manifest, column: DescentsColumn | None = None) -> Activity:
    """What one manifest of the topic ``lineage`` tells; ``column`` is its column of parents, decoded."""
    return Activity(
        topic=ProductTopics.of_any(lineage).public,
        version=manifest.basis.contract_version,
        build=manifest.basis.build,
        start=manifest.created_at,
        end=manifest.created_at,
        accepted=manifest.public.count,
        refused=manifest.quarantine.count,
        repeated=len(manifest.repeated),
        processor=column.head.processor if column else "",
        sources=sources_of(column.descents) if column else {},
    )


def sources_of(descents: Iterable[Descent]) -> Mapping[UUID, int]:
    """How many records have parents in each topic; of a set that lies elsewhere only its driving record counts."""
    found: Counter[UUID] = Counter()
    for each in descents:
        if each.parents is None:
            found[each.driving.topic_id] += 1
        elif len(each.parents.lots) == 1:
            found[each.parents.lots[0].topic_id] += 1
        else:
            found.update({lot.topic_id for lot in each.parents.lots})
    return found


def consumption_of(parents: str, progress: Progress) -> Consumption:
    """What one commit of a processor tells, read from the topic ``parents``."""
    return Consumption(
        topic=ProductTopics.of_any(parents).public,
        processor=progress.processor,
        build=progress.build,
        source=ProductName.parse(progress.product),
        topic_id=progress.topic_id,
        start=progress.created_at,
        end=progress.created_at,
        delivered=len(progress.delivered),
        filtered=len(progress.filtered),
        late=len(progress.late),
        outputs=progress.outputs,
    )
