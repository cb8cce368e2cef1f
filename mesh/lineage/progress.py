"""What a processor says of the input it has dealt with; lies in the topic of parents, beside large sets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from uuid import UUID

from mesh.errors import LineageBroken, MalformedBody
from mesh.judge.rows import RowCodec
from mesh.lineage.offsets import EMPTY, OffsetSet
from mesh.lineage.parents import ParentSet

_WHAT = "a record of the topic of parents"
_SET, _PROGRESS, _FAILING = b"\x01", b"\x02", b"\x03"
_SETS: Final = ("delivered", "filtered", "late", "parked")
_PLAIN: Final = ("processor", "build", "product", "partition", "start", "end", "outputs", "watermark", "created_at")


# A commit holds one of these for each kind of failure; a program that fails everywhere must not swell it.
_MOST_KINDS: Final = 20
_LONGEST_REASON: Final = 300


@dataclass(frozen=True, slots=True)
class Failure:
    """A kind of failure, and the records that were parked for it."""

    reason: str
    offsets: OffsetSet


def failures_of(parked: Mapping[int, str]) -> tuple[Failure, ...]:
    """The kinds of failure of parked records by offset; the most frequent ones where there are very many."""
    kinds: defaultdict[str, list[int]] = defaultdict(list)
    for offset, reason in parked.items():
        kinds[reason[:_LONGEST_REASON]].append(offset)
    frequent = sorted(kinds.items(), key=lambda each: (-len(each[1]), each[0]))[:_MOST_KINDS]
    return tuple(Failure(reason, OffsetSet.of(sorted(offsets))) for reason, offsets in frequent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One commit of a processor over one input partition: offsets ``[start, end)`` and what became of them.

    ``delivered`` are the records among them (publishers' and gates' markers leave holes). A delivered record that is
    neither filtered, late (too late for its window, and dropped) nor parked went into outputs or into state.
    ``failures`` say why records were parked. ``product`` is the input's name, ``topic_id`` that of its public topic.
    Times are epoch milliseconds.
    """

    processor: str
    build: str
    product: str
    topic_id: UUID
    partition: int
    start: int
    end: int
    delivered: OffsetSet
    filtered: OffsetSet = EMPTY
    late: OffsetSet = EMPTY
    parked: OffsetSet = EMPTY
    outputs: int = 0
    watermark: int | None = None
    created_at: int = 0
    failures: tuple[Failure, ...] = ()

    def failure(self, offset: int) -> str | None:
        """Why a record was parked; None where that is not known."""
        return next((each.reason for each in self.failures if offset in each.offsets), None)


@cache
def _codec(*, failing: bool) -> RowCodec:
    kinds: dict[str, Any] = dict.fromkeys(("processor", "build", "product"), "string")
    kinds |= {"topic_id": {"type": "fixed", "name": "TopicId", "size": 16}, "partition": "int"}
    kinds |= dict.fromkeys(("start", "end"), "long") | dict.fromkeys(_SETS, "bytes")
    kinds |= {"outputs": "long", "watermark": ["null", "long"], "created_at": "long"}
    if failing:
        parts = [{"name": "reason", "type": "string"}, {"name": "offsets", "type": "bytes"}]
        kinds["failures"] = {"type": "array", "items": {"type": "record", "name": "Failure", "fields": parts}}
    fields = [{"name": name, "type": kind} for name, kind in kinds.items()]
    return RowCodec({"type": "record", "name": "Progress", "namespace": "mesh.lineage", "fields": fields})


def encode_progress(progress: Progress) -> bytes:
    """The byte 2, or 3 with failures, then Avro without a frame: the layout has no version but that byte."""
    row = {name: getattr(progress, name) for name in _PLAIN} | {"topic_id": progress.topic_id.bytes}
    row |= {name: getattr(progress, name).encode() for name in _SETS}
    if not progress.failures:
        return _PROGRESS + _codec(failing=False).encode(row)
    row["failures"] = [{"reason": each.reason, "offsets": each.offsets.encode()} for each in progress.failures]
    return _FAILING + _codec(failing=True).encode(row)


def encode_deposit(parents: ParentSet) -> bytes:
    """The byte 1, then the encoded set, whose SHA-256 the header of the derived record holds."""
    return _SET + parents.encode()


def set_in(payload: bytes) -> bytes:
    """The encoded set that a deposit holds; raises LineageBroken for other records."""
    if payload[:1] != _SET:
        raise LineageBroken(_WHAT, "it is not a parent set")
    return payload[1:]


def decode_parents_record(payload: bytes) -> Progress | ParentSet:
    """Read a value of the topic of parents; raises LineageBroken for anything else."""
    if payload[:1] == _SET:
        return ParentSet.decode(payload[1:])
    if payload[:1] not in (_PROGRESS, _FAILING):
        raise LineageBroken(_WHAT, "its form is unknown; update the mesh")
    try:
        row = _codec(failing=payload[:1] == _FAILING).decode(payload[1:])
    except MalformedBody as error:
        raise LineageBroken(_WHAT, f"its bytes are damaged: {error}") from None
    if not isinstance(row, dict):
        raise LineageBroken(_WHAT, "it is not a record")
    sets: dict[str, Any] = {name: OffsetSet.decode(row[name]) for name in _SETS}
    found = row.get("failures", ())
    failures = tuple(Failure(each["reason"], OffsetSet.decode(each["offsets"])) for each in found)
    plain = {name: row[name] for name in _PLAIN}
    return Progress(**plain, topic_id=UUID(bytes=row["topic_id"]), failures=failures, **sets)
