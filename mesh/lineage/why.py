"""Where a record ended: every ingress record has exactly one disposition, and so has every record a processor read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from mesh.errors import BrokerUnreachable, NotAuthorised, NotFound
from mesh.lineage.absence import Gap
from mesh.lineage.effect import Effect
from mesh.lineage.evidence import Presence, Trace
from mesh.lineage.impact import Consumer
from mesh.lineage.manifest import Disposition
from mesh.lineage.progress import Progress
from mesh.lineage.progress_log import ProgressLog
from mesh.lineage.reference import Reference
from mesh.lineage.settlement import Result
from mesh.lineage.trace import Walk
from mesh.types import Coordinate, TopicPartition


class Ending(StrEnum):
    """What became of a record."""

    PASSED = "passed"
    QUARANTINED = "quarantined"
    DISCARDED = "discarded"
    """Quarantined, and then closed by an operator."""
    PARKED = "parked"
    REPEATED = "repeated"
    """A derived record that had passed before."""
    PENDING = "pending"
    """Nobody has dealt with it yet."""
    ABORTED = "aborted"
    """Its publisher took it back."""
    MARKER = "marker"
    """No record at all: Kafka's note of the end of a transaction."""
    HOLE = "no record"
    EXPIRED = "expired"
    """It, or the account of it, is older than what is kept."""
    COMPACTED = "compacted"
    """It passed; a later record of its key has taken its place."""
    LOST = "lost"
    """It should be there and is not: an alarm."""
    USED = "used"
    """A processor made outputs of it, or keeps it in its state."""
    FILTERED = "filtered"
    LATE = "late"
    BEFORE = "before the beginning"
    """It lay before the first record that the processor read."""
    UNKNOWN = "unknown"
    """The account of it may not be read."""


@dataclass(frozen=True, slots=True)
class Use:
    """What one processor did with a public record, as it *attested*; ``outputs`` are the public ones made from it."""

    product: str
    ending: Ending
    reason: str
    build: str | None = None
    committed_at: int | None = None
    outputs: tuple[Effect, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return {
            "product": self.product,
            "ending": str(self.ending),
            "reason": self.reason,
            "build": self.build,
            "committed_at": self.committed_at,
            "outputs": [str(each.at) for each in self.outputs],
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """Where one record ended, and why; ``trace`` is what that rests on, None where no manifest covers it."""

    at: Coordinate
    ending: Ending
    reason: str
    trace: Trace | None = None
    uses: tuple[Use, ...] = ()

    @property
    def alarms(self) -> bool:
        """Whether somebody has to look at it."""
        return self.ending is Ending.LOST

    def as_json(self) -> dict[str, object]:
        """Plain JSON values."""
        return {
            "at": str(self.at),
            "ending": str(self.ending),
            "reason": self.reason,
            "uses": [each.as_json() for each in self.uses],
            "trace": self.trace.as_json() if self.trace is not None else None,
        }


_GAPS = {
    Gap.PENDING: Ending.PENDING,
    Gap.EXPIRED: Ending.EXPIRED,
    Gap.MARKER: Ending.MARKER,
    Gap.ABORTED: Ending.ABORTED,
    Gap.HOLE: Ending.HOLE,
}
_HOLES = {Presence.MARKER: Ending.MARKER, Presence.ABORTED: Ending.ABORTED}
_GONE = {Presence.COMPACTED: Ending.COMPACTED, Presence.LOST: Ending.LOST}


def why(walk: Walk) -> Answer:
    """Where the record ended that a walk is about; raises UsageError, NotAuthorised, LineageBroken, NotFound."""
    gap = walk.gap()
    if gap is not None:
        if gap.gap not in _GAPS:
            raise gap.error()
        return Answer(walk.asked, _GAPS[gap.gap], gap.reason)
    found = walk.follow()
    return Answer(walk.asked, *_ending(found), found)


def _ending(found: Trace) -> tuple[Ending, str]:
    disposition = found.fate.disposition
    if disposition is Disposition.NOT_DELIVERED:
        ending = _HOLES.get(found.record.presence, Ending.HOLE)
        return ending, found.record.presence.removeprefix("no record, ")
    if disposition is Disposition.QUARANTINED:
        return _refused(found)
    if disposition is Disposition.PARKED:
        return _parked(found)
    if disposition is Disposition.REPEATED:
        return Ending.REPEATED, "a record with the same identity had passed before it"
    gone = _GONE.get(found.record.presence) if found.asked == found.fate.settled else None
    if gone is not None:
        return gone, f"it passed to {found.fate.settled}, where it is {found.record.presence}"
    return Ending.PASSED, f"it passed to {found.fate.settled}"


def _refused(found: Trace) -> tuple[Ending, str]:
    findings = found.fate.findings
    broke = ", ".join(dict.fromkeys(each.clause for each in findings)) if findings else "no longer known"
    reason = f"it lies at {found.fate.settled}; clauses it breaks: {broke}"
    later = found.later
    if later is None:
        return Ending.QUARANTINED, reason
    by = f"by {later.actor} ({later.reason or 'no reason given'})"
    if later.result is Result.DISCARDED:
        return Ending.DISCARDED, f"{reason}; discarded {by}"
    if later.result is Result.PASSED:
        return Ending.PASSED, f"{reason}; replayed {by}, it passed to {later.settled}"
    return Ending.QUARANTINED, f"{reason}; replayed {by}, it was refused again: {later.settled}"


_RELEASED = {Disposition.PASSED: Ending.PASSED, Disposition.QUARANTINED: Ending.QUARANTINED}


def _parked(found: Trace) -> tuple[Ending, str]:
    since = found.waited
    if since is None or since.disposition not in _RELEASED:
        return Ending.PARKED, "an earlier record of its key is held; it waits until that one is settled"
    return _RELEASED[since.disposition], f"it was parked, and went to {since.settled} when its key was released"


def use_of(source: Reference, consumer: Consumer, outputs: Sequence[Effect]) -> Use:
    """What a processor did with a public record; ``outputs`` are what is known to be made from it."""
    holding, product = consumer.holding, str(consumer.holding.family.product)
    try:
        place = TopicPartition(holding.family.parents, source.partition % holding.inventory.partitions)
        log = ProgressLog(holding.site.reader, place)
        told = log.covering(source)
        if told is None:
            return Use(product, *_uncovered(source, log, bool(outputs)), outputs=tuple(outputs))
    except (NotAuthorised, NotFound, BrokerUnreachable) as error:
        return Use(product, Ending.UNKNOWN, str(error), outputs=tuple(outputs))
    progress = told[1]
    if _may_have_changed(progress, source.offset, bool(outputs)):
        progress = (log.last_word(source) or told)[1]
    ending, reason = _said(progress, source.offset, len(outputs))
    return Use(product, ending, reason, progress.build, progress.created_at, tuple(outputs))


def _may_have_changed(progress: Progress, offset: int, made: bool) -> bool:
    """Whether another commit may say something else of a record: that of a processor that was set back, or before."""
    return offset in progress.parked or offset not in progress.delivered or (made and offset in progress.filtered)


def _uncovered(source: Reference, log: ProgressLog, made: bool) -> tuple[Ending, str]:
    if made:
        return Ending.USED, "it was looked up by other records, and what was made from them names it"
    said = [each for _, each in log.told() if (each.topic_id, each.partition) == (source.topic_id, source.partition)]
    if said and source.offset < min(each.start for each in said):
        return Ending.BEFORE, f"the processor began at offset {min(each.start for each in said)}"
    if said:
        return Ending.PENDING, f"the processor has come to offset {max(each.end for each in said)}"
    return Ending.PENDING, "no commit of the processor speaks of this input"


def _said(progress: Progress, offset: int, outputs: int) -> tuple[Ending, str]:
    by = f"{progress.processor} said so, build {progress.build}"
    if offset in progress.filtered:
        return Ending.FILTERED, by
    if offset in progress.late:
        return Ending.LATE, f"its window was closed; {by}"
    if offset in progress.parked:
        return Ending.PARKED, f"{progress.failure(offset) or 'its handling failed'}; {by}"
    if offset not in progress.delivered:
        return Ending.LOST, f"a commit of {progress.processor} went past it without a word"
    if outputs:
        return Ending.USED, f"{outputs} public records were made from it"
    return Ending.USED, "it is in the processor's state, or its output is not public yet"
