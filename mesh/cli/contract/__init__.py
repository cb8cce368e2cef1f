"""The ``mesh contract`` group: what can be done with documents, most of it without any broker."""

from __future__ import annotations

import typer

from mesh.cli.tree import group_of

_COMMANDS = {
    "backtest": "mesh.cli.contract.backtest:backtest",
    "check": "mesh.cli.contract.check:check",
    "diff": "mesh.cli.contract.diff:diff",
    "export": "mesh.cli.contract.export:app",
    "import": "mesh.cli.contract.importing:import_",
    "readers": "mesh.cli.contract.readers:app",
    "sample": "mesh.cli.contract.sample:sample",
    "test": "mesh.cli.contract.testing:test",
}

app = typer.Typer(
    cls=group_of(_COMMANDS), no_args_is_help=True, help="Check contracts and export what is derived from them."
)


@app.callback()
def _root() -> None:
    """Check contracts and export what is derived from them."""
