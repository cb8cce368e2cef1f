"""Judged records to their topics: the original bytes to the public one, refused ones to quarantine with the verdict."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from mesh.gate.descents import Examined
from mesh.gate.holding import Parking
from mesh.gate.observation import Observation
from mesh.judge import Verdicts
from mesh.kafka import AbortRequired, Message, Run, Transaction
from mesh.lineage import VERDICT_HEADER, VerdictHeader, encode_verdict_header, layouts_of
from mesh.types import Coordinate, Finding, Headers, Reaction, SchemaId, TopicPartition

STUB_HEADER = "mesh-stub"
_UNFORWARDABLE = {"MSG_SIZE_TOO_LARGE", "INVALID_RECORD", "INVALID_TIMESTAMP", "RECORD_LIST_TOO_LARGE"}


def marking(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings that a record which passes tells its readers of; mere warnings are only counted."""
    return tuple(finding for finding in findings if finding.reaction is Reaction.MARK)


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
    parking: Parking | None = None
    parked: frozenset[int] = frozenset()
    """The rows that wait for an earlier record of their key, whatever they hold; nothing is found in them yet."""

    def route(self, run: Run, examined: Examined, records: Sequence[Message]) -> None:
        """Send every record of a judged run where it belongs and note what happened."""
        observation, verdicts, repeated = self.observation, examined.verdicts, examined.repeated
        refusals = verdicts.refusals
        staying = refusals | self.parked | repeated
        observation.delivered += run.offsets
        marked = self._marked(run, verdicts, records)
        if self.transaction.attempt or self.unforwardable:
            self._each(run, marked, examined, records)
        else:
            outgoing = marked.only([row not in staying for row in range(len(run))]) if staying else marked
            if marked is run and not self.parked:
                self._digest(run, sorted(staying))
            else:
                observation.read.add_all(layouts_of(run.keys, run.values, run.headers))
                observation.written.add_all(layouts_of(outgoing.keys, outgoing.values, outgoing.headers))
            self._forward(outgoing)
            observation.descended(each for row, each in enumerate(examined.descents) if row not in staying)
            for row in sorted(refusals):
                self._refuse(records[row], run.headers[row], verdicts.findings[row])
            for row in sorted(self.parked):
                self._park(records[row], run.headers[row])
        for findings in verdicts.findings.values():
            observation.clauses.update({finding.clause for finding in findings})
        observation.descended((), examined.size)
        observation.repeated += [run.offsets[row] for row in sorted(repeated)]
        times = verdicts.event_times
        passing = times if not staying else [time for row, time in enumerate(times) if row not in staying]
        observation.happened(passing)

    def _marked(self, run: Run, verdicts: Verdicts, records: Sequence[Message]) -> Run:
        """The run as it is to be written: records that pass in spite of a finding carry it in a header."""
        marks = {row: marking(findings) for row, findings in verdicts.findings.items() if not verdicts.refused(row)}
        if not any(marks.values()):
            return run
        headers = [
            [*headers, (VERDICT_HEADER, self._verdict(records[row], marks[row]))] if marks.get(row) else headers
            for row, headers in enumerate(run.headers)
        ]
        return replace(run, headers=headers)

    def _digest(self, run: Run, refused: Sequence[int]) -> None:
        """What passes is digested twice, as read and as written, but laid out once."""
        observation, start = self.observation, 0
        for row in (*refused, len(run)):
            passing = layouts_of(run.keys[start:row], run.values[start:row], run.headers[start:row])
            observation.read.add_all(passing)
            observation.written.add_all(passing)
            start = row + 1
            observation.read.add_all(layouts_of(run.keys[row:start], run.values[row:start], run.headers[row:start]))

    def _forward(self, run: Run) -> None:
        """The way of nearly all records: reports of the first and the last one of a transaction only.

        A record that the client itself refuses ends the attempt; in the next one every record goes by itself.
        """
        public, topic = self.observation.public, self.observation.product.topics.public
        first = public.report if public.count == 0 else None
        self.transaction.forward(topic, self.partition.partition, run, first=first, last=public.report)
        public.count += len(run)

    def _each(self, run: Run, marked: Run, examined: Examined, records: Sequence[Message]) -> None:
        """One by one, each reporting itself, after an attempt that failed."""
        verdicts, refusals = examined.verdicts, examined.verdicts.refusals
        self.observation.read.add_all(layouts_of(run.keys, run.values, run.headers))
        for row, record in enumerate(records):
            if run.offsets[row] in self.unforwardable:
                self._unforwardable(record)
            elif row in self.parked:
                self._park(record, run.headers[row])
            elif row in refusals:
                self._refuse(record, run.headers[row], verdicts.findings[row])
            elif row not in examined.repeated and self._pass(record, marked.headers[row]):
                self.observation.descended(examined.descents[row : row + 1])

    def _pass(self, record: Message, headers: Headers) -> bool:
        public = self.observation.public
        report = partial(self._careful, public.report, record.offset())
        if self._write(self.observation.product.topics.public, record, headers, report):
            public.count += 1
            self.observation.written.add(record.key(), record.value(), headers)
            return True
        return False

    def _refuse(self, record: Message, headers: Headers, findings: tuple[Finding, ...]) -> None:
        quarantine = self.observation.quarantine
        report = partial(self._careful, quarantine.report, record.offset())
        marked = [*headers, (VERDICT_HEADER, self._verdict(record, findings))]
        if self._write(self.observation.product.topics.quarantine, record, marked, report):
            quarantine.count += 1
            self.observation.refused.append(record.offset())

    def hold(self, record: Message) -> None:
        """A record that is refused holds its key from now on."""
        key = record.key()
        if self.parking is not None and key is not None:
            self.parking.hold(key, record.offset())

    def _park(self, record: Message, headers: Headers) -> None:
        assert self.parking is not None  # noqa: S101  (who parks rows gives the place)
        self.parking.park(record, headers, lambda report: partial(self._careful, report, record.offset()))

    def _write(self, topic: str, record: Message, headers: Headers, report: Any) -> bool:
        """Write the original bytes; what the client itself will not take becomes a stub at once."""
        key, value, when = record.key(), record.value(), record.timestamp()[1]
        try:
            self.transaction.produce(topic, self.partition.partition, key, value, headers or None, when, report)
        except AbortRequired as error:
            if error.code not in _UNFORWARDABLE:
                raise
            if self.observation.passage is not None:
                # What was taken for a repetition of it has to be looked at again: nothing passes in its place.
                self.unforwardable.add(record.offset())
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
