"""Serving the questions: as the principal of lineage for the audit log, as the caller for everything else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mesh.access import LINEAGE
from mesh.inquiry.service.app import Service, application
from mesh.inquiry.service.readings import AuditedReadings
from mesh.kafka import Connection
from mesh.registry.credentials import Credentials
from mesh.registry.serving import listen, server_of, url_of, verifier
from mesh.settings import Settings


@dataclass(frozen=True, slots=True)
class Serving:
    """Where to listen, and the collector's file."""

    index: Path
    host: str = "127.0.0.1"
    port: int = 8082


def serve(settings: Settings, how: Serving, ready: Callable[[str], None], principal: str | None = None) -> None:
    """Answer until a signal; raises SettingsError, PlatformFailure, BrokerUnreachable."""
    connection = Connection.of(settings, principal or settings.principal or LINEAGE)
    bound = listen(how.host, how.port, "the lineage API")
    readings = AuditedReadings(connection)
    try:
        service = Service(settings, Credentials(verifier(connection)), readings, how.index)
        ready(url_of(bound))
        server_of(application(service)).run(sockets=[bound])
    finally:
        readings.close()
        bound.close()
