"""The ``mesh lineage`` group: the graph of products and columns, now and at any instant; the services of lineage."""

from __future__ import annotations

import typer

from mesh.cli.lineage.graphs import columns, export, graph
from mesh.cli.lineage.services import collect, serve

app = typer.Typer(no_args_is_help=True, help="The graph of products and columns, now and at any instant.")
app.command()(graph)
app.command()(columns)
app.command()(export)
app.command()(collect)
app.command()(serve)
