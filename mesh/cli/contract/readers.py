"""``mesh contract readers``: who reads a product, with which schema and which fields."""

from __future__ import annotations

import json as encoding
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from mesh.catalog import Readers, register_reader, registered_readers, withdraw_reader
from mesh.cli.console import emit_json, emit_table, note, told
from mesh.contract import Contract
from mesh.contract.compatibility import Reader, check_readers, project
from mesh.errors import ContractInvalid, IncompatibleChange, NotFound, UsageError
from mesh.plan import Site
from mesh.settings import Settings
from mesh.types import ProductName

app = typer.Typer(no_args_is_help=True, help="Register who reads a product, for contracts whose readers decide.")

_NAME = re.compile(r"[a-z][a-z0-9-]*")

Product = Annotated[str, typer.Argument(metavar="PRODUCT", help="A product: domain.name.")]
Name = Annotated[str, typer.Option("--name", help="The reader: a subscription's name.")]
Principal = Annotated[str | None, typer.Option("--as", metavar="PRINCIPAL", help="By default the administrator.")]


@app.command()
@told
def add(
    product: Product,
    name: Name,
    uses: Annotated[str, typer.Option("--uses", metavar="FIELDS", help="Fields it needs: a,b.c,items[].d")] = "",
    schema: Annotated[
        Path | None,
        typer.Option("--schema", metavar="FILE", help="The Avro schema it reads with; else that of the fields used."),
    ] = None,
    principal: Principal = None,
) -> None:
    """Register a reader: from now on no change may take from it what it uses. The same name again replaces it."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name of a reader; use lower case, digits and hyphens")
    used = tuple(dict.fromkeys(each.strip() for each in uses.split(",") if each.strip()))
    if not used and schema is None:
        raise UsageError("say what the reader needs: --uses a,b.c, or --schema FILE, or both")
    asked = ProductName.parse(product)
    with Site.open(Settings.load(), asked.domain, principal) as site:
        contract = _contract(site, asked)
        _registered(site, asked)
        reader = Reader(name, _schema(schema) if schema else project(contract.value_schema, used), used)
        left = check_readers(contract.value_schema, [reader])
        if left:
            raise IncompatibleChange(f"the readers of {asked}", [str(each) for each in left])
        register_reader(site.connection, contract.topics.public, asked.domain, reader)
    note(f"{name} is registered as a reader of {contract.topics.public}" + (f" for {', '.join(used)}" if used else ""))


@app.command("list")
@told
def list_(
    product: Product,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    principal: Principal = None,
) -> None:
    """List the readers of a product."""
    asked = ProductName.parse(product)
    with Site.open(Settings.load(), asked.domain, principal) as site:
        topic = _contract(site, asked).topics.public
        found = _registered(site, asked).get(topic, ())
    if json:
        emit_json([_as_json(each) for each in found])
    else:
        emit_table(("reader", "uses"), ((each.name, ", ".join(each.used_fields)) for each in found))


@app.command()
@told
def remove(product: Product, name: Name, principal: Principal = None) -> None:
    """Forget a reader: what only it used may go from now on."""
    asked = ProductName.parse(product)
    with Site.open(Settings.load(), asked.domain, principal) as site:
        topic = _contract(site, asked).topics.public
        if all(each.name != name for each in _registered(site, asked).get(topic, ())):
            raise NotFound("reader", name, f"mesh contract readers list {asked}")
        withdraw_reader(site.connection, topic, asked.domain, name)
    note(f"{name} is no longer a registered reader of {topic}")


def _contract(site: Site, product: ProductName) -> Contract:
    site.catalog.refresh(relist=True)
    found = site.catalog.contract(product)
    if found is None:
        raise NotFound("product", str(product), "apply its contract first: mesh apply")
    return found


def _registered(site: Site, product: ProductName) -> Readers:
    found = registered_readers(site.connection, product.domain)
    if found is None:
        hint = f"apply a contract of {product.domain} with compatibility READERS first"
        raise NotFound("register of readers of", product.domain, hint)
    return found


def _schema(path: Path) -> Any:
    try:
        return encoding.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}; name a file with an Avro schema") from None
    except ValueError as error:
        raise ContractInvalid([f"{path}:1: not JSON: {error}"]) from None


def _as_json(reader: Reader) -> dict[str, Any]:
    return {"name": reader.name, "uses": list(reader.used_fields), "schema": reader.schema}
