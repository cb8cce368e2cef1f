"""Why no record, or no manifest, is where one was asked for: every answer has its class, and few are an alarm."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from mesh.errors import LineageBroken, MeshError, NotAuthorised, NotFound
from mesh.lineage.evidence import Presence
from mesh.lineage.log import LineageLog, Reader
from mesh.lineage.manifest import Manifest, Place
from mesh.types import Coordinate, TopicPartition


@dataclass(frozen=True, slots=True)
class Vacancy:
    """An offset at which no record can be read.

    ``claimed`` says that a manifest accounts for a record there, ``compacts`` that its topic keeps the last record of a
    key; ``key`` is the record's where another copy of it tells.
    """

    where: TopicPartition
    offset: int
    claimed: bool = True
    compacts: bool = False
    key: bytes | None = None


def classify(vacancy: Vacancy, reader: Reader, raw: Reader | None = None) -> Presence:
    """Which kind of gap it is, by evidence alone; ``raw`` reads what was aborted, too.

    A claimed record is *lost* where nothing explains its absence: nothing before it is left out, its topic does not
    compact, or no later record of its key is there.
    """
    begin, end = reader.bounds(vacancy.where)
    if vacancy.offset < begin:
        return Presence.EXPIRED
    if not vacancy.claimed:
        return hole(vacancy.where, vacancy.offset, raw)
    if not vacancy.compacts:
        return Presence.LOST
    if vacancy.key is not None and not _superseded(vacancy, reader, end):
        return Presence.LOST
    return Presence.COMPACTED


def hole(where: TopicPartition, offset: int, raw: Reader | None) -> Presence:
    """What lies at an offset that readers of committed records pass over: what is there uncommitted was aborted."""
    if raw is None:
        return Presence.HOLE
    return Presence.ABORTED if raw.fetch(where, offset) is not None else Presence.MARKER


def _superseded(vacancy: Vacancy, reader: Reader, end: int) -> bool:
    return any(later.key() == vacancy.key for later in reader.read(vacancy.where, vacancy.offset + 1, end))


class Gap(StrEnum):
    """Why no manifest covers an offset."""

    PENDING = "pending"
    EXPIRED = "expired"
    MARKER = "marker"
    ABORTED = "aborted"
    HOLE = "hole"
    RECREATED = "re-created"
    FOREIGN = "foreign"


_HOLES = {Presence.MARKER: Gap.MARKER, Presence.ABORTED: Gap.ABORTED, Presence.HOLE: Gap.HOLE}
_ALARMS = (Gap.RECREATED, Gap.FOREIGN)


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked: an offset at a place; ``topic_id`` is the incarnation meant, ``present`` the one there now."""

    asked: Coordinate
    place: Place
    topic_id: UUID | None
    present: UUID | None


@dataclass(frozen=True, slots=True)
class Unaccounted:
    """The class of an offset without a manifest, and the sentence for people."""

    asked: Coordinate
    gap: Gap
    reason: str

    def error(self) -> MeshError:
        """LineageBroken for what must not be (a re-created topic, a foreign record), NotFound for the others."""
        if self.gap in _ALARMS:
            return LineageBroken(str(self.asked), self.reason)
        return NotFound("manifest of", str(self.asked), f"{self.gap}: {self.reason}")


def unaccounted(question: Question, log: LineageLog, reader: Reader, raw: Reader | None = None) -> Unaccounted:
    """Why no manifest covers what was asked."""
    first, last = log.index.first(), log.index.last()
    if last is not None and first is not None:
        known = {first[1].topics.of(question.place), last[1].topics.of(question.place)}
        if question.topic_id not in known:
            return _recreated(question, last[1])
    if question.present is None or question.present != question.topic_id:
        reason = "the topic is gone, and no manifest of it is kept for this offset"
        return Unaccounted(question.asked, Gap.EXPIRED, reason)
    ends = first[1] if first else None, last[1] if last else None
    return Unaccounted(question.asked, *_in_present_topic(question, ends, reader, raw))


def _in_present_topic(
    question: Question, ends: tuple[Manifest | None, Manifest | None], reader: Reader, raw: Reader | None
) -> tuple[Gap, str]:
    (first, last), place, offset = ends, question.place, question.asked.offset
    where = TopicPartition(question.asked.topic, question.asked.partition)
    _, end = reader.bounds(where)
    if offset >= end:
        return Gap.PENDING, f"nothing has been committed there yet, {where} ends at {end}"
    if place is Place.INGRESS and (last is None or offset >= last.ingress_to):
        return _unread(where, offset, reader, raw)
    if first is not None and offset < first.span(place).base:
        return Gap.EXPIRED, _before(first.span(place).base, first)
    if _held(reader, where, offset):
        return Gap.FOREIGN, "a record lies there that no manifest accounts for"
    return _nothing(where, offset, raw)


def _unread(where: TopicPartition, offset: int, reader: Reader, raw: Reader | None) -> tuple[Gap, str]:
    """Behind what the gate has read: not yet settled, unless nothing is there to be settled."""
    if raw is None or offset < reader.bounds(where)[0] or _held(reader, where, offset):
        return Gap.PENDING, "no gate has settled it yet; is one running? (mesh status)"
    return _nothing(where, offset, raw)


def _nothing(where: TopicPartition, offset: int, raw: Reader | None) -> tuple[Gap, str]:
    presence = hole(where, offset, raw)
    return _HOLES[presence], presence.removeprefix("no record, ")


def _recreated(question: Question, newest: Manifest) -> Unaccounted:
    known = newest.topics.of(question.place)
    reason = f"the topic was re-created: its id is {question.topic_id}, the manifests know {known}"
    return Unaccounted(question.asked, Gap.RECREATED, reason)


def _before(base: int, first: Manifest) -> str:
    if first.previous:
        return f"the manifests before offset {base} are no longer kept"
    return f"the gate began at offset {base}; what lay before was gone already"


def _held(reader: Reader, where: TopicPartition, offset: int) -> bool:
    try:
        return reader.fetch(where, offset) is not None
    except NotAuthorised:
        return False
