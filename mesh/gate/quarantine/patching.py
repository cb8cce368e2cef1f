"""Applying a correction to a quarantined record: decode, set, encode again with the schema it was written with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from mesh.errors import ContractInvalid, UsageError
from mesh.gate.quarantine.command import Patch, to_json
from mesh.gate.quarantine.contents import HIDDEN, Schemas
from mesh.judge.frame import frame, unframe
from mesh.judge.rows import RowCodec
from mesh.types import SchemaId

_LONGEST: Final = 2_000
"""Characters of a patch that a manifest carries; of a longer one the paths and a digest."""


class Patching:
    """Applies patches to the payloads of one product."""

    def __init__(self, schemas: Schemas, key_fields: Collection[str]) -> None:
        self._schemas, self._key_fields = schemas, frozenset(key_fields)
        self._codecs: dict[SchemaId, RowCodec] = {}

    def apply(self, payload: bytes | None, patch: Patch) -> bytes:
        """The corrected payload.

        Raises UsageError, EncodingRefused and MalformedBody where the patch does not fit, NotFound for an unknown
        schema, RegistryUnreachable.
        """
        if patch.record is not None:
            if patch.schema_id is None:
                raise UsageError("a whole record needs the id of the schema it is to be written with")
            return frame(patch.schema_id, self.codec(patch.schema_id).encode(dict(patch.record)))
        if payload is None:
            raise UsageError("the value is null, so there is nothing to set")
        written, body = unframe(payload)
        record = self.codec(written).decode(body)
        if not isinstance(record, dict):
            raise UsageError("the value is not a record")
        for path, value in patch.values.items():
            self._set(record, path, value)
        return frame(written, self.codec(written).encode(record))

    def codec(self, written: SchemaId) -> RowCodec:
        """The codec of a schema, with plain values; raises NotFound, RegistryUnreachable, UsageError."""
        if written not in self._codecs:
            try:
                self._codecs[written] = RowCodec(json.loads(self._schemas.schema(written)))
            except ContractInvalid:
                raise UsageError(f"schema {written} cannot be used") from None
        return self._codecs[written]

    def _set(self, record: dict[str, Any], path: str, value: Any) -> None:
        if path in self._key_fields:
            raise UsageError(f"{path} is part of the key; discard the record and publish it again under the right key")
        *parents, name = path.split(".")
        target: Any = record
        for step in parents:
            target = target.get(step) if isinstance(target, dict) else None
        if not isinstance(target, dict) or name not in target:
            raise UsageError(f"there is no {path} in the record")
        target[name] = value


def told(patch: Patch | None, hidden: Collection[str]) -> str:
    """A patch as lineage tells it: JSON without classified values, empty for none."""
    if patch is None:
        return ""
    if patch.record is not None:
        return json.dumps({"record": _digest(patch.record), "schema_id": patch.schema_id})
    values = {path: HIDDEN if _hides(path, hidden) else to_json(value) for path, value in patch.values.items()}
    text = json.dumps({"set": values}, ensure_ascii=False)
    return text if len(text) <= _LONGEST else json.dumps({"set": sorted(values), "digest": _digest(patch.values)})


def _hides(path: str, hidden: Collection[str]) -> bool:
    """Whether something classified lies at, above or below a path: a value set there would show it."""
    return any(
        path == each or path.startswith(f"{each}.") or each.startswith((f"{path}.", f"{path}[")) for each in hidden
    )


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(to_json(content), sort_keys=True, ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode(errors='replace')).hexdigest()}"
