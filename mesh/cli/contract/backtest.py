"""``mesh contract backtest``: a proposed contract over the real topic, before it is merged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from mesh.cli.console import emit_json, emit_table, note, progress, stderr, told
from mesh.contract import Contract
from mesh.errors import ContractInvalid, NotFound, UsageError
from mesh.gate.backtest import Backtest, Backtester, Stretch, family_of, newest, stretches
from mesh.kafka import Admin, Connection, LogReader
from mesh.registry import RegistryClient
from mesh.settings import Settings
from mesh.types import ProductName


@told
def backtest(
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The proposed ODCS document.")],
    on: Annotated[str | None, typer.Option(metavar="TOPIC|PRODUCT", help="Else the ingress of its product.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME|OFFSET", help="As 2013-01-31T10:00Z, or a number.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many of the newest records.")] = None,
    examples: Annotated[int, typer.Option(min=0, help="So many of each clause.")] = 3,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Judge what lies on a topic by a contract that is not applied yet; exit 3 when records would be refused."""
    contract = Contract.read(new)
    topic = _topic(on, contract)
    family = family_of(topic, contract)
    settings, domain = Settings.load(), contract.product.domain
    connection = Connection.of(settings, domain=domain)
    with LogReader(connection) as reader, RegistryClient(settings.cluster_of(domain).registry) as registry:
        places = _places(connection, reader, topic, since)
        chosen = newest(places, limit) if limit else places
        with progress(topic, sum(place.end - place.start for place in chosen)) as advance:
            found = Backtester(contract, family, registry, examples).run(topic, reader, chosen, advance)
    if json:
        emit_json(_document(contract, found))
    else:
        emit_table(("clause", "records", "example", "why"), _rows(found))
    _conclude(contract, found)


def _topic(on: str | None, contract: Contract) -> str:
    if on is None:
        return contract.topics.ingress
    try:
        product = ProductName.parse(on)
    except UsageError:
        return on
    if product != contract.product:
        raise UsageError(f"the contract is of {contract.product}, not of {product}")
    return contract.topics.ingress


def _places(connection: Connection, reader: LogReader, topic: str, since: str | None) -> list[Stretch]:
    with Admin(connection) as admin:
        state = admin.topics([topic]).get(topic)
    if state is None:
        raise NotFound("topic", topic, "name one that is there with --on, as of an earlier major version")
    moment, offset = _since(since)
    return stretches(reader, topic, state.partitions, since_ms=moment, offset=offset)


def _since(text: str | None) -> tuple[int | None, int]:
    if text is None or text.isdigit():
        return None, int(text or 0)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is neither a time as in 2013-01-31T10:00Z nor an offset") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000), 0


def _rows(found: Backtest) -> Iterator[tuple[object, ...]]:
    for clause, count in found.clauses.most_common():
        rows = [(each.coordinate, _why(each.reason, each.correction)) for each in found.examples.get(clause, ())]
        yield clause, f"{count:,}", *(rows[0] if rows else ("", ""))
        yield from (("", "", *row) for row in rows[1:])


def _why(reason: str, correction: str | None) -> str:
    return f"{reason}; perhaps {correction}" if correction else reason


def _document(contract: Contract, found: Backtest) -> dict[str, Any]:
    shown = {
        clause: [{**asdict(each), "coordinate": str(each.coordinate)} for each in rows]
        for clause, rows in found.examples.items()
    }
    counts = {"read": found.read, "refused": found.refused, "clauses": dict(found.clauses.most_common())}
    return {"contract": str(contract), "rule_set": contract.rule_set_digest, "topic": found.topic, **counts} | {
        "examples": shown
    }


def _conclude(contract: Contract, found: Backtest) -> None:
    if found.refused:
        text = f"{contract} would refuse {found.refused:,} of {found.read:,} records on {found.topic}"
        stderr().print(text, markup=False, style="red")
        raise typer.Exit(ContractInvalid.exit_code)
    note(f"{contract} would refuse none of {found.read:,} records on {found.topic}")
