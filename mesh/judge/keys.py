"""Keys: framed by a schema of the product's key subject, decoded exactly, and the key of the record they are on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from mesh.contract import Contract
from mesh.contract.avro import canonical_form
from mesh.errors import ContractInvalid, MalformedBody
from mesh.judge.frame import PREFIX, fault, heads, prefix, schema_id
from mesh.judge.rows import Resolution, RowCodec
from mesh.types import Finding, SchemaId


class KeyJudge:
    """Judges keys of one product.

    A product with key fields and a compacted product need a key on every record, else ``key.null``. A product with
    ``delete`` clean-up and without key fields takes no key at all, else ``key.unexpected``: nothing in its contract
    would say what such a key is.
    """

    def __init__(self, contract: Contract) -> None:
        self._fields = contract.key_fields
        self._schema = contract.key_schema
        self._needed = bool(contract.key_fields) or contract.cleanup == "compact"
        self._canonical = canonical_form(self._schema)
        self._readers: dict[SchemaId, RowCodec | Resolution] = {}
        self._unreadable: dict[SchemaId, str] = {}
        self._unknown: set[SchemaId] = set()
        self.current: set[bytes] = set()
        """The prefixes of keys written in the contract's own key schema; grows as schemas are learned."""

    def unknown_ids(self, keys: Sequence[bytes | None]) -> set[SchemaId]:
        """Ids in well-framed keys that nobody has told about."""
        if not self._fields:
            return set()
        named = {schema_id(head) for head in heads(keys) if fault(head) is None}
        return named - self._readers.keys() - self._unreadable.keys() - self._unknown

    def learn(self, known: SchemaId, schema: str | None) -> None:
        """Take in what the registry says of an id."""
        self._unknown.discard(known)
        if schema is None:
            self._unknown.add(known)
            return
        try:
            parsed = json.loads(schema)
            codec = RowCodec(parsed)
            same = canonical_form(parsed) == self._canonical
            self._readers[known] = codec if same else Resolution(parsed, self._schema)
        except (ContractInvalid, ValueError, RecursionError) as error:
            self._unreadable[known] = " ".join(str(error).split())
            return
        if same:
            self.current.add(prefix(known))

    def forget_unknown(self) -> None:
        """Drop the negative answers."""
        self._unknown.clear()

    def findings(self, key: bytes | None, record: object) -> Iterator[Finding]:
        """What is wrong with the key of a record; ``record`` is None where there is none to compare with."""
        if key is None:
            if self._needed:
                yield Finding("key.null", "", f"the key is missing; {self._wanted()}")
            return
        if not self._fields:
            if not self._needed:
                yield Finding("key.unexpected", "", "the record has a key, but the contract names no key field")
            return
        try:
            value = self._decode(key)
        except _Refused as refused:
            yield refused.finding
            return
        if isinstance(record, Mapping) and not self._same(value, record):
            reason = f"the key is not that of the record: it differs from {self._names()}"
            yield Finding("key.mismatch", "", reason)

    def _decode(self, key: bytes) -> object:
        found = fault(key)
        if found:
            raise _Refused(Finding(f"key.{found.kind}", "", f"the key {found.reason}"))
        known = schema_id(key)
        reader = self._readers.get(known)
        if reader is None:
            raise _Refused(Finding("key.schema", "", self._why_not(known)))
        try:
            return reader.decode(key[PREFIX:])
        except MalformedBody as error:
            reason = f"the key is not the Avro encoding of a key by schema {known}: {error.reason}"
            raise _Refused(Finding("key.malformed", "", reason)) from None

    def _why_not(self, known: SchemaId) -> str:
        if known in self._unreadable:
            return f"schema {known} of the key cannot be used: {self._unreadable[known]}"
        return f"the key names schema {known}, which is not registered for the keys of this product"

    def passes(self, key: bytes | None, record: Mapping[str, object]) -> bool:
        """Whether there is nothing wrong with the key."""
        return next(self.findings(key, record), None) is None

    def _same(self, key: object, record: Mapping[str, object]) -> bool:
        if len(self._fields) == 1:
            return key == record.get(self._fields[0])
        return isinstance(key, Mapping) and all(key.get(name) == record.get(name) for name in self._fields)

    def _names(self) -> str:
        return ", ".join(self._fields)

    def _wanted(self) -> str:
        if self._fields:
            return f"the key of this product is {self._names()}"
        return "a compacted product keeps records by key"


class _Refused(Exception):
    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(finding.reason)
