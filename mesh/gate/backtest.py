"""A proposed contract over records that are already there: what a gate would have said of them, before it is merged."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from mesh.contract import Contract
from mesh.errors import ContractInvalid, MalformedBody, UsageError
from mesh.gate.ports import SchemaSource
from mesh.gate.product import teach
from mesh.judge import Batch, Judge
from mesh.judge.explanation import Explainer
from mesh.judge.frame import PREFIX, fault, schema_id
from mesh.judge.rows import Resolution
from mesh.kafka import LogReader, Message
from mesh.lineage import VERDICT_HEADER
from mesh.types import Coordinate, Finding, Headers, ProductTopics, SchemaId, TopicPartition

_BATCH: Final = 2000


@dataclass(frozen=True, slots=True)
class Stretch:
    """Offsets of one partition to be judged: ``start <= offset < end``."""

    partition: TopicPartition
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Example:
    """One record that breaks a clause. ``reason`` shows values only where the proposed contract allows it."""

    coordinate: Coordinate
    path: str
    reason: str
    correction: str | None = None


@dataclass(slots=True)
class Backtest:
    """What came out. ``clauses`` counts records, as the gate's manifests do; a record may break several."""

    topic: str
    read: int = 0
    refused: int = 0
    clauses: Counter[str] = field(default_factory=Counter)
    examples: defaultdict[str, list[Example]] = field(default_factory=lambda: defaultdict(list))


def family_of(topic: str, contract: Contract) -> ProductTopics:
    """The topics that ``topic`` is one of; raises UsageError unless it is an ingress or public topic of the product."""
    family = ProductTopics.of_any(topic)
    if topic not in (family.ingress, family.public):
        raise UsageError(f"{topic} holds no records to judge; name {family.ingress} or {family.public}")
    if family.product != contract.product:
        raise UsageError(f"{topic} is of {family.product}, the contract of {contract.product}")
    return family


def stretches(reader: LogReader, topic: str, partitions: int, *, since_ms: int | None, offset: int) -> list[Stretch]:
    """Everything readable of a topic from a time, in epoch milliseconds, or else from an offset in every partition."""
    found: list[Stretch] = []
    for number in range(partitions):
        place = TopicPartition(topic, number)
        low, high = reader.bounds(place)
        start = offset if since_ms is None else reader.offset_at(place, since_ms)
        found.append(Stretch(place, min(max(low, start), high), high))
    return found


def newest(places: Sequence[Stretch], limit: int) -> list[Stretch]:
    """The ends of the stretches that together have no more than ``limit`` offsets, shared out evenly."""
    left, kept = limit, list[Stretch]()
    for number, each in enumerate(sorted(places, key=lambda place: place.end - place.start)):
        share = min(each.end - each.start, left // (len(places) - number))
        left -= share
        kept.append(Stretch(each.partition, each.end - share, each.end))
    return sorted(kept, key=lambda place: place.partition)


class Backtester:
    """Judges by one contract; schemas are those registered for the topic's product, as at the gate."""

    def __init__(self, contract: Contract, family: ProductTopics, registry: SchemaSource, examples: int = 3) -> None:
        self._contract, self._family, self._registry, self._most = contract, family, registry, examples
        self._judge = Judge(contract)
        self._explainer = Explainer(contract)
        self._rules = {clause.id for clause in contract.clauses if clause.expression is not None}
        self._readers: dict[SchemaId, Resolution] = {}

    def run(self, topic: str, reader: LogReader, places: Sequence[Stretch], advance: Callable[[int], None]) -> Backtest:
        """Judge the committed records of these places; ``advance`` is told how many were judged."""
        result = Backtest(topic)
        for place in places:
            records = reader.read(place.partition, place.start, place.end)
            while chunk := list(islice(records, _BATCH)):
                self._take(result, chunk)
                advance(len(chunk))
        return result

    def _take(self, result: Backtest, records: Sequence[Message]) -> None:
        batch = Batch(
            [record.key() for record in records],
            [record.value() for record in records],
            [_received(record.headers() or ()) for record in records],
        )
        self._learn(batch)
        verdicts = self._judge.judge(batch)
        result.read += len(records)
        result.refused += len(verdicts.refusals)
        for row, findings in verdicts.findings.items():
            result.clauses.update({finding.clause for finding in findings})
            for finding in findings:
                if len(result.examples[finding.clause]) < self._most:
                    result.examples[finding.clause].append(self._example(records[row], finding))

    def _learn(self, batch: Batch) -> None:
        for told in teach(self._judge, batch, self._registry, self._family.ingress):
            if not told.key:
                self._readers.update(self._reader(told.schema_id, told.text))

    def _reader(self, known: SchemaId, schema: str) -> Iterator[tuple[SchemaId, Resolution]]:
        try:
            yield known, Resolution(json.loads(schema), self._contract.value_schema)
        except (ContractInvalid, ValueError, RecursionError):
            return  # the judge says so of every record that names it

    def _example(self, record: Message, finding: Finding) -> Example:
        place = Coordinate(str(record.topic()), int(record.partition()), int(record.offset()))
        reason = (finding.clause in self._rules and self._smallest(record.value(), finding.clause)) or finding.reason
        return Example(place, finding.path, reason, finding.correction)

    def _smallest(self, value: bytes | None, clause: str) -> str:
        """The smallest part of a rule that the record violates; empty where it cannot be told."""
        if value is None or fault(value) or schema_id(value) not in self._readers:
            return ""
        try:
            record: Any = self._readers[schema_id(value)].decode(value[PREFIX:])
        except MalformedBody:
            return ""
        told = self._explainer.explain(clause, record) if isinstance(record, Mapping) else None
        return "; ".join(part.told for part in told.parts) if told else ""


def _received(headers: Headers) -> Headers:
    """The headers as the ingress had them: a public record may carry the gate's own verdict."""
    return [(name, value) for name, value in headers if name != VERDICT_HEADER]
