"""The unmodified ``confluent_kafka.schema_registry`` client and its Avro serializers against our registry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext
from pydantic import SecretStr

from mesh.registry import RegistryClient
from mesh.registry.memory import MemorySchemaLog
from tests.support.registry import DOMAIN, PLATFORM, served

OBSERVATION = json.dumps(
    {
        "type": "record",
        "name": "Observation",
        "namespace": "weather",
        "fields": [
            {"name": "station", "type": "string"},
            {"name": "wind_speed", "type": ["null", "double"], "default": None},
            {"name": "time", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        ],
    }
)
WIDER = OBSERVATION.replace(
    '{"name": "time"', '{"name": "gust", "type": ["null", "double"], "default": null}, {"name": "time"'
)
NARROWER = OBSERVATION.replace('"double"', '"string"')


@pytest.fixture
def url() -> Iterator[str]:
    with served(MemorySchemaLog()) as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[Any]:
    with _client(url, DOMAIN) as client:
        yield client


def _client(url: str, login: tuple[str, str] | None) -> Any:
    user = {"basic.auth.user.info": ":".join(login)} if login else {}
    return SchemaRegistryClient({"url": url, "max.retries": 1, "retries.wait.ms": 10, **user})


def test_the_serializer_registers_and_the_deserializer_reads(url: str, client: Any) -> None:
    context = SerializationContext("weather.raw", MessageField.VALUE)
    record = {"station": "EWR", "wind_speed": 10.4, "time": 1_357_000_000_000}
    payload = AvroSerializer(client, OBSERVATION)(record, context)
    assert payload is not None and payload[0] == 0
    assert int.from_bytes(payload[1:5], "big") == client.get_latest_version("weather.raw-value").schema_id
    with _client(url, None) as anonymous:
        read = AvroDeserializer(anonymous)(payload, context)
    assert isinstance(read, dict)
    assert (read["station"], read["wind_speed"]) == ("EWR", 10.4)


@pytest.mark.parametrize(
    "configuration",
    [{"auto.register.schemas": False}, {"auto.register.schemas": False, "use.latest.version": True}, {}],
)
def test_every_way_to_find_the_schema_of_an_applied_contract(url: str, configuration: dict[str, Any]) -> None:
    subject, context = "d.p.v1.ingress-value", SerializationContext("d.p.v1.ingress", MessageField.VALUE)
    with RegistryClient(url, PLATFORM[0], SecretStr(PLATFORM[1])) as platform:
        schema_id = platform.register(subject, OBSERVATION, product="d.p")
    with _client(url, DOMAIN) as client:
        serialise = AvroSerializer(client, OBSERVATION, conf=configuration)
        payload = serialise({"station": "JFK", "wind_speed": None, "time": 0}, context)
    assert payload is not None and int.from_bytes(payload[1:5], "big") == schema_id


def test_a_changed_schema_is_not_registered_under_an_applied_contract(url: str) -> None:
    with RegistryClient(url, PLATFORM[0], SecretStr(PLATFORM[1])) as platform:
        platform.register("d.p.v1.ingress-value", OBSERVATION, product="d.p")
    context = SerializationContext("d.p.v1.ingress", MessageField.VALUE)
    with _client(url, DOMAIN) as client:
        serialise = AvroSerializer(client, WIDER)
        with pytest.raises(SchemaRegistryError) as caught:
            serialise({"station": "JFK", "wind_speed": None, "gust": None, "time": 0}, context)
    assert (caught.value.http_status_code, caught.value.error_code) == (422, 42205)


def test_reading_with_a_newer_schema(client: Any) -> None:
    context = SerializationContext("t", MessageField.VALUE)
    payload = AvroSerializer(client, OBSERVATION)({"station": "LGA", "wind_speed": 1.0, "time": 0}, context)
    read = AvroDeserializer(client, WIDER)(payload, context)
    assert isinstance(read, dict) and read["gust"] is None


def test_versions_and_lookups(client: Any) -> None:
    schema = Schema(OBSERVATION, "AVRO")
    first = client.register_schema("s-value", schema)
    second = client.register_schema("s-value", Schema(WIDER, "AVRO"))
    assert client.register_schema("other-value", schema) == first != second
    assert client.get_schema(first).schema_str == json.dumps(json.loads(OBSERVATION), separators=(",", ":"))
    assert client.lookup_schema("s-value", schema).version == 1
    assert client.lookup_schema("s-value", schema, normalize_schemas=True).schema_id == first
    latest = client.get_latest_version("s-value")
    assert (latest.version, latest.schema_id, latest.subject) == (2, second, "s-value")
    assert client.get_schema_by_guid(latest.guid).schema_str == latest.schema.schema_str
    assert client.get_version("s-value", 1).schema_id == first
    assert client.get_versions("s-value") == [1, 2]
    assert client.get_subjects() == ["other-value", "s-value"]
    assert client.get_subjects(subject_prefix="s-") == ["s-value"]
    assert client.get_subjects_by_schema_id(first) == ["other-value", "s-value"]
    assert [(each.subject, each.version) for each in client.get_schema_versions(second)] == [("s-value", 2)]
    assert client.get_schema_types() == ["AVRO"]
    assert client.get_contexts() == ["."]
    assert client.get_referenced_by("s-value", 1) == []


def test_compatibility_and_settings(client: Any) -> None:
    client.register_schema("s-value", Schema(OBSERVATION, "AVRO"))
    assert client.test_compatibility("s-value", Schema(WIDER, "AVRO"))
    assert not client.test_compatibility("s-value", Schema(NARROWER, "AVRO"))
    assert not client.test_compatibility_all_versions("s-value", Schema(NARROWER, "AVRO"))
    with pytest.raises(SchemaRegistryError) as caught:
        client.register_schema("s-value", Schema(NARROWER, "AVRO"))
    assert caught.value.http_status_code == 409
    assert client.get_compatibility() == "BACKWARD"
    assert client.set_compatibility("s-value", "FULL_TRANSITIVE") == {"compatibility": "FULL_TRANSITIVE"}
    assert client.get_compatibility("s-value") == "FULL_TRANSITIVE"
    assert client.get_config("s-value").compatibility_level.value == "FULL_TRANSITIVE"
    assert client.get_global_mode() == "READWRITE"
    client.update_mode("s-value", "READONLY")
    assert client.get_mode("s-value") == "READONLY"
    client.delete_mode("s-value")
    client.delete_config("s-value")


def test_deletion(client: Any) -> None:
    client.register_schema("s-value", Schema(OBSERVATION, "AVRO"))
    client.register_schema("s-value", Schema(WIDER, "AVRO"))
    assert client.delete_version("s-value", 1) == 1
    assert client.get_versions("s-value") == [2]
    assert client.delete_subject("s-value") == [2]
    assert client.get_subjects() == [] and client.get_subjects(deleted=True) == ["s-value"]
    assert client.delete_subject("s-value", permanent=True) == [1, 2]
    assert client.get_subjects(deleted=True) == []


@pytest.mark.parametrize(
    ("login", "status", "code"), [(None, 401, 40101), (("weather", "wrong"), 401, 40101), (DOMAIN, 422, 42201)]
)
def test_errors_arrive_as_the_client_knows_them(
    url: str, login: tuple[str, str] | None, status: int, code: int
) -> None:
    with _client(url, login) as client, pytest.raises(SchemaRegistryError) as caught:
        client.register_schema(
            "s-value", Schema('{"type":"record","name":"L","fields":[{"name":"l","type":"L"}]}', "AVRO")
        )
    assert (caught.value.http_status_code, caught.value.error_code) == (status, code)
