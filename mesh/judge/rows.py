"""Avro bodies to records and back, for people and for shapes that columns cannot hold: strict both ways."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Final

from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.read import SchemaResolutionError
from fastavro.schema import SchemaParseException, UnknownType

from mesh.contract.avro import AvroSchema
from mesh.contract.shape import Shape, shape_of
from mesh.errors import ContractInvalid, EncodingRefused, MalformedBody
from mesh.judge.decoder import Decoder
from mesh.judge.defaults import make_native
from mesh.judge.strict import strict

__all__ = ["EncodingRefused", "MalformedBody", "Resolution", "RowCodec"]

_FAULTS: Final = (ValueError, TypeError, OverflowError, KeyError, AttributeError, IndexError, EOFError)
_UNREADABLE: Final = (SchemaParseException, UnknownType, ValueError, TypeError, KeyError, AttributeError)


class RowCodec:
    """Records of one schema.

    Plain values by default: numbers for timestamps and dates, bytes for decimals, text for enums and UUIDs. With
    ``logical`` decoding gives Python's own types. Encoding takes either, always.
    """

    def __init__(self, schema: AvroSchema, *, logical: bool = False) -> None:
        """Compile; raises ContractInvalid for what is not Avro or is recursive."""
        self.shape: Shape = shape_of(schema)
        self._decoder = Decoder(self.shape, logical=logical)
        self._check = strict(self.shape)
        self._written = _parsed(schema)

    def encode(self, record: object) -> bytes:
        """The body of a record; raises EncodingRefused with the path of what is not exactly of the schema."""
        plain = self._check(record)
        out = io.BytesIO()
        try:
            schemaless_writer(out, self._written, plain)
        except _FAULTS as error:
            raise EncodingRefused("", f"cannot be encoded ({type(error).__name__})") from None
        return out.getvalue()

    def decode(self, body: bytes) -> object:
        """The record of a body; raises MalformedBody for everything but the encoding of one (see ``decoder``)."""
        return self._decoder.decode(body)


class Resolution:
    """Reads bodies of one schema as records of another, by Avro's rules of resolution.

    A field that the writer did not have takes the reader's default, and null where there is none: the contract's
    clauses then say whether it may be missing.
    """

    def __init__(self, writer: AvroSchema, reader: AvroSchema) -> None:
        """Compile; raises ContractInvalid for what is not Avro or is recursive."""
        self._decoder = Decoder(shape_of(writer))
        self._writer, self._reader = _parsed(writer), _parsed(_lenient(reader))

    def decode(self, body: bytes) -> object:
        """The record; raises MalformedBody, also where a value of the writer has no counterpart at the reader."""
        self._decoder.decode(body)
        try:
            value: object = schemaless_reader(io.BytesIO(body), self._writer, self._reader)
        except (SchemaResolutionError, *_FAULTS):
            raise MalformedBody("it cannot be read by the schema of the contract") from None
        return value


def _parsed(schema: AvroSchema) -> Any:
    try:
        return make_native(parse_schema(_plain(schema)))
    except _UNREADABLE as error:
        raise ContractInvalid([f"the record: not an Avro schema: {error}"]) from None


def _plain(schema: Any) -> Any:
    """The schema without logical types, which fastavro would convert."""
    if isinstance(schema, list):
        return [_plain(branch) for branch in schema]
    if not isinstance(schema, Mapping):
        return schema
    plain = {name: part for name, part in schema.items() if name not in ("logicalType", "precision", "scale")}
    for name in ("type", "items", "values"):
        if name in plain:
            plain[name] = _plain(plain[name])
    if "fields" in plain:
        plain["fields"] = [{**part, "type": _plain(part["type"])} for part in plain["fields"]]
    return plain


def _lenient(schema: Any) -> Any:
    """The same reader, to which no field is indispensable."""
    if isinstance(schema, list):
        return [_lenient(branch) for branch in schema]
    if not isinstance(schema, Mapping):
        return schema
    lenient = dict(schema)
    for name in ("items", "values"):
        if name in lenient:
            lenient[name] = _lenient(lenient[name])
    if "fields" in lenient:
        lenient["fields"] = [_optional({**part, "type": _lenient(part["type"])}) for part in lenient["fields"]]
    return lenient


def _optional(part: dict[str, Any]) -> dict[str, Any]:
    if "default" in part:
        return part
    branches = part["type"] if isinstance(part["type"], list) else [part["type"]]
    return {**part, "type": ["null", *(branch for branch in branches if branch != "null")], "default": None}
