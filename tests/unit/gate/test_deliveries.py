"""Base and count of what was written are taken from delivery reports, or the transaction is repeated."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from mesh.gate.observation import Deliveries
from mesh.kafka import AbortRequired
from mesh.lineage import Span
from mesh.lineage.build import build_identity


@dataclass
class Report:
    """The part of a delivered record that counts."""

    at: int

    def offset(self) -> int:
        return self.at


@dataclass
class Failure:
    text: str

    def name(self) -> str:
        return self.text


def deliveries(count: int, *offsets: int) -> Deliveries:
    made = Deliveries(count=count)
    for offset in offsets:
        made.report(None, Report(offset))
    return made


def test_first_and_last_report_are_enough() -> None:
    assert deliveries(200, 1_000, 1_199).span("t") == Span(1_000, 200)
    assert deliveries(1, 7).span("t") == Span(7, 1)
    assert deliveries(0).span("t") is None


def test_a_marker_between_the_records_aborts() -> None:
    with pytest.raises(AbortRequired, match="200 records, 1000-1200"):
        deliveries(200, 1_000, 1_200).span("t")


def test_a_missing_report_aborts() -> None:
    with pytest.raises(AbortRequired):
        deliveries(2).span("t")


def test_a_failed_record_aborts_with_its_code() -> None:
    failed = deliveries(1, 5)
    failed.report(Failure("MSG_SIZE_TOO_LARGE"), Report(-1))
    with pytest.raises(AbortRequired) as caught:
        failed.span("t")
    assert caught.value.code == "MSG_SIZE_TOO_LARGE"


def test_the_build_names_version_and_code() -> None:
    name, _, digest = build_identity().partition("+")
    assert name.startswith("mesh-backbone/")
    assert len(digest) == 12
    assert int(digest, 16) >= 0
