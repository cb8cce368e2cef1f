"""The ``mesh contract`` group: what can be done with documents, most of it without any broker."""

from __future__ import annotations

import typer

from mesh.cli.contract import export, readers
from mesh.cli.contract.backtest import backtest
from mesh.cli.contract.check import check
from mesh.cli.contract.diff import diff
from mesh.cli.contract.importing import import_
from mesh.cli.contract.sample import sample
from mesh.cli.contract.testing import test

app = typer.Typer(no_args_is_help=True, help="Check contracts and export what is derived from them.")
app.command()(backtest)
app.command()(check)
app.command()(diff)
app.command("import")(import_)
app.command()(sample)
app.command()(test)
app.add_typer(export.app, name="export")
app.add_typer(readers.app, name="readers")
