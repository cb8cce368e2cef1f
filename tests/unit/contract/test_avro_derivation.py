"""The Avro schemas derived from documents, held to golden files and to fastavro."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import fastavro
import pytest

from mesh.contract import Contract
from mesh.contract.avro import canonical_form, fingerprint, lint

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
CONTRACTS = HERE.parents[2] / "contracts"
DOCUMENTS = [GOLDEN / "everything.odcs.yaml", *sorted(CONTRACTS.rglob("*.odcs.yaml"))]


def golden(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name.partition(".")[0])
def test_the_schemas_are_the_golden_ones(path: Path) -> None:
    contract = Contract.read(path)
    assert contract.value_schema == golden(GOLDEN / f"{contract.product}.value.avsc")
    assert contract.key_schema == golden(GOLDEN / f"{contract.product}.key.avsc")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name.partition(".")[0])
def test_the_text_is_the_same_every_time_and_fastavro_takes_it(path: Path) -> None:
    first, second = Contract.read(path), Contract.read(path)
    assert first.value_schema_json == second.value_schema_json
    for text in (first.value_schema_json, first.key_schema_json):
        assert lint(json.loads(text)) == []
        fastavro.parse_schema(json.loads(text))


def test_a_record_of_every_type_goes_through_the_derived_schema() -> None:
    schema = fastavro.parse_schema(Contract.read(GOLDEN / "everything.odcs.yaml").value_schema)
    record = {
        "text": "a",
        "number": 1,
        "real": 1.5,
        "digest": b"0123456789abcdef",
        "rate": b"\x00" * 8,
        "moment": 1,
        "colour": "RED",
        "place": {"street": "s", "point": {"lat": 1.0, "lon": 2.0}},
        "gaps": [1, None],
        "visits": [{"at": 2}],
        "labels": {"a": 1},
        "wide": 7,
        "number_by_default": 0.0,
    }
    body = io.BytesIO()
    fastavro.schemaless_writer(body, schema, record)
    body.seek(0)
    again: Any = fastavro.schemaless_reader(body, schema, None)
    assert again["place"] == record["place"]
    assert (again["level"], again["big"], again["gaps"]) == (3, None, [1, None])


def test_the_default_namespace_is_the_domain_without_hyphens() -> None:
    assert Contract.read(GOLDEN / "everything.odcs.yaml").value_schema["namespace"] == "proof_room"


def test_the_canonical_form_drops_what_does_not_change_the_bytes() -> None:
    plain = {"type": "record", "name": "n.R", "fields": [{"name": "a", "type": "long"}]}
    dressed = {
        "name": "R",
        "namespace": "n",
        "doc": "d",
        "type": "record",
        "fields": [{"type": {"type": "long"}, "name": "a", "default": 1, "doc": "x"}],
    }
    expected = '{"name":"n.R","type":"record","fields":[{"name":"a","type":"long"}]}'
    assert canonical_form(plain) == canonical_form(dressed) == expected
    assert fingerprint(plain) == fingerprint(dressed)


def test_the_fingerprint_is_the_known_one_of_the_primitive() -> None:
    # SHA-256 of the canonical form "int" (with its quotes), as the Avro specification has it.
    assert fingerprint("int") == "3f2b87a9fe7cc9b13835598c3981cd45e3e355309e5090aa0933d7becb6fba45"
