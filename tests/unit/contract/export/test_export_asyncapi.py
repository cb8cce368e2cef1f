"""What an AsyncAPI document says of a product."""

from __future__ import annotations

from typing import Any

import pytest

from mesh.contract import Contract
from mesh.contract.export import asyncapi
from mesh.errors import UsageError
from tests.support.contracts import Draft
from tests.support.documents import Workbench
from tests.support.exports import everything


def servers(*nodes: dict[str, Any]) -> Contract:
    return Workbench().contract(lambda source: source.update(servers=list(nodes)))


def test_a_program_receives_from_the_public_topic_and_sends_to_the_ingress() -> None:
    document = asyncapi([everything()["flights"]])
    receive, send = document["operations"].values()
    assert (receive["action"], receive["channel"]["$ref"]) == ("receive", "#/channels/operations.flights.v1")
    assert (send["action"], send["channel"]["$ref"]) == ("send", "#/channels/operations.flights.v1.ingress")
    assert document["info"]["title"] == "Flights"
    assert document["info"]["contact"] == {"name": "flight-operations"}
    assert "servers" not in document


def test_a_channel_has_the_topics_own_configuration() -> None:
    channels = asyncapi([everything()["flights"]])["channels"]
    binding = channels["operations.flights.v1"]["bindings"]["kafka"]
    assert (binding["topic"], binding["partitions"], binding["bindingVersion"]) == ("operations.flights.v1", 4, "0.5.0")
    assert binding["topicConfiguration"]["cleanup.policy"] == ["delete"]
    assert binding["topicConfiguration"]["retention.ms"] == 400 * 86_400_000
    ingress = channels["operations.flights.v1.ingress"]["bindings"]["kafka"]["topicConfiguration"]
    assert (ingress["compression.type"], ingress["message.timestamp.type"]) == ("uncompressed", "LogAppendTime")
    assert channels["operations.flights.v1"]["x-compatibility"] == "BACKWARD_TRANSITIVE"


def test_a_setting_that_is_no_number_where_the_binding_wants_one_is_left_out() -> None:
    (public, _) = asyncapi([everything()["configured"]])["channels"].values()
    settings = public["bindings"]["kafka"]["topicConfiguration"]
    assert settings["retention.bytes"] == -1
    assert "delete.retention.ms" not in settings


def test_a_message_has_the_derived_schemas_and_says_where_their_ids_are() -> None:
    contract = everything()["flights"]
    components = asyncapi([contract])["components"]
    message, payload = components["messages"]["operations.flights.v1"], components["schemas"]["operations.flights.v1"]
    assert payload == {
        "schemaFormat": "application/vnd.apache.avro+json;version=1.9.0",
        "schema": contract.value_schema,
    }
    binding = message["bindings"]["kafka"]
    assert binding["schemaIdLocation"] == "payload"
    assert binding["x-key-avro"] == contract.key_schema
    assert list(binding["key"]["properties"]) == list(contract.key_fields)
    assert message["headers"]["properties"].keys() == {"mesh-origin"}


def test_a_product_without_a_key_has_none_and_a_deprecated_one_says_so() -> None:
    (message,) = asyncapi([everything()["keyless"]])["components"]["messages"].values()
    assert "key" not in message["bindings"]["kafka"]
    assert message["deprecated"] is True


def test_declared_headers_are_told() -> None:
    (message,) = asyncapi([everything()["hostile"]])["components"]["messages"].values()
    assert message["headers"]["required"] == ["plain", "trace-id"]
    assert list(message["headers"]["properties"]) == ["mesh-origin", "plain", "trace-id"]


def test_servers_are_those_of_the_contract_with_their_registry_and_security() -> None:
    properties = [{"property": "registry", "value": "https://registry.example.org"}]
    safe = {"server": "coast", "type": "kafka", "host": "kafka.example.org:9093", "customProperties": properties}
    plain = [{"property": "security", "value": "sasl_plaintext"}]
    local = {"server": "desk", "type": "kafka", "host": "localhost:9092", "customProperties": plain}
    other = {"server": "lake", "type": "local", "path": "x.parquet", "format": "parquet"}
    document = asyncapi([servers(safe, local, other)])
    assert {name: server["protocol"] for name, server in document["servers"].items()} == {
        "coast": "kafka-secure",
        "desk": "kafka",
    }
    assert document["servers"]["coast"]["bindings"]["kafka"]["schemaRegistryUrl"] == "https://registry.example.org"
    assert document["components"]["securitySchemes"]["scram"]["type"] == "scramSha512"
    (public, _) = document["channels"].values()
    assert public["servers"] == [{"$ref": "#/servers/coast"}, {"$ref": "#/servers/desk"}]


def test_two_clusters_of_one_name_are_told_apart() -> None:
    def at(host: str) -> dict[str, Any]:
        return {"server": "main", "type": "kafka", "host": host}

    one = servers(at("a.example.org:9093"))
    draft = Draft(product="posts.letters").contract()
    source = dict(draft.document.source, servers=[at("b.example.org:9093")])
    other = Contract.parse(type(draft.document)(source).dump())
    document = asyncapi([one, other])
    assert sorted(document["servers"]) == ["main", "main.visas.applications.v1"]
    (back,) = document["channels"]["visas.applications.v1"]["servers"]
    assert back == {"$ref": "#/servers/main.visas.applications.v1"}


def test_no_contract_and_one_topic_twice_are_refused() -> None:
    with pytest.raises(UsageError, match="at least one"):
        asyncapi([])
    with pytest.raises(UsageError, match=r"weather\.observations\.v1 is described by two"):
        asyncapi([Draft().contract(), Draft(version="1.3.0").contract()])
