"""What is exported is valid under the official schemas, for every contract there is and for hostile ones."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator, Draft201909Validator

from mesh.contract import Contract
from mesh.contract.export import asyncapi, json_text, odps, yaml_text
from tests.support.exports import everything

STANDARDS = Path(__file__).parent / "standards"

every_contract = pytest.mark.parametrize("name", sorted(everything()))


@cache
def asyncapi_standard() -> Draft7Validator:
    schema = json.loads((STANDARDS / "asyncapi-3.1.0-without-id.json").read_text("utf-8"))
    return Draft7Validator(schema, format_checker=Draft7Validator.FORMAT_CHECKER)


@cache
def odps_standard() -> Draft201909Validator:
    schema = json.loads((STANDARDS / "odps-json-schema-v1.0.0.json").read_text("utf-8"))
    return Draft201909Validator(schema, format_checker=Draft201909Validator.FORMAT_CHECKER)


def faults(standard: Draft7Validator | Draft201909Validator, document: Any) -> list[str]:
    return [f"{error.json_path}: {error.message[:200]}" for error in standard.iter_errors(document)]


def references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for each in node for found in references(each)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if set(node) == {"$ref"} else []
    return own + [found for each in node.values() for found in references(each)]


def resolved(document: Any, reference: str) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        document = document[step.replace("%25", "%").replace("~1", "/").replace("~0", "~")]
    return document


@every_contract
def test_an_asyncapi_document_is_valid_and_its_references_lead_somewhere(name: str) -> None:
    document = asyncapi([everything()[name]])
    assert faults(asyncapi_standard(), document) == []
    assert references(document)
    for reference in references(document):
        assert resolved(document, reference)


def test_all_products_are_one_asyncapi_document() -> None:
    one_each = list({contract.topics.public: contract for contract in everything().values()}.values())
    document = asyncapi(one_each)
    assert faults(asyncapi_standard(), document) == []
    assert len(document["channels"]) == len(document["operations"]) == 2 * len(one_each)


@every_contract
def test_a_data_product_is_valid(name: str) -> None:
    assert faults(odps_standard(), odps([everything()[name]])) == []


@every_contract
def test_a_data_product_with_its_inputs_is_valid(name: str) -> None:
    document = odps([everything()[name]], known=list(everything().values()))
    assert faults(odps_standard(), document) == []
    derivation = everything()[name].derivation
    assert len(document.get("inputPorts", ())) == (0 if derivation is None else len(derivation.inputs))


def test_the_official_schema_refuses_an_input_port_without_a_version() -> None:
    document = odps([everything()["delays"]], known=list(everything().values()))
    del document["inputPorts"][0]["version"]
    assert faults(odps_standard(), document) == ["$.inputPorts[0]: 'version' is a required property"]


@every_contract
def test_the_texts_are_the_documents_and_the_same_every_time(name: str) -> None:
    contract = everything()[name]
    again = Contract.parse(contract.document.dump(), "again")
    for export in (asyncapi, odps):
        document = export([contract])
        assert yaml.safe_load(yaml_text(document)) == json.loads(json_text(document)) == document
        assert yaml_text(export([again])) == yaml_text(document)


def test_the_official_schemas_refuse_what_is_wrong() -> None:
    contract = everything()["draft"]
    document, product = asyncapi([contract]), odps([contract])
    topic = contract.topics.public
    document["channels"][topic]["bindings"]["kafka"]["partitions"] = "three"
    document["components"]["schemas"][topic]["schema"]["fields"][0]["name"] = "not a name"
    del product["outputPorts"][0]["version"]
    assert len(faults(asyncapi_standard(), document)) == 2
    assert faults(odps_standard(), product) == ["$.outputPorts[0]: 'version' is a required property"]
