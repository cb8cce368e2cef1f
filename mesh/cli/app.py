"""The command tree: which verbs there are, and which file serves each."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from mesh.cli.logs import log_to_stderr
from mesh.cli.tree import group_of

_COMMANDS = {
    "up": "mesh.cli.platform:up",
    "down": "mesh.cli.platform:down",
    "status": "mesh.cli.platform:status",
    "demo": "mesh.cli.demo.command:demo",
    "plan": "mesh.cli.plan:plan",
    "apply": "mesh.cli.plan:apply",
    "publish": "mesh.cli.publish:publish",
    "subscribe": "mesh.cli.subscribe:subscribe",
    "trace": "mesh.cli.trace:trace",
    "why": "mesh.cli.why:why",
    "impact": "mesh.cli.impact:impact",
    "reconcile": "mesh.cli.reconcile:reconcile",
    "contract": "mesh.cli.contract:app",
    "gate": "mesh.cli.gate:app",
    "lineage": "mesh.cli.lineage:app",
    "platform": "mesh.cli.furnish:app",
    "quarantine": "mesh.cli.quarantine:app",
    "registry": "mesh.cli.registry:app",
}

app = typer.Typer(
    cls=group_of(_COMMANDS),
    name="mesh",
    help="A data mesh backbone on Kafka: contracts enforced by the gate, lineage to the record.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(version("mesh-backbone"))
        raise typer.Exit


@app.callback()
def _root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """A data mesh backbone on Kafka: contracts enforced by the gate, lineage to the record."""
    log_to_stderr()


def main() -> None:
    """Run the command line."""
    app()
