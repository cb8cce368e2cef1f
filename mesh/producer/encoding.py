"""Records of one product as the bytes that go to its ingress."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from pydantic import BaseModel

from mesh.contract import AvroSchema, Contract
from mesh.errors import EncodingRefused, NotFound, UsageError
from mesh.judge.frame import prefix
from mesh.judge.rows import RowCodec
from mesh.producer.compiled import UNUSUAL, compile_encoder
from mesh.producer.models import as_plain
from mesh.types import SchemaId


class SchemaIds(Protocol):
    """What a publisher needs of a registry; it never registers anything."""

    def lookup(self, subject: str, schema: str) -> SchemaId | None:
        """The id of a schema under a subject; None when it is not registered there."""


class RecordEncoder:
    """Encodes strictly by the schemas of a contract, framed with the ids its ingress subjects have.

    Raises EncodingRefused with the path of what does not fit. Construction raises NotFound when the contract's schemas
    are not registered: it was never applied.
    """

    def __init__(self, contract: Contract, registry: SchemaIds) -> None:
        self.product, self.key_fields = contract.product, contract.key_fields
        self.value_id = _registered(registry, f"{contract.topics.ingress}-value", contract.value_schema_json)
        self.key_id: SchemaId | None = None
        self._value = _framed(self.value_id, contract.value_schema)
        self._key: Callable[[object], bytes] | None = None
        if contract.key_fields:
            self.key_id = _registered(registry, f"{contract.topics.ingress}-key", contract.key_schema_json)
            self._key = _framed(self.key_id, contract.key_schema)

    def value(self, record: Mapping[str, Any] | BaseModel) -> bytes:
        """A record as a payload."""
        return self._value(as_plain(record))

    def key_of(self, record: Mapping[str, Any] | BaseModel) -> bytes | None:
        """The key that the primary key's fields of a record make; None for a product without keys."""
        if self._key is None:
            return None
        fields = as_plain(record)
        try:
            if len(self.key_fields) == 1:
                return self._key(fields[self.key_fields[0]])
            return self._key({name: fields[name] for name in self.key_fields})
        except KeyError as error:
            raise EncodingRefused(str(error.args[0]), "is missing") from None

    def key(self, key: object) -> bytes:
        """A key as a payload: a value for one key field, a mapping by field name or a model for several."""
        if self._key is None:
            raise UsageError(f"{self.product} has no key; leave it out")
        return self._key(as_plain(key))


def _registered(registry: SchemaIds, subject: str, schema: str) -> SchemaId:
    found = registry.lookup(subject, schema)
    if found is None:
        raise NotFound("schema of this contract under the subject", subject, "apply the contract first: mesh apply")
    return found


def _framed(schema_id: SchemaId, schema: AvroSchema) -> Callable[[object], bytes]:
    head, codec = prefix(schema_id), RowCodec(schema)
    exact, compiled = codec.encode, compile_encoder(codec.shape)
    if compiled is None:
        return lambda value: head + exact(value)

    def framed(value: object) -> bytes:
        try:
            return head + compiled(value)
        except UNUSUAL:
            return head + exact(value)

    return framed
