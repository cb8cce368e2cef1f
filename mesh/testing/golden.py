"""Golden records: what a contract's team says of real records, beside the document as ``<product>.samples.ndjson``.

One JSON object a line: ``record`` in the form that ``mesh publish`` reads, ``verdict`` as ``"accepted"`` or the list of
the clauses it breaks, ``why`` for people. ``value`` and ``key`` may give payloads as base64 instead (the value schema
has the id 1, the key schema 2), ``key`` also null; ``headers`` are names with texts;
without them the record has those that the contract requires.
"""

from __future__ import annotations

import binascii
import json
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mesh.contract import Contract
from mesh.contract.document import SUFFIX
from mesh.contract.shape import shape_of
from mesh.errors import ContractInvalid, UsageError
from mesh.producer.reading import Misread, Read, json_reader
from mesh.testing.judging import OfflineJudge
from mesh.types import Finding

SAMPLES: Final = ".samples.ndjson"
ACCEPTED: Final = "accepted"
_KNOWN: Final = frozenset({"record", "verdict", "why", "value", "key", "headers"})


@dataclass(frozen=True, slots=True)
class Golden:
    """One golden record. ``verdict`` is empty for one that is accepted; ``line`` counts from 1."""

    line: int
    record: Mapping[str, Any] | None
    verdict: frozenset[str]
    why: str = ""
    given: Mapping[str, bytes | None] | None = None
    headers: tuple[tuple[str, bytes | None], ...] | None = None

    def findings(self, judge: OfflineJudge) -> tuple[Finding, ...]:
        """What a judge says of it."""
        given = self.given or {}
        if not given:
            return judge.findings(self.record or {}, self.headers)
        key = given["key"] if "key" in given else judge.key_of(self.record or {})
        value = given["value"] if "value" in given else judge.payload(self.record or {})
        return judge.judged(key, value, self.headers)

    def difference(self, findings: tuple[Finding, ...]) -> str:
        """How the findings differ from the verdict that was expected; empty where they do not."""
        refused = any(finding.refuses for finding in findings)
        broken = frozenset(finding.clause for finding in findings)
        if broken == self.verdict or not (self.verdict or refused):
            return ""
        expected = ", ".join(sorted(self.verdict)) or ACCEPTED
        told = [f"  {each.clause} at {each.path or 'the record'}: {_why(each)}" for each in findings]
        return "\n".join([f"expected: {expected}", f"the contract says: {'' if told else ACCEPTED}".rstrip(), *told])


def _why(finding: Finding) -> str:
    return finding.reason if finding.correction is None else f"{finding.reason}; perhaps {finding.correction}"


def samples_of(document: Path) -> Path:
    """Where the golden records of a document are."""
    return document.with_name(document.name.removesuffix(SUFFIX) + SAMPLES)


def read_golden(path: Path, contract: Contract) -> list[Golden]:
    """The golden records in a file; raises ContractInvalid with every bad line as ``file:line: text``, UsageError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}; golden records are NDJSON in UTF-8") from None
    reading = _Reading(contract)
    found: list[Golden] = []
    problems: list[str] = []
    for number, text in enumerate(lines, 1):
        if text.strip():
            try:
                found.append(reading.golden(number, text))
            except ValueError as error:
                problems.append(f"{path}:{number}: {error}")
    if problems:
        raise ContractInvalid(problems)
    return found


class _Reading:
    """Lines of one file; its errors are ValueErrors that say what is wrong with a line."""

    def __init__(self, contract: Contract) -> None:
        self._read: Read | None = json_reader(shape_of(contract.value_schema))
        self._clauses = frozenset(clause.id for clause in contract.clauses)

    def golden(self, number: int, text: str) -> Golden:
        try:
            node = json.loads(text)
        except ValueError:
            raise ValueError("is not JSON") from None
        if not isinstance(node, dict) or not node.keys() <= _KNOWN:
            raise ValueError(f"a golden record is an object of {', '.join(sorted(_KNOWN))}")
        if "value" not in node and not isinstance(node.get("record"), dict):
            raise ValueError("a golden record needs its record, or the value as base64")
        given = {name: _payload(node[name], name) for name in ("key", "value") if name in node}
        return Golden(
            line=number,
            record=self._record(node["record"]) if isinstance(node.get("record"), dict) else None,
            verdict=self._verdict(node.get("verdict")),
            why=str(node.get("why", "")),
            given=given or None,
            headers=tuple(_headers(node["headers"])) if "headers" in node else None,
        )

    def _record(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            record: Mapping[str, Any] = self._read(node) if self._read else node
        except Misread as error:
            raise ValueError(f"{error.path} {error}") from None
        return record

    def _verdict(self, node: object) -> frozenset[str]:
        if node == ACCEPTED:
            return frozenset()
        if not isinstance(node, list) or not node or not all(isinstance(each, str) for each in node):
            raise ValueError('its verdict is "accepted" or the list of the clauses it breaks')
        # Findings about frames, keys and headers are no clauses of the contract; they have a dot and a known start.
        unknown = [each for each in node if each not in self._clauses and each.partition(".")[0] not in _PLATFORM]
        if unknown:
            raise ValueError(f"the contract has no clause {unknown[0]}")
        return frozenset(node)


_PLATFORM: Final = ("frame", "schema", "body", "value", "key", "header")


def _payload(node: object, name: str) -> bytes | None:
    if node is None:
        return None
    try:
        return b64decode(str(node), validate=True)
    except binascii.Error:
        raise ValueError(f"its {name} is not base64") from None


def _headers(node: object) -> Iterator[tuple[str, bytes | None]]:
    if not isinstance(node, dict):
        raise ValueError("its headers are names with texts")  # noqa: TRY004  (the line is wrong, not the call)
    for name, value in node.items():
        yield name, None if value is None else str(value).encode()
