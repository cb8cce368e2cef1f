"""The standard's refusals in plain English."""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import Any

import pytest

from mesh.contract.document import Document
from mesh.contract.standard import check

HEAD = "apiVersion: v3.1.0\nkind: DataContract\nid: x\nversion: 1.0.0\nstatus: active\n"


def told(text: str) -> list[str]:
    return list(check(Document.parse(text, "d.yaml")))


def test_a_minimal_document_passes() -> None:
    assert told(HEAD) == []


@pytest.mark.parametrize("missing", ["id", "version", "status"])
def test_a_missing_field_is_named(missing: str) -> None:
    text = "".join(line for line in HEAD.splitlines(keepends=True) if not line.startswith(f"{missing}:"))
    assert told(text) == [f"d.yaml:1: {missing} is missing"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "topic: a\n",
            "d.yaml:6: topic: the standard knows no key 'topic' in the top level; the topic's name is schema[]",
        ),
        (
            "quality: []\n",
            "d.yaml:6: quality: the standard knows no key 'quality' in the top level; it belongs on a schema",
        ),
        (
            "physicalName: x\n",
            "d.yaml:6: physicalName: the standard knows no key 'physicalName' in the top level; the stan",
        ),
        ("sttaus: x\n", "d.yaml:6: sttaus: the standard knows no key 'sttaus' in the top level; did you mean status?"),
        ("team: 3\n", "d.yaml:6: team: 3 has none of the shapes the standard allows here"),
        ("team:\n  name: 3\n", "d.yaml:7: team.name: 3 should be text; put it in quotes"),
        ("tags: x\n", 'd.yaml:6: tags: "x" should be a list'),
        ("contractCreatedTs: 2026-01-01\n", 'd.yaml:6: contractCreatedTs: "2026-01-01" is not a date-time'),
        ("slaProperties:\n- {property: x}\n", "d.yaml:7: slaProperties[0]: value is missing"),
        (
            "roles:\n- {role: r, purposes: []}\n",
            "d.yaml:7: roles[0].purposes: the standard knows no key 'purposes' in role",
        ),
        ("support:\n- {}\n", "d.yaml:7: support[0]: channel is missing"),
        ("servers:\n- {server: s, type: kafka}\n", "d.yaml:7: servers[0]: host is missing"),
        (
            "servers:\n- {server: s, type: kafka, host: h, topic: t}\n",
            "d.yaml:7: servers[0].topic: the standard knows no k",
        ),
        (
            "servers:\n- {server: s, type: kafka, host: h, database: t}\n",
            "d.yaml:7: servers[0].database: the standard kn",
        ),
        ("schema:\n- {name: a, id: 'b.c'}\n", 'd.yaml:7: schema[0].id: "b.c" does not match ^[A-Za-z0-9_-]+$'),
    ],
)
def test_one_fault_gives_one_problem_with_path_and_line(body: str, expected: str) -> None:
    problems = told(HEAD + body)
    assert len(problems) == 1
    assert problems[0].startswith(expected)


def test_a_kafka_server_takes_its_own_keys() -> None:
    assert told(HEAD + "servers:\n- {server: s, type: kafka, host: 'h:1', format: avro, environment: prod}\n") == []


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("{metric: rowCount}", "needs exactly one of mustBe, "),
        ("{metric: rowCount, mustBe: 1, mustBeLessThan: 3}", "mustBe and mustBeLessThan are there"),
        ("{metric: rowCount, mustBeLessThan: many}", '"many" should be a number'),
        ("{metric: rowCounts, mustBe: 1}", "did you mean rowCount?"),
        ("{type: custom, engine: cel}", "implementation is missing"),
        ("{metric: rowCount, mustBe: 1, reaction: warn}", "it belongs in customProperties of the quality item"),
    ],
)
def test_a_quality_item_is_told_apart(item: str, expected: str) -> None:
    problems = told(HEAD + f"schema:\n- name: a\n  quality:\n  - {item}\n")
    assert len(problems) == 1
    assert problems[0].startswith("d.yaml:9: schema[0].quality[0]")
    assert expected in problems[0]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("logicalType: strng", "did you mean string?"),
        ("logicalType: map", '"map" is not one of string, date'),
        ("enum: [a]", "v3.1.0 says it as a quality item"),
        ("nullable: true", "write required: true or false"),
        ("logicalType: integer, logicalTypeOptions: {minLength: 3}", "allowed here: exclusiveMaximum"),
        ("logicalType: string, logicalTypeOptions: {minLength: -1}", "-1 is below 0"),
        ("required: 'yes'", '"yes" should be true or false'),
    ],
)
def test_a_property_is_told_apart(entry: str, expected: str) -> None:
    problems = told(HEAD + f"schema:\n- name: a\n  properties:\n  - {{name: b, {entry}}}\n")
    assert [expected in problem for problem in problems] == [True]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ({"kind": "DataProduct"}, "d.yaml:2: kind: kind is 'DataProduct'; a contract is an ODCS document"),
        ({"kind": ""}, "d.yaml:1: kind: kind is missing"),
        ({"apiVersion": "v3.3.0"}, "d.yaml:1: apiVersion: apiVersion is 'v3.3.0'; write apiVersion: v3.1.0"),
        ({"apiVersion": "v2.2.2"}, "d.yaml:1: apiVersion: apiVersion is 'v2.2.2'"),
    ],
)
def test_a_document_of_another_kind_says_only_that(head: dict[str, Any], expected: str) -> None:
    entries = {"apiVersion": "v3.1.0", "kind": "DataContract", "wrong": "x"} | head
    problems = told("".join(f"{key}: {value}\n" for key, value in entries.items() if value))
    assert len(problems) == 1
    assert problems[0].startswith(expected)


def test_other_standards_are_named() -> None:
    assert "AsyncAPI" in told("asyncapi: 3.1.0\n")[0]
    assert "Data Contract Specification" in told("dataContractSpecification: 1.1.0\n")[0]


@pytest.mark.parametrize(
    ("version", "digest"),
    [
        ("v3.1.0", "1a35de14c688b400fef306564f66e2af3304f057cd5cd6e7b847c1a8bf252c5b"),
        ("v3.2.0", "4b530540c9182db45ad879867d9c83a92feefc7c2d911b4b56338b0328070d7c"),
    ],
)
def test_the_schema_is_the_official_one_unchanged(version: str, digest: str) -> None:
    data = resources.files("mesh.contract").joinpath("standards", f"odcs-json-schema-{version}.json").read_bytes()
    assert hashlib.sha256(data).hexdigest() == digest


NEWER = HEAD.replace("v3.1.0", "v3.2.0")
NEWS = """slaProperties:
- {property: latency, value: 5, customProperties: [{property: a, value: 1, vendor: v}]}
context: {instructions: Ask the desk.}
schema:
- name: a
  deprecated: true
  synonyms: [{synonym: b}]
  properties:
  - {name: c, logicalType: string, enum: [{value: X, label: An X}], semanticType: dimension}
  - {name: d, logicalType: map, map: {key: {logicalType: string}, value: {logicalType: integer}}}
"""


def test_what_came_with_3_2_passes_there_and_is_told_apart_in_3_1() -> None:
    assert told(NEWER + NEWS) == []
    refused = told(HEAD + NEWS)
    assert any("logicalType" in each and '"map" is not one of' in each for each in refused)
    assert any("schema[0].deprecated" in each and "it came with v3.2.0" in each for each in refused)
    assert any("properties[0].enum" in each and "v3.1.0 says it as a quality item" in each for each in refused)


def test_a_3_2_document_needs_its_status_and_is_not_told_of_maps_where_a_type_is_missing() -> None:
    assert told(NEWER.replace("status: active\n", "")) == ["d.yaml:1: status is missing"]
    assert told(NEWER + "schema:\n- name: a\n  properties:\n  - {name: b}\n") == []
    assert told(NEWER + "schema:\n- name: a\n  properties:\n  - {name: b, nullable: true}\n") == [
        "d.yaml:9: schema[0].properties[0].nullable: the standard knows no key 'nullable' in schema[0].properties[0]; "
        "write required: true or false"
    ]
    assert "map is missing" in told(NEWER + "schema:\n- {name: a, properties: [{name: b, logicalType: map}]}\n")[0]
