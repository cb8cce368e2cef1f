"""Contracts as an AsyncAPI 3.1.0 document (https://www.asyncapi.com/docs/reference/specification/v3.1.0)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mesh.contract.contract import Contract
from mesh.contract.export.asyncapi_schema import AVRO_FORMAT, json_schema, portable_avro
from mesh.contract.export.writing import Node, given, one_line, record_of
from mesh.contract.fields import custom
from mesh.contract.shape import shape_of
from mesh.errors import UsageError

VERSION: Final = "3.1.0"
# Version of the Kafka binding: https://github.com/asyncapi/bindings/tree/master/kafka
_BINDING: Final = "0.5.0"
_SCHEME: Final = "scram"
_OPEN: Final = ("PLAINTEXT", "SASL_PLAINTEXT")
_NUMBERS: Final = {"retention.ms": -1, "retention.bytes": -1, "delete.retention.ms": 0, "max.message.bytes": 0}
"""Settings that the binding wants as numbers, with the least each may be."""

# A subscription's name is its consumer group.
_GROUP: Final = {"type": "string", "pattern": "^[a-z][a-z0-9-]*$", "description": "The name of the subscription."}
_ORIGIN: Final = {"type": "string", "description": "Where in the source system the record came from."}


def asyncapi(contracts: Sequence[Contract]) -> Node:
    """The document for a program that reads and publishes these products.

    Each product gives two channels, the public topic to receive from and the ingress to send to, with the derived Avro
    schema. The compatibility mode has no place in the standard and is said in ``x-compatibility``. Raises UsageError
    for no contract at all, or for one topic twice.
    """
    if not contracts:
        raise UsageError("name at least one contract to describe")
    _check_topics(contracts)
    documents = [_Product(contract) for contract in sorted(contracts, key=lambda each: each.topics.public)]
    servers = _Servers()
    channels = {name: channel for each in documents for name, channel in each.channels(servers).items()}
    operations = {name: operation for each in documents for name, operation in each.operations().items()}
    components = {
        "messages": {each.topic: each.message() for each in documents},
        "schemas": {each.topic: each.payload() for each in documents},
        "securitySchemes": {
            _SCHEME: {"type": "scramSha512", "description": "Every program is a principal of its own."}
        },
    }
    info = _info([each.contract for each in documents])
    head = {"asyncapi": VERSION, "info": info, "defaultContentType": "avro/binary"}
    return (
        head | given(servers=servers.found) | {"channels": channels, "operations": operations, "components": components}
    )


def _check_topics(contracts: Sequence[Contract]) -> None:
    topics = [contract.topics.public for contract in contracts]
    twice = sorted({topic for topic in topics if topics.count(topic) > 1})
    if twice:
        raise UsageError(f"{twice[0]} is described by two of these contracts; name one file for each product and major")


def _info(contracts: Sequence[Contract]) -> Node:
    first, source = contracts[0], contracts[0].document.source
    if len(contracts) == 1:
        title, told = source.get("name") or str(first.product), _description(source)
    else:
        title = f"Data products: {', '.join(sorted({str(each.product) for each in contracts}))}"
        told = "\n".join(f"- {each.product} {each.version}: {each.description}".rstrip(": ") for each in contracts)
    version = max((each.version for each in contracts), key=lambda text: [int(part) for part in text.split(".")])
    owners = sorted({each.owner for each in contracts if each.owner})
    tags = sorted({str(tag) for each in contracts for tag in each.document.source.get("tags", ())})
    return {"title": str(title), "version": version} | given(
        description=told,
        contact=given(name=", ".join(owners)),
        tags=[{"name": tag} for tag in tags],
    )


def _description(source: Mapping[str, Any]) -> str:
    told = source.get("description", {})
    return "\n\n".join(one_line(told[part]) for part in ("purpose", "usage", "limitations") if told.get(part))


class _Servers:
    """The Kafka clusters of all documents; two of one name that differ are told apart by the topic."""

    def __init__(self) -> None:
        self.found: dict[str, Node] = {}

    def named(self, contract: Contract) -> list[str]:
        """The names under which a contract's servers are in the document."""
        return [
            self._add(str(node["server"]), _server(node), contract)
            for node in contract.document.source.get("servers", ())
            if node.get("type") == "kafka"
        ]

    def _add(self, name: str, server: Node, contract: Contract) -> str:
        if self.found.setdefault(name, server) != server:
            name = f"{name}.{contract.topics.public}"
            self.found[name] = server
        return name


def _server(node: Mapping[str, Any]) -> Node:
    said = custom(node)
    security = str(said.get("security") or said.get("securityProtocol") or "").upper()
    registry = said.get("registry")
    binding = given(schemaRegistryUrl=registry, schemaRegistryVendor="confluent" if registry else None)
    return {
        "host": str(node["host"]),
        "protocol": "kafka" if security in _OPEN else "kafka-secure",
        **given(description=one_line(node.get("description"))),
        "security": [_reference("components", "securitySchemes", _SCHEME)],
        "bindings": {"kafka": {**binding, "bindingVersion": _BINDING}},
    }


class _Product:
    """One contract's part of the document."""

    def __init__(self, contract: Contract) -> None:
        self.contract, self.topic = contract, str(contract.topics.public)
        self._name = str(contract.value_schema["name"])

    def channels(self, servers: _Servers) -> dict[str, Node]:
        """The public topic and the ingress."""
        contract = self.contract
        names = servers.named(contract)
        public = "Records that their contract has accepted. Only the gate writes here; read committed."
        ingress = "Where granted publishers write; the gate judges each record and passes it on or to the quarantine."
        said = given(**{"x-status": contract.status, "x-compatibility": contract.compatibility})
        return {
            self.topic: self._channel(self.topic, public, contract.topic_config, names) | said,
            contract.topics.ingress: self._channel(contract.topics.ingress, ingress, contract.ingress_config, names),
        }

    def _channel(self, topic: str, told: str, config: Mapping[str, str], servers: Sequence[str]) -> Node:
        binding = {
            "topic": topic,
            "partitions": self.contract.partitions,
            "topicConfiguration": _configuration(config),
            "bindingVersion": _BINDING,
        }
        return {
            "address": topic,
            "description": told,
            **given(servers=[_reference("servers", name) for name in servers]),
            "messages": {self._name: _reference("components", "messages", self.topic)},
            "bindings": {"kafka": binding},
        }

    def operations(self) -> dict[str, Node]:
        """Receiving from the public topic and sending to the ingress."""
        group = {"kafka": {"groupId": _GROUP, "bindingVersion": _BINDING}}
        product, ingress = f"{self.contract.product} v{self.contract.major}", self.contract.topics.ingress
        return {
            f"receive.{self.topic}": {
                **self._operation("receive", self.topic, f"Subscribe to {product}."),
                "bindings": group,
            },
            f"send.{self.topic}": self._operation("send", ingress, f"Publish to {product}."),
        }

    def _operation(self, action: str, topic: str, summary: str) -> Node:
        return {
            "action": action,
            "channel": _reference("channels", topic),
            "summary": summary,
            "security": [_reference("components", "securitySchemes", _SCHEME)],
            "messages": [_reference("channels", topic, "messages", self._name)],
        }

    def message(self) -> Node:
        """The record as it travels: framed by the registry's five bytes, key and value under ids of their own."""
        contract, record = self.contract, record_of(self.contract)
        key = contract.key_schema
        binding = {
            **given(key=None if key == "null" else json_schema(shape_of(key))),
            "schemaIdLocation": "payload",
            "schemaIdPayloadEncoding": "confluent",
            "schemaLookupStrategy": "TopicNameStrategy",
            "bindingVersion": _BINDING,
            **({} if key == "null" else {"x-key-avro": key}),
        }
        return {
            "name": self._name,
            **given(title=one_line(record.get("businessName")), summary=one_line(record.get("description"))),
            "contentType": "avro/binary",
            **({"deprecated": True} if contract.status in ("deprecated", "retired") else {}),
            "headers": _headers(contract),
            "payload": _reference("components", "schemas", self.topic),
            "bindings": {"kafka": binding},
        }

    def payload(self) -> Node:
        """The value schema."""
        return {"schemaFormat": AVRO_FORMAT, "schema": portable_avro(self.contract.value_schema)}


def _configuration(config: Mapping[str, str]) -> Node:
    """A topic's configuration with the types that the binding has for it; a number that is none is left out."""
    typed: Node = {}
    for name, text in config.items():
        if name == "cleanup.policy":
            typed[name] = [part.strip() for part in text.split(",")]
        elif name not in _NUMBERS:
            typed[name] = text
        elif text.removeprefix("-").isdecimal() and int(text) >= _NUMBERS[name]:
            typed[name] = int(text)
    return typed


def _headers(contract: Contract) -> Node:
    """The headers of a record: the publisher's origin, and those that the contract wants of every record."""
    properties = {"mesh-origin": _ORIGIN} | {name: {"type": "string"} for name in contract.headers}
    return {"type": "object", "properties": properties, **given(required=sorted(contract.headers))}


def _reference(*steps: str) -> Node:
    """A reference into this document; names are escaped as JSON Pointer and URI fragments demand."""
    return {"$ref": "#/" + "/".join(step.replace("~", "~0").replace("/", "~1").replace("%", "%25") for step in steps)}
