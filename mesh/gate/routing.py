"""Judged records to their topics: the original bytes to the public one, refused ones to quarantine with the verdict."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from mesh.gate.observation import Observation
from mesh.judge import Batch, Verdicts
from mesh.kafka import AbortRequired, Message, Transaction
from mesh.lineage import VERDICT_HEADER, VerdictHeader, encode_verdict_header
from mesh.types import Coordinate, Finding, Headers, SchemaId, TopicPartition

STUB_HEADER = "mesh-stub"
_UNFORWARDABLE = {"MSG_SIZE_TOO_LARGE", "INVALID_RECORD", "INVALID_TIMESTAMP", "RECORD_LIST_TOO_LARGE"}


@dataclass(slots=True)
class Routing:
    """Writes the records of one partition within one attempt.

    ``unforwardable`` are offsets of records the broker would not take in an earlier attempt; they travel as stubs.
    From the second attempt on every record reports its own delivery, so that the next attempt knows them.
    """

    transaction: Transaction
    partition: TopicPartition
    observation: Observation
    unforwardable: set[int]

    def route(self, batch: Batch, verdicts: Verdicts, records: Sequence[Message]) -> None:
        """Send every record of a judged batch where it belongs and note what happened."""
        refusals = verdicts.refusals
        passed = [row for row in range(len(records)) if row not in refusals]
        last = passed[-1] if passed else -1
        observation = self.observation
        for row, record in enumerate(records):
            key, value, headers = batch.keys[row], batch.values[row], batch.headers[row]
            offset = record.offset()
            observation.delivered.append(offset)
            observation.read.add(key, value, headers)
            if offset in self.unforwardable:
                self._unforwardable(record)
            elif row in refusals:
                self._refuse(record, headers, verdicts.findings[row])
            else:
                self._pass(record, headers, reported=row == last)
        for findings in verdicts.findings.values():
            observation.clauses.update({finding.clause for finding in findings})
        times = (verdicts.event_times[row] for row in passed)
        observation.happened([time for time in times if time is not None])

    def _pass(self, record: Message, headers: Headers, *, reported: bool) -> None:
        public = self.observation.public
        careful = self.transaction.attempt > 0
        report = public.report if reported or public.count == 0 else None
        if careful:
            report = partial(self._careful, public.report, record.offset())
        place = self.observation.product.topics.public
        if self._write(place, record, headers, report):
            public.count += 1
            self.observation.written.add(record.key(), record.value(), headers)

    def _refuse(self, record: Message, headers: Headers, findings: tuple[Finding, ...]) -> None:
        quarantine = self.observation.quarantine
        report = partial(self._careful, quarantine.report, record.offset())
        marked = [*headers, (VERDICT_HEADER, self._verdict(record, findings))]
        if self._write(self.observation.product.topics.quarantine, record, marked, report):
            quarantine.count += 1
            self.observation.refused.append(record.offset())

    def _write(self, topic: str, record: Message, headers: Headers, report: Any) -> bool:
        """Write the original bytes; what the client itself will not take becomes a stub at once."""
        key, value, when = record.key(), record.value(), record.timestamp()[1]
        try:
            self.transaction.produce(topic, self.partition.partition, key, value, headers or None, when, report)
        except AbortRequired as error:
            if error.code not in _UNFORWARDABLE:
                raise
            self._unforwardable(record)
            return False
        return True

    def _careful(self, report: Any, offset: int, error: Any, message: Any) -> None:
        if error is not None and error.name() in _UNFORWARDABLE:
            self.unforwardable.add(offset)
        report(error, message)

    def _verdict(self, record: Message, findings: tuple[Finding, ...]) -> bytes:
        value = record.value()
        framed = value is not None and len(value) >= 5 and value[0] == 0
        schema_id = SchemaId(int.from_bytes(value[1:5], "big")) if framed and value is not None else None
        return self._header(record.offset(), findings, schema_id)

    def _header(self, offset: int, findings: tuple[Finding, ...], schema_id: SchemaId | None = None) -> bytes:
        product = self.observation.product
        place = Coordinate(self.partition.topic, self.partition.partition, offset)
        verdict = VerdictHeader(
            product=product.name, coordinate=place, findings=findings, basis=product.basis, schema_id=schema_id
        )
        return encode_verdict_header(verdict)

    def _unforwardable(self, record: Message) -> None:
        key, value = record.key() or b"", record.value() or b""
        facts = {"size": len(key) + len(value), "sha256": hashlib.sha256(key + value).hexdigest()}
        finding = Finding(
            "record.unforwardable", "", "the broker does not take the record as it is on its output topic"
        )
        self.stub(record.offset(), finding, facts, record.timestamp()[1])

    def stub(self, offset: int, finding: Finding, facts: dict[str, object], timestamp: int = 0) -> None:
        """Quarantine an offset whose bytes cannot travel: a JSON description takes their place."""
        observation = self.observation
        place = Coordinate(self.partition.topic, self.partition.partition, offset)
        content = json.dumps({"coordinate": str(place), **facts, "reason": finding.reason}).encode()
        headers = [(STUB_HEADER, b"1"), (VERDICT_HEADER, self._header(offset, (finding,)))]
        topic, quarantine = observation.product.topics.quarantine, observation.quarantine
        report = quarantine.report
        self.transaction.produce(topic, self.partition.partition, None, content, headers, timestamp, report)
        quarantine.count += 1
        observation.clauses[finding.clause] += 1
        observation.stub(offset)
