"""The verdict header says why, within its bound, and is read back as it was meant."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.errors import LineageBroken
from mesh.lineage import Basis, VerdictHeader, decode_verdict_header, encode_verdict_header, last_verdict
from mesh.lineage.verdict_header import MAX_VERDICT
from mesh.types import Coordinate, Finding, Reaction, SchemaId

BASIS = Basis("urn:flights", "1.0.0", "cd" * 32, "0.1.0")


def verdict(*findings: Finding) -> VerdictHeader:
    return VerdictHeader(
        product="operations.flights",
        coordinate=Coordinate("operations.flights.v1.ingress", 2, 17),
        findings=findings,
        basis=BASIS,
        schema_id=SchemaId(3),
    )


def test_the_document_is_the_agreed_one() -> None:
    content = encode_verdict_header(verdict(Finding("dep_time.maximum", "dep_time", "2400 is over 2359")))
    assert json.loads(content) == {
        "v": 1,
        "product": "operations.flights",
        "coordinate": "operations.flights.v1.ingress/2/17",
        "findings": [
            {
                "clause": "dep_time.maximum",
                "path": "dep_time",
                "reason": "2400 is over 2359",
                "reaction": "quarantine",
            }
        ],
        "contract": {"id": "urn:flights", "version": "1.0.0"},
        "rule_set": "cd" * 32,
        "schema_id": 3,
        "attempt": 1,
        "build": "0.1.0",
    }


texts = st.text(max_size=40)


@settings(deadline=None)
@given(st.lists(st.builds(Finding, texts, texts, texts, st.sampled_from(Reaction)), max_size=8))
def test_any_findings_round_trip(findings: list[Finding]) -> None:
    assert decode_verdict_header(encode_verdict_header(verdict(*findings))).findings == tuple(findings)


def test_the_last_reasons_go_before_any_finding_does() -> None:
    findings = [Finding(f"clause-{at}", "a.path", "é" * 200) for at in range(50)]
    content = encode_verdict_header(verdict(*findings))
    read = decode_verdict_header(content)
    assert len(content) <= MAX_VERDICT
    assert read.omitted == 0
    assert [f.clause for f in read.findings] == [f.clause for f in findings]
    assert read.findings[0].reason == "é" * 200
    assert read.findings[-1].reason == ""


def test_whole_findings_go_last_and_are_counted() -> None:
    findings = [Finding(f"clause-{at}", "a.path", "reason") for at in range(5_000)]
    content = encode_verdict_header(verdict(*findings))
    read = decode_verdict_header(content)
    assert len(content) <= MAX_VERDICT
    assert len(read.findings) + read.omitted == 5_000
    assert len(read.findings) > 100


def test_one_endless_reason_is_cut() -> None:
    read = decode_verdict_header(encode_verdict_header(verdict(Finding("c", "p", "x" * 100_000))))
    assert read.findings[0].reason.endswith("x…")


def test_a_forged_verdict_of_the_publisher_is_not_ours() -> None:
    ours = encode_verdict_header(verdict(Finding("ours", "", "")))
    read = last_verdict([("mesh-verdict", b"forged"), ("other", None), ("mesh-verdict", ours)])
    assert read is not None
    assert read.findings[0].clause == "ours"
    assert last_verdict([("other", b"")]) is None


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b"{}", b"1", b'{"v": 2}', b'{"v":1,"contract":[]}', b"[" * 90_000]
)
def test_a_damaged_header_is_told(content: bytes) -> None:
    with pytest.raises(LineageBroken, match="a verdict"):
        decode_verdict_header(content)


def test_a_correction_travels_where_there_is_one_and_gives_way_before_clauses_do() -> None:
    plain = Finding("c", "lines[2].sku", "'b' does not match")
    corrected = Finding("c", "lines[2].sku", "'b' does not match", correction="'B'")
    assert decode_verdict_header(encode_verdict_header(verdict(plain, corrected))).findings == (plain, corrected)
    assert b"correction" not in encode_verdict_header(verdict(plain))
    many = [Finding(f"c{at}", "p", "x" * 150, correction="y" * 60) for at in range(80)]
    read = decode_verdict_header(encode_verdict_header(verdict(*many)))
    assert len(read.findings) == 80
    assert (read.findings[0].correction, read.findings[-1].correction) == ("y" * 60, None)
