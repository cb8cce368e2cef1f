"""A key as people type it, in the bytes that it has on every topic."""

from __future__ import annotations

import json

from mesh.contract import Contract
from mesh.contract.shape import Record, shape_of
from mesh.errors import EncodingRefused, UsageError
from mesh.judge.rows import RowCodec
from mesh.producer.reading import cell_reader


def key_body(contract: Contract, text: str) -> bytes:
    """The Avro body of a key, without a frame: as a cell of a CSV, or a JSON object where the key has several fields.

    Raises UsageError for a product without a key and for text that is no key of it.
    """
    if not contract.key_fields:
        raise UsageError(f"{contract.product} has no key")
    shape = shape_of(contract.key_schema)
    try:
        return RowCodec(contract.key_schema).encode(cell_reader(shape)(text))
    except (ValueError, KeyError, EncodingRefused) as error:
        wanted = json.dumps(dict.fromkeys(contract.key_fields, "...")) if isinstance(shape, Record) else "its value"
        told = f"{text!r} is no key of {contract.product} ({error}); write {wanted}"
        raise UsageError(told) from None
