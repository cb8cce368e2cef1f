"""Manifests and commits of a small pipeline, made by hand for pure folds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from mesh.lineage import Basis, Manifest, OffsetSet, Progress, Span, TopicIds


def topic_id(name: str) -> UUID:
    """The same for the same name."""
    return UUID(bytes=hashlib.blake2b(name.encode(), digest_size=16).digest())


def manifest(
    topic: str, start: int, count: int, at: int, refused: int = 0, clauses: Mapping[str, int] | None = None, **more: Any
) -> Manifest:
    """A transaction over ``count`` records of partition 0 from ``start``; the first ``refused`` ones were refused."""
    fields: dict[str, Any] = {
        "product": topic.rpartition(".v")[0],
        "cluster_id": "c1",
        "partition": 0,
        "epoch": 0,
        "sequence": 0,
        "previous": b"",
        "topics": TopicIds(*(topic_id(f"{topic}{kind}") for kind in (".ingress", "", ".quarantine"))),
        "ingress_from": start,
        "ingress_to": start + count,
        "delivered": OffsetSet.between(start, start + count),
        "refused": OffsetSet.between(start, start + refused),
        "public": Span(start, count - refused),
        "quarantine": Span(0, refused),
        "sha256_in": bytes(32),
        "sha256_out": bytes(32),
        "basis": Basis("urn:x", more.pop("version", "1.0.0"), "ab" * 32, more.pop("build", "b1")),
        "clause_counts": clauses or {},
        "created_at": at,
        "gate": "_mesh.gate.default.0",
    }
    return Manifest(**(fields | more))


def commit(processor: str, source: str, start: int, end: int, at: int, **more: Any) -> Progress:
    """One commit of a processor over partition 0 of a product's public topic."""
    fields: dict[str, Any] = {
        "processor": processor,
        "build": "p1",
        "product": source,
        "topic_id": topic_id(f"{source}.v1"),
        "partition": 0,
        "start": start,
        "end": end,
        "delivered": OffsetSet.between(start, end),
        "outputs": end - start,
        "created_at": at,
    }
    return Progress(**(fields | more))
