"""Tickets wait for the broker's word, and manifests are remembered as far as they help."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mesh.errors import DeadlineExceeded, DeliveryFailed
from mesh.lineage import Disposition
from mesh.producer.outcomes import _REMEMBERED, _among, _remember
from mesh.producer.ticket import Office, Outcome, Ticket
from mesh.types import Coordinate
from tests.support.committing import committed


class Broker:
    """A producer whose broker answers at a given poll, and who looks outcomes up."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.asked = answer, list[tuple[int, int]]()
        self.ticket: Ticket | None = None

    def poll(self, seconds: float) -> None:
        if self.answer is not None and self.ticket is not None:
            self.ticket.report(*self.answer)

    def failed(self, error: Any, message: Any) -> Exception:
        return DeliveryFailed("a.b.v1.ingress", 1, str(error), "too large")

    def outcome(self, partition: int, offset: int, deadline: float) -> Outcome:
        self.asked.append((partition, offset))
        return Outcome(Coordinate("a.b.v1.ingress", partition, offset), Disposition.PARKED)


def ticket(answer: Any) -> tuple[Ticket, Broker]:
    broker = Broker(answer)
    broker.ticket = Ticket(Office("a.b", cast("Any", broker), broker))
    return broker.ticket, broker


def message(partition: int, offset: int) -> Any:
    return SimpleNamespace(partition=lambda: partition, offset=lambda: offset)


def test_the_place_is_learned_once_and_asked_for_then() -> None:
    asking, broker = ticket((None, message(2, 17)))
    assert asking.settle(5.0).disposition is Disposition.PARKED
    broker.answer = None
    assert asking.outcome(5.0).ingress == Coordinate("a.b.v1.ingress", 2, 17)
    assert broker.asked == [(2, 17), (2, 17)]


def test_what_was_not_delivered_is_raised_and_nothing_is_looked_up() -> None:
    asking, broker = ticket(("MSG_SIZE_TOO_LARGE", message(0, -1)))
    with pytest.raises(DeliveryFailed):
        asking.outcome(5.0)
    assert broker.asked == []


def test_a_broker_that_does_not_answer_is_not_waited_for_longer() -> None:
    asking, _ = ticket(None)
    with pytest.raises(DeadlineExceeded):
        asking.settle(0.01)


def test_manifests_are_remembered_of_one_epoch_and_not_too_many() -> None:
    base = committed(1, passed=10)
    known: list[Any] = []
    for at in range(_REMEMBERED + 5):
        _remember(known, replace(base, ingress_from=at * 10, ingress_to=at * 10 + 10))
    assert len(known) <= _REMEMBERED
    last = (_REMEMBERED + 4) * 10
    assert _among(known, last + 3) is known[-1]
    assert _among(known, last - 1) is known[-2]
    assert _among(known, 0) is None
    assert _among(known, last + 10) is None
    _remember(known, replace(base, epoch=1, ingress_from=0, ingress_to=5))
    assert len(known) == 1
    assert _among(known, 4) is known[0]
