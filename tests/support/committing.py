"""Manifests as a gate would have committed them, for what is judged from manifests alone."""

from __future__ import annotations

from uuid import UUID

from mesh.lineage import Basis, Manifest, OffsetSet, Span, TopicIds

NOW = 1_700_000_000_000
"""The present of these tests, epoch milliseconds."""


def committed(age: float, *, passed: int = 0, refused: int = 0, sequence: int = 0) -> Manifest:
    """A manifest committed so many seconds ago."""
    delivered = OffsetSet.between(100, 100 + passed + refused)
    return Manifest(
        product="weather.observations",
        cluster_id="c",
        partition=0,
        epoch=0,
        sequence=sequence,
        previous=b"",
        topics=TopicIds(UUID(int=1), UUID(int=2), UUID(int=3)),
        ingress_from=100,
        ingress_to=100 + passed + refused,
        delivered=delivered,
        refused=OffsetSet.between(100, 100 + refused),
        public=Span(0, passed),
        quarantine=Span(0, refused),
        sha256_in=bytes(32),
        sha256_out=bytes(32),
        basis=Basis("urn:weather", "1.2.0", "ab" * 32, "0.1.0+abc"),
        clause_counts={"speed.maximum": refused} if refused else {},
        created_at=NOW - int(age * 1000),
        gate="_mesh.gate.default.0",
    )
