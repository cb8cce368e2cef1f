"""The command tree: which verbs there are, and which file serves each."""

from __future__ import annotations

import logging
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from mesh.cli import contract, furnish, gate, plan, platform, publish, quarantine, registry, subscribe, trace
from mesh.cli.demo import demo

app = typer.Typer(
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
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )


platform.register(app)
app.command()(demo)
plan.register(app)
app.command()(publish.publish)
app.command()(subscribe.subscribe)
app.command()(trace.trace)
app.add_typer(contract.app, name="contract")
app.add_typer(gate.app, name="gate")
app.add_typer(furnish.app, name="platform")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(registry.app, name="registry")


def main() -> None:
    """Run the command line."""
    app()
