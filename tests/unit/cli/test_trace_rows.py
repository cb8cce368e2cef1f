"""A trace reads as facts and values: unknowns are said, not left out."""

from __future__ import annotations

from dataclasses import replace

from mesh.cli.trace import rows
from mesh.lineage import Basis, Disposition, Fate, Link, ManifestFacts, Place, Presence, RecordFacts, Schema, Trace
from mesh.types import Coordinate, Finding, SchemaId

T = "operations.flights.v1"
TRACE = Trace(
    asked=Coordinate(f"{T}.quarantine", 0, 4),
    place=Place.QUARANTINE,
    product="operations.flights",
    record=RecordFacts(Presence.READABLE, "aa" * 32, 8, 107, 1_700_000_000_000),
    fate=Fate(
        Coordinate(f"{T}.ingress", 0, 17),
        Disposition.QUARANTINED,
        Coordinate(f"{T}.quarantine", 0, 4),
        (Finding("dep_time.maximum", "dep_time", "over 2359"), Finding("key.null", "", "is null")),
        stub=False,
    ),
    origin="flights.csv#18",
    schema=Schema(SchemaId(3), "fe" * 32),
    basis=Basis("urn:flights", "1.0.0", "ab" * 32, "0.1.0"),
    manifest=ManifestFacts(
        Coordinate(f"{T}.lineage", 0, 2), 0, 1, Link.INTACT, "_mesh.gate.default.0", 1_700_000_000_123
    ),
)


def test_a_refused_record() -> None:
    told = list(rows(TRACE))
    assert [value for name, value in told if name == "finding"] == [
        "dep_time.maximum at dep_time: over 2359",
        "key.null at the record: is null",
    ]
    assert dict(told) == {
        "record": f"{T}.quarantine/0/4",
        "key": f"8 bytes, SHA-256 {'aa' * 32}",
        "value": "107 bytes",
        "written": "2023-11-14T22:13:20.000+00:00",
        "disposition": "quarantined",
        "went to": f"{T}.quarantine/0/4",
        "finding": "key.null at the record: is null",
        "came from": f"{T}.ingress/0/17",
        "origin": "flights.csv#18 (as the publisher wrote it)",
        "schema": f"id 3, fingerprint {'fe' * 32}",
        "contract": "urn:flights 1.0.0",
        "rule set": "ab" * 32,
        "gate": "_mesh.gate.default.0, build 0.1.0",
        "transaction": "epoch 0, sequence 1, 2023-11-14T22:13:20.123+00:00",
        "manifest": f"{T}.lineage/0/2, chain: intact",
    }


def test_what_is_unknown_is_said() -> None:
    fate = replace(TRACE.fate, findings=None, stub=True)
    gone = replace(
        TRACE, record=RecordFacts(Presence.EXPIRED), fate=fate, origin=None, schema=Schema(None, None), replaced=(T,)
    )
    told = dict(rows(gone))
    assert told["content"] == "expired"
    assert told["disposition"] == "quarantined (a stub: its bytes could not be kept)"
    assert told["finding"].startswith("unknown")
    assert told["origin"] == "none written"
    assert told["schema"] == "unknown"
    assert told["re-created"].startswith(T)
    assert "key" not in told
