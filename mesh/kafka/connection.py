"""Where a client connects and as whom; the only place that knows the client library's dotted keys for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import SecretStr

from mesh.errors import SettingsError
from mesh.settings import Cluster, Settings

# librdkafka's own 60 s would let a command hang for a minute on a broker that is not there.
REQUEST_SECONDS = 15.0

FETCH_AGAIN_MS = 5
"""How soon a consumer whose queue was full looks whether it may fetch again. With the client's own second whoever is
quicker than that waits for most of it: 93,000 records a second were read instead of 1,080,000."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One principal on one cluster. Frozen, so it can be shared by every client of a process."""

    bootstrap: str
    security_protocol: str = "SASL_PLAINTEXT"
    mechanism: str = "SCRAM-SHA-512"
    ca_file: Path | None = None
    principal: str = ""
    password: SecretStr | None = None

    @classmethod
    def of(cls, settings: Settings, principal: str | None = None, domain: str | None = None) -> Connection:
        """The connection the settings give ``principal`` (default: the configured one) on the cluster of ``domain``.

        Raises SettingsError when the principal, its secret or the cluster is missing.
        """
        return cls.to(settings, settings.cluster_of(domain) if domain else settings.home, principal)

    @classmethod
    def to(cls, settings: Settings, cluster: Cluster, principal: str | None = None) -> Connection:
        """The same on a cluster that is known already; raises SettingsError."""
        if not cluster.security_protocol.startswith("SASL"):
            return cls._on(cluster, principal or settings.principal or "", None)
        who = principal or settings.principal
        if who is None:
            raise SettingsError("no principal is configured; set `principal` in mesh.yaml or MESH_PRINCIPAL")
        return cls._on(cluster, who, settings.password(who, cluster))

    @classmethod
    def _on(cls, cluster: Cluster, principal: str, password: SecretStr | None) -> Connection:
        return cls(
            cluster.bootstrap, cluster.security_protocol, cluster.sasl_mechanism, cluster.ca_file, principal, password
        )

    def as_principal(self, principal: str, password: str) -> Connection:
        """The same cluster as somebody else."""
        return replace(self, principal=principal, password=SecretStr(password))

    def config(self, **extra: object) -> dict[str, object]:
        """The client library's configuration; keyword ``fetch_wait_max_ms`` becomes ``fetch.wait.max.ms``."""
        settings: dict[str, object] = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": self.security_protocol,
            "client.id": f"mesh-{self.principal}" if self.principal else "mesh",
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 1000,
            "log_level": 0,
        }
        if self.ca_file is not None:
            settings["ssl.ca.location"] = str(self.ca_file)
        if self.security_protocol.startswith("SASL") and self.password is not None:
            settings |= {
                "sasl.mechanism": self.mechanism,
                "sasl.username": self.principal,
                "sasl.password": self.password.get_secret_value(),
            }
        return settings | {key.replace("_", "."): value for key, value in extra.items()}
