"""``mesh gate``: run the gates."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from mesh.catalog import Catalog
from mesh.cli.console import note, told
from mesh.gate import GateIdentity, run_gate
from mesh.kafka import Connection
from mesh.registry import RegistryClient
from mesh.settings import Settings

PRINCIPAL = "_mesh.gate"

app = typer.Typer(help="The gate between ingress and public topics.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The gate between ingress and public topics."""


@app.command("run")
@told
def run(
    config: Annotated[Path | None, typer.Option(help="mesh.yaml; else the usual places")] = None,
    pool: Annotated[str, typer.Option(help="Gates of one pool share the partitions.")] = "default",
    ordinal: Annotated[int, typer.Option(help="This gate's number in the pool; one live owner each.")] = 0,
) -> None:
    """Gate every applied product until SIGTERM or Ctrl-C."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    settings = Settings.load(config)
    connection = Connection.of(settings, PRINCIPAL)
    identity = GateIdentity(pool, ordinal)
    registry = RegistryClient(settings.home.registry)
    note(f"gate {identity.transactional_id} on {connection.bootstrap}")
    run_gate(connection, Catalog(connection), registry, identity, stop.is_set)
