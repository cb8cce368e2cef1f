"""The ``mesh lineage`` group: the graph of products and columns, now and at any instant."""

from __future__ import annotations

import typer

from mesh.cli.lineage.graphs import columns, export, graph

app = typer.Typer(no_args_is_help=True, help="The graph of products and columns, now and at any instant.")
app.command()(graph)
app.command()(columns)
app.command()(export)
