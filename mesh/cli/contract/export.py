"""``mesh contract export``: a contract in other forms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mesh.cli.console import emit, note, told
from mesh.cli.contract.documents import documents_at
from mesh.contract import Contract
from mesh.contract.export import asyncapi, html_page, json_text, odps, pydantic_module, yaml_text
from mesh.errors import UsageError

app = typer.Typer(no_args_is_help=True, help="Print a contract in another form.")

File = Annotated[Path, typer.Argument(help="An ODCS document.")]
Files = Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER...", help="ODCS documents, or folders of them.")]
Output = Annotated[Path | None, typer.Option("--output", metavar="FILE", help="Write to a file, not to stdout.")]
Json = Annotated[bool, typer.Option("--json", help="JSON, not YAML.")]


@app.command("avro")
@told
def avro(
    file: File,
    key: Annotated[bool, typer.Option("--key", help="The schema of the keys, not of the values.")] = False,
    output: Output = None,
) -> None:
    """Print the Avro schema derived from a document."""
    contract = Contract.read(file)
    deliver(json_text(contract.key_schema if key else contract.value_schema), output)


@app.command("asyncapi")
@told
def asyncapi_document(files: Files, json: Json = False, output: Output = None) -> None:
    """Print an AsyncAPI 3.1.0 document of one or several contracts: servers, channels, operations, messages."""
    deliver(_document(asyncapi(_contracts(files)), json=json), output)


@app.command("odps")
@told
def odps_document(
    files: Files,
    inputs: Annotated[
        list[Path] | None,
        typer.Option("--inputs", metavar="FOLDER", help="Where the contracts of its inputs are, for their ids."),
    ] = None,
    json: Json = False,
    output: Output = None,
) -> None:
    """Print the Bitol ODPS 1.0.0 document of a data product whose output ports these contracts are."""
    deliver(_document(odps(_contracts(files), _contracts(inputs or [])), json=json), output)


@app.command("pydantic")
@told
def pydantic_models(file: File, output: Output = None) -> None:
    """Print a Python module of pydantic models, one class a record, that publishing takes and reading gives."""
    deliver(pydantic_module(Contract.read(file)), output)


@app.command("html")
@told
def page(file: File, output: Output = None) -> None:
    """Print one page about a product: fields, rules, roles, promises and how to read it. It loads nothing."""
    deliver(html_page(Contract.read(file)), output)


def deliver(text: str, output: Path | None) -> None:
    """A text to stdout, or to a file; raises UsageError where the file cannot be written."""
    if output is None:
        emit(text.removesuffix("\n"))
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}; name a file in a folder that exists") from None
    note(f"wrote {output}")


def _document(value: dict[str, Any], *, json: bool) -> str:
    return json_text(value) if json else yaml_text(value)


def _contracts(paths: list[Path]) -> list[Contract]:
    return [Contract.read(file) for path in paths for file in documents_at(path)]
