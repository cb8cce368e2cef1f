"""The ``mesh quarantine`` group: look at refused records, correct them, let the gate judge them again."""

from __future__ import annotations

import typer

from mesh.cli.quarantine.parked import parked
from mesh.cli.quarantine.reading import export, list_, show, stats
from mesh.cli.quarantine.working import discard, replay

app = typer.Typer(no_args_is_help=True, help="Look at refused records, correct them, let the gate judge them again.")
app.command("list")(list_)
app.command()(show)
app.command()(stats)
app.command()(parked)
app.command()(export)
app.command()(replay)
app.command()(discard)
