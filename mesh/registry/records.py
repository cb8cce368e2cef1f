"""The records of the ``_schemas`` topic, in the format Confluent's registry reads and writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

from mesh.contract.compatibility import Mode
from mesh.registry.text import strict_json

# The property that marks a version as part of an applied contract; its value is the product's name.
PRODUCT = "mesh.product"
_NOTHING: Mapping[str, Any] = MappingProxyType({})
# What Confluent keeps beside a schema and this registry hands on as it was.
_CARRIED = ("references", "metadata", "ruleSet")


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """A version of a subject. ``extra`` holds references, metadata and rules as they were written."""

    subject: str
    version: int
    id: int
    schema: str
    deleted: bool = False
    kind: str = "AVRO"
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def properties(self) -> Mapping[str, str]:
        """The properties of the metadata."""
        metadata = self.extra.get("metadata")
        found = metadata.get("properties") if isinstance(metadata, dict) else None
        return found if isinstance(found, dict) else _NOTHING

    @property
    def product(self) -> str | None:
        """The product whose contract this version belongs to; None when the subject is nobody's."""
        return self.properties.get(PRODUCT)


@dataclass(frozen=True, slots=True)
class VersionGone:
    """A version was deleted for good."""

    subject: str
    version: int


@dataclass(frozen=True, slots=True)
class SubjectDeleted:
    """All versions of a subject up to ``version`` were deleted, softly."""

    subject: str
    version: int


@dataclass(frozen=True, slots=True)
class SubjectCleared:
    """A subject was removed with everything in it."""

    subject: str


@dataclass(frozen=True, slots=True)
class LevelSet:
    """A compatibility level; of the whole registry when ``subject`` is None, taken back when ``level`` is None."""

    subject: str | None
    level: str | None


@dataclass(frozen=True, slots=True)
class ModeSet:
    """A mode; of the whole registry when ``subject`` is None, taken back when ``mode`` is None."""

    subject: str | None
    mode: str | None


@dataclass(frozen=True, slots=True)
class Mark:
    """Nothing happened; proves how far a reader has come. Remembers the highest id ever given away.

    Other registries do not look at the value of this record, so compaction cannot make them or us forget an id whose
    schema was deleted for good, and give it to another.
    """

    highest_id: int = 0


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that means nothing to this registry; it changes nothing."""

    reason: str


LogRecord: TypeAlias = (
    SchemaVersion | VersionGone | SubjectDeleted | SubjectCleared | LevelSet | ModeSet | Mark | Unreadable
)


def encode(record: LogRecord) -> tuple[bytes, bytes | None]:
    """Key and value for the log. Equal keys have equal bytes, so that compaction keeps the last of them."""
    key, value = _parts(record)
    return _json(key), None if value is None else _json(value)


def _parts(record: LogRecord) -> tuple[dict[str, Any], dict[str, Any] | None]:
    match record:
        case SchemaVersion():
            return _schema_key(record.subject, record.version), _schema_value(record)
        case VersionGone():
            return _schema_key(record.subject, record.version), None
        case SubjectDeleted():
            return _key("DELETE_SUBJECT", record.subject), {"subject": record.subject, "version": record.version}
        case SubjectCleared():
            return _key("CLEAR_SUBJECT", record.subject), {"subject": record.subject}
        case LevelSet():
            return _key("CONFIG", record.subject), _setting(record.subject, "compatibilityLevel", record.level)
        case ModeSet() | Mark() | Unreadable():
            return _other_parts(record)


def _other_parts(record: ModeSet | Mark | Unreadable) -> tuple[dict[str, Any], dict[str, Any] | None]:
    if isinstance(record, ModeSet):
        return _key("MODE", record.subject), _setting(record.subject, "mode", record.mode)
    if isinstance(record, Mark):
        return {"keytype": "NOOP", "magic": 0}, {"maxId": record.highest_id}
    raise TypeError(f"an unreadable record cannot be written: {record.reason}")


def _schema_key(subject: str, version: int) -> dict[str, Any]:
    return {"keytype": "SCHEMA", "subject": subject, "version": version, "magic": 1}


def _key(keytype: str, subject: str | None) -> dict[str, Any]:
    return {"keytype": keytype, "subject": subject, "magic": 0}


def _setting(subject: str | None, name: str, value: str | None) -> dict[str, Any] | None:
    return None if value is None else {"subject": subject, name: value}


def _schema_value(record: SchemaVersion) -> dict[str, Any]:
    kind = {} if record.kind == "AVRO" else {"schemaType": record.kind}
    head = {"subject": record.subject, "version": record.version, "id": record.id}
    return head | kind | dict(record.extra) | {"schema": record.schema, "deleted": record.deleted}


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def decode(key: bytes | None, value: bytes | None) -> LogRecord:
    """What a record of the log says; Unreadable for what it does not, never an exception."""
    try:
        parsed = _object(key)
        return _decoded(parsed, None if value is None else _object(value))
    except (ValueError, KeyError, TypeError) as error:
        return Unreadable(f"{type(error).__name__}: {error}")


def _object(content: bytes | None) -> dict[str, Any]:
    found = strict_json(content or b"")
    if not isinstance(found, dict):
        raise TypeError("not a JSON object")
    return found


def _decoded(key: dict[str, Any], value: dict[str, Any] | None) -> LogRecord:
    match key["keytype"]:
        case "SCHEMA":
            return _decoded_schema(_text(key["subject"]), _count(key["version"]), value)
        case "CONFIG":
            return LevelSet(_scope(key), None if value is None else Mode(value["compatibilityLevel"]).value)
        case "MODE":
            return ModeSet(_scope(key), None if value is None else _text(value["mode"]))
        case "NOOP":
            return Mark(_count(value["maxId"]) if value and "maxId" in value else 0)
    return _decoded_removal(key, value)


def _decoded_removal(key: dict[str, Any], value: dict[str, Any] | None) -> LogRecord:
    match key["keytype"]:
        case "DELETE_SUBJECT" if value is not None:
            return SubjectDeleted(_text(key["subject"]), _count(value["version"]))
        case "CLEAR_SUBJECT" if value is not None:
            return SubjectCleared(_text(key["subject"]))
        case other:
            return Unreadable(f"records of type {other} mean nothing here")


def _decoded_schema(subject: str, version: int, value: dict[str, Any] | None) -> LogRecord:
    if value is None:
        return VersionGone(subject, version)
    extra = {name: value[name] for name in _CARRIED if value.get(name)}
    kind = _text(value.get("schemaType") or "AVRO")
    deleted = bool(value.get("deleted", False))
    return SchemaVersion(subject, version, _count(value["id"]), _text(value["schema"]), deleted, kind, extra)


def _scope(key: dict[str, Any]) -> str | None:
    subject = key.get("subject")
    return None if subject is None else _text(subject)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r} is not a count")
    return value
