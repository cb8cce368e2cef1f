"""The judge of one product: from a batch of bytes to verdicts, without Kafka and without any I/O."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Final, cast

from mesh.contract import Contract
from mesh.contract.avro import canonical_form
from mesh.errors import ContractInvalid, MalformedBody
from mesh.judge.frame import PREFIX, fault, heads, prefix, schema_id
from mesh.judge.keys import KeyJudge
from mesh.judge.rows import Resolution, RowCodec
from mesh.judge.rules import Clauses, Sift, compile_resolving_sift, compile_sift
from mesh.judge.verdict import Batch, Doubts, Suspicion, Verdicts
from mesh.types import Finding, Headers, SchemaId

if TYPE_CHECKING:
    from mesh.judge.columns import ColumnSift

_RESERVED: Final = "mesh-"
# What a publisher may say of itself; everything else under the prefix is the platform's word.
_OPEN: Final = frozenset(("mesh-origin",))
_OF_DERIVED: Final = frozenset(("mesh-parents",))
_HEAD: Final = itemgetter(slice(PREFIX))


@dataclass(frozen=True, slots=True)
class _Plan:
    """How bodies of one schema are read and judged."""

    reader: RowCodec | Resolution
    sift: Sift


class Judge:
    """Judges the records of one product by its contract.

    Findings that are not a clause's: ``frame.empty|magic|short``, ``schema.unknown|unreadable``, ``body.malformed``,
    ``value.null``, ``key.null|unexpected|empty|magic|short|schema|malformed|mismatch``, ``header.reserved|missing``.
    All of them refuse the record. A record may have several.
    """

    def __init__(self, contract: Contract, *, columns: bool = True) -> None:
        """Compile the contract; without ``columns`` every record is judged by itself, with the same verdicts."""
        self._contract = contract
        self._clauses = Clauses(contract)
        self._keys = KeyJudge(contract)
        self._required = frozenset(contract.headers)
        # What it must say is for whoever knows the inputs.
        self._open = _OPEN if contract.derivation is None else _OPEN | _OF_DERIVED
        self._sift = compile_sift(self._clauses, contract.key_fields, self._keys.current)
        self._columns = self._in_columns(self._sift) if columns else None
        self._sift = self._columns or self._sift
        self._canonical = canonical_form(contract.value_schema)
        self._plans: dict[bytes, _Plan] = {}
        self._unreadable: dict[SchemaId, str] = {}
        self._unknown: set[SchemaId] = set()

    def unknown_ids(self, batch: Batch) -> set[SchemaId]:
        """Schema ids in the batch that nobody has told about, in values or in keys: ``learn`` both ways for each."""
        strange = heads(batch.values) - self._plans.keys()
        named = {schema_id(head) for head in strange if fault(head) is None}
        return (named - self._unreadable.keys() - self._unknown) | self._keys.unknown_ids(batch.keys)

    def learn(self, schema_id: SchemaId, schema: str | None, *, key: bool = False) -> None:
        """Take in what the registry says: the schema's text, or None when the id is not of this product's subject."""
        if key:
            self._keys.learn(schema_id, schema)
            return
        self._unknown.discard(schema_id)
        if schema is None:
            self._unknown.add(schema_id)
            return
        try:
            self._plans[prefix(schema_id)] = self._plan(schema)
        except (ContractInvalid, ValueError, RecursionError) as error:
            self._unreadable[schema_id] = " ".join(str(error).split())

    def forget_unknown(self) -> None:
        """Drop the negative answers, so that they are asked again."""
        self._unknown.clear()
        self._keys.forget_unknown()

    def judge(self, batch: Batch) -> Verdicts:
        """What is wrong with which row. Never raises for what the rows hold; ids nobody told about are unknown ones."""
        times: list[int | None] = [None] * len(batch)
        doubtful = Doubts()
        if not self._at_once(batch, times, doubtful):
            for plan, rows in self._grouped(batch, doubtful):
                plan.sift(rows, batch, times, doubtful)
        findings: dict[int, tuple[Finding, ...]] = {}
        for row in sorted(doubtful):
            suspicion = doubtful.suspicions.get(row)
            if suspicion is None:
                found = tuple(self._examine(batch, row, times))
            else:
                found = tuple(self._suspected(batch, row, suspicion))
            if found:
                findings[row] = found
        return Verdicts(findings, times)

    def _at_once(self, batch: Batch, times: list[int | None], doubtful: list[int]) -> bool:
        """Sift a batch without headers whose values are all of one schema; false for any other."""
        if self._required or any(batch.headers) or not batch.values:
            return False
        head, columns = (batch.values[0] or b"")[:PREFIX], self._columns
        plan = self._plans.get(head)
        if plan is None or columns is None or plan.sift is not columns:
            return False
        return columns.whole(batch, head, times, doubtful)

    def _in_columns(self, rows: Sift) -> ColumnSift | None:
        # Whoever only reads or checks contracts does not wait for NumPy.
        from mesh.judge.columns import Unsupported, compile_columns  # noqa: PLC0415

        clauses, contract = self._clauses, self._contract
        try:
            return compile_columns(
                clauses.record, contract.clauses, contract.key_fields, self._keys.current, contract.event_time, rows
            ).looking_at(each.loads for each in clauses.conditions(lenient=True))
        except Unsupported:
            return None

    def _grouped(self, batch: Batch, doubtful: list[int]) -> Iterator[tuple[_Plan, Sequence[int]]]:
        for head, rows in _by_head(batch, doubtful, self._required, self._open).items():
            plan = self._plans.get(head)
            if plan is None:
                doubtful.extend(rows)
            else:
                yield plan, rows

    def _plan(self, schema: str) -> _Plan:
        parsed = json.loads(schema)
        codec = RowCodec(parsed)
        if canonical_form(parsed) == self._canonical:
            return _Plan(codec, self._sift)
        resolution = Resolution(parsed, self._contract.value_schema)
        return _Plan(resolution, compile_resolving_sift(self._clauses, resolution.decode, self._keys.passes))

    def _examine(self, batch: Batch, row: int, times: list[int | None]) -> Iterator[Finding]:
        """Everything that is wrong with one row; sets its event time if it has one."""
        for name in _reserved(batch.headers[row], self._open):
            yield Finding("header.reserved", "", f"the header {name[:80]!r} is reserved for the platform")
        for name in sorted(self._required - _names(batch.headers[row])):
            yield Finding("header.missing", "", f"the header {name[:80]!r} is missing; the contract requires it")
        value, record = batch.values[row], None
        if value is not None:
            try:
                record = self._decoded(value)
            except _Refused as refused:
                yield refused.finding
        elif self._contract.cleanup != "compact":
            yield Finding("value.null", "", "the value is null, which only a compacted product takes, as a deletion")
        yield from self._keys.findings(batch.keys[row], record)
        if record is not None:
            times[row] = self._clauses.time_of(record)
            yield from self._clauses.findings(record)

    def _suspected(self, batch: Batch, row: int, suspicion: Suspicion) -> Iterator[Finding]:
        """What is wrong with a row that is exact and has the right key, headers and schema."""
        record = suspicion.fields
        if record is None:
            record = self._decoded(cast(bytes, batch.values[row]))
        return self._clauses.findings(record, suspicion.clauses)

    def _decoded(self, value: bytes) -> Mapping[str, object]:
        found = fault(value)
        if found:
            raise _Refused(f"frame.{found.kind}", f"the value {found.reason}")
        plan = self._plans.get(value[:PREFIX])
        if plan is None:
            raise self._without_plan(schema_id(value))
        try:
            record = plan.reader.decode(value[PREFIX:])
        except MalformedBody as error:
            told = f"the value is not the Avro encoding of a record by schema {schema_id(value)}: {error.reason}"
            raise _Refused("body.malformed", told) from None
        if not isinstance(record, dict):
            raise _Refused("schema.unreadable", f"schema {schema_id(value)} is not the schema of a record")
        return record

    def _without_plan(self, known: SchemaId) -> _Refused:
        if known in self._unreadable:
            return _Refused("schema.unreadable", f"schema {known} cannot be used: {self._unreadable[known]}")
        return _Refused("schema.unknown", f"the value names schema {known}, which is not registered for this product")


class _Refused(Exception):
    """A finding that ends the examination of a value."""

    def __init__(self, clause: str, reason: str) -> None:
        self.finding = Finding(clause, "", reason)
        super().__init__(reason)


def _by_head(
    batch: Batch, doubtful: list[int], required: frozenset[str], allowed: frozenset[str]
) -> Mapping[bytes, Sequence[int]]:
    """The rows of each schema; those that need a closer look whatever they hold are doubtful instead."""
    if not required and not _reserved(list(chain.from_iterable(filter(None, batch.headers))), allowed):
        try:
            heads: set[bytes] = set(map(_HEAD, cast("Sequence[bytes]", batch.values)))
        except TypeError:
            heads = set()  # a value is null
        if len(heads) == 1:
            return {heads.pop(): range(len(batch))}
    groups: defaultdict[bytes, list[int]] = defaultdict(list)
    for row, (value, headers) in enumerate(zip(batch.values, batch.headers, strict=True)):
        if value is None or (headers and _reserved(headers, allowed)) or (required and not required <= _names(headers)):
            doubtful.append(row)
        else:
            groups[value[:PREFIX]].append(row)
    return groups


def _names(headers: Headers) -> set[str]:
    return {name for name, _ in headers or ()}


def _reserved(headers: Headers, allowed: frozenset[str]) -> list[str]:
    return [name for name, _ in headers or () if name.startswith(_RESERVED) and name not in allowed]
