"""What a document becomes, and every reason why one does not become a contract."""

from __future__ import annotations

from typing import Any

import pytest

from mesh.contract import Contract, Role
from mesh.types import ProductName
from tests.support.documents import Workbench


def test_a_plain_document_is_read(bench: Workbench) -> None:
    contract = bench.contract()
    assert (contract.id, str(contract), contract.status) == ("visas-applications", "visas.applications 1.2.0", "active")
    assert contract.product == ProductName("visas", "applications")
    assert (contract.major, contract.topics.public) == (1, "visas.applications.v1")
    assert (contract.key_fields, contract.key_schema) == (("ref",), "string")
    assert (contract.partitions, contract.cleanup, contract.compatibility) == (1, "delete", "BACKWARD_TRANSITIVE")
    assert (contract.owner, contract.description, contract.event_time, contract.roles) == ("", "", None, ())


def test_head_owner_and_roles_are_read(bench: Workbench) -> None:
    def change(source: dict[str, Any]) -> None:
        source["team"] = {"name": "visa-desk"}
        source["description"] = {"purpose": "Lets others\n  react."}
        properties = {"purposes": ["case-work"], "principals": ["case-desk"], "maxGrantDays": 30}
        custom = [{"property": name, "value": value} for name, value in properties.items()]
        source["roles"] = [{"role": "reader", "access": "read", "customProperties": custom}]

    contract = bench.contract(change)
    assert (contract.owner, contract.description) == ("visa-desk", "Lets others react.")
    assert contract.roles == (Role("reader", "read", ("case-work",), ("case-desk",), 30),)


def test_data_product_names_nothing(bench: Workbench) -> None:
    assert bench.contract(lambda source: source.update(dataProduct="Other Thing")).product.name == "applications"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": "1.2"}, "c.yaml:4: version: version is '1.2'; write major.minor.patch"),
        ({"version": "2.0.0"}, "should end in .v2, the major of version 2.0.0"),
        ({"domain": "passports"}, "the topic visas.applications.v1 does not begin with the domain passports"),
        ({"schema": []}, "there are 0 schema objects"),
        (
            {"roles": [{"role": "r", "customProperties": [{"property": "purposes", "value": "x"}]}]},
            "is a list of names",
        ),
        (
            {"roles": [{"role": "r", "customProperties": [{"property": "principals", "value": ["_mesh.gate"]}]}]},
            "'_mesh.gate'",
        ),
        (
            {"roles": [{"role": "r", "customProperties": [{"property": "maxGrantDays", "value": 0}]}]},
            "maxGrantDays is 0",
        ),
    ],
)
def test_the_head_is_checked(bench: Workbench, change: dict[str, Any], told: str) -> None:
    problems = bench.problems(lambda source: source.update(change))
    assert len(problems) == 1
    assert told in problems[0]


@pytest.mark.parametrize("topic", ["visas.Applications.v1", "visas.a_b.v1", "visas.applications", "v1", "visas.a.b.v1"])
def test_the_topic_says_domain_product_and_major(bench: Workbench, topic: str) -> None:
    problems = bench.field_problems(physicalName=topic)
    assert any(problem.startswith("c.yaml:9: schema[0].physicalName:") for problem in problems)


def test_a_document_without_domain_or_topic_says_both(bench: Workbench) -> None:
    def change(source: dict[str, Any]) -> None:
        del source["domain"], source["schema"][0]["physicalName"]

    problems = bench.problems(change)
    assert [("domain is missing" in p) or ("physicalName is missing" in p) for p in problems] == [True, True]


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ({"name": "x"}, "x has no logicalType"),
        ({"name": "x-y", "logicalType": "string"}, "'x-y' is not a field name"),
        ({"name": "fee", "logicalType": "string"}, "the field fee is already there in line 17"),
        ({"name": "x", "logicalType": "integer", "physicalType": "string"}, "x is integer, which string cannot hold"),
        (
            {"name": "x", "logicalType": "integer", "physicalType": "bigint"},
            "'bigint' is not a physical type; for integer",
        ),
        ({"name": "x", "logicalType": "string", "physicalType": "fixed"}, "'fixed' is not a physical type"),
        ({"name": "x", "logicalType": "string", "physicalType": "fixed(0)"}, "'fixed(0)' is not a physical type"),
        (
            {"name": "x", "logicalType": "number", "physicalType": "bytes/decimal"},
            "'bytes/decimal' is not a physical type",
        ),
        ({"name": "x", "logicalType": "array"}, "x is an array without items"),
        ({"name": "x", "logicalType": "object"}, "x is a record without properties"),
        ({"name": "x", "logicalType": "string", "physicalType": "enum"}, "x: an enum needs avroSymbols"),
        (
            {"name": "x", "logicalType": "integer", "physicalType": "int", "logicalTypeOptions": {"format": "i64"}},
            "format i64 is not the width of physicalType int (i32)",
        ),
    ],
)
def test_fields_are_checked(bench: Workbench, field: dict[str, Any], told: str) -> None:
    problems = bench.field_problems(field)
    assert [told in problem for problem in problems] == [True]


def custom(**properties: Any) -> list[dict[str, Any]]:
    return [{"property": name, "value": value} for name, value in properties.items()]


def when(name: str = "at", **more: Any) -> dict[str, Any]:
    return {"name": name, "logicalType": "timestamp", "physicalType": "long/timestamp-millis", "required": True} | more


def test_the_event_time_is_a_required_timestamp(bench: Workbench) -> None:
    assert bench.fields(when(), customProperties=custom(eventTime="at")).event_time == "at"


@pytest.mark.parametrize(
    ("field", "path", "told"),
    [
        (when(), "att", "the event time 'att' is not a field"),
        (when(required=False), "at", "the event time at must be required"),
        (
            when(logicalType="integer", physicalType="long"),
            "at",
            "the event time at must be required and long/timestamp",
        ),
    ],
)
def test_an_event_time_that_is_none_is_refused(bench: Workbench, field: dict[str, Any], path: str, told: str) -> None:
    assert told in bench.field_problems(field, customProperties=custom(eventTime=path))[0]


def test_the_latency_element_names_the_event_time_too(bench: Workbench) -> None:
    def change(source: dict[str, Any]) -> None:
        bench.extend(source, when())
        source["slaProperties"] = [{"property": "latency", "value": 1, "unit": "s", "element": "Application.at"}]

    assert bench.contract(change).event_time == "at"


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        (custom(eventtime="fee"), "the custom property eventtime is not known; did you mean eventTime?"),
        (custom(compatibility="SIDEWAYS"), "'SIDEWAYS' is not a compatibility mode"),
        (custom(keySchema={"type": "record", "name": "K", "fields": [{"name": "x", "type": "int"}]}), "are others"),
        (custom(keySchema={"type": "array", "items": "null"}), "key: the record: its items take no bytes"),
    ],
)
def test_the_settings_of_the_record_are_checked(bench: Workbench, properties: Any, told: str) -> None:
    problems = bench.field_problems(customProperties=properties)
    assert [told in problem for problem in problems] == [True]


def test_custom_properties_of_other_tools_pass(bench: Workbench) -> None:
    assert bench.fields(customProperties=custom(owner="x", partitionStrategy="y"))


def test_a_key_of_several_fields_is_in_the_order_of_positions(bench: Workbench) -> None:
    def change(source: dict[str, Any]) -> None:
        ref, fee = source["schema"][0]["properties"]
        ref["primaryKeyPosition"] = 2
        fee.update(primaryKey=True, primaryKeyPosition=1, required=True)

    contract = bench.contract(change)
    assert contract.key_fields == ("fee", "ref")
    names = [field["name"] for field in contract.key_schema["fields"]]  # type: ignore[index,call-overload]
    assert names == ["fee", "ref"]


def test_a_key_field_is_required_and_has_its_own_position(bench: Workbench) -> None:
    def change(source: dict[str, Any]) -> None:
        ref, fee = source["schema"][0]["properties"]
        ref["primaryKeyPosition"] = 1
        fee.update(primaryKey=True, primaryKeyPosition=1)

    problems = bench.problems(change)
    assert "fee is part of the key; write required: true" in problems[0]
    assert "fee and ref both have primaryKeyPosition 1" in problems[1]


def test_a_product_without_a_key_has_the_null_schema_and_cannot_be_compacted(bench: Workbench) -> None:
    def keyless(source: dict[str, Any]) -> None:
        del source["schema"][0]["properties"][0]["primaryKey"]

    def compacted(source: dict[str, Any]) -> None:
        keyless(source)
        source["schema"][0]["customProperties"] = custom(topic={"cleanupPolicy": "compact"})

    assert bench.contract(keyless).key_schema_json == '"null"'
    assert "a compacted product needs a key" in bench.problems(compacted)[0]


def test_a_recursive_schema_is_refused_at_its_field(bench: Workbench) -> None:
    raw = {"type": "record", "name": "L", "fields": [{"name": "next", "type": ["null", "L"]}]}
    field = {"name": "chain", "logicalType": "object", "customProperties": custom(avroType=raw)}
    problems = bench.field_problems(field)
    assert [("chain.next: L contains itself" in problem) for problem in problems] == [True]


def test_names_that_collide_when_flattened_are_refused(bench: Workbench) -> None:
    inner = {"name": "b", "logicalType": "string"}
    fields = ({"name": "a_b", "logicalType": "string"}, {"name": "a", "logicalType": "object", "properties": [inner]})
    assert "collides with a_b" in bench.field_problems(*fields)[0]


def test_digests_tell_documents_and_rule_sets_apart(bench: Workbench) -> None:
    plain = bench.contract()
    renamed = bench.contract(lambda source: source.update(name="Other"))
    bound = {"name": "fee", "logicalType": "integer", "physicalType": "long", "logicalTypeOptions": {"minimum": 0}}
    tightened = bench.contract(lambda source: source["schema"][0]["properties"].__setitem__(1, bound))
    assert plain == bench.contract()
    assert len({plain, renamed, tightened}) == 3
    assert plain.rule_set_digest == renamed.rule_set_digest != tightened.rule_set_digest


def test_a_dumped_document_makes_the_same_contract(bench: Workbench) -> None:
    contract = bench.contract()
    assert Contract.parse(contract.document.dump()) == contract
