"""What is inside a quarantined record, in JSON's own values, without what its classification hides."""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any, Final, Protocol

from mesh.contract import Contract
from mesh.errors import ContractInvalid, MalformedBody, NotFound
from mesh.gate.quarantine.record import Quarantined
from mesh.judge.frame import PREFIX, schema_id, unframe
from mesh.judge.reasons import hidden_paths
from mesh.judge.rows import RowCodec
from mesh.types import SchemaId

HIDDEN: Final = "(classified)"
"""Stands where a value's classification keeps it from being shown."""


class Schemas(Protocol):
    """What reading a record needs of a registry."""

    def ids(self, subject: str) -> Mapping[SchemaId, int]:
        """The ids registered under a subject; empty for no such subject. Raises RegistryUnreachable."""

    def schema(self, schema_id: SchemaId) -> str:
        """The text of a schema; raises NotFound, RegistryUnreachable."""


class Contents:
    """Reads the keys and values of one product's quarantine.

    With ``reveal`` classified values are shown too; whoever asks for that answers for it.
    """

    def __init__(self, contract: Contract, schemas: Schemas, *, reveal: bool = False) -> None:
        self._contract, self._schemas, self._reveal = contract, schemas, reveal
        self._hidden = frozenset() if reveal else hidden_paths(contract.fields)
        self._described = {field.name for field in contract.fields}
        self._codecs: dict[bytes, RowCodec | None] = {}

    @property
    def hides(self) -> bool:
        """Whether something of a record may not be shown."""
        return bool(self._hidden)

    def value(self, record: Quarantined) -> dict[str, Any] | None:
        """The record by field names; None when it is null or cannot be read. Raises RegistryUnreachable."""
        found = self._decoded(record.value) if not record.stub else None
        if not isinstance(found, dict):
            return None
        # A field that only an earlier version had may have been classified then.
        strange = frozenset() if self._reveal else found.keys() - self._described
        return shown(found, self._hidden | strange)

    def key(self, record: Quarantined) -> Any:
        """The key; None when it is null or cannot be read."""
        return self.key_of(record.key)

    def key_of(self, payload: bytes | None) -> Any:
        """A key by its bytes; None when it is null or cannot be read."""
        found = self._decoded(payload)
        if isinstance(found, dict):
            return shown(found, self._hidden)
        hidden = any(name in self._hidden for name in self._contract.key_fields)
        return HIDDEN if hidden and found is not None else json_of(found)

    def bytes_of(self, record: Quarantined) -> str | None:
        """The value's bytes in base64, for one that cannot be read; None where they could hold what is hidden."""
        return None if record.value is None or self.hides else b64encode(record.value).decode()

    def event_time(self, record: Quarantined) -> datetime | None:
        """When it says it happened; None where it cannot be known."""
        path, found = self._contract.event_time, self._decoded(record.value)
        for step in path.split(".") if path else ():
            found = found.get(step) if isinstance(found, Mapping) else None
        return found if isinstance(found, datetime) else None

    def _decoded(self, payload: bytes | None) -> object:
        try:
            _, body = unframe(payload or b"")
            codec = self._codec(payload or b"")
            return codec.decode(body) if codec is not None else None
        except MalformedBody:
            return None

    def _codec(self, payload: bytes) -> RowCodec | None:
        head = payload[:PREFIX]
        if head not in self._codecs:
            self._codecs[head] = self._compiled(schema_id(payload))
        return self._codecs[head]

    def _compiled(self, written: SchemaId) -> RowCodec | None:
        """None for the schema of another product: what that one classifies nobody here knows."""
        ingress = self._contract.topics.ingress
        if not any(written in self._schemas.ids(f"{ingress}-{part}") for part in ("value", "key")):
            return None
        try:
            return RowCodec(json.loads(self._schemas.schema(written)), logical=True)
        except (NotFound, ContractInvalid):
            return None


def shown(record: Mapping[str, Any], hidden: frozenset[str], path: str = "") -> dict[str, Any]:
    """A record in JSON's own values, with the values at hidden paths replaced."""
    return {name: _shown(value, hidden, f"{path}.{name}".removeprefix(".")) for name, value in record.items()}


def _shown(value: Any, hidden: frozenset[str], path: str) -> Any:
    if path in hidden:
        return HIDDEN if value is not None else None
    if isinstance(value, Mapping):
        return shown(value, hidden, path)
    if isinstance(value, list):
        return [_shown(item, hidden, f"{path}[]") for item in value]
    return json_of(value)


_TEXTS: Final[Mapping[type, Callable[[Any], str]]] = {
    datetime: lambda value: str(value.isoformat()).replace("+00:00", "Z"),
    date: date.isoformat,
    time: time.isoformat,
    bytes: lambda value: b64encode(value).decode(),
}


def json_of(value: Any) -> Any:
    """One value as JSON has it: times in ISO 8601, bytes in base64, decimals and NaN as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return _TEXTS.get(type(value), str)(value)
