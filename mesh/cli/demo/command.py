"""The command: every step of the way through the mesh, in the order a user would take them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from mesh.catalog import Catalog
from mesh.cli.console import Bars, emit_json, note, told
from mesh.cli.demo.account import Account, await_gated, count
from mesh.cli.demo.deriving import ALL_MONTHS, ask, derive_all
from mesh.cli.demo.evidence import Evidence, gather
from mesh.cli.demo.publishing import PRODUCERS, producers_of, publish_all
from mesh.cli.demo.report import Report, Timing, tell
from mesh.cli.demo.stage import Stage, staged
from mesh.cli.platform import provide_jars
from mesh.connection import Mesh
from mesh.contract import Contract
from mesh.errors import MeshError
from mesh.kafka import Connection
from mesh.types import Coordinate

_SUBSCRIPTION = "delay-desk"
_PURPOSE = "delay-analysis"
_TRACED = "operations.flights"
_FEW = 10_000


@told
def demo(
    records: Annotated[int | None, typer.Option(min=1, help="Publish at most so many records of each product.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")] = False,
    months: Annotated[
        int, typer.Option(min=1, max=ALL_MONTHS, help="Derive products from so many months of flights.")
    ] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the mesh running.")] = False,
    data: Annotated[Path | None, typer.Option(help="Folder of the mesh; else one that is removed again.")] = None,
    project: Annotated[Path, typer.Option(help="Where contracts/ and producers/ are.")] = Path(),
) -> None:
    """Run a real mesh end to end on a year of New York flights, and check that every record is accounted for."""
    began = time.monotonic()
    producers_of(project)
    provide_jars()
    note("Starting Kafka, the registry and a gate ...")
    # Compiling Kafka for load costs more than it saves with few records.
    with staged(project.absolute(), data, keep=keep, optimise=records is None or records > _FEW) as stage:
        report = _play(stage, records, months, began)
        emit_json(report.as_json()) if as_json else tell(report)
        if keep:
            _leave(stage)
        elif not as_json:
            _point_on()
    if not report.sound:
        raise typer.Exit(MeshError.exit_code)


def _play(stage: Stage, records: int | None, months: int, began: float) -> Report:
    note("$ mesh apply contracts/")
    stage.run("apply", "contracts/")
    connection = Connection.of(stage.folder.settings())
    with Catalog(connection) as catalog:
        catalog.refresh(relist=True)
        contracts = {str(name): each for name, each in catalog.contracts().items()}
    first = time.monotonic()
    with Bars() as bars:
        sent = publish_all(stage, records, bars)
        published = time.monotonic()
        await_gated(connection, [contracts[name] for name in PRODUCERS], bars)
        gated = time.monotonic()
        accounts = {name: Account(name, sent[name]) for name in PRODUCERS}
        _subscribe(stage, accounts, bars)
        subscribed = time.monotonic()
        derived = derive_all(stage, connection, contracts, months, bars)
        made = time.monotonic()
    ask(stage, connection, contracts, derived)
    for name, account in accounts.items():
        count(connection, contracts[name], account)
    traces = _traces(connection, contracts, accounts)
    timing = Timing(time.monotonic() - began, published - first, gated - first, subscribed - gated, made - subscribed)
    return Report(accounts, traces, derived, timing)


def _subscribe(stage: Stage, accounts: Mapping[str, Account], bars: Bars) -> None:
    """Read every public topic as the subscriber the contracts name, under read_committed."""
    total = sum(account.sent for account in accounts.values())
    done = 0
    with (
        Mesh.connect(stage.folder.config, principal=_SUBSCRIPTION) as mesh,
        mesh.subscribe(*accounts, name=_SUBSCRIPTION, purpose=_PURPOSE, until_end=True) as subscription,
    ):
        for record in subscription:
            account = accounts[str(record.product)]
            account.accepted += 1
            if account.first_accepted is None:
                account.first_accepted = record.coordinate
            done += 1
            if done % 5_000 == 0:
                bars.show(_SUBSCRIPTION, done, total)
    bars.show(_SUBSCRIPTION, done, done)


def _traces(
    connection: Connection, contracts: Mapping[str, Contract], accounts: Mapping[str, Account]
) -> dict[str, Evidence | None]:
    quarantined = _first({name: each.first_quarantined for name, each in accounts.items()})
    accepted = _first({name: each.first_accepted for name, each in accounts.items()})
    return {
        kind: None if found is None else gather(connection, contracts[found[0]], found[1])
        for kind, found in (("quarantined", quarantined), ("accepted", accepted))
    }


def _first(places: Mapping[str, Coordinate | None]) -> tuple[str, Coordinate] | None:
    """A coordinate to trace: of the flights if they have one, else of any product."""
    names = sorted(places, key=lambda name: name != _TRACED)
    return next(((name, place) for name in names if (place := places[name]) is not None), None)


def _leave(stage: Stage) -> None:
    note(f"\nThe mesh keeps running in {stage.folder.root}. Use it, then stop it:")
    note(f"  export MESH_CONFIG={stage.folder.config}")
    note(f"  mesh subscribe weather.observations --name {_SUBSCRIPTION} --purpose {_PURPOSE} --limit 3")
    note(f"  mesh down --data {stage.folder.root}")


def _point_on() -> None:
    note(
        "\nWhere to go next: `make up` starts a mesh that stays; README.md makes a product of your own in ten minutes."
    )
