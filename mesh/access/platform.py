"""Names that belong to the platform: its principals, its prefixes and its internal topics."""

from __future__ import annotations

import re

from mesh.types import Principal, Topic

ADMIN = Principal("_mesh.admin")
GATE = Principal("_mesh.gate")
REGISTRY = Principal("_mesh.registry")
LINEAGE = Principal("_mesh.lineage")
"""The collector and the API of lineage: reads manifests and parents, never records."""
EVERYBODY = Principal("*")
"""What the broker calls every principal that has logged in."""

GATE_PREFIX = "_mesh.gate."
"""Groups and transactional ids of gates; no domain gets this prefix, or it could fence a gate."""

AUDIT = Topic("_mesh.audit")
SCHEMAS = Topic("_schemas")
"""The registry's log; a gate reads it while the registry does not answer."""

_CATALOG = re.compile(r"_mesh\.([a-z][a-z0-9-]*)\.catalog")


def catalog_topic(domain: str) -> Topic:
    """The topic that holds the applied contracts of a domain."""
    return Topic(f"_mesh.{domain}.catalog")


def readers_topic(domain: str) -> Topic:
    """The topic that holds who is registered to read what of a domain, for products under READERS."""
    return Topic(f"_mesh.{domain}.readers")


def is_catalog(topic: str) -> bool:
    """Whether a topic holds the applied contracts of some domain."""
    return _CATALOG.fullmatch(topic) is not None
