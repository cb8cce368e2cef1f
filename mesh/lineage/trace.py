"""Following one record back to its ingress coordinate and origin, with nothing but Kafka running."""

from __future__ import annotations

import hashlib

from mesh.errors import LineageBroken, MalformedBody, NotAuthorised, UsageError
from mesh.judge.frame import unframe
from mesh.kafka.admin import TopicState
from mesh.kafka.message import Message
from mesh.lineage.absence import Question, Unaccounted, Vacancy, classify, unaccounted
from mesh.lineage.descent import Descent
from mesh.lineage.descent_header import descent_in
from mesh.lineage.evidence import Fate, ManifestFacts, Move, Parking, Presence, RecordFacts, Schema, Trace
from mesh.lineage.inventory import ClusterView, Inventory
from mesh.lineage.log import LineageLog, Reader
from mesh.lineage.manifest import Disposition, Manifest, Place
from mesh.lineage.origins import decode_origins
from mesh.lineage.search import Entry
from mesh.lineage.settlement import Result, Settlement
from mesh.lineage.verdict_header import last_verdict
from mesh.types import Coordinate, Finding, ProductTopics, SchemaId, TopicPartition

ORIGIN_HEADER = "mesh-origin"


def trace(coordinate: Coordinate, reader: Reader, cluster: ClusterView, raw: Reader | None = None) -> Trace:
    """Follow a coordinate of a public, quarantine or ingress topic.

    A topic id in the coordinate asks for that incarnation of the topic, else it is the present one. ``raw`` reads
    uncommitted records, which tells aborted ones from markers. Raises UsageError for another kind of topic, NotFound
    for an offset that no manifest covers (the hint says pending, expired, marker or aborted), LineageBroken where
    manifests contradict each other or the topics.
    """
    return Walk(coordinate, reader, cluster, raw).follow()


class Walk:
    """One trace of one record."""

    def __init__(self, asked: Coordinate, reader: Reader, cluster: ClusterView, raw: Reader | None = None) -> None:
        self.asked = asked
        self._topics = Inventory(ProductTopics.of_any(asked.topic), cluster)
        self._place = self._topics.place_of(asked.topic)
        self._reader, self._raw = reader, raw
        self._log = LineageLog(reader, self._topics.lineage(asked))

    def gap(self) -> Unaccounted | None:
        """Why no manifest covers what was asked; None where one does."""
        return unaccounted(self._question(), self._log, self._reader, self._raw) if self._hit() is None else None

    def follow(self) -> Trace:
        """The trace; raises as ``trace`` does."""
        asked = self.asked
        at, manifest = self._covering(asked)
        ingress = self._ingress_offset(manifest, asked.offset)
        message, facts = self._record(self._place, asked.offset, manifest)
        fate = self._fate(manifest, ingress, message)
        return Trace(
            asked=self._topics.coordinate(self._place, asked.offset, manifest),
            place=self._place,
            product=manifest.product,
            record=facts,
            fate=fate,
            origin=_text(self._kept_origin(manifest, ingress) or _header_origin(message)),
            schema=_schema(manifest, message),
            basis=manifest.basis,
            manifest=self._manifest_facts(at, manifest),
            descent=_descent(message),
            event_time=manifest.event_time[1] if manifest.event_time is not None else None,
            replayed=self._move(manifest, manifest.settlement(ingress)),
            later=self._later(manifest, fate),
            waited=self._waited(at, manifest, ingress),
            replaced=tuple(name for place, name in self._topics.names.items() if self._gone(place, manifest)),
        )

    def _waited(self, at: int, manifest: Manifest, ingress: int) -> Parking | None:
        """How the record waited for an earlier one of its key, if it did."""
        if ingress in manifest.parked:
            return self._until_released(at, manifest, ingress)
        if ingress not in manifest.released or manifest.settlement(ingress) is not None:
            return None
        earlier = self._log.index.find(Place.INGRESS, ingress, manifest.topics.ingress)
        fate = self._fate(manifest, ingress, None)
        parked = self._lineage(earlier[0], earlier[1]) if earlier is not None else None
        return Parking(parked, self._lineage(at, manifest), fate.disposition, fate.settled)

    def _until_released(self, at: int, manifest: Manifest, ingress: int) -> Parking:
        found = Parking(self._lineage(at, manifest))
        for then, newer in self._log.settling():
            if then <= at or newer.topics.ingress != manifest.topics.ingress:
                break
            # The list runs backwards, so the last one met is the first that let it go; the others replayed it.
            if ingress in newer.released:
                fate = self._fate(newer, ingress, None)
                found = Parking(found.parked, self._lineage(then, newer), fate.disposition, fate.settled)
        return found

    def _lineage(self, at: int, manifest: Manifest) -> Coordinate:
        return Coordinate(self._topics.family.lineage, manifest.partition, at)

    def _move(self, manifest: Manifest, settlement: Settlement | None) -> Move | None:
        if settlement is None:
            return None
        place = {Result.PASSED: Place.PUBLIC, Result.REFUSED: Place.QUARANTINE}.get(settlement.result)
        offset = manifest.ingress_to_outcome(settlement.ingress).offset if place is not None else None
        return Move(
            quarantined=self._topics.coordinate(Place.QUARANTINE, settlement.quarantined, manifest),
            command=Coordinate(self._topics.family.commands, manifest.partition, settlement.command),
            result=settlement.result,
            actor=settlement.actor,
            reason=settlement.reason,
            patch=settlement.patch,
            settled=self._topics.coordinate(place, offset, manifest) if place and offset is not None else None,
        )

    def _later(self, manifest: Manifest, fate: Fate) -> Move | None:
        """The command that settled a quarantined record, if one did."""
        if fate.disposition is not Disposition.QUARANTINED or fate.settled is None:
            return None
        for _, newer in self._log.settling():
            for each in newer.settlements:
                about = each.quarantined == fate.settled.offset and each.result.settles
                if about and newer.topics.quarantine == manifest.topics.quarantine:
                    return self._move(newer, each)
        return None

    def _gone(self, place: Place, manifest: Manifest) -> bool:
        return self._topics.unchanged(place, manifest) is None

    def _covering(self, asked: Coordinate) -> Entry:
        hit = self._hit()
        if hit is None:
            raise unaccounted(self._question(), self._log, self._reader, self._raw).error()
        self._check(asked, hit[1])
        return hit

    def _hit(self) -> Entry | None:
        asked = self.asked
        if asked.cluster_id not in (None, self._topics.cluster_id):
            raise UsageError(f"{asked} lies on cluster {asked.cluster_id}, this is {self._topics.cluster_id}")
        return self._log.index.find(self._place, asked.offset, self._question().topic_id)

    def _question(self) -> Question:
        state = self._topics.present(self._place)
        present = state.topic_id if state is not None else None
        return Question(self.asked, self._place, self.asked.topic_id or present, present)

    def _check(self, asked: Coordinate, manifest: Manifest) -> None:
        if manifest.cluster_id != self._topics.cluster_id:
            raise LineageBroken(str(asked), f"its manifest was written on another cluster, {manifest.cluster_id}")
        if (manifest.product, manifest.partition) != (str(self._topics.family.product), asked.partition):
            found = f"{manifest.product} partition {manifest.partition}"
            raise LineageBroken(str(asked), f"the manifest there is one of {found}")

    def _ingress_offset(self, manifest: Manifest, offset: int) -> int:
        if self._place is Place.PUBLIC:
            return manifest.public_to_ingress(offset)
        if self._place is Place.QUARANTINE:
            return manifest.quarantine_to_ingress(offset)
        return offset

    def _fate(self, manifest: Manifest, ingress: int, asked: Message | None) -> Fate:
        outcome = manifest.ingress_to_outcome(ingress)
        refused = outcome.disposition is Disposition.QUARANTINED
        place = Place.QUARANTINE if refused else Place.PUBLIC
        settled = self._topics.coordinate(place, outcome.offset, manifest) if outcome.offset is not None else None
        return Fate(
            ingress=self._topics.coordinate(Place.INGRESS, ingress, manifest),
            disposition=outcome.disposition,
            settled=settled,
            findings=self._findings(manifest, settled.offset, asked) if refused and settled is not None else (),
            stub=ingress in manifest.stubs,
        )

    def _findings(self, manifest: Manifest, offset: int, asked: Message | None) -> tuple[Finding, ...] | None:
        message = asked if self._place is Place.QUARANTINE else self._record(Place.QUARANTINE, offset, manifest)[0]
        verdict = last_verdict(message.headers() or ()) if message is not None else None
        return verdict.findings if verdict is not None else None

    def _record(self, place: Place, offset: int, manifest: Manifest) -> tuple[Message | None, RecordFacts]:
        state = self._topics.unchanged(place, manifest)
        if state is None:
            return None, RecordFacts(Presence.REPLACED)
        where = TopicPartition(state.name, manifest.partition)
        try:
            message = self._reader.fetch(where, offset)
            if message is None:
                return None, RecordFacts(self._absence(place, offset, state, manifest))
        except NotAuthorised:
            return None, RecordFacts(Presence.FORBIDDEN)
        return message, _facts(message)

    def _absence(self, place: Place, offset: int, state: TopicState, manifest: Manifest) -> Presence:
        where = TopicPartition(state.name, manifest.partition)
        claimed = place is not Place.INGRESS or offset in manifest.handled
        compacts = "compact" in state.config.get("cleanup.policy", "")
        key = self._ingress_key(offset, manifest) if compacts and place is Place.PUBLIC else None
        return classify(Vacancy(where, offset, claimed, compacts, key), self._reader, self._raw)

    def _ingress_key(self, public: int, manifest: Manifest) -> bytes | None:
        """The key of a record that is gone, from the copy it was made from."""
        message, _ = self._record(Place.INGRESS, manifest.public_to_ingress(public), manifest)
        return message.key() if message is not None else None

    def _kept_origin(self, manifest: Manifest, ingress: int) -> bytes | None:
        """The origin in the manifest that read the record; a released record was read by an earlier one."""
        if ingress < manifest.ingress_from:
            earlier = self._log.index.find(Place.INGRESS, ingress, manifest.topics.ingress)
            if earlier is None:
                return None
            manifest = earlier[1]
        origins = decode_origins(manifest.origins)
        return origins[manifest.delivered.rank(ingress)] if origins and ingress in manifest.delivered else None

    def _manifest_facts(self, at: int, manifest: Manifest) -> ManifestFacts:
        return ManifestFacts(
            coordinate=Coordinate(self._topics.family.lineage, manifest.partition, at),
            epoch=manifest.epoch,
            sequence=manifest.sequence,
            link=self._log.link(at, manifest),
            gate=manifest.gate,
            created_at=manifest.created_at,
        )


def _facts(message: Message) -> RecordFacts:
    key, value = message.key(), message.value()
    return RecordFacts(
        presence=Presence.READABLE,
        key_sha256=hashlib.sha256(key).hexdigest() if key is not None else None,
        key_size=len(key or b""),
        value_size=len(value or b""),
        timestamp=message.timestamp()[1],
    )


def _header_origin(message: Message | None) -> bytes | None:
    headers = (message.headers() or ()) if message is not None else ()
    return next((content for name, content in headers if name == ORIGIN_HEADER), None)


def _descent(message: Message | None) -> Descent | None:
    found, _ = descent_in((message.headers() or ()) if message is not None else ())
    return found if isinstance(found, Descent) else None


def _text(origin: bytes | None) -> str | None:
    return origin.decode(errors="backslashreplace") if origin is not None else None


def _schema(manifest: Manifest, message: Message | None) -> Schema:
    seen = {each.schema_id: each.fingerprint for each in manifest.schemas if not each.key}
    written = _written_with(message)
    if message is None and len(seen) == 1:
        written = next(iter(seen))
    return Schema(written, seen.get(written) if written is not None else None)


def _written_with(message: Message | None) -> SchemaId | None:
    try:
        return unframe(message.value() or b"")[0] if message is not None else None
    except MalformedBody:
        return None
