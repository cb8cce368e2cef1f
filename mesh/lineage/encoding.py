"""Manifests as framed Avro and back; reading needs no registry, the format version selects a built-in schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any
from uuid import UUID

from mesh.errors import LineageBroken, MalformedBody
from mesh.judge.frame import frame, unframe
from mesh.judge.rows import RowCodec
from mesh.lineage.manifest import FORMAT, Basis, HighWater, Manifest, SchemaSeen, Span, TopicIds
from mesh.lineage.offsets import OffsetSet
from mesh.lineage.settlement import Result, Settlement
from mesh.lineage.stop import Stop, StopCause
from mesh.lineage.varint import VarintReader, unzigzag
from mesh.types import SchemaId

_WHAT = "a manifest"
_OFFSET_SETS = ("delivered", "refused", "repeated", "parked", "released", "stubs")
_PLAIN = (
    "product",
    "cluster_id",
    "partition",
    "epoch",
    "sequence",
    "previous",
    "ingress_from",
    "ingress_to",
    "sha256_in",
    "sha256_out",
    "origins",
    "parents",
    "created_at",
    "gate",
)


def _field(name: str, kind: object, doc: str = "") -> dict[str, object]:
    return {"name": name, "type": kind, **({"doc": doc} if doc else {})}


def _record(name: str, **fields: object) -> dict[str, object]:
    return {"type": "record", "name": name, "fields": [_field(field, kind) for field, kind in fields.items()]}


def _fixed(name: str, size: int) -> dict[str, object]:
    return {"type": "fixed", "name": name, "size": size}


def manifest_schema(version: int = FORMAT) -> dict[str, object]:
    """The Avro schema of a format, by default of the one this code writes, in parsed-JSON form, for the registry."""
    offsets = "ascending offsets: form byte, then varints (0: gap, length - 1 of each run; 1: gaps of single offsets)"
    span = _record("Span", base="long", count="long")
    schema_seen = _record("SchemaSeen", schema_id="int", fingerprint="string", key="boolean")
    high_water = _record(
        "HighWater", processor="string", topic_id="TopicId", partition="int", offset="long", output_index="long"
    )
    topics = _record(
        "TopicIds",
        ingress=_fixed("TopicId", 16),
        public="TopicId",
        quarantine="TopicId",
        state=["null", "TopicId"],
        commands=["null", "TopicId"],
    )
    fields = [
        _field("format", "int", "version of this layout"),
        _field("product", "string"),
        _field("cluster_id", "string"),
        _field("partition", "int"),
        _field("epoch", "int", "grows when an offset is reset or a topic is re-created"),
        _field("sequence", "long", "within the epoch, from 0"),
        _field("previous", "bytes", "SHA-256 of the previous manifest's framed payload; empty for the first"),
        _field("topics", topics),
        _field("ingress_from", "long"),
        _field("ingress_to", "long", "exclusive; the next manifest of the epoch begins here"),
        *(_field(name, "bytes", offsets) for name in _OFFSET_SETS),
        _field("public", span, "with count 0 the base is the next offset, carried forward"),
        _field("quarantine", "Span"),
        _field("schemas", {"type": "array", "items": schema_seen}),
        _field("sha256_in", _fixed("Sha256", 32), "over the delivered records, stubs left out"),
        _field("sha256_out", "Sha256", "over the records on the public topic"),
        _field("event_time", ["null", _record("EventTime", minimum="long", maximum="long")], "epoch milliseconds"),
        _field("high_water", {"type": "array", "items": high_water}),
        _field(
            "basis",
            _record("Basis", contract_id="string", contract_version="string", rule_set="string", build="string"),
        ),
        _field("clause_counts", {"type": "map", "values": "long"}),
        _field("origins", "bytes", "one per delivered record, column-wise"),
        _field("parents", "bytes", "of derived records; empty for source products"),
        _field("created_at", "long", "epoch milliseconds"),
        _field("gate", "string", "transactional id"),
    ]
    fields += _settlement_fields() if version > 1 else []
    fields += _standing_fields() if version > 2 else []
    return {"type": "record", "name": "Manifest", "namespace": "mesh.lineage", "fields": fields}


def _settlement_fields() -> list[dict[str, object]]:
    """What format 2 added, with defaults, so that readers of either understand both."""
    settlement = _record(
        "Settlement",
        command="long",
        quarantined="long",
        ingress="long",
        result="string",
        actor="string",
        reason="string",
        patch="string",
    )
    before = "lineage offset of the newest earlier manifest with settlements; -1: none"
    return [
        _field("settlements", {"type": "array", "items": settlement}) | {"default": []},
        _field("settled_before", "long", before) | {"default": -1},
        _field("commands_next", "long", "next offset of the partition of commands") | {"default": 0},
    ]


def _standing_fields() -> list[dict[str, object]]:
    """What format 3 added: whether the partition stands still, and how much is held in it."""
    stop = _record(
        "Stop",
        cause="string",
        offset="long",
        reason="string",
        contract_version="string",
        since="long",
        resumed="boolean",
    )
    return [
        _field("stop", ["null", stop], "why the partition stands still") | {"default": None},
        _field("keys_held", "long") | {"default": 0},
        _field("records_parked", "long") | {"default": 0},
    ]


def manifest_schema_json() -> str:
    """The same as text, always the same bytes, so that registering it twice gives one id."""
    return json.dumps(manifest_schema(), separators=(",", ":"))


@cache
def _codec(version: int) -> RowCodec:
    if not 1 <= version <= FORMAT:
        raise LineageBroken(_WHAT, f"its format {version} is unknown to this build; update the mesh")
    return RowCodec(manifest_schema(version))


def encode_manifest(manifest: Manifest, schema_id: SchemaId) -> bytes:
    """The framed payload of the lineage topic."""
    row: dict[str, Any] = {name: getattr(manifest, name) for name in _PLAIN}
    row |= {name: getattr(manifest, name).encode() for name in _OFFSET_SETS}
    row |= {
        "format": FORMAT,
        "topics": _topics_row(manifest.topics),
        "public": {"base": manifest.public.base, "count": manifest.public.count},
        "quarantine": {"base": manifest.quarantine.base, "count": manifest.quarantine.count},
        "schemas": [{"schema_id": s.schema_id, "fingerprint": s.fingerprint, "key": s.key} for s in manifest.schemas],
        "event_time": _event_time_row(manifest.event_time),
        "high_water": [_high_water_row(mark) for mark in manifest.high_water],
        "basis": {name: getattr(manifest.basis, name) for name in Basis.__slots__},
        "clause_counts": dict(manifest.clause_counts),
        "settlements": [_settlement_row(each) for each in manifest.settlements],
        "settled_before": manifest.settled_before,
        "commands_next": manifest.commands_next,
        "stop": _stop_row(manifest.stop),
        "keys_held": manifest.keys_held,
        "records_parked": manifest.records_parked,
    }
    return frame(schema_id, _codec(FORMAT).encode(row))


def decode_manifest(payload: bytes) -> Manifest:
    """Read a framed payload; the id in the frame is not looked up. Raises LineageBroken for what is no manifest."""
    try:
        _, body = unframe(payload)
        row = _codec(_version(body)).decode(body)
    except MalformedBody as error:
        raise LineageBroken(_WHAT, f"its bytes are damaged: {error}") from None
    if not isinstance(row, dict):
        raise LineageBroken(_WHAT, "it is not a record")
    return _manifest(row)


def _version(body: bytes) -> int:
    return unzigzag(VarintReader(body, _WHAT).integer())


def _manifest(row: Mapping[str, Any]) -> Manifest:
    sets: dict[str, Any] = {name: OffsetSet.decode(row[name]) for name in _OFFSET_SETS}
    time = row["event_time"]
    return Manifest(
        **{name: row[name] for name in _PLAIN},
        **sets,
        topics=_topics(row["topics"]),
        public=Span(**row["public"]),
        quarantine=Span(**row["quarantine"]),
        schemas=tuple(SchemaSeen(**seen) for seen in row["schemas"]),
        event_time=(time["minimum"], time["maximum"]) if time is not None else None,
        high_water=tuple(_high_water(mark) for mark in row["high_water"]),
        basis=Basis(**row["basis"]),
        clause_counts=row["clause_counts"],
        settlements=tuple(_settlement(each) for each in row.get("settlements", ())),
        settled_before=row.get("settled_before", -1),
        commands_next=row.get("commands_next", 0),
        stop=_stop(row.get("stop")),
        keys_held=row.get("keys_held", 0),
        records_parked=row.get("records_parked", 0),
    )


def _stop_row(stop: Stop | None) -> dict[str, object] | None:
    return {name: getattr(stop, name) for name in Stop.__slots__} | {"cause": str(stop.cause)} if stop else None


def _stop(row: Mapping[str, Any] | None) -> Stop | None:
    return Stop(**{**row, "cause": StopCause(row["cause"])}) if row is not None else None


def _settlement_row(settlement: Settlement) -> dict[str, object]:
    return {name: getattr(settlement, name) for name in Settlement.__slots__} | {"result": str(settlement.result)}


def _settlement(row: Mapping[str, Any]) -> Settlement:
    return Settlement(**{**row, "result": Result(row["result"])})


def _topics_row(topics: TopicIds) -> dict[str, bytes | None]:
    ids = {name: getattr(topics, name) for name in TopicIds.__slots__}
    return {name: topic_id and topic_id.bytes for name, topic_id in ids.items()}


def _topics(row: Mapping[str, bytes | None]) -> TopicIds:
    ids: dict[str, Any] = {name: topic_id and UUID(bytes=topic_id) for name, topic_id in row.items()}
    return TopicIds(**ids)


def _event_time_row(bounds: tuple[int, int] | None) -> dict[str, int] | None:
    return {"minimum": bounds[0], "maximum": bounds[1]} if bounds is not None else None


def _high_water_row(mark: HighWater) -> dict[str, object]:
    return {name: getattr(mark, name) for name in HighWater.__slots__} | {"topic_id": mark.topic_id.bytes}


def _high_water(row: Mapping[str, Any]) -> HighWater:
    return HighWater(**{**row, "topic_id": UUID(bytes=row["topic_id"])})
