"""An event-driven data mesh backbone on Kafka.

What is exported here is what programs may use; everything below is the library's own. Names are imported when they
are first used, so that ``import mesh`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesh.deferred import deferred

if TYPE_CHECKING:
    from mesh.cli.feed import Feed
    from mesh.cli.processing import Processor
    from mesh.connection import Mesh
    from mesh.consumer import Record, Subscription
    from mesh.contract import Contract
    from mesh.errors import (
        BrokerUnreachable,
        ContractViolation,
        DeliveryFailed,
        MeshError,
        NotAuthorised,
        NotFound,
        PermanentError,
        RecordsLost,
        RetriableError,
    )
    from mesh.producer import Publisher
    from mesh.types import Coordinate, Finding, ProductName, Reaction

__all__ = [
    "BrokerUnreachable",
    "Contract",
    "ContractViolation",
    "Coordinate",
    "DeliveryFailed",
    "Feed",
    "Finding",
    "Mesh",
    "MeshError",
    "NotAuthorised",
    "NotFound",
    "PermanentError",
    "Processor",
    "ProductName",
    "Publisher",
    "Reaction",
    "Record",
    "RecordsLost",
    "RetriableError",
    "Subscription",
]

_HOMES = dict.fromkeys(__all__, "mesh.errors") | {
    "Contract": "mesh.contract",
    "Coordinate": "mesh.types",
    "Feed": "mesh.cli.feed",
    "Finding": "mesh.types",
    "Mesh": "mesh.connection",
    "Processor": "mesh.cli.processing",
    "ProductName": "mesh.types",
    "Publisher": "mesh.producer",
    "Reaction": "mesh.types",
    "Record": "mesh.consumer",
    "Subscription": "mesh.consumer",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = deferred(__name__, _HOMES)
