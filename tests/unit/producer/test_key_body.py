"""Keys as people type them become the bytes that publishers write."""

from __future__ import annotations

from typing import Any

import pytest

from mesh.contract import Contract
from mesh.errors import UsageError
from mesh.judge.rows import RowCodec
from mesh.producer import key_body
from tests.support.contracts import Draft

GATE = {
    "name": "gate",
    "logicalType": "integer",
    "physicalType": "int",
    "required": True,
    "primaryKey": True,
    "primaryKeyPosition": 2,
}


def encoded(contract: Contract, key: Any) -> bytes:
    return RowCodec(contract.key_schema).encode(key)


def test_one_field_is_its_text() -> None:
    contract = Draft().contract()
    assert key_body(contract, "EWR") == encoded(contract, "EWR")


def test_several_fields_are_a_json_object() -> None:
    contract = Draft(extra=[GATE]).contract()
    assert key_body(contract, '{"station": "EWR", "gate": 7}') == encoded(contract, {"station": "EWR", "gate": 7})
    for text in ("EWR", '{"station": "EWR"}', '{"station": "EWR", "gate": "seven"}'):
        with pytest.raises(UsageError, match="is no key of"):
            key_body(contract, text)


def test_a_product_without_a_key_has_none() -> None:
    with pytest.raises(UsageError, match="has no key"):
        key_body(Draft(key=None).contract(), "EWR")
