"""What a processor says of the input it has dealt with; lies in the topic of parents, beside large sets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from uuid import UUID

from mesh.errors import LineageBroken, MalformedBody
from mesh.judge.rows import RowCodec
from mesh.lineage.offsets import EMPTY, OffsetSet
from mesh.lineage.parents import ParentSet

_WHAT = "a record of the topic of parents"
_SET, _PROGRESS = b"\x01", b"\x02"
_SETS: Final = ("delivered", "filtered", "late", "parked")
_PLAIN: Final = ("processor", "build", "product", "partition", "start", "end", "outputs", "watermark", "created_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One commit of a processor over one input partition: offsets ``[start, end)`` and what became of them.

    ``delivered`` are the records among them (publishers' and gates' markers leave holes). A delivered record that is
    neither filtered, late (too late for its window, and dropped) nor parked went into outputs or into state.
    ``product`` is the input's name, ``topic_id`` that of its public topic. Times are epoch milliseconds.
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


@cache
def _codec() -> RowCodec:
    kinds: dict[str, Any] = dict.fromkeys(("processor", "build", "product"), "string")
    kinds |= {"topic_id": {"type": "fixed", "name": "TopicId", "size": 16}, "partition": "int"}
    kinds |= dict.fromkeys(("start", "end"), "long") | dict.fromkeys(_SETS, "bytes")
    kinds |= {"outputs": "long", "watermark": ["null", "long"], "created_at": "long"}
    fields = [{"name": name, "type": kind} for name, kind in kinds.items()]
    return RowCodec({"type": "record", "name": "Progress", "namespace": "mesh.lineage", "fields": fields})


def encode_progress(progress: Progress) -> bytes:
    """The byte 2, then Avro without a frame: the layout has no version but that byte."""
    row = {name: getattr(progress, name) for name in _PLAIN} | {"topic_id": progress.topic_id.bytes}
    return _PROGRESS + _codec().encode(row | {name: getattr(progress, name).encode() for name in _SETS})


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
    if payload[:1] != _PROGRESS:
        raise LineageBroken(_WHAT, "its form is unknown; update the mesh")
    try:
        row = _codec().decode(payload[1:])
    except MalformedBody as error:
        raise LineageBroken(_WHAT, f"its bytes are damaged: {error}") from None
    if not isinstance(row, dict):
        raise LineageBroken(_WHAT, "it is not a record")
    sets: dict[str, Any] = {name: OffsetSet.decode(row[name]) for name in _SETS}
    return Progress(**{name: row[name] for name in _PLAIN}, topic_id=UUID(bytes=row["topic_id"]), **sets)
