"""A cluster that does not say which topics an input has is asked again, and nobody waits for it twice."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from uuid import UUID

import pytest

from mesh.errors import DeadlineExceeded, NotAuthorised
from mesh.gate import neighbours as asking
from mesh.gate.neighbours import PatientNeighbours
from mesh.types import ProductName

RATES, TIDES = ProductName.parse("far.rates"), ProductName.parse("far.tides")
KNOWN = {UUID(int=1): 3}


class Far:
    """A cluster that answers when it is let, or refuses; and a clock that is set."""

    def __init__(self) -> None:
        self.asked, self.time = 0, 0.0
        self.let = threading.Event()
        self.refusing = False

    def elsewhere(self, product: ProductName) -> bool:
        return product.domain == "far"

    def topics(self, product: ProductName) -> Mapping[UUID, int]:
        self.asked += 1
        assert product != RATES or self.let.wait(30)
        if self.refusing:
            raise NotAuthorised("_mesh.gate", "list topics", "_AUTHENTICATION")
        return KNOWN

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> Far:
    monkeypatch.setattr(asking, "_ASK_SECONDS", 0.05)
    return Far()


def test_an_answer_that_comes_late_is_there_the_next_time(far: Far) -> None:
    patient = PatientNeighbours(far, far)
    for _ in range(3):
        with pytest.raises(DeadlineExceeded, match=r"the topics of far\.rates"):
            patient.topics(RATES)
    assert far.asked == 1, "one question stays open"
    assert patient.topics(TIDES) == KNOWN, "and holds up no other"
    far.let.set()
    (thread,) = (each for each in threading.enumerate() if each.name == "topics of far.rates")
    thread.join(30)
    assert patient.topics(RATES) == KNOWN
    assert far.asked == 2


def test_every_question_is_asked_anew_once_it_was_answered(far: Far) -> None:
    far.let.set()
    patient = PatientNeighbours(far, far)
    assert [patient.topics(TIDES) for _ in range(3)] == [KNOWN] * 3
    assert far.asked == 3


def test_who_refuses_is_left_in_peace_for_a_while(far: Far) -> None:
    patient = PatientNeighbours(far, far)
    far.refusing = True
    for far.time in (0.0, 1.0, 4.9):
        with pytest.raises(NotAuthorised):
            patient.topics(TIDES)
    assert far.asked == 1
    far.refusing = False
    far.time = 5.0
    assert patient.topics(TIDES) == KNOWN
