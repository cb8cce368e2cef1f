"""What things are called in OpenLineage: namespaces, versions of schemas, and ids of runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final
from uuid import UUID

SPEC: Final = "https://openlineage.io/spec"
RUN_EVENT: Final = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
JOB_EVENT: Final = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/JobEvent"
OWN: Final = "urn:mesh-backbone:openlineage:1-0-0:MeshOffsetsRunFacet.json"
"""Of our own facet, whose schema is in ``mesh/lineage/openlineage/schemas``. A changed one gets another version."""


def producer() -> str:
    """The URI that says who made an event."""
    return f"urn:mesh-backbone:{version('mesh-backbone')}"


def facet(schema: str, edition: str, **content: Any) -> dict[str, Any]:
    """A facet of the specification with its two obligatory fields."""
    url = f"{SPEC}/facets/{edition}/{schema}.json#/$defs/{schema}"
    return {"_producer": producer(), "_schemaURL": url, **content}


@dataclass(frozen=True, slots=True)
class Naming:
    """A cluster in OpenLineage's naming of Kafka. Many bootstrap names, one identity: the first is canonical.

    ``others`` are the namespaces of the other names and of the cluster's id; they appear as symlinks.
    """

    namespace: str
    others: tuple[str, ...] = ()

    @classmethod
    def of(cls, bootstrap: str, cluster_id: str = "", aliases: Iterable[str] = ()) -> Naming:
        """By ``bootstrap.servers`` (the default port of Kafka is 9092), the cluster's id and other known names."""
        hosts = [each.strip().rpartition("://")[2] for each in (*bootstrap.split(","), *aliases) if each.strip()]
        names = list(dict.fromkeys(f"kafka://{host if _has_port(host) else f'{host}:9092'}" for host in hosts))
        known = [*names[1:], *([f"kafka://{cluster_id}"] if cluster_id else [])]
        return cls(names[0] if names else f"kafka://{cluster_id}", tuple(known))


def _has_port(host: str) -> bool:
    return host.rpartition(":")[2].isdigit() and not host.endswith("]")


def run_id(started: int, *identity: str) -> str:
    """A UUID of version 7 (RFC 9562) of a run that began at ``started``, epoch milliseconds.

    The bits that may be random are a digest of the identity, so whoever folds the same records names the same run.
    """
    digest = hashlib.blake2b("\0".join(identity).encode(), digest_size=10).digest()
    bits = bytearray((started & (1 << 48) - 1).to_bytes(6, "big") + digest)
    bits[6] = 0x70 | bits[6] & 0x0F
    bits[8] = 0x80 | bits[8] & 0x3F
    return str(UUID(bytes=bytes(bits)))
