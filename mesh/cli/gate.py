"""``mesh gate``: run the gates."""

from __future__ import annotations

import json
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from mesh.catalog import Catalog, Neighbours
from mesh.cli.console import clear, emit, emit_json, note, told
from mesh.cli.logs import json_logs
from mesh.cli.quarantine.resuming import resume
from mesh.cli.standing import Breaches, as_json, show, watching
from mesh.embedded.platform import answers_http
from mesh.errors import MeshError
from mesh.gate import GateIdentity, Limits, Look, run_gate
from mesh.gate.asking import ASK_SECONDS
from mesh.gate.health import GateHealth, serving_health
from mesh.gate.rows import MOST
from mesh.gate.run import WallClock
from mesh.kafka import Connection, GroupProtocol, Leaving
from mesh.registry import RegistryClient
from mesh.settings import Settings
from mesh.telemetry import telemetry_of
from mesh.types import ProductName

PRINCIPAL = "_mesh.gate"

app = typer.Typer(help="The gate between ingress and public topics.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The gate between ingress and public topics."""


app.command()(resume)


@app.command("run")
@told
def run(
    config: Annotated[Path | None, typer.Option(help="mesh.yaml; else the usual places")] = None,
    pool: Annotated[str, typer.Option(help="Gates of one pool share the partitions.")] = "default",
    ordinal: Annotated[int, typer.Option(help="This gate's number in the pool; one live owner each.")] = 0,
    group_protocol: Annotated[
        GroupProtocol, typer.Option(help="How the pool shares partitions: its gates do it, or the broker (KIP-848).")
    ] = "classic",
    health: Annotated[
        str | None, typer.Option(metavar="[HOST:]PORT", help="Answer /health and /ready there; on loopback alone.")
    ] = None,
) -> None:
    """Gate every applied product until SIGTERM or Ctrl-C; within five seconds it is gone.

    Exit code 6 when Kafka did not answer in that time: the next gate of this number aborts what was open.
    """
    leaving = Leaving.listen()
    settings = Settings.load(config)
    connection = Connection.of(settings, PRINCIPAL)
    identity = GateIdentity(pool, ordinal, group_protocol)
    registry = RegistryClient(settings.home.registry, deadline=ASK_SECONDS)
    if not json_logs():
        note(f"gate {identity.transactional_id} on {connection.bootstrap}")
    telemetry = telemetry_of(settings.telemetry, PRINCIPAL, serve=True)
    state = GateHealth(lambda: _unanswering(settings.home.registry), WallClock())
    try:
        with serving_health(state, health) if health is not None else nullcontext():
            given = Catalog(connection), registry, Neighbours(settings)
            run_gate(connection, *given, identity, leaving.asked.is_set, telemetry, state)
    finally:
        telemetry.close()


def _unanswering(registry: str) -> str:
    return "" if answers_http(f"{registry}/health") else f"the schema registry at {registry} does not answer"


@app.command("status")
@told
def status(
    products: Annotated[list[str] | None, typer.Argument(metavar="[PRODUCT]...", help="Else all of them.")] = None,
    config: Annotated[Path | None, typer.Option(help="mesh.yaml; else the usual places")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 2.0,
    window: Annotated[float, typer.Option(min=1, help="Seconds that rate and counts are taken over.")] = 60.0,
    late: Annotated[float, typer.Option(min=0, help="Seconds a record may wait before its partition is late.")] = 10.0,
    rows: Annotated[
        int, typer.Option(min=0, help="Records that rules over many are measured on, the newest; 0 for none.")
    ] = MOST,
    as_document: Annotated[bool, typer.Option("--json", help="As JSON; with --watch one document a line.")] = False,
) -> None:
    """How the gate stands with every partition, read from Kafka; exit code 0 only when nothing is late or worse."""
    asked = [ProductName.parse(each) for each in products or ()]
    limits = Limits(window=window, late=late, stalled=max(late, Limits().stalled))
    settings = Settings.load(config)
    telemetry = telemetry_of(settings.telemetry if watch else None, "mesh gate status", serve=True)
    told = Breaches(telemetry)
    try:
        with (
            RegistryClient(settings.home.registry) as registry,
            watching(Connection.of(settings), registry, rows) as eye,
        ):
            found = eye.look(asked, limits)
            _show(found, limits, as_document=as_document, watch=watch)
            while watch:
                told.tell(found)
                time.sleep(every)
                found = eye.look(asked, limits)
                _show(found, limits, as_document=as_document, watch=True)
    finally:
        telemetry.close()
    if not found.healthy:
        raise typer.Exit(MeshError.exit_code)


def _show(found: Look, limits: Limits, *, as_document: bool, watch: bool) -> None:
    if as_document and watch:
        emit(json.dumps(as_json(found, limits)))
    elif as_document:
        emit_json(as_json(found, limits))
    else:
        if watch:
            clear()
        show(found)
