"""Confluent's framing: a zero byte, the schema id in four bytes, then the Avro body."""

from __future__ import annotations

from typing import Final

from mesh.errors import MalformedBody
from mesh.types import SchemaId

MAGIC: Final = 0
PREFIX: Final = 5
"""Bytes before the body."""


def prefix(schema_id: SchemaId) -> bytes:
    """What every payload of this schema begins with."""
    return schema_id.to_bytes(PREFIX, "big")


def frame(schema_id: SchemaId, body: bytes) -> bytes:
    """A payload for Kafka."""
    return prefix(schema_id) + body


def unframe(payload: bytes) -> tuple[SchemaId, bytes]:
    """Schema id and body of a payload; raises MalformedBody for what is not framed."""
    if not payload:
        raise MalformedBody("it is empty; it begins with a zero byte and the schema id in four bytes")
    if payload[0] != MAGIC:
        raise MalformedBody(f"its first byte is {payload[0]}, not the 0 of the registry's framing")
    if len(payload) < PREFIX:
        raise MalformedBody(f"it is {len(payload)} bytes long, too short for the schema id")
    return SchemaId(int.from_bytes(payload[1:PREFIX], "big")), payload[PREFIX:]
