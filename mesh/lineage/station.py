"""What a walk through the lineage finds: records as stations, and between them who made which from what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from mesh.errors import MeshError
from mesh.lineage.manifest import Basis
from mesh.lineage.parents import Lot, ParentSet
from mesh.lineage.reference import Reference
from mesh.types import Coordinate


class Grade(StrEnum):
    """What a statement rests on."""

    OBSERVED = "observed"
    """The gate saw it: offsets, digests, which contract it judged by."""
    ATTESTED = "attested"
    """A publisher or a processor said so of its own work, and nobody checked."""
    DECLARED = "declared"
    """A contract says so in general, not of this record."""


class Standing(StrEnum):
    """How far a station could be looked into."""

    FOLLOWED = "followed"
    FORBIDDEN = "forbidden"
    """Its lineage may not be read; whoever owns it can go on from here."""
    MISSING = "missing"
    UNREACHABLE = "unreachable"
    BROKEN = "broken"
    """Its lineage contradicts itself: an alarm."""


@dataclass(frozen=True, slots=True)
class Passage:
    """The gate's hop, *observed*: from the ingress to the public topic, by which contract, rules, gate and build."""

    ingress: Coordinate
    basis: Basis
    gate: str
    created_at: int
    manifest: Coordinate

    def as_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return {
            "grade": str(Grade.OBSERVED),
            "ingress": str(self.ingress),
            "contract": {"id": self.basis.contract_id, "version": self.basis.contract_version},
            "rule_set": self.basis.rule_set,
            "build": self.basis.build,
            "gate": self.gate,
            "created_at": self.created_at,
            "manifest": str(self.manifest),
        }


@dataclass(slots=True)
class Branch:
    """The parents in one partition, and those of them that were followed, the first ones."""

    lot: Lot
    stations: tuple[Station, ...]

    @property
    def left(self) -> int:
        """How many were not followed."""
        return len(self.lot.offsets) - len(self.stations)

    @property
    def topic(self) -> str:
        """What people call the topic; its id where nobody knows."""
        return self.stations[0].at.topic if self.stations else str(self.lot.topic_id)


@dataclass(slots=True)
class Making:
    """The processor's hop, *attested* by it: what the record was made from. ``processor`` is *declared*.

    ``parents`` is None where the set lay in the topic of parents and is gone, with ``trouble`` saying so; ``count`` and
    ``sha256`` (hex) are known all the same. ``build`` is None where no commit of the processor tells.
    """

    processor: str
    driving: Reference
    index: int
    count: int
    sha256: str
    parents: ParentSet | None
    build: str | None = None
    committed_at: int | None = None
    continues: Reference | None = None
    """The output that this one continues or supersedes, where it was found."""
    continuing: bool = False
    """Whether it continues or supersedes one at all."""
    trouble: str = ""
    cut: bool = False
    """Whether the walk ended here, though it could have gone on."""
    branches: list[Branch] = field(default_factory=list)
    before: Station | None = None

    def stations(self) -> Iterator[Station]:
        """Everything it was made from that was followed."""
        if self.before is not None:
            yield self.before
        for branch in self.branches:
            yield from branch.stations


@dataclass(slots=True)
class Station:
    """One public record on the way. ``origin`` is *attested* by its publisher."""

    reference: Reference
    at: Coordinate
    standing: Standing = Standing.FOLLOWED
    product: str | None = None
    passage: Passage | None = None
    origin: str | None = None
    making: Making | None = None
    trouble: MeshError | None = None

    def as_json(self) -> dict[str, object]:
        """Plain JSON values; what it was made from by ``id``."""
        return {
            "id": _id(self.reference),
            "at": str(self.at),
            "cluster_id": self.at.cluster_id,
            "standing": str(self.standing),
            "product": self.product,
            "passage": self.passage.as_json() if self.passage is not None else None,
            "origin": {"grade": str(Grade.ATTESTED), "text": self.origin} if self.origin is not None else None,
            "made": _making(self.making) if self.making is not None else None,
            "trouble": str(self.trouble) if self.trouble is not None else None,
        }


@dataclass(frozen=True, slots=True)
class Graph:
    """Everything one walk found; a record that several were made from is one station."""

    root: Station
    stations: Mapping[Reference, Station]

    @property
    def edges(self) -> Iterator[tuple[Reference, Reference]]:
        """Child and parent, for every parent that was followed."""
        for station in self.stations.values():
            for parent in station.making.stations() if station.making is not None else ():
                yield station.reference, parent.reference

    def as_json(self) -> dict[str, object]:
        """Plain JSON values: every record once, those it was made from by ``id``, the record asked about first."""
        stations = [self.root, *(each for each in self.stations.values() if each is not self.root)]
        return {"root": _id(self.root.reference), "records": [each.as_json() for each in stations]}


def _id(reference: Reference) -> str:
    return f"{reference.topic_id}/{reference.partition}/{reference.offset}"


def _making(making: Making) -> dict[str, object]:
    return {
        "grade": str(Grade.ATTESTED),
        "processor": {"grade": str(Grade.DECLARED), "name": making.processor},
        "build": making.build,
        "committed_at": making.committed_at,
        "driving": _id(making.driving),
        "index": making.index,
        "count": making.count,
        "sha256": making.sha256,
        "trouble": making.trouble or None,
        "continuing": making.continuing,
        "continues": _id(making.continues) if making.continues is not None else None,
        "cut": making.cut,
        "parents": [_branch(branch) for branch in making.branches],
    }


def _branch(branch: Branch) -> dict[str, object]:
    return {
        "topic": branch.topic,
        "topic_id": str(branch.lot.topic_id),
        "partition": branch.lot.partition,
        "count": len(branch.lot.offsets),
        "not_followed": branch.left,
        "records": [_id(each.reference) for each in branch.stations],
    }
