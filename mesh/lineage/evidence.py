"""What a trace tells: facts about one record and where each of them comes from; never the record's content."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mesh.lineage.descent import Descent
from mesh.lineage.manifest import Basis, Disposition, Place
from mesh.lineage.settlement import Result
from mesh.types import Coordinate, Finding, SchemaId


class Presence(StrEnum):
    """Whether the record itself can still be read; only ``LOST`` is an alarm."""

    READABLE = "readable"
    EXPIRED = "expired"
    COMPACTED = "compacted"
    REPLACED = "its topic was re-created"
    FORBIDDEN = "not readable with these rights"
    MARKER = "no record, a transaction marker"
    ABORTED = "no record, its transaction was aborted"
    HOLE = "no record, a transaction marker or an aborted record"
    """Nobody looked which of the two."""
    LOST = "lost"


class Link(StrEnum):
    """How a manifest hangs on the one before it; a wrong digest is not a link but an error."""

    INTACT = "intact"
    FIRST = "first of the partition"
    UNVERIFIABLE = "its predecessor has expired"


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """What may be told of a record: sizes in bytes, SHA-256 of the key in hex (None: null key), timestamp in ms."""

    presence: Presence
    key_sha256: str | None = None
    key_size: int = 0
    value_size: int = 0
    timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class ManifestFacts:
    """Which transaction it was: the manifest's coordinate and number, and the identity that committed it."""

    coordinate: Coordinate
    epoch: int
    sequence: int
    link: Link
    gate: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Fate:
    """Where the record came from and where it went, as *observed* by the gate."""

    ingress: Coordinate
    disposition: Disposition
    settled: Coordinate | None
    """The public or quarantine coordinate, where it got one."""
    findings: tuple[Finding, ...] | None
    """None when a refused record's verdict can no longer be read."""
    stub: bool


@dataclass(frozen=True, slots=True)
class Schema:
    """The schema the value was written with; None where the record is gone and its transaction met several."""

    schema_id: SchemaId | None
    fingerprint: str | None


@dataclass(frozen=True, slots=True)
class Move:
    """An operator's command that moved a record out of quarantine, as *observed* but for who: ``actor`` is *attested*.

    ``settled`` is where the record went; None for one that was discarded. ``patch`` is empty for the original bytes.
    """

    quarantined: Coordinate
    command: Coordinate
    result: Result
    actor: str
    reason: str
    patch: str
    settled: Coordinate | None


@dataclass(frozen=True, slots=True)
class Parking:
    """How a record waited for an earlier one of its key, as *observed*; the last three are None while it waits.

    ``parked`` and ``released`` are the manifests of the transactions that read it and let it go; ``disposition`` and
    ``settled`` say where it went then.
    """

    parked: Coordinate | None
    released: Coordinate | None = None
    disposition: Disposition | None = None
    settled: Coordinate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One record followed back to where its publisher took it from."""

    asked: Coordinate
    place: Place
    product: str
    record: RecordFacts
    fate: Fate
    origin: str | None
    """*Attested* by the publisher, never checked."""
    schema: Schema
    basis: Basis
    manifest: ManifestFacts
    descent: Descent | None = None
    """What the record itself says it was made from, where it can be read and is a derived one; *attested*."""
    event_time: int | None = None
    """The latest of the records that passed in its transaction, epoch milliseconds."""
    replayed: Move | None = None
    """How it left the quarantine, for a record that was there before it came here."""
    later: Move | None = None
    """What became of a quarantined record."""
    waited: Parking | None = None
    """How it was parked, where it was."""
    replaced: tuple[str, ...] = ()
    """Topics of the product that were re-created since: their coordinates above no longer lead anywhere."""

    def as_json(self) -> dict[str, object]:
        """The trace as plain JSON values."""
        return {
            "asked": str(self.asked),
            "place": str(self.place),
            "product": self.product,
            "cluster_id": self.asked.cluster_id,
            "topic_id": str(self.asked.topic_id),
            "record": _facts(self.record),
            "ingress": str(self.fate.ingress),
            "disposition": str(self.fate.disposition),
            "settled": str(self.fate.settled) if self.fate.settled else None,
            "stub": self.fate.stub,
            "findings": _findings(self.fate.findings),
            "origin": self.origin,
            "schema": {"id": self.schema.schema_id, "fingerprint": self.schema.fingerprint},
            "contract": {"id": self.basis.contract_id, "version": self.basis.contract_version},
            "rule_set": self.basis.rule_set,
            "build": self.basis.build,
            "manifest": _manifest(self.manifest),
            "replayed": _move(self.replayed),
            "later": _move(self.later),
            "waited": _parking(self.waited),
            "replaced": list(self.replaced),
        }


def _facts(record: RecordFacts) -> dict[str, object]:
    return {
        "presence": str(record.presence),
        "key_sha256": record.key_sha256,
        "key_size": record.key_size,
        "value_size": record.value_size,
        "timestamp": record.timestamp,
    }


def _findings(findings: tuple[Finding, ...] | None) -> list[dict[str, str]] | None:
    if findings is None:
        return None
    return [{"clause": f.clause, "path": f.path, "reason": f.reason, "reaction": str(f.reaction)} for f in findings]


def _move(move: Move | None) -> dict[str, object] | None:
    if move is None:
        return None
    return {
        "quarantined": str(move.quarantined),
        "command": str(move.command),
        "result": str(move.result),
        "actor": move.actor,
        "reason": move.reason,
        "patch": move.patch or None,
        "settled": str(move.settled) if move.settled else None,
    }


def _parking(parking: Parking | None) -> dict[str, object] | None:
    if parking is None:
        return None
    known = {name: getattr(parking, name) for name in Parking.__slots__}
    return {name: str(each) if each is not None else None for name, each in known.items()}


def _manifest(facts: ManifestFacts) -> dict[str, object]:
    return {
        "coordinate": str(facts.coordinate),
        "epoch": facts.epoch,
        "sequence": facts.sequence,
        "link": str(facts.link),
        "gate": facts.gate,
        "created_at": facts.created_at,
    }
