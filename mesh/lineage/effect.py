"""What a walk forward finds: records made from the one asked about, and what is still to come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mesh.lineage.manifest import Basis
from mesh.lineage.reference import Reference
from mesh.types import Coordinate


@dataclass(frozen=True, slots=True)
class Effect:
    """A public record that was made from others, as its gate *observed* it and its processor *attested*.

    ``of`` are those of its parents that lead back to the record asked about; ``continues`` the earlier output that
    does. ``event_time`` (epoch milliseconds) is not later than the latest of its transaction.
    """

    reference: Reference
    at: Coordinate
    product: str
    processor: str | None
    of: tuple[Reference, ...]
    continues: Reference | None
    basis: Basis
    created_at: int
    event_time: int | None

    @property
    def parents(self) -> tuple[Reference, ...]:
        """All that lead back."""
        return self.of if self.continues is None else (*self.of, self.continues)

    def as_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return {
            "at": str(self.at),
            "topic_id": str(self.reference.topic_id),
            "cluster_id": self.at.cluster_id,
            "product": self.product,
            "processor": self.processor,
            "of": [_told(each) for each in self.of],
            "continues": _told(self.continues) if self.continues is not None else None,
            "contract": {"id": self.basis.contract_id, "version": self.basis.contract_version},
            "rule_set": self.basis.rule_set,
            "build": self.basis.build,
            "created_at": self.created_at,
        }


def _told(reference: Reference) -> dict[str, object]:
    return {"topic_id": str(reference.topic_id), "partition": reference.partition, "offset": reference.offset}


@dataclass(frozen=True, slots=True)
class Outlook:
    """How a derived product stands to the records concerned in one partition of one input.

    ``unread`` of them are still to be read. ``final`` says that nothing more can be made of the others; else ``reason``
    says why more can follow. ``watermark`` is how far event time has come there (epoch milliseconds).
    """

    product: str
    source: str
    partition: int
    concerned: int
    unread: int
    watermark: int | None
    final: bool
    reason: str

    def as_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return {name: getattr(self, name) for name in Outlook.__slots__}


@dataclass(frozen=True, slots=True)
class Impact:
    """Everything that was made from one record. ``closed`` says which products could not be looked into, and why."""

    asked: Effect
    effects: Sequence[Effect]
    closed: Mapping[str, str]
    outlooks: Sequence[Outlook] = ()

    @property
    def final(self) -> bool:
        """Whether nothing more can follow, on all ways, as far as they could be looked into."""
        return not self.closed and all(each.final for each in self.outlooks)

    def as_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return {
            "asked": str(self.asked.at),
            "effects": [each.as_json() for each in self.effects],
            "count": len(self.effects),
            "final": self.final,
            "outlook": [each.as_json() for each in self.outlooks],
            "closed": dict(self.closed),
        }
