"""From the commands of one partition to what is to be done in one transaction: which records, with which bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from mesh.errors import EncodingRefused, MalformedBody, NotFound, UsageError
from mesh.gate.product import GatedProduct
from mesh.gate.quarantine import Command, Patching, Quarantined, Verb
from mesh.gate.quarantine.patching import told
from mesh.gate.spans import spans
from mesh.judge.reasons import hidden_paths
from mesh.kafka import LogReader, Message
from mesh.lineage import LineageLog, PartitionChain, Result, Settlement
from mesh.types import TopicPartition

ATTEMPTS: Final = 10
"""A record that so many judgements have refused is not for replaying any more: naive loops end here."""

_READ_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Replay:
    """A quarantined record on its way back to the judge, perhaps with a corrected value."""

    at: int
    """Offset of the command."""
    command: Command
    record: Quarantined
    value: bytes | None

    @property
    def ingress(self) -> int:
        return self.record.verdict.coordinate.offset


@dataclass(slots=True)
class Orders:
    """What the next commands of a partition come to. ``replays`` ascend by ingress offset, as outputs have to."""

    count: int
    next: int
    replays: list[Replay] = field(default_factory=list)
    settlements: list[Settlement] = field(default_factory=list)


@dataclass(slots=True)
class Settled:
    """What earlier commands of a partition settled: quarantine offsets, and the ingress offsets that passed by them."""

    records: set[int] = field(default_factory=set)
    passed: set[int] = field(default_factory=set)

    def add(self, settlement: Settlement) -> None:
        """Take one more into account."""
        if settlement.result.settles:
            self.records.add(settlement.quarantined)
        if settlement.result is Result.PASSED:
            self.passed.add(settlement.ingress)

    @classmethod
    def read(cls, reader: LogReader, lineage: TopicPartition, chain: PartitionChain) -> Settled:
        """What the manifests of a partition tell of it; its outputs must be readable up to their end."""
        found = cls()
        for _, manifest in LineageLog(reader, lineage).settling():
            if manifest.topics.quarantine == chain.topics.quarantine:
                for settlement in manifest.settlements:
                    found.add(settlement)
        return found


class Clerk:
    """Reads commands of one product's partition and finds what they are about."""

    def __init__(self, product: GatedProduct, partition: int, reader: LogReader) -> None:
        self._product, self._partition, self._reader = product, partition, reader
        self._patching = Patching(product.registry, product.contract.key_fields)
        self._hidden = hidden_paths(product.contract.fields)

    def orders(
        self, messages: Sequence[Message], chain: PartitionChain, settled: Settled, *, stands: bool = False
    ) -> Orders:
        """What these commands come to; raises RegistryUnreachable when a patch needs a schema that cannot be had."""
        if not messages:
            return Orders(0, chain.commands_next)
        commands = [(message.offset(), _decoded(message)) for message in messages]
        held = self._fetched([command for _, command in commands if isinstance(command, Command)])
        orders = Orders(len(messages), messages[-1].offset() + 1)
        seen = Settled(set(settled.records), set(settled.passed))
        for at, command in commands:
            if isinstance(command, str):
                orders.settlements.append(_void(at, command))
            elif command.verb is Verb.RESUME:
                orders.settlements.append(_resumed(at, command, stands=stands))
                stands = False
            else:
                self._order(orders, at, command, held, chain, seen)
        orders.replays.sort(key=lambda replay: replay.ingress)
        return orders

    def settlement(self, replay: Replay, result: Result) -> Settlement:
        """What became of a replay."""
        return self._settlement(replay.at, replay.command, replay.record, result, replay.command.reason)

    def _order(
        self,
        orders: Orders,
        at: int,
        command: Command,
        held: Mapping[int, Quarantined],
        chain: PartitionChain,
        seen: Settled,
    ) -> None:
        record = held.get(command.coordinate.offset) if self._here(command) else None
        if record is None:
            orders.settlements.append(_void(at, f"there is no record at {command.coordinate}", command.actor))
            return
        value, problem = record.value, self._objection(record, command, chain, seen)
        if not problem and command.verb is Verb.REPLAY:
            value, problem = self._corrected(record, command)
        if problem:
            orders.settlements.append(self._settlement(at, command, record, Result.VOID, problem))
            return
        seen.records.add(record.coordinate.offset)
        if command.verb is Verb.DISCARD:
            orders.settlements.append(self._settlement(at, command, record, Result.DISCARDED, command.reason))
        else:
            seen.passed.add(record.verdict.coordinate.offset)
            orders.replays.append(Replay(at, command, record, value))

    def _here(self, command: Command) -> bool:
        where = command.coordinate
        return (where.topic, where.partition) == (self._product.topics.quarantine, self._partition)

    def _objection(self, record: Quarantined, command: Command, chain: PartitionChain, seen: Settled) -> str:
        """Why nothing is to be done about a record; empty if something is."""
        if record.coordinate.offset in seen.records:
            return "the record is settled already"
        return _unreplayable(record, chain, seen) if command.verb is Verb.REPLAY else ""

    def _corrected(self, record: Quarantined, command: Command) -> tuple[bytes | None, str]:
        """The value to be judged, or why the patch does not fit."""
        if command.patch is None:
            return record.value, ""
        try:
            value = self._patching.apply(record.value, command.patch)
        except (UsageError, EncodingRefused, MalformedBody, NotFound) as error:
            return None, f"the patch does not fit: {error}"
        most = self._product.contract.max_message_bytes
        if len(value) + len(record.key or b"") > max(most, len(record.value or b"")):
            return None, f"the patch does not fit: the record would be larger than {most} bytes"
        return value, ""

    def _settlement(self, at: int, command: Command, record: Quarantined, result: Result, reason: str) -> Settlement:
        return Settlement(
            command=at,
            quarantined=record.coordinate.offset,
            ingress=record.verdict.coordinate.offset,
            result=result,
            actor=command.actor,
            reason=reason,
            patch=told(command.patch, self._hidden),
        )

    def _fetched(self, commands: Sequence[Command]) -> dict[int, Quarantined]:
        place = TopicPartition(self._product.topics.quarantine, self._partition)
        wanted = {command.coordinate.offset for command in commands if self._here(command)}
        found: dict[int, Quarantined] = {}
        for low, high in spans(wanted):
            for message in self._reader.read(place, low, high + 1, _READ_SECONDS):
                record = Quarantined.of(message) if message.offset() in wanted else None
                if record is not None:
                    found[message.offset()] = record
        return found


def _unreplayable(record: Quarantined, chain: PartitionChain, seen: Settled) -> str:
    """Why a record cannot be judged again; empty if it can."""
    ingress = record.verdict.coordinate.offset
    if ingress in seen.passed:
        return "the record has passed already, by another command"
    if ingress >= chain.ingress_next:
        return "the ingress was set back, and the record will be read again"
    if record.stub:
        return "its bytes could not be kept; publish it again and discard this one"
    if record.verdict.attempt >= ATTEMPTS:
        return f"it was judged {record.verdict.attempt} times, which is the most; publish a new record instead"
    return ""


def _decoded(message: Message) -> Command | str:
    try:
        return Command.decode(message.value())
    except UsageError as error:
        return str(error)


def _void(at: int, reason: str, actor: str = "") -> Settlement:
    return Settlement(command=at, quarantined=-1, ingress=-1, result=Result.VOID, actor=actor, reason=reason)


def _resumed(at: int, command: Command, *, stands: bool) -> Settlement:
    if not stands:
        return _void(at, "the partition does not stand still", command.actor)
    return replace(_void(at, command.reason, command.actor), result=Result.RESUMED)
