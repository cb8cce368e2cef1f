"""Where the clusters are and who we are: ``mesh.yaml`` first, then ``MESH_`` variables over it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from mesh.errors import SettingsError

SEARCHED = ("mesh.yaml", ".mesh/mesh.yaml")


class Cluster(BaseModel):
    """One Kafka cluster with its own registry. Schema ids and topic names mean something only inside one cluster."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bootstrap: str
    registry: str
    security_protocol: Literal["PLAINTEXT", "SASL_PLAINTEXT", "SSL", "SASL_SSL"] = "SASL_SSL"
    sasl_mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"] = "SCRAM-SHA-512"
    ca_file: Path | None = None
    domains: tuple[str, ...] = ()
    """The domains that live here; empty means every domain not named by another cluster."""
    secret: str | None = None
    """Where the secrets of its principals are, as ``Settings.secret`` says it; unless given, where the others' are."""


class TelemetrySettings(BaseModel):
    """Where metrics and spans go; needs the packages of the extra ``telemetry``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    otlp: str | None = None
    """The base URL of an OTLP receiver over HTTP, such as ``http://127.0.0.1:4318``."""
    prometheus: int | None = Field(default=None, ge=1, le=65535)
    """The port a gate serves its metrics on; programs that come and go serve none."""
    host: str = "127.0.0.1"
    """The address that port is opened on."""


class _Sink(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HttpSink(_Sink):
    """Where OpenLineage events are posted, one a request, such as ``http://marquez:5000/api/v1/lineage``."""

    kind: Literal["http"]
    url: str
    token: str | None = None
    """``env:NAME`` or ``file:path`` of a bearer token."""


class FileSink(_Sink):
    """A file that events are appended to, one JSON a line; a relative path starts at the configuration file."""

    kind: Literal["file"]
    path: Path


class KafkaSink(_Sink):
    """A topic of the first cluster that events are written to; the principal that runs the collector needs Write."""

    kind: Literal["kafka"]
    topic: str


class ConsoleSink(_Sink):
    """Standard output, one JSON a line."""

    kind: Literal["console"]


class CompositeSink(_Sink):
    """Several at once, each with a queue of its own, so that a slow one holds up no other."""

    kind: Literal["composite"]
    sinks: tuple[SinkSettings, ...] = Field(min_length=1)


SinkSettings = Annotated[HttpSink | FileSink | KafkaSink | ConsoleSink | CompositeSink, Field(discriminator="kind")]
CompositeSink.model_rebuild()


class LineageSettings(_Sink):
    """How lineage is told to other tools."""

    openlineage: SinkSettings | None = None
    """Where the collector sends OpenLineage events; nowhere by default."""
    aliases: tuple[str, ...] = ()
    """Other names under which clients reach the first cluster: they become symlinks of its datasets."""


class Settings(BaseSettings):
    """All configuration. Nested values are set as ``MESH_CLUSTERS__MAIN__BOOTSTRAP``; secrets are references only."""

    model_config = SettingsConfigDict(env_prefix="MESH_", env_nested_delimiter="__", frozen=True, extra="forbid")

    clusters: dict[str, Cluster] = Field(min_length=1)
    principal: str | None = None
    """Who we are when a command does not say."""
    secret: str = "env:MESH_PASSWORD"  # noqa: S105 - a reference, not a secret
    """``env:NAME`` or ``file:path``; ``{principal}`` is replaced, a relative path starts at the configuration file."""
    telemetry: TelemetrySettings | None = None
    lineage: LineageSettings = LineageSettings()
    folder: Path = Path()
    """The folder of the configuration file."""
    config: Path | None = None
    _given: Mapping[str, SecretStr] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables win over the file, whose content arrives as init values."""
        return env_settings, init_settings

    @classmethod
    def load(cls, path: Path | None = None) -> Settings:
        """Read ``path``, else ``$MESH_CONFIG``, else the first of mesh.yaml and .mesh/mesh.yaml.

        Raises SettingsError when nothing configures a cluster or a value is wrong.
        """
        found = path or _searched()
        content: dict[str, Any] = {}
        if found is not None:
            content = {**_read(found), "folder": found.parent.resolve(), "config": found.resolve()}
        try:
            return cls(**content)
        except ValidationError as error:
            raise SettingsError(_told(error, found)) from None

    def cluster_of(self, domain: str) -> Cluster:
        """The cluster a domain lives on; raises SettingsError when none is named for it."""
        for cluster in self.clusters.values():
            if domain in cluster.domains:
                return cluster
        for cluster in self.clusters.values():
            if not cluster.domains:
                return cluster
        raise SettingsError(f"no cluster is configured for domain {domain}; add it to clusters.<name>.domains")

    @property
    def home(self) -> Cluster:
        """The first cluster: where platform commands go when they name no domain."""
        return next(iter(self.clusters.values()))

    def secret_reference(self, cluster: Cluster | None = None) -> str:
        """Where the secrets of a cluster's principals are; of the first cluster by default."""
        return (cluster or self.home).secret or self.secret

    def secret_path(self, principal: str, cluster: Cluster | None = None) -> Path | None:
        """The file a principal's secret is kept in, or None when secrets come from the environment."""
        kind, _, where = self.secret_reference(cluster).partition(":")
        return self.folder / where.format(principal=principal) if kind == "file" else None

    def acting_as(self, principal: str, secret: str) -> Settings:
        """The same for somebody who has shown a secret: nobody else's can be found through these settings."""
        acting = self.model_copy(update={"principal": principal})
        acting._given = {principal: SecretStr(secret)}
        return acting

    def token(self, reference: str) -> SecretStr:
        """The secret that ``env:NAME`` or ``file:path`` refers to; raises SettingsError when there is none."""
        kind, _, where = reference.partition(":")
        if kind == "file":
            return _secret_in(self.folder / where, "a token")
        if kind != "env" or where not in os.environ:
            raise SettingsError(f"there is no token at {reference!r}; write env:NAME or file:path, and set it")
        return SecretStr(os.environ[where])

    def password(self, principal: str, cluster: Cluster | None = None) -> SecretStr:
        """The secret of a principal on a cluster, through the reference; raises SettingsError when there is none."""
        if self._given:
            if principal not in self._given:
                raise SettingsError(f"no secret for {principal}: this is done as {self.principal} alone")
            return self._given[principal]
        path = self.secret_path(principal, cluster)
        if path is not None:
            return _secret_in(path, principal)
        name = self.secret_reference(cluster).partition(":")[2].format(principal=principal)
        if name not in os.environ:
            raise SettingsError(f"no secret for {principal}: set {name}, or point `secret` at file:<path>")
        return SecretStr(os.environ[name])


def _searched() -> Path | None:
    named = os.environ.get("MESH_CONFIG")
    if named:
        return Path(named)
    return next((Path(name) for name in SEARCHED if Path(name).is_file()), None)


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read the configuration {path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not YAML: {error}") from None
    if not isinstance(content, dict):
        raise SettingsError(f"{path} must be a mapping with `clusters`")
    return content


def _secret_in(path: Path, principal: str) -> SecretStr:
    try:
        return SecretStr(path.read_text(encoding="utf-8").strip())
    except OSError as error:
        raise SettingsError(f"no secret for {principal} in {path}: {error.strerror}") from None


def _told(error: ValidationError, path: Path | None) -> str:
    if path is None:
        return "no mesh is configured here; start one with `mesh up`, or write mesh.yaml, or set MESH_CONFIG"
    first = error.errors()[0]
    return f"{path}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
