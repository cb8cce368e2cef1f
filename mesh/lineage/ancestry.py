"""Walking back from a record to the source rows it was made from, across products and clusters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from uuid import UUID

from mesh.errors import BrokerUnreachable, LineageBroken, MeshError, NotAuthorised, NotFound
from mesh.lineage.absence import Gap, Unaccounted
from mesh.lineage.atlas import Atlas, Holding
from mesh.lineage.descent import Descent
from mesh.lineage.making import Makers, Opened
from mesh.lineage.manifest import Manifest, Place
from mesh.lineage.offsets import OffsetSet
from mesh.lineage.parents import Lot, ParentSet
from mesh.lineage.reference import Reference
from mesh.lineage.search import Entry
from mesh.lineage.station import Branch, Graph, Passage, Standing, Station
from mesh.types import Coordinate

SHOWN = 8
"""Parents followed of each partition, by default: enough to see what they are."""

DEEP = 50
"""Hops followed, by default: more than any chain of products, and the latest updates of a running aggregate."""

_TROUBLES = (NotAuthorised, NotFound, LineageBroken, BrokerUnreachable)


@dataclass(frozen=True, slots=True)
class Reach:
    """How far to walk: so many hops (None: to the end), and so many parents of each partition (None: all)."""

    depth: int | None = DEEP
    most: int | None = SHOWN


def ancestry(asked: Reference, atlas: Atlas, reach: Reach | None = None) -> Graph:
    """What a public record was made from, and what that was made from.

    Nothing stops the walk: a record whose lineage may not be read, or cannot be found, is a station that says so.
    Raises NotFound, NotAuthorised, LineageBroken, BrokerUnreachable for the record itself.
    """
    climb = _Climb(atlas, reach or Reach(), Makers())
    root = climb.first(asked)
    climb.up_from(root)
    return Graph(root, climb.known)


def parents_of(asked: Reference, atlas: Atlas, part: range) -> tuple[Station, list[Station]]:
    """A record, and those of its direct parents whose places among all of them are in ``part``, in their order.

    Raises what ``ancestry`` does; a parent that cannot be looked into is a station that says so.
    """
    climb = _Climb(atlas, Reach(0), Makers())
    root = climb.first(asked)
    if root.making is None or root.making.parents is None:
        return root, []
    chosen = list(islice(root.making.parents, part.start, part.stop))
    climb.resolve(ParentSet.of(chosen))
    return root, [climb.known[each] for each in chosen]


def ancestry_of_refused(at: Coordinate, descent: Descent, holding: Holding, reach: Reach | None = None) -> Graph:
    """What a record says it was made from that never became public: by its header, which is as far as it can be told.

    ``at`` names its topic by id. Raises nothing for what lies behind it, as ``ancestry``.
    """
    climb = _Climb(holding.atlas, reach or Reach(), Makers())
    topic_id = at.topic_id or holding.topic_id
    reference = Reference(topic_id, at.partition, at.offset)
    product = str(holding.family.product)
    root = Station(reference, at, product=product, making=climb.makers.told(holding, descent))
    climb.known[reference] = root
    climb.up_from(root)
    return Graph(root, climb.known)


@dataclass
class _Climb:
    """One walk. Level by level, so that the parents of one partition are looked up together."""

    atlas: Atlas
    reach: Reach
    makers: Makers
    known: dict[Reference, Station] = field(default_factory=dict)

    def first(self, asked: Reference) -> Station:
        """The station the walk begins at."""
        (station,) = self._stations(asked.topic_id, asked.partition, OffsetSet.between(asked.offset, asked.offset + 1))
        if station.trouble is not None:
            raise station.trouble
        return station

    def up_from(self, root: Station) -> None:
        """Follow the parents of the stations that were found last, until there are no more or it is far enough."""
        level, hops = [root], 0
        while level and (self.reach.depth is None or hops < self.reach.depth):
            found = self.resolve(self._wanted(level))
            for station in level:
                self._connect(station)
            level, hops = found, hops + 1
        for station in level:
            if station.making is not None:
                station.making.cut = True

    def _wanted(self, level: Sequence[Station]) -> ParentSet:
        makings = [station.making for station in level if station.making is not None]
        lots = [self._chosen(lot) for each in makings if each.parents is not None for lot in each.parents.lots]
        earlier = [each.continues for each in makings if each.continues is not None]
        return ParentSet.of_lots(lots) | ParentSet.of(earlier)

    def _chosen(self, lot: Lot) -> Lot:
        most = self.reach.most
        if most is None or len(lot.offsets) <= most:
            return lot
        return Lot(lot.topic_id, lot.partition, OffsetSet.of(list(islice(lot.offsets, most))))

    def resolve(self, wanted: ParentSet) -> list[Station]:
        """The stations of these that were not known yet."""
        found: list[Station] = []
        for lot in wanted.lots:
            new = [at for at in lot.offsets if Reference(lot.topic_id, lot.partition, at) not in self.known]
            found += self._stations(lot.topic_id, lot.partition, OffsetSet.of(new)) if new else []
        return found

    def _connect(self, station: Station) -> None:
        making = station.making
        if making is None:
            return
        for lot in making.parents.lots if making.parents is not None else ():
            chosen = self._chosen(lot).offsets
            stations = (self.known[Reference(lot.topic_id, lot.partition, offset)] for offset in chosen)
            making.branches.append(Branch(lot, tuple(stations)))
        making.before = self.known.get(making.continues) if making.continues is not None else None

    def _stations(self, topic_id: UUID, partition: int, offsets: OffsetSet) -> list[Station]:
        """The stations of one partition, each of them known from now on."""
        try:
            holding = self.atlas.locate(Reference(topic_id, partition, offsets.runs[0][0]))
        except _TROUBLES as error:
            places = (Coordinate(str(topic_id), partition, each, topic_id) for each in offsets)
            found = [_stub(topic_id, place, error) for place in places]
        else:
            found = self._located(holding, partition, offsets)
        self.known |= {each.reference: each for each in found}
        return found

    def _located(self, holding: Holding, partition: int, offsets: OffsetSet) -> list[Station]:
        found: list[Station] = []
        try:
            found.extend(self._held(holding, partition, offsets))
        except _TROUBLES as error:
            done = OffsetSet.of([each.at.offset for each in found])
            found += [_stub(holding.topic_id, holding.coordinate(partition, each), error) for each in offsets - done]
        return found

    def _held(self, holding: Holding, partition: int, offsets: OffsetSet) -> Iterator[Station]:
        log = holding.log(partition)
        for entry, covered in log.index.covering(Place.PUBLIC, offsets, holding.topic_id):
            if entry is not None:
                yield from self._passed(holding, entry, covered)
                continue
            for offset in covered:
                at = holding.coordinate(partition, offset)
                yield _stub(holding.topic_id, at, Unaccounted(at, Gap.EXPIRED, "no manifest of it is kept").error())

    def _passed(self, holding: Holding, entry: Entry, offsets: Iterable[int]) -> Iterator[Station]:
        at, manifest = entry
        opened = self.makers.open(holding, entry)
        column = opened.column
        for offset in offsets:
            ingress = manifest.public_to_ingress(offset)
            yield Station(
                Reference(holding.topic_id, manifest.partition, offset),
                holding.inventory.coordinate(Place.PUBLIC, offset, manifest),
                product=manifest.product,
                passage=_passage(holding, at, manifest, ingress),
                origin=self._origin(holding, opened, ingress),
                making=self.makers.making(holding, entry, column, offset) if column is not None else None,
            )

    def _origin(self, holding: Holding, opened: Opened, ingress: int) -> str | None:
        manifest = opened.manifest
        if ingress < manifest.ingress_from:
            # A released record was read, and its origin kept, by an earlier transaction.
            earlier = holding.log(manifest.partition).index.find(Place.INGRESS, ingress, manifest.topics.ingress)
            if earlier is None:
                return None
            opened = self.makers.open(holding, earlier)
            manifest = opened.manifest
        kept = opened.origins and ingress in manifest.delivered
        origin = opened.origins[manifest.delivered.rank(ingress)] if kept else None
        return origin.decode(errors="backslashreplace") if origin is not None else None


def _passage(holding: Holding, at: int, manifest: Manifest, ingress: int) -> Passage:
    return Passage(
        ingress=holding.inventory.coordinate(Place.INGRESS, ingress, manifest),
        basis=manifest.basis,
        gate=manifest.gate,
        created_at=manifest.created_at,
        manifest=Coordinate(holding.family.lineage, manifest.partition, at),
    )


def _stub(topic_id: UUID, at: Coordinate, error: MeshError) -> Station:
    return Station(Reference(topic_id, at.partition, at.offset), at, standing=_standing(error), trouble=error)


def _standing(error: MeshError) -> Standing:
    if isinstance(error, NotAuthorised):
        return Standing.FORBIDDEN
    if isinstance(error, BrokerUnreachable):
        return Standing.UNREACHABLE
    return Standing.BROKEN if isinstance(error, LineageBroken) else Standing.MISSING
