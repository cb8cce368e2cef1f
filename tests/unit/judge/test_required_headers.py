"""Headers that a contract requires: refused without them, whatever else is right."""

from __future__ import annotations

from typing import Any

import pytest

from mesh.contract import Contract
from mesh.errors import ContractInvalid
from mesh.judge import Batch
from mesh.types import Headers
from tests.support.judging import CONTRACT, RECORD, Court

NAMES = "      - {property: headers, value: [source-system, trace-id]}\n"
BOTH: Headers = [("source-system", b"x"), ("trace-id", None), ("other", b"")]


def required(names: str = NAMES) -> Contract:
    text = CONTRACT.replace("CLEANUP", "delete")
    return Contract.parse(text.replace("    quality:\n      - id: paid", f"{names}    quality:\n      - id: paid", 1))


@pytest.fixture(scope="module")
def court() -> Court:
    return Court(required())


def missing(court: Court, headers: Headers, **change: Any) -> list[str]:
    record = RECORD | change
    found = court.findings(court.key(record), court.value(record), headers)
    return [f"{finding.clause}: {finding.reason}" for finding in found]


def test_a_record_with_every_header_passes(court: Court) -> None:
    assert missing(court, BOTH) == []


def test_each_missing_header_is_a_finding_that_refuses(court: Court) -> None:
    found = court.findings(court.key(RECORD), court.value(RECORD), [])
    assert [finding.clause for finding in found] == ["header.missing"] * 2
    assert found[0].reason == "the header 'source-system' is missing; the contract requires it"
    assert all(finding.refuses for finding in found)
    assert missing(court, BOTH[1:]) == [
        "header.missing: the header 'source-system' is missing; the contract requires it"
    ]


def test_other_findings_are_told_beside_it(court: Court) -> None:
    assert [each.partition(":")[0] for each in missing(court, BOTH[1:], shop="abc")] == [
        "header.missing",
        "shop.pattern",
    ]


def test_only_the_rows_that_lack_one_are_refused_in_a_batch(court: Court) -> None:
    batch = court.batch([RECORD] * 4)
    verdicts = court.judge.judge(Batch(batch.keys, batch.values, [BOTH, [], BOTH, BOTH[:1]]))
    assert sorted(verdicts.findings) == [1, 3]


def test_the_rule_set_differs() -> None:
    assert required().rule_set_digest != required("").rule_set_digest
    assert required().headers == ("source-system", "trace-id")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("[a, a]", "the header 'a' is there twice"),
        ("[mesh-verdict]", "the header 'mesh-verdict' is the platform's"),
        ("['']", "the header '' is empty"),
        ("a", "headers is a list of names: [a, b]"),
    ],
)
def test_names_that_make_no_sense_are_refused(value: str, told: str) -> None:
    with pytest.raises(ContractInvalid, match="customProperties") as raised:
        required(f"      - {{property: headers, value: {value}}}\n")
    assert told in str(raised.value)


def test_the_publisher_itself_may_be_required_to_say_where_a_record_came_from() -> None:
    assert required("      - {property: headers, value: [mesh-origin]}\n").headers == ("mesh-origin",)
