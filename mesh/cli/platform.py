"""``mesh up``, ``mesh down``, ``mesh status``: the mesh on this machine."""

from __future__ import annotations

import signal
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from mesh.cli.console import INTERRUPTED, emit, emit_json, emit_table, note, progress, told
from mesh.cli.standing import as_json, show, watching
from mesh.embedded.folder import DataFolder
from mesh.embedded.jars import JarCache, locked_jars
from mesh.embedded.kafka import KafkaOptions
from mesh.embedded.platform import Platform, PlatformOptions
from mesh.embedded.signals import StopRequest
from mesh.embedded.state import Running
from mesh.embedded.status import Health, Status, status_of, stop_running
from mesh.errors import BrokerUnreachable, MeshError
from mesh.gate import Limits, Look
from mesh.kafka import Connection
from mesh.registry import RegistryClient

Data = Annotated[Path, typer.Option("--data", help="Folder of the mesh: configuration, secrets, logs and all data.")]
Port = Annotated[int | None, typer.Option(min=1, max=65535, help="Kafka's port; else a free one, kept from then on.")]
RegistryPort = Annotated[int | None, typer.Option(min=1, max=65535, help="The registry's port; else a free one, kept.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
Heap = Annotated[int, typer.Option("--heap", min=128, help="Kafka's largest heap in MiB.")]
Optimise = Annotated[bool, typer.Option("--optimise", help="Compile Kafka for load: slower to start, faster later.")]

_DEFAULT = Path(".mesh")


@told
def up(
    data: Data = _DEFAULT,
    port: Port = None,
    registry_port: RegistryPort = None,
    heap: Heap = 512,
    optimise: Optimise = False,
) -> None:
    """Run Kafka, the registry and the gate until Ctrl-C; the data stays."""
    jars = provide_jars()
    options = PlatformOptions(registry_port, KafkaOptions(port=port, heap_mib=heap, optimise=optimise))
    stop = StopRequest()
    platform = Platform(DataFolder(data), jars, options, note, stop=stop)
    with stop.listening(), platform:
        if not stop.asked.is_set():
            _introduce(platform)
            platform.watch()
        note("stopping")
    if stop.signal == signal.SIGINT:
        raise typer.Exit(INTERRUPTED)


def provide_jars() -> list[Path]:
    """Kafka's jars, fetched with a progress bar at the first start."""
    cache, jars = JarCache.of_environment(), locked_jars()
    missing = cache.missing(jars)
    if not missing:
        return [cache.path(jar) for jar in jars]
    with progress("Kafka's jars, fetched once", len(missing)) as advance:
        return cache.provide(jars, lambda _: advance(1))


def _introduce(platform: Platform) -> None:
    folder = platform.folder
    emit_table(("service", "process", "ports", "log"), (_row(each) for each in platform.running()))
    settings = folder.settings()
    note(f"\nThe mesh is up: Kafka at {settings.home.bootstrap}, registry at {settings.home.registry}.")
    if folder.root == _DEFAULT.absolute():
        note("In another terminal:    mesh apply contracts/    mesh status    mesh down")
    else:
        note(f"In another terminal:    export MESH_CONFIG={folder.config}")
        note(f"then:    mesh apply contracts/    mesh status --data {folder.root}    mesh down --data {folder.root}")
    note("Ctrl-C stops it; the data stays.")


def _row(running: Running) -> tuple[object, ...]:
    return running.name, running.pid or "-", _ports(running), running.log


def _ports(running: Running) -> str:
    return " ".join(str(port) for port in running.ports[:1]) or "-"


@told
def down(data: Data = _DEFAULT) -> None:
    """Stop the mesh that runs on a folder, in order, and wait until it has."""
    pid = stop_running(DataFolder(data))
    note(f"no mesh runs on {data}" if pid is None else f"stopped the mesh on {data} (process {pid})")


@told
def status(data: Data = _DEFAULT, json: Json = False) -> None:
    """What runs on a folder, whether it answers and how the gate stands; exit code 0 only when all of it is well."""
    folder = DataFolder(data)
    found = status_of(folder)
    limits = Limits()
    gated = _gated(folder, limits) if found.well else Look([], [])
    if json:
        emit_json(_as_json(found) | {"gate": as_json(gated, limits)})
    elif found.pid is None:
        emit(f"no mesh runs on {data}; start one with: mesh up --data {data}")
    else:
        emit_table(("service", "state", "process", "port", "restarts", "log"), map(_health_row, found.services))
        if gated.partitions:
            show(gated)
        note(_summary(found))
    if not found.well:
        raise typer.Exit(BrokerUnreachable.exit_code)
    if not gated.healthy:
        raise typer.Exit(MeshError.exit_code)


def _gated(folder: DataFolder, limits: Limits) -> Look:
    settings = folder.settings()
    with RegistryClient(settings.home.registry) as registry, watching(Connection.of(settings), registry) as eye:
        return eye.look((), limits)


def _health_row(health: Health) -> tuple[object, ...]:
    service = health.service
    return service.name, _state(health), service.pid or "-", _ports(service), service.restarts, service.log


def _state(health: Health) -> str:
    if not health.alive:
        return "down"
    return {None: "running", True: "answers", False: "does not answer"}[health.answers]


def _summary(found: Status) -> str:
    state = "up" if found.well else "up, but not all of it answers" if found.ready else "starting"
    return f"{state}; supervisor process {found.pid}, Kafka {found.bootstrap}, registry {found.registry}"


def _as_json(found: Status) -> dict[str, Any]:
    services = [
        {**asdict(each.service), "alive": each.alive, "answers": each.answers, "state": _state(each)}
        for each in found.services
    ]
    return {
        "folder": found.folder,
        "running": found.pid is not None,
        "pid": found.pid,
        "healthy": found.well,
        "bootstrap": found.bootstrap,
        "registry": found.registry,
        "services": services,
    }
