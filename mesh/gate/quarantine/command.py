"""What operators ask of the gate, as it travels on the commands topic: one JSON object a command."""

from __future__ import annotations

import json
import math
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from mesh.errors import UsageError
from mesh.types import Coordinate, SchemaId

_VERSION: Final = 1
_LONGEST_REASON: Final = 500


class Verb(StrEnum):
    """What is to become of a quarantined record, or of a partition that stands still (its ingress coordinate)."""

    REPLAY = "replay"
    DISCARD = "discard"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Patch:
    """A correction: values for dotted paths, or a whole record for one that cannot be read.

    Values are Avro's plain ones (numbers for times, bytes for decimals). ``record`` is encoded by ``schema_id``.
    """

    values: Mapping[str, Any]
    record: Mapping[str, Any] | None = None
    schema_id: SchemaId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One order about one quarantined record. ``actor`` is who says so, ``at`` when, in epoch milliseconds."""

    verb: Verb
    coordinate: Coordinate
    actor: str
    reason: str
    at: int
    patch: Patch | None = None

    def encode(self) -> tuple[bytes, bytes]:
        """The key and the value of the record."""
        content = {
            "v": _VERSION,
            "command": str(self.verb),
            "coordinate": str(self.coordinate),
            "actor": self.actor,
            "reason": self.reason[:_LONGEST_REASON],
            "at": self.at,
            **({"patch": _patch_row(self.patch)} if self.patch is not None else {}),
        }
        return str(self.coordinate).encode(), json.dumps(content, ensure_ascii=False).encode(errors="replace")

    @classmethod
    def decode(cls, value: bytes | None) -> Command:
        """Read a record's value; raises UsageError for anything that is not a command."""
        try:
            content = json.loads(value or b"")
            if content["v"] != _VERSION:
                raise UsageError(f"its version {content['v']!r} is unknown; update the mesh")
            return _command(content)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UsageError(f"it is not a command ({type(error).__name__})") from None


def _command(content: Mapping[str, Any]) -> Command:
    patch = content.get("patch")
    return Command(
        verb=Verb(content["command"]),
        coordinate=Coordinate.parse(content["coordinate"]),
        actor=str(content["actor"]),
        reason=str(content["reason"])[:_LONGEST_REASON],
        at=int(content["at"]),
        patch=_patch(patch) if patch is not None else None,
    )


def _patch(row: Mapping[str, Any]) -> Patch:
    record, written = row.get("record"), row.get("schema_id")
    return Patch(
        {str(path): from_json(value) for path, value in row.get("set", {}).items()},
        {str(name): from_json(value) for name, value in record.items()} if record is not None else None,
        SchemaId(int(written)) if written is not None else None,
    )


def _patch_row(patch: Patch) -> dict[str, Any]:
    if patch.record is None:
        return {"set": {path: to_json(value) for path, value in patch.values.items()}}
    return {"record": {name: to_json(each) for name, each in patch.record.items()}, "schema_id": patch.schema_id}


def to_json(value: Any) -> Any:
    """A plain value of Avro's as JSON; what JSON lacks is an object with one key that begins with a dollar."""
    if isinstance(value, bytes):
        return {"$bytes": b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if isinstance(value, Mapping):
        plain = {name: to_json(item) for name, item in value.items()}
        return {"$map": plain} if any(name.startswith("$") for name in plain) else plain
    return value


def from_json(value: Any) -> Any:
    """The way back of ``to_json``; raises ValueError for what it never writes."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$bytes" in value:
        return b64decode(value["$bytes"], validate=True)
    if "$float" in value:
        return float(value["$float"])
    return {name: from_json(item) for name, item in value.get("$map", value).items()}
