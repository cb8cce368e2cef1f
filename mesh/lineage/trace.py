"""Following one record back to its ingress coordinate and origin, with nothing but Kafka running."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Protocol

from mesh.errors import LineageBroken, MalformedBody, NotAuthorised, NotFound, UsageError
from mesh.judge.frame import unframe
from mesh.kafka.admin import TopicState
from mesh.kafka.message import Message
from mesh.lineage.absence import Question, unaccounted
from mesh.lineage.evidence import Fate, ManifestFacts, Move, Presence, RecordFacts, Schema, Trace
from mesh.lineage.log import LineageLog, Reader
from mesh.lineage.manifest import Disposition, Manifest, Place
from mesh.lineage.origins import decode_origins
from mesh.lineage.search import Entry
from mesh.lineage.settlement import Result, Settlement
from mesh.lineage.verdict_header import last_verdict
from mesh.types import Coordinate, Finding, ProductTopics, SchemaId, TopicPartition

ORIGIN_HEADER = "mesh-origin"


class ClusterView(Protocol):
    """What is on the cluster; ``mesh.kafka.admin.Admin`` is one."""

    def cluster_id(self) -> str:
        """The cluster's own id."""

    def topics(self, names: Iterable[str]) -> Mapping[str, TopicState]:
        """The state of the named topics; those that do not exist are left out."""


def trace(coordinate: Coordinate, reader: Reader, cluster: ClusterView) -> Trace:
    """Follow a coordinate of a public, quarantine or ingress topic.

    A topic id in the coordinate asks for that incarnation of the topic, else it is the present one. Raises UsageError
    for another kind of topic, NotFound for an offset that no manifest covers (the hint says pending, expired or
    marker), LineageBroken where manifests contradict each other or the topics.
    """
    family = ProductTopics.of_any(coordinate.topic)
    topics = _Topics(family, cluster)
    place = topics.place_of(coordinate.topic)
    log = LineageLog(reader, topics.lineage(coordinate))
    return _Walk(topics, reader, log, place).follow(coordinate)


class _Topics:
    """The topics of one product: what they are called, and what is there under those names now."""

    def __init__(self, family: ProductTopics, cluster: ClusterView) -> None:
        self.family = family
        self.names = {Place.INGRESS: family.ingress, Place.PUBLIC: family.public, Place.QUARANTINE: family.quarantine}
        self._states = cluster.topics([*self.names.values(), family.lineage])
        self.cluster_id = cluster.cluster_id()

    def place_of(self, name: str) -> Place:
        for place, known in self.names.items():
            if known == name:
                return place
        raise UsageError(f"{name} holds no records of the product; trace one of its {', '.join(Place)} topics")

    def lineage(self, asked: Coordinate) -> TopicPartition:
        state = self._states.get(self.family.lineage)
        if state is None:
            raise NotFound("topic", self.family.lineage, "is the product applied, and may you read its lineage?")
        if asked.partition >= state.partitions:
            raise NotFound("partition", f"{asked.topic}/{asked.partition}", f"the topic has {state.partitions}")
        return TopicPartition(state.name, asked.partition)

    def present(self, place: Place) -> TopicState | None:
        return self._states.get(self.names[place])

    def coordinate(self, place: Place, offset: int, manifest: Manifest) -> Coordinate:
        topic_id = manifest.topics.of(place)
        return Coordinate(self.names[place], manifest.partition, offset, topic_id, self.cluster_id)

    def unchanged(self, place: Place, manifest: Manifest) -> TopicState | None:
        """The topic, if it still is the one the manifest speaks of."""
        state = self.present(place)
        return state if state is not None and state.topic_id == manifest.topics.of(place) else None


class _Walk:
    """One trace of one record."""

    def __init__(self, topics: _Topics, reader: Reader, log: LineageLog, place: Place) -> None:
        self._topics, self._reader, self._log, self._place = topics, reader, log, place

    def follow(self, asked: Coordinate) -> Trace:
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
            replayed=self._move(manifest, manifest.settlement(ingress)),
            later=self._later(manifest, fate),
            replaced=tuple(name for place, name in self._topics.names.items() if self._gone(place, manifest)),
        )

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
        if asked.cluster_id not in (None, self._topics.cluster_id):
            raise UsageError(f"{asked} lies on cluster {asked.cluster_id}, this is {self._topics.cluster_id}")
        state = self._topics.present(self._place)
        present = state.topic_id if state is not None else None
        question = Question(asked, self._place, asked.topic_id or present, present)
        hit = self._log.index.find(self._place, asked.offset, question.topic_id)
        if hit is None:
            raise unaccounted(question, self._log, self._reader)
        self._check(asked, hit[1])
        return hit

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
                return None, RecordFacts(self._absence(where, offset, state, manifest))
        except NotAuthorised:
            return None, RecordFacts(Presence.FORBIDDEN)
        return message, _facts(message)

    def _absence(self, where: TopicPartition, offset: int, state: TopicState, manifest: Manifest) -> Presence:
        begin, _ = self._reader.bounds(where)
        if offset < begin:
            return Presence.EXPIRED
        if where.topic == self._topics.family.ingress and offset not in manifest.handled:
            return Presence.MARKER
        return Presence.COMPACTED if "compact" in state.config.get("cleanup.policy", "") else Presence.LOST

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
