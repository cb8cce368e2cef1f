"""Why no manifest covers a coordinate: every answer has its class, and only a foreign record is an alarm."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from mesh.errors import LineageBroken, MeshError, NotAuthorised, NotFound
from mesh.lineage.log import LineageLog, Reader
from mesh.lineage.manifest import Manifest, Place
from mesh.types import Coordinate, TopicPartition


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked: an offset at a place; ``topic_id`` is the incarnation meant, ``present`` the one there now."""

    asked: Coordinate
    place: Place
    topic_id: UUID | None
    present: UUID | None


def unaccounted(question: Question, log: LineageLog, reader: Reader) -> MeshError:
    """The error that says why: NotFound (pending, expired, marker) or LineageBroken (re-created, foreign)."""
    first, last = log.index.first(), log.index.last()
    if last is not None and first is not None:
        known = {first[1].topics.of(question.place), last[1].topics.of(question.place)}
        if question.topic_id not in known:
            return _recreated(question, last[1])
    if question.present is None or question.present != question.topic_id:
        return _not_found(question, "expired", "the topic is gone, and no manifest of it is kept for this offset")
    return _in_present_topic(question, first and first[1], last and last[1], reader)


def _in_present_topic(question: Question, first: Manifest | None, last: Manifest | None, reader: Reader) -> MeshError:
    place, offset = question.place, question.asked.offset
    where = TopicPartition(question.asked.topic, question.asked.partition)
    _, end = reader.bounds(where)
    if offset >= end:
        return _not_found(question, "pending", f"nothing has been committed there yet, {where} ends at {end}")
    if place is Place.INGRESS and (last is None or offset >= last.ingress_to):
        return _not_found(question, "pending", "no gate has settled it yet; is one running? (mesh status)")
    if first is not None and offset < first.span(place).base:
        return _before(question, first)
    if _held(reader, where, offset):
        return LineageBroken(str(question.asked), "a record lies there that no manifest accounts for")
    return _not_found(question, "marker", "a transaction marker or an aborted record lies there")


def _recreated(question: Question, newest: Manifest) -> LineageBroken:
    known = newest.topics.of(question.place)
    reason = f"the topic was re-created: its id is {question.topic_id}, the manifests know {known}"
    return LineageBroken(str(question.asked), reason)


def _before(question: Question, first: Manifest) -> NotFound:
    base = first.span(question.place).base
    if first.previous:
        return _not_found(question, "expired", f"the manifests before offset {base} are no longer kept")
    return _not_found(question, "expired", f"the gate began at offset {base}; what lay before was gone already")


def _not_found(question: Question, kind: str, reason: str) -> NotFound:
    return NotFound("manifest of", str(question.asked), f"{kind}: {reason}")


def _held(reader: Reader, where: TopicPartition, offset: int) -> bool:
    try:
        return reader.fetch(where, offset) is not None
    except NotAuthorised:
        return False
