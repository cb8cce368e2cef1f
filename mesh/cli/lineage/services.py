"""``mesh lineage collect`` and ``mesh lineage serve``: the two services, for those who run them by hand."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mesh.cli.console import emit_json, note, told
from mesh.connection import Mesh
from mesh.embedded.signals import StopRequest

Index = Annotated[Path, typer.Option(metavar="FILE", help="The index; deleted, it is made again from Kafka.")]
Config = Annotated[Path | None, typer.Option(help="mesh.yaml; else the usual places")]
Principal = Annotated[str | None, typer.Option("--as", metavar="PRINCIPAL", help="By default _mesh.lineage.")]

_INDEX = Path("lineage.db")


@told
def collect(
    index: Index = _INDEX,
    until_end: Annotated[bool, typer.Option("--until-end", help="Stop when everything is in the index.")] = False,
    principal: Principal = None,
    config: Config = None,
) -> None:
    """Fold manifests and parents into the index, and send OpenLineage events where mesh.yaml says."""
    stop = StopRequest()
    with stop.listening(), Mesh.connect(config, principal) as mesh:
        note(f"collecting into {index}")
        done = mesh.collect_lineage(index, until_end=until_end, stopping=stop.asked.is_set)
    emit_json(asdict(done))


@told
def serve(
    index: Index = _INDEX,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port.")] = 8082,
    principal: Principal = None,
    config: Config = None,
) -> None:
    """Answer trace, why, impact, graph, columns and reconcile over HTTP until SIGTERM or Ctrl-C."""
    with Mesh.connect(config, principal) as mesh:
        mesh.serve_lineage(index, host, port, ready=lambda url: note(f"lineage at {url}"))
