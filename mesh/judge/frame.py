"""Confluent's framing: a zero byte, the schema id in four bytes, then the Avro body."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from mesh.errors import MalformedBody
from mesh.types import SchemaId

MAGIC: Final = 0
PREFIX: Final = 5
"""Bytes before the body."""
_HEAD: Final = itemgetter(slice(PREFIX))


def prefix(schema_id: SchemaId) -> bytes:
    """What every payload of this schema begins with."""
    return schema_id.to_bytes(PREFIX, "big")


def frame(schema_id: SchemaId, body: bytes) -> bytes:
    """A payload for Kafka."""
    return prefix(schema_id) + body


@dataclass(frozen=True, slots=True)
class FrameFault:
    """Why a payload is not framed: ``kind`` is ``empty``, ``magic`` or ``short``."""

    kind: str
    reason: str


def fault(payload: bytes) -> FrameFault | None:
    """What is wrong with the framing of a payload, if anything."""
    if not payload:
        return FrameFault("empty", "is empty; it begins with a zero byte and the schema id in four bytes")
    if payload[0] != MAGIC:
        return FrameFault("magic", f"begins with byte {payload[0]}, not with the 0 of the registry's framing")
    if len(payload) < PREFIX:
        return FrameFault("short", f"is {len(payload)} bytes long, too short for a zero byte and a schema id")
    return None


def heads(payloads: Iterable[bytes | None]) -> set[bytes]:
    """What the payloads begin with, framed or not; those that are null or empty are passed over."""
    # In the interpreter's own loops: this looks at every record, and nearly all of a batch begin alike.
    return set(map(_HEAD, filter(None, payloads)))


def schema_id(payload: bytes) -> SchemaId:
    """The schema id of a framed payload."""
    return SchemaId(int.from_bytes(payload[1:PREFIX], "big"))


def unframe(payload: bytes) -> tuple[SchemaId, bytes]:
    """Schema id and body of a payload; raises MalformedBody for what is not framed."""
    found = fault(payload)
    if found:
        raise MalformedBody(f"the payload {found.reason}")
    return schema_id(payload), payload[PREFIX:]
