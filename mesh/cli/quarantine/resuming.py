"""``mesh gate resume``: partitions that stopped by their contract's will go on."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from mesh.cli.console import emit_table, note, told
from mesh.cli.quarantine.desk import at_desk
from mesh.errors import NotFound, UsageError
from mesh.gate.quarantine import Command, Verb, order, outcomes
from mesh.lineage import Result
from mesh.types import Coordinate, ProductName

_PATIENCE_SECONDS = 60.0


@told
def resume(
    product: Annotated[str, typer.Argument(help="<domain>.<product>.")],
    partition: Annotated[int | None, typer.Option(min=0, help="Only this one; else every one that stopped.")] = None,
    reason: Annotated[str, typer.Option(help="Why it may go on; kept in lineage and in the audit log.")] = "",
) -> None:
    """Let partitions go on that a breaker or a halting clause stopped; a record that halted goes to quarantine."""
    with at_desk(ProductName.parse(product)) as desk:
        topics, count = desk.contract.topics, desk.contract.partitions
        if partition is not None and partition >= count:
            raise UsageError(f"{product} has {count} partition(s), the last is {count - 1}")
        wanted = range(count) if partition is None else [partition]
        commands = [
            Command(
                verb=Verb.RESUME,
                coordinate=Coordinate(topics.ingress, number, 0),
                actor=desk.actor,
                reason=reason,
                at=int(time.time() * 1000),
            )
            for number in wanted
        ]
        ordered = order(desk.connection, desk.reader, topics, commands)
        found = list(outcomes(desk.reader, topics, ordered, _PATIENCE_SECONDS))
    rows = [(f"{topics.ingress}/{number}", "goes on") for number, each, _ in found if each.result is Result.RESUMED]
    emit_table(("partition", "state"), rows)
    if not rows:
        raise NotFound("partition that stands still", f"of {product}", "the gate's log says what stopped")
    note(f"{len(rows)} partition(s) go on")
