"""How a quarantined record stands: open, or settled by whom, when, why and with what outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from mesh.errors import UsageError
from mesh.gate.quarantine.command import Command
from mesh.kafka import LogReader
from mesh.lineage import LineageLog, Manifest, Result, Settlement
from mesh.types import Coordinate, ProductTopics, TopicPartition


class State(StrEnum):
    """What is to be done about a quarantined record: something only while it is open."""

    OPEN = "open"
    REPLAYED = "replayed"
    DISCARDED = "discarded"
    SUPERSEDED = "superseded"
    """Replayed and refused again: the newer record stands for it."""


_STATES = {
    Result.PASSED: State.REPLAYED,
    Result.REPEATED: State.REPLAYED,
    Result.REFUSED: State.SUPERSEDED,
    Result.DISCARDED: State.DISCARDED,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """``actor``, ``reason``, ``patch`` and ``at`` (epoch milliseconds) are those of the command that settled it.

    Of an open record they are those of a command that waits, or that changed nothing; ``note`` says which.
    ``settled`` is the public record, or the newer quarantined one.
    """

    state: State = State.OPEN
    actor: str = ""
    reason: str = ""
    patch: str = ""
    at: int | None = None
    command: Coordinate | None = None
    settled: Coordinate | None = None
    note: str = ""


OPEN = Standing()


def standings(
    reader: LogReader, topics: ProductTopics, partition: int, quarantine_id: UUID | None
) -> dict[int, Standing]:
    """The standing of every quarantined record of a partition that a command was ever about, by quarantine offset.

    ``quarantine_id`` is the incarnation of the quarantine topic that is meant. Raises NotAuthorised, LineageBroken.
    """
    log = LineageLog(reader, TopicPartition(topics.lineage, partition))
    found: dict[int, Standing] = {}
    for _, manifest in log.settling():
        if quarantine_id in (None, manifest.topics.quarantine):
            for settlement in manifest.settlements:
                _fold(found, settlement, manifest, topics)
    last = log.index.last()
    _waiting(found, reader, topics, partition, last[1].commands_next if last else 0)
    return found


def _fold(found: dict[int, Standing], settlement: Settlement, manifest: Manifest, topics: ProductTopics) -> None:
    """Newer manifests come first; a void command never hides one that settled."""
    known = found.get(settlement.quarantined)
    if known is None or (known.state is State.OPEN and settlement.result.settles):
        found[settlement.quarantined] = _standing(settlement, manifest, topics)


def _standing(settlement: Settlement, manifest: Manifest, topics: ProductTopics) -> Standing:
    return Standing(
        state=_STATES.get(settlement.result, State.OPEN),
        actor=settlement.actor,
        reason=settlement.reason,
        patch=settlement.patch,
        at=manifest.created_at,
        command=Coordinate(topics.commands, manifest.partition, settlement.command),
        settled=outcome(settlement, manifest, topics),
        note="" if settlement.result.settles else f"a command changed nothing: {settlement.reason}",
    )


def outcome(settlement: Settlement, manifest: Manifest, topics: ProductTopics) -> Coordinate | None:
    """Where a record that a command moved lies now; None for one that it did not move."""
    names: Mapping[Result, str] = {Result.PASSED: topics.public, Result.REFUSED: topics.quarantine}
    name = names.get(settlement.result)
    offset = manifest.ingress_to_outcome(settlement.ingress).offset if name is not None else None
    return Coordinate(name, manifest.partition, offset) if name is not None and offset is not None else None


def _waiting(found: dict[int, Standing], reader: LogReader, topics: ProductTopics, partition: int, start: int) -> None:
    """Commands that no gate has settled yet."""
    place = TopicPartition(topics.commands, partition)
    for message in reader.read(place, start, reader.bounds(place)[1]):
        try:
            command = Command.decode(message.value())
        except UsageError:
            continue
        known = found.get(command.coordinate.offset, OPEN)
        if known.state is State.OPEN and command.coordinate.topic == topics.quarantine:
            at = Coordinate(topics.commands, partition, message.offset())
            note = f"a {command.verb} waits for the gate"
            found[command.coordinate.offset] = replace(
                OPEN, actor=command.actor, reason=command.reason, at=command.at, command=at, note=note
            )
