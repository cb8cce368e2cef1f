"""Records that come back to the judge, out of quarantine or out of parking, on their way to their topic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mesh.gate.holding import Released, keeping
from mesh.gate.observation import Observation
from mesh.gate.orders import Replay
from mesh.gate.routing import marking
from mesh.judge import Verdicts
from mesh.judge.frame import fault, schema_id
from mesh.kafka import Transaction
from mesh.lineage import VERDICT_HEADER, Descent, Result, VerdictHeader, encode_verdict_header
from mesh.types import Coordinate, Finding, Headers, SchemaId, TopicPartition


@dataclass(frozen=True, slots=True, order=True)
class Returning:
    """One record and what the judge says of it now; they sort by ``ingress``, their offset there.

    ``attempt`` counts the judgements, this one too; ``arrived`` is the time of the ingress, in milliseconds.
    """

    ingress: int
    place: Coordinate = field(compare=False)
    key: bytes | None = field(compare=False)
    value: bytes | None = field(compare=False)
    headers: Headers = field(compare=False)
    arrived: int = field(compare=False)
    attempt: int = field(compare=False)
    findings: tuple[Finding, ...] = field(compare=False)
    time: int | None = field(compare=False)
    descent: Descent | None = field(compare=False, default=None)
    """Of a derived product."""
    repeated: bool = field(compare=False, default=False)
    """Whether the same output is public already."""

    @property
    def refused(self) -> bool:
        """Whether it goes to quarantine."""
        return any(finding.refuses for finding in self.findings)

    @property
    def keeps(self) -> bool:
        """Whether it holds its key, still or anew."""
        return keeping(self.findings)

    @property
    def result(self) -> Result:
        """What becomes of it."""
        if self.repeated:
            return Result.REPEATED
        return Result.REFUSED if self.refused else Result.PASSED


def returning(
    replays: Sequence[Replay], verdicts: Verdicts, partition: TopicPartition, released: Released
) -> Iterator[Returning]:
    """Replayed records and released ones of one ingress partition, as they were judged."""
    for row, replay in enumerate(replays):
        record = replay.record
        yield Returning(
            replay.ingress,
            record.verdict.coordinate,
            record.key,
            replay.value,
            record.headers,
            record.arrived,
            record.verdict.attempt + 1,
            verdicts.findings.get(row, ()),
            verdicts.event_times[row],
        )
    for row, parked in enumerate(released.records):
        yield Returning(
            parked.ingress,
            Coordinate(partition.topic, partition.partition, parked.ingress),
            parked.key,
            parked.value,
            parked.headers,
            parked.arrived,
            1,
            released.verdicts.findings.get(row, ()),
            released.verdicts.event_times[row],
        )


@dataclass(slots=True)
class Releasing:
    """Writes such records of one partition within one attempt; give them by ascending ingress offset."""

    transaction: Transaction
    partition: int
    observation: Observation

    def write(self, record: Returning) -> None:
        """Send it to the public topic or to quarantine, or nowhere if it repeats, and note what happened."""
        observation, topics = self.observation, self.observation.product.topics
        observation.released.append(record.ingress)
        if record.repeated:
            observation.repeated.append(record.ingress)
            return
        observation.clauses.update({finding.clause for finding in record.findings})
        if record.refused:
            observation.refused.append(record.ingress)
            observation.quarantine.count += 1
            headers = [*record.headers, (VERDICT_HEADER, self._verdict(record, record.findings))]
            topic, report = topics.quarantine, observation.quarantine.report
        else:
            observation.public.count += 1
            observation.happened([record.time])
            observation.descended([record.descent])
            marks = marking(record.findings)
            headers = [*record.headers, *([(VERDICT_HEADER, self._verdict(record, marks))] if marks else [])]
            topic, report = topics.public, observation.public.report
            observation.written.add(record.key, record.value, headers)
        self.transaction.produce(
            topic, self.partition, record.key, record.value, headers or None, record.arrived, report
        )

    def _verdict(self, record: Returning, findings: tuple[Finding, ...]) -> bytes:
        product = self.observation.product
        verdict = VerdictHeader(
            product=product.name,
            coordinate=record.place,
            findings=findings,
            basis=product.basis,
            schema_id=_written_with(record.value),
            attempt=record.attempt,
        )
        return encode_verdict_header(verdict)


def _written_with(value: bytes | None) -> SchemaId | None:
    return schema_id(value) if value is not None and fault(value) is None else None
