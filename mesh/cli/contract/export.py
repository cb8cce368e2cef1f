"""``mesh contract export``: a contract in other forms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mesh.cli.console import emit_json, told
from mesh.contract import Contract

app = typer.Typer(no_args_is_help=True, help="Print a contract in another form.")


@app.command("avro")
@told
def avro(
    file: Annotated[Path, typer.Argument(help="An ODCS document.")],
    key: Annotated[bool, typer.Option("--key", help="The schema of the keys, not of the values.")] = False,
) -> None:
    """Print the Avro schema derived from a document."""
    contract = Contract.read(file)
    emit_json(contract.key_schema if key else contract.value_schema)
