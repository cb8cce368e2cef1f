"""``mesh registry``: run the schema registry, and look into it."""

from __future__ import annotations

import json
from typing import Annotated
from urllib.parse import urlsplit

import typer

from mesh.cli.console import emit, emit_json, emit_table, note, told
from mesh.errors import SettingsError
from mesh.kafka import Connection
from mesh.registry import RegistryClient
from mesh.settings import Settings

PRINCIPAL = "_mesh.registry"

app = typer.Typer(help="The schema registry: run it, and look into it.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
@told
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="The port; by default that of the configured registry.")] = None,
    open_reads: Annotated[
        bool | None,
        typer.Option(
            "--open-reads/--login-to-read",
            envvar="MESH_REGISTRY_OPEN_READS",
            help="Whether schemas may be read without credentials; by default only when listening on loopback.",
        ),
    ] = None,
    topic: Annotated[str, typer.Option(help="The topic that holds the schemas.")] = "_schemas",
) -> None:
    """Run the registry of the first configured cluster until SIGTERM or Ctrl-C."""
    # The web server takes a third of a second to import, which the other commands need not pay.
    from mesh.registry.server import ServerOptions  # noqa: PLC0415
    from mesh.registry.server import serve as run  # noqa: PLC0415
    from mesh.registry.serving import is_loopback  # noqa: PLC0415

    settings = Settings.load()
    reads = is_loopback(host) if open_reads is None else open_reads
    options = ServerOptions(host, _port(settings) if port is None else port, reads, topic)
    run(Connection.of(settings, PRINCIPAL), options, ready=lambda url: note(f"schema registry at {url}"))


@app.command()
@told
def subjects(as_json: AsJson = False) -> None:
    """List the subjects and their versions."""
    with _client() as client:
        found = {subject: client.versions(subject) for subject in client.subjects()}
    if as_json:
        emit_json(found)
    else:
        emit_table(("subject", "versions"), ((name, ",".join(map(str, each))) for name, each in found.items()))


@app.command()
@told
def show(
    subject: Annotated[str, typer.Argument(help="A subject, such as weather.observations.v1-value.")],
    version: Annotated[str, typer.Option(help="A version's number, or latest.")] = "latest",
    as_json: AsJson = False,
) -> None:
    """Print a schema; with --json also its id, version and product."""
    with _client() as client:
        found = client.version(subject, version)
    schema = json.loads(found.schema)
    if not as_json:
        emit(json.dumps(schema, indent=2, ensure_ascii=False))
        return
    head = {"subject": found.subject, "version": found.version, "id": found.id, "product": found.product}
    emit_json(head | {"schema": schema})


def _client() -> RegistryClient:
    settings = Settings.load()
    principal = settings.principal
    try:
        password = settings.password(principal) if principal else None
    except SettingsError:
        # Reading needs no credentials on loopback; where it does, the registry says so.
        principal, password = None, None
    return RegistryClient(settings.home.registry, principal, password)


def _port(settings: Settings) -> int:
    parts = urlsplit(settings.home.registry)
    return parts.port or (443 if parts.scheme == "https" else 80)
