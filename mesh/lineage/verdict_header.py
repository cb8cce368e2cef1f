"""The ``mesh-verdict`` header: why the gate refused a record, in JSON that people and other tools read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mesh.errors import LineageBroken, UsageError
from mesh.lineage.manifest import Basis
from mesh.types import Coordinate, Finding, Headers, Reaction, SchemaId

VERDICT_HEADER = "mesh-verdict"

MAX_VERDICT = 16 * 1024
"""Bytes: the quarantine topic takes 64 KiB more than the largest ingress record, and the verdict is not all of it."""

_VERSION = 1
_MAX_REASON = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictHeader:
    """One refused record: where it lay in the ingress, what it broke, and by which contract, rules and build."""

    product: str
    coordinate: Coordinate
    findings: tuple[Finding, ...]
    basis: Basis
    schema_id: SchemaId | None
    attempt: int = 1
    omitted: int = 0
    """Findings that did not fit."""


def encode_verdict_header(verdict: VerdictHeader) -> bytes:
    """UTF-8 JSON of at most ``MAX_VERDICT`` bytes.

    When it is too long the reasons go first, from the last finding backwards, then whole findings from the end,
    counted in ``omitted``: clause and path say most in least space.
    """
    findings = [_finding_row(finding) for finding in verdict.findings]
    encoded = _encode(verdict, findings)
    if len(encoded) <= MAX_VERDICT:
        return encoded
    for row in _last_with_reasons(findings, len(encoded) - MAX_VERDICT):
        row["reason"] = ""
        row.pop("correction", None)
    return _cut(verdict, findings)


def _last_with_reasons(findings: Sequence[dict[str, str]], excess: int) -> list[dict[str, str]]:
    """The last findings whose reasons together make up ``excess`` bytes, or all of them."""
    freed, chosen = 0, list[dict[str, str]]()
    for row in reversed(findings):
        if freed >= excess:
            break
        freed += len(json.dumps(row["reason"], ensure_ascii=False).encode(errors="replace")) - 2
        chosen.append(row)
    return chosen


def _cut(verdict: VerdictHeader, findings: list[dict[str, str]]) -> bytes:
    kept = len(findings)
    while kept:
        encoded = _encode(verdict, findings[:kept])
        if len(encoded) <= MAX_VERDICT:
            return encoded
        kept = kept * 3 // 4
    return _encode(verdict, [])


def _encode(verdict: VerdictHeader, findings: Sequence[Mapping[str, str]]) -> bytes:
    basis, omitted = verdict.basis, len(verdict.findings) - len(findings) + verdict.omitted
    document = {
        "v": _VERSION,
        "product": verdict.product,
        "coordinate": str(verdict.coordinate),
        "findings": findings,
        **({"omitted": omitted} if omitted else {}),
        "contract": {"id": basis.contract_id, "version": basis.contract_version},
        "rule_set": basis.rule_set,
        "schema_id": verdict.schema_id,
        "attempt": verdict.attempt,
        "build": basis.build,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _finding_row(finding: Finding) -> dict[str, str]:
    reason = finding.reason if len(finding.reason) <= _MAX_REASON else finding.reason[: _MAX_REASON - 1] + "…"
    row = {"clause": finding.clause, "path": finding.path, "reason": reason, "reaction": str(finding.reaction)}
    return row if finding.correction is None else row | {"correction": finding.correction[:_MAX_REASON]}


def decode_verdict_header(content: bytes) -> VerdictHeader:
    """Read the header; raises LineageBroken for anything the gate did not write."""
    try:
        document = json.loads(content)
        if document["v"] != _VERSION:
            raise LineageBroken("a verdict", f"its version {document['v']} is unknown; update the mesh")
        return _verdict(document)
    except (ValueError, KeyError, TypeError, RecursionError, UsageError) as error:
        raise LineageBroken("a verdict", f"the {VERDICT_HEADER} header is damaged: {error}") from None


def last_verdict(headers: Headers) -> VerdictHeader | None:
    """The verdict among a quarantined record's headers; the last one is the gate's, others came with the record."""
    found = [content for name, content in headers if name == VERDICT_HEADER]
    return decode_verdict_header(found[-1]) if found and found[-1] is not None else None


def _verdict(document: Mapping[str, Any]) -> VerdictHeader:
    contract = document["contract"]
    return VerdictHeader(
        product=str(document["product"]),
        coordinate=Coordinate.parse(document["coordinate"]),
        findings=tuple(_finding(row) for row in document["findings"]),
        basis=Basis(contract["id"], contract["version"], document["rule_set"], document["build"]),
        schema_id=document["schema_id"],
        attempt=document["attempt"],
        omitted=document.get("omitted", 0),
    )


def _finding(row: Mapping[str, str]) -> Finding:
    return Finding(row["clause"], row["path"], row["reason"], Reaction(row["reaction"]), row.get("correction"))
