"""What operators do: try a replay without doing it, order it of the gate, and wait for what the gate made of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mesh.errors import DeadlineExceeded
from mesh.gate.product import GatedProduct
from mesh.gate.quarantine.command import Command, Patch
from mesh.gate.quarantine.patching import Patching
from mesh.gate.quarantine.record import Quarantined
from mesh.gate.quarantine.standing import outcome
from mesh.judge import Batch
from mesh.kafka import Connection, LogReader, Producer
from mesh.lineage import LineageLog, Settlement
from mesh.types import Coordinate, Finding, ProductTopics, TopicPartition

_POLL_SECONDS: Final = 0.1


class Trial:
    """Judges quarantined records as the gate would, by the contract in force, and writes nothing."""

    def __init__(self, product: GatedProduct) -> None:
        self._product = product
        self._patching = Patching(product.registry, product.contract.key_fields)

    def findings(self, record: Quarantined, patch: Patch | None) -> tuple[Finding, ...]:
        """What would be wrong with a record, with its patch; empty when it would pass.

        Raises UsageError, EncodingRefused, MalformedBody or NotFound where the patch does not fit.
        """
        value = record.value if patch is None else self._patching.apply(record.value, patch)
        batch = Batch([record.key], [value], [record.headers])
        self._product.learn(batch)
        verdicts = self._product.judge.judge(batch)
        return verdicts.findings.get(0, ()) if verdicts.refused(0) else ()


@dataclass(frozen=True, slots=True)
class Ordered:
    """Where commands were written: the offsets they lie between, by partition of the commands topic."""

    spans: Mapping[TopicPartition, tuple[int, int]]


def order(
    connection: Connection,
    reader: LogReader,
    topics: ProductTopics,
    commands: Sequence[Command],
    rate: float | None = None,
) -> Ordered:
    """Write commands, durably, at most ``rate`` a second. Raises NotAuthorised for all but operators."""
    places = sorted({TopicPartition(topics.commands, command.coordinate.partition) for command in commands})
    before = {place: reader.bounds(place)[1] for place in places}
    with Producer(connection) as producer:
        began = time.monotonic()
        for number, command in enumerate(commands):
            if rate is not None:
                time.sleep(max(0.0, began + number / rate - time.monotonic()))
            key, value = command.encode()
            producer.produce(topics.commands, key=key, value=value, partition=command.coordinate.partition)
            producer.check()
        producer.flush()
    return Ordered({place: (before[place], reader.bounds(place)[1]) for place in places})


def outcomes(
    reader: LogReader, topics: ProductTopics, ordered: Ordered, seconds: float
) -> Iterator[tuple[int, Settlement, Coordinate | None]]:
    """What the gate made of commands: partition, settlement, and where the record lies now, as they are settled.

    Others' commands between ours are among them. Raises DeadlineExceeded when no gate settles them in time.
    """
    deadline = time.monotonic() + seconds
    for place, (begin, end) in ordered.spans.items():
        lineage = TopicPartition(topics.lineage, place.partition)
        while _next_command(reader, lineage) < end:
            if time.monotonic() > deadline:
                raise DeadlineExceeded(f"settling the commands on {place}, by a gate (is one running?),", seconds)
            time.sleep(_POLL_SECONDS)
        yield from sorted(_settled(reader, topics, lineage, range(begin, end)), key=lambda each: each[1].command)


def _next_command(reader: LogReader, lineage: TopicPartition) -> int:
    last = LineageLog(reader, lineage).index.last()
    return last[1].commands_next if last is not None else 0


def _settled(
    reader: LogReader, topics: ProductTopics, lineage: TopicPartition, commands: range
) -> Iterator[tuple[int, Settlement, Coordinate | None]]:
    for _, manifest in LineageLog(reader, lineage).settling():
        if manifest.commands_next <= commands.start:
            return
        for settlement in manifest.settlements:
            if settlement.command in commands:
                yield lineage.partition, settlement, outcome(settlement, manifest, topics)
