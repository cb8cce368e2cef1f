"""Which outputs of a processor passed before: the same again, or something else in the place of what passed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mesh.gate.passage import Passage
from mesh.gate.product import GatedProduct
from mesh.gate.slots import RecentSlots
from mesh.kafka import LogReader
from mesh.lineage import Descent, LineageLog, PartitionChain
from mesh.lineage.marks import Marks, OutputName, above, marks_of, name_of
from mesh.lineage.passed import PassedOutputs
from mesh.types import Finding, Reaction, TopicPartition

DIVERGENT: Final = "parents.divergent"
"""The same output passed before, made from other parents; the partition stops."""

OUTDATED: Final = "parents.outdated"
"""It is so far behind what has passed that nobody can tell any more whether it passed before."""


@dataclass(frozen=True, slots=True)
class Repetition:
    """Of the outputs of a batch, by row: which came again, and what refuses others; the rest is new."""

    repeated: frozenset[int]
    refusals: Mapping[int, Finding]


class Repetitions:
    """Knows what passed: in the open transaction, lately (slots), and else by looking into the lineage partition."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self._slots: dict[TopicPartition, RecentSlots] = {}

    def among(
        self,
        product: GatedProduct,
        partition: TopicPartition,
        chain: PartitionChain,
        passing: Passage,
        outputs: Sequence[tuple[int, Descent]],
    ) -> Repetition:
        """Sort out rows that would pass otherwise; those that are new are added to ``passing``.

        Raises what LogReader raises, and LineageBroken.
        """
        log = _Log(self._reader, TopicPartition(product.topics.lineage, partition.partition))
        slotted = any(each.slot is not None for _, each in outputs)
        slots = self._recent(partition, chain, log) if slotted else RecentSlots()
        memory = _Memory(passing, marks_of(chain.high_water), slots)
        doubtful = [each for _, each in outputs if memory.doubts(each)]
        if doubtful:
            memory.found = PassedOutputs(log.opened, chain.topics.public, passing.processor).digests(doubtful)
        repeated: set[int] = set()
        refusals: dict[int, Finding] = {}
        for row, output in outputs:
            digest = memory.digest(output)
            if digest == output.digest:
                repeated.add(row)
            elif digest is not None:
                refusals[row] = _divergent(output)
            elif memory.doubts(output) and name_of(output) not in memory.found:
                refusals[row] = _outdated(output)
            else:
                passing.add(output)
        return Repetition(frozenset(repeated), refusals)

    def _recent(self, partition: TopicPartition, chain: PartitionChain, log: _Log) -> RecentSlots:
        if partition not in self._slots:
            self._slots[partition] = RecentSlots.read(log.opened, chain.topics.public)
        return self._slots[partition]

    def settled(self, partition: TopicPartition, passage: Passage) -> None:
        """A transaction has committed with this."""
        if partition in self._slots:
            self._slots[partition].add(passage.descents, passage.marks)

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """These belong to somebody else now, or are taken up anew from the lineage topic."""
        for partition in partitions:
            self._slots.pop(partition, None)


class _Log:
    """A lineage partition, read only if somebody asks."""

    def __init__(self, reader: LogReader, partition: TopicPartition) -> None:
        self._reader, self._partition = reader, partition
        self._log: LineageLog | None = None

    @property
    def opened(self) -> LineageLog:
        if self._log is None:
            self._log = LineageLog(self._reader, self._partition)
        return self._log


class _Memory:
    """All that is known while one batch is looked at."""

    def __init__(self, passing: Passage, committed: Marks, slots: RecentSlots) -> None:
        self._passing, self._committed, self._slots = passing, committed, slots
        self.found: Mapping[OutputName, bytes | None] = {}

    def doubts(self, output: Descent) -> bool:
        """Whether only the log can tell if an output passed before this transaction."""
        processor = self._passing.processor
        if output.slot is None:
            return not above(self._committed, processor, output)
        return self._slots.get(output.slot) is None and not above(self._slots.floor, processor, output)

    def digest(self, output: Descent) -> bytes | None:
        """The digest an output passed with."""
        before = self._slots.get(output.slot) if output.slot is not None else None
        if before is None:
            before = self.found.get(name_of(output))
        if before is None and (output.slot is not None or not self._passing.reaches(output)):
            before = self._passing.before(output)
        return before


def _named(output: Descent) -> str:
    at = output.driving
    where = f"record {at.offset} of partition {at.partition} of topic {at.topic_id}"
    return f"output {output.index} of {where}" if output.slot is None else f"the output that {where} has completed"


def _divergent(output: Descent) -> Finding:
    told = f"{_named(output)} passed before, made from other parents: what the processor looked up has changed since"
    return Finding(DIVERGENT, "", told, Reaction.HALT)


def _outdated(output: Descent) -> Finding:
    told = f"{_named(output)} is so far behind what has passed that nobody can tell whether it passed before"
    return Finding(OUTDATED, "", told)
