"""Judging records without a mesh: encoded, framed and judged as a publisher and a gate would, in one process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mesh.contract import AvroSchema, Contract
from mesh.contract.avro import text
from mesh.errors import EncodingRefused
from mesh.judge import Batch, Judge, RowCodec
from mesh.judge.explanation import Explainer, Explanation
from mesh.judge.frame import frame
from mesh.producer.encoding import RecordEncoder
from mesh.types import Finding, Headers, SchemaId

_VALUE: Final = SchemaId(1)
_KEY: Final = SchemaId(2)
_LOOSE: Final = SchemaId(3)
MISFIT: Final = "schema.misfit"
"""The clause of a record that no version of the schema could hold."""


class _Ids:
    """A registry of the two schemas of one contract."""

    def __init__(self, contract: Contract) -> None:
        topics = contract.topics
        self._known = {f"{topics.ingress}-value": _VALUE, f"{topics.ingress}-key": _KEY}

    def lookup(self, subject: str, schema: str) -> SchemaId | None:
        return self._known.get(subject)


class OfflineJudge:
    """The verdicts of one contract, without broker and registry.

    A record that lacks a field, or has null where the schema has none, is written by a version of the schema in which
    everything is optional, as another publisher might: the clauses then say what is missing.
    """

    def __init__(self, contract: Contract, *, columns: bool = False) -> None:
        """``columns``: judge as a gate does for whole batches; the verdicts are the same."""
        self.contract = contract
        self._encoder = RecordEncoder(contract, _Ids(contract))
        self._judge = Judge(contract, columns=columns)
        self._judge.learn(_VALUE, contract.value_schema_json)
        if contract.key_fields:
            self._judge.learn(_KEY, contract.key_schema_json, key=True)
        self._explainer: Explainer | None = None
        self._loose: RowCodec | None = None
        self._required: Headers = [(name, b"") for name in contract.headers]

    def findings(self, record: Mapping[str, Any], headers: Headers | None = None) -> tuple[Finding, ...]:
        """What is wrong with a record; one that no version of the schema can hold is a ``schema.misfit``.

        Where no headers are given it has those that the contract requires.
        """
        try:
            value, key = self._value(record), self._key(record)
        except EncodingRefused as error:
            return (Finding(MISFIT, error.path, error.reason),)
        return self.judged(key, value, headers)

    def broken(self, record: Mapping[str, Any]) -> frozenset[str]:
        """The clauses that a record breaks."""
        return frozenset(finding.clause for finding in self.findings(record))

    def judged(self, key: bytes | None, value: bytes | None, headers: Headers | None = None) -> tuple[Finding, ...]:
        """What is wrong with a payload; the contract's value schema has the id 1 here, its key schema 2."""
        given = self._required if headers is None else headers
        return self._judge.judge(Batch([key], [value], [given])).findings.get(0, ())

    def explain(self, record: Mapping[str, Any]) -> list[Explanation]:
        """Why a record breaks each clause that it breaks: the smallest part, with the values that may be shown."""
        if self._explainer is None:
            self._explainer = Explainer(self.contract)
        plain = RowCodec(loosened(self.contract.value_schema))
        decoded = plain.decode(plain.encode(_without_nulls(record)))
        assert isinstance(decoded, dict)  # noqa: S101  (a contract's schema is a record)
        found = [self._explainer.explain(clause.id, decoded) for clause in self.contract.clauses]
        return [each for each in found if each is not None]

    def key_of(self, record: Mapping[str, Any]) -> bytes | None:
        """The key that a record makes; None where its key fields make none."""
        return self._key(record)

    def payload(self, record: Mapping[str, Any]) -> bytes:
        """A record as a payload; raises EncodingRefused."""
        return self._value(record)

    def _value(self, record: Mapping[str, Any]) -> bytes:
        try:
            return self._encoder.value(record)
        except EncodingRefused:
            return frame(_LOOSE, self._optional().encode(_without_nulls(record)))

    def _key(self, record: Mapping[str, Any]) -> bytes | None:
        try:
            return self._encoder.key_of(record)
        except EncodingRefused:
            return None

    def _optional(self) -> RowCodec:
        if self._loose is None:
            schema = loosened(self.contract.value_schema)
            self._loose = RowCodec(schema)
            self._judge.learn(_LOOSE, text(schema))
        return self._loose


def _without_nulls(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if value is not None}


def loosened(schema: AvroSchema) -> AvroSchema:
    """The same schema with every field optional, null where it is left out."""
    if isinstance(schema, list):
        return [loosened(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    loose = {name: loosened(part) if name in ("items", "values", "type") else part for name, part in schema.items()}
    if "fields" in loose:
        loose["fields"] = [_optional_field(part) for part in schema["fields"]]
    return loose


def _optional_field(part: Mapping[str, Any]) -> dict[str, Any]:
    kind = loosened(part["type"])
    others = [branch for branch in (kind if isinstance(kind, list) else [kind]) if branch != "null"]
    return {**part, "type": ["null", *others], "default": None}
