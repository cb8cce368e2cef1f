"""The first document of a product, out of what is known of its records: a person goes on from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mesh.contract.avro import canonical_form
from mesh.contract.contract import Contract
from mesh.contract.infer.hints import Hints, key_pairs
from mesh.contract.infer.profile import Profile, profiled
from mesh.contract.infer.schema import RecordSchema
from mesh.contract.infer.values import infer_properties
from mesh.contract.standard import API_VERSION
from mesh.contract.writing import Remarks, written_out
from mesh.types import ProductName

_EVENT_TIMES = ("long/timestamp-millis", "long/timestamp-micros")
_PROPERTIES = ("schema", 0, "properties")
_CUSTOM = ("schema", 0, "customProperties", 0)
_TODO = "TODO:"


@dataclass(frozen=True, slots=True)
class Topic:
    """What a topic, or a registry, says beside the values: partitions, clean-up, and the schema of its keys.

    ``key_fields`` are the fields whose values every sampled key was made of; None for ``key`` where it is not known.
    """

    partitions: int = 1
    cleanup: str = "delete"
    key: Any = None
    key_fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a draft comes from: ``source`` as people are told, what it will be called, and what may be shown.

    ``numbers`` where numbers can only be texts, as in CSV; without ``values`` nothing of the data is written down.
    """

    source: str
    product: ProductName
    version: str = "1.0.0"
    numbers: bool = False
    values: bool = True
    topic: Topic = field(default_factory=Topic)


def draft_of_records(origin: Origin, records: Sequence[dict[str, Any]]) -> str:
    """A document for records of which nothing but a sample is known; raises ContractInvalid for what Avro lacks."""
    profile = profiled(list(records))
    properties = infer_properties(profile, origin.source, numbers=origin.numbers)
    name = "".join(part.capitalize() for part in origin.product.name.split("-"))
    return _draft(origin, RecordSchema(name, None, "", (), properties), profile, records)


def draft_of_schema(origin: Origin, schema: RecordSchema, records: Sequence[dict[str, Any]] = ()) -> str:
    """A document for records of a schema, with what a sample of them suggests; raises ContractInvalid."""
    return _draft(origin, schema, profiled(list(records)), records)


def _draft(origin: Origin, schema: RecordSchema, profile: Profile, records: Sequence[dict[str, Any]]) -> str:
    sure = {node["name"] for node in schema.properties if node.get("required")}
    key = origin.topic.key_fields if sure.issuperset(origin.topic.key_fields) else ()
    properties = [_with_key(_described(node), key) for node in schema.properties]
    document = _document(origin, schema, properties)
    hints = Hints(origin.numbers, origin.values)
    if records:
        hints.properties(properties, profile, _PROPERTIES, top=not key)
    hints.before[()] = _head(origin, len(records))
    if not key:
        _about_keys(hints, origin.topic, properties, records)
    _about_time(hints, properties)
    text = written_out(document, Remarks(hints.before, hints.after))
    contract = Contract.parse(text, f"the draft of {origin.source}")
    if origin.topic.key in (None, "null") or canonical_form(contract.key_schema) == canonical_form(origin.topic.key):
        return text
    document["schema"][0]["customProperties"].append({"property": "keySchema", "value": origin.topic.key})
    return written_out(document, Remarks(hints.before, hints.after))


def _head(origin: Origin, count: int) -> list[str]:
    sampled = f", {count:,} record{'' if count == 1 else 's'}" if count else ""
    lines = [f"Drafted from {origin.source}{sampled}. Fill in what says TODO, then: mesh contract check FILE"]
    if count:
        lines += [
            "Types and required are what all of these records keep. What they only suggest is a comment: uncomment",
            "what is promised, and widen what was chance.",
        ]
    return lines


def _described(node: dict[str, Any]) -> dict[str, Any]:
    """A property with a description, its own or one to be filled in, and so everything below it."""
    told = node.get("description") or f"{_TODO} what {node['name']} is" + _unit(node)
    head = {"name": node["name"], "description": told}
    rest = {key: value for key, value in node.items() if key not in head}
    if "properties" in rest:
        rest["properties"] = [_described(each) for each in rest["properties"]]
    if "properties" in rest.get("items", {}):
        rest["items"] = rest["items"] | {"properties": [_described(each) for each in rest["items"]["properties"]]}
    return head | rest


def _unit(node: Mapping[str, Any]) -> str:
    return ", and in which unit" if node["logicalType"] in ("integer", "number") else ""


def _with_key(node: dict[str, Any], key: Sequence[str]) -> dict[str, Any]:
    """A property, marked if it is part of the key, beside the word that it is required."""
    if node["name"] not in key:
        return node
    marks = {"primaryKey": True, "primaryKeyPosition": key.index(node["name"]) + 1}
    head = {name: node[name] for name in ("name", "description", "logicalType", "physicalType", "required")}
    return head | marks | {name: value for name, value in node.items() if name not in head}


def _about_keys(
    hints: Hints, topic: Topic, properties: Sequence[dict[str, Any]], records: Sequence[dict[str, Any]]
) -> None:
    if topic.key not in (None, "null"):
        told = "The keys are no field's value as far as was seen; mark what they are made of primaryKey: true, with its"
        hints.before[_PROPERTIES] = [told, "primaryKeyPosition. Without such a field the gate takes no keys."]
        return
    alone = any("primaryKey: true" in lines for lines in hints.after.values())
    pairs = [] if alone else key_pairs(properties, records)
    if pairs:
        told = "; ".join(" and ".join(pair) for pair in pairs)
        hints.before[_PROPERTIES] = [f"No field alone tells the sampled records apart, but together do: {told}."]


def _about_time(hints: Hints, properties: Sequence[dict[str, Any]]) -> None:
    times = [node["name"] for node in properties if node.get("required") and node["physicalType"] in _EVENT_TIMES]
    if times:
        told = [f"- {{property: eventTime, value: {name}}}" for name in times]
        hints.before[_CUSTOM] = ["When it happened, if a field says so:", *told]


def _document(origin: Origin, schema: RecordSchema, properties: list[dict[str, Any]]) -> dict[str, Any]:
    product, major = origin.product, origin.version.partition(".")[0]
    title = product.name.replace("-", " ").capitalize()
    return {
        "apiVersion": API_VERSION,
        "kind": "DataContract",
        "id": f"{product.domain}-{product.name}",
        "name": title,
        "version": origin.version,
        "status": "draft",
        "domain": product.domain,
        "dataProduct": product.name,
        "description": {
            "purpose": f"{_TODO} what one record says, and what the product is for",
            "usage": f"{_TODO} how to read it, and what to join it with",
            "limitations": f"{_TODO} what it must not be used for, and what is missing in it",
        },
        "schema": [
            {
                "name": schema.name,
                "physicalName": f"{product}.v{major}",
                "physicalType": "topic",
                "logicalType": "object",
                "description": schema.doc or f"{_TODO} what one record is",
                "customProperties": _custom(origin, schema),
                "properties": properties,
            }
        ],
        "team": {"name": f"{product.domain} team"},
    }


def _custom(origin: Origin, schema: RecordSchema) -> list[dict[str, Any]]:
    topic = origin.topic
    said: dict[str, Any] = {
        "topic": {"partitions": topic.partitions, "cleanupPolicy": topic.cleanup},
        "compatibility": "BACKWARD_TRANSITIVE",
    }
    if schema.namespace not in (None, origin.product.domain.replace("-", "_")):
        said["avroNamespace"] = schema.namespace
    if schema.aliases:
        said["avroAliases"] = list(schema.aliases)
    if topic.cleanup == "compact" and not topic.key_fields and topic.key is not None:
        said["keySchema"] = topic.key  # what is compacted needs a key to be a contract at all
    return [{"property": name, "value": value} for name, value in said.items()]
