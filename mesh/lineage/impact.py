"""Walking forward from a record to everything that was made from it, and whether more can still follow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Protocol

from mesh.errors import BrokerUnreachable, LineageBroken, NotAuthorised, NotFound
from mesh.lineage.atlas import Holding
from mesh.lineage.descent import Descent, Identity
from mesh.lineage.effect import Effect, Impact
from mesh.lineage.making import descents_of, parents_of
from mesh.lineage.manifest import Manifest, Place
from mesh.lineage.offsets import EMPTY, OffsetSet
from mesh.lineage.parents import ParentSet
from mesh.lineage.reference import Reference

_CHUNK = 256
"""Manifests decoded together."""

_SKEW = 3_600_000
"""Milliseconds by which clocks of gates may differ: so much older than its parents' a manifest may seem."""

Advance = Callable[[int], None]
"""Told how many lineage offsets were gone through."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """A derived product, and the public topics that it is made from."""

    holding: Holding
    sources: Sequence[Holding]


class ForwardIndex(Protocol):
    """An index of what was made from what; derived from manifests, and never needed."""

    def children(self, consumer: Consumer, parents: ParentSet) -> Iterable[tuple[int, int]] | None:
        """Partition and public offset of the consumer's records that name these as parents; None: not all are known.

        Those that only continue an earlier output need not be among them: they come after one that is.
        """


@dataclass
class _Found:
    """What is known to be made from the record asked about, in one product."""

    records: dict[Reference, Effect] = field(default_factory=dict)
    oldest: int | None = None

    def add(self, effect: Effect) -> None:
        self.records.setdefault(effect.reference, effect)
        moment = effect.created_at
        self.oldest = moment if self.oldest is None else min(self.oldest, moment)


class Forward:
    """One walk. Every derived product on the way is gone through once, from the time of the record on."""

    def __init__(
        self, consumers: Sequence[Consumer], index: ForwardIndex | None = None, advance: Advance = lambda _: None
    ) -> None:
        self._consumers, self._index, self._advance = consumers, index, advance
        self._found: dict[str, _Found] = {}
        self._closed: dict[str, str] = {}

    def of(self, asked: Effect, only: int | None = None) -> Impact:
        """Everything made from a record; ``only`` so many hops."""
        self._found = {asked.product: _Found()}
        self._found[asked.product].add(asked)
        order = _ordered(self._consumers)
        for consumer in order if only is None else [each for each in order if _reads(each, asked)]:
            self._through(consumer)
        effects = [each for found in self._found.values() for each in found.records.values()]
        effects.remove(asked)
        return Impact(asked, tuple(sorted(effects, key=lambda each: each.created_at)), self._closed)

    def _through(self, consumer: Consumer) -> None:
        affected, name = self._affected(consumer), str(consumer.holding.family.product)
        if not affected and name not in self._found:
            return
        try:
            firsts = self._firsts(consumer, affected)
            for partition in range(consumer.holding.inventory.partitions):
                if firsts is None or partition in firsts:
                    self._partition(consumer, partition, affected, firsts[partition] if firsts is not None else None)
        except (NotAuthorised, NotFound, BrokerUnreachable) as error:
            self._closed[name] = str(error)

    def _affected(self, consumer: Consumer) -> ParentSet:
        names = {str(each.family.product) for each in consumer.sources}
        return ParentSet.of(
            reference for name in names if name in self._found for reference in self._found[name].records
        )

    def _since(self, consumer: Consumer) -> int:
        names = {str(each.family.product) for each in (*consumer.sources, consumer.holding)}
        moments = [found.oldest for name, found in self._found.items() if name in names and found.oldest is not None]
        return min(moments) - _SKEW

    def _firsts(self, consumer: Consumer, affected: ParentSet) -> dict[int, int] | None:
        """The first public offset in each partition that the index knows of; None where it cannot be asked.

        A record that continues an affected one comes after it, and one without an affected parent before it has none
        to continue. So what lies before the first child need not be read, and no partition without one.
        """
        if self._index is None or str(consumer.holding.family.product) in self._found:
            return None
        known = self._index.children(consumer, affected)
        if known is None:
            return None
        firsts: dict[int, int] = {}
        for partition, offset in known:
            firsts[partition] = min(offset, firsts.get(partition, offset))
        return firsts

    def _partition(self, consumer: Consumer, partition: int, affected: ParentSet, first: int | None) -> None:
        found = self._found.setdefault(str(consumer.holding.family.product), _Found())
        hunt = _Hunt(consumer.holding, affected, found.records)
        for manifest in self._manifests(consumer, partition, first):
            for effect in hunt.through(manifest):
                found.add(effect)

    def _manifests(self, consumer: Consumer, partition: int, first: int | None) -> Iterator[Manifest]:
        """Those that may tell of something affected, oldest first."""
        log = consumer.holding.log(partition)
        entry = log.index.find(Place.PUBLIC, first, consumer.holding.topic_id) if first is not None else None
        start = entry[0] if entry is not None else log.index.since(self._since(consumer))
        while start < log.end:
            upto = min(start + _CHUNK, log.end)
            yield from (manifest for _, manifest in log.entries(start, upto))
            self._advance(upto - start)
            start = upto


class _Hunt:
    """Goes through the manifests of one partition of a consumer, oldest first."""

    def __init__(self, holding: Holding, affected: ParentSet, known: Mapping[Reference, Effect]) -> None:
        self._holding, self._known = holding, known
        self._affected: Mapping[tuple[object, int], OffsetSet] = {
            (lot.topic_id, lot.partition): lot.offsets for lot in affected.lots
        }
        self._identities: dict[Identity, Reference] = {}

    def through(self, manifest: Manifest) -> Iterator[Effect]:
        """What a manifest passed that was made from something affected."""
        column = descents_of(manifest)
        if column is None:
            return
        for row, descent in enumerate(column.descents):
            at = Reference(manifest.topics.public, manifest.partition, manifest.public.base + row)
            hit = tuple(self._hit(descent))
            before = self._identities.get(descent.previous) if descent.previous is not None else None
            if hit or before is not None or at in self._known:
                self._identities[descent.identity(column.head.processor, self._holding.family.public)] = at
            if not hit and before is None:
                continue
            yield Effect(
                reference=at,
                at=self._holding.coordinate(at.partition, at.offset),
                product=manifest.product,
                processor=column.head.processor,
                of=hit,
                continues=before,
                basis=manifest.basis,
                created_at=manifest.created_at,
                event_time=manifest.event_time[1] if manifest.event_time is not None else None,
            )

    def _hit(self, descent: Descent) -> Iterator[Reference]:
        parents = descent.parents
        if descent.deposit is not None:
            parents = parents_of(self._holding, descent)
        for lot in parents.lots if parents is not None else ():
            known = self._affected.get((lot.topic_id, lot.partition), EMPTY)
            for offset in lot.offsets & known if known else ():
                yield Reference(lot.topic_id, lot.partition, offset)


def _reads(consumer: Consumer, asked: Effect) -> bool:
    return any(str(each.family.product) == asked.product for each in consumer.sources)


def _ordered(consumers: Sequence[Consumer]) -> list[Consumer]:
    """Each after what it is made from; raises LineageBroken where products are made from each other in a circle."""
    made: dict[str, list[Consumer]] = {}
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for each in consumers:
        name = str(each.holding.family.product)
        made.setdefault(name, []).append(each)
        sorter.add(name, *(str(source.family.product) for source in each.sources))
    try:
        return [each for name in sorter.static_order() for each in made.get(name, ())]
    except CycleError as error:
        raise LineageBroken(" -> ".join(error.args[1]), "these products are made from each other") from None
