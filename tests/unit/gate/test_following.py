"""Contracts followed by a thread: the loop never waits for a broker, and hears of every failure."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import pytest

from mesh.contract import Contract
from mesh.errors import BrokerUnreachable
from mesh.gate.following import Following
from mesh.types import Topic
from tests.support.broker import eventually
from tests.support.contracts import Draft

CONTRACT = Draft().contract()


class Source:
    """A catalog that answers when it is let, and fails when it is told to."""

    def __init__(self) -> None:
        self.revision, self.failure = 1, BrokerUnreachable("127.0.0.1:1", "nobody answers")
        self.failing = False
        self.open = threading.Event()
        self.open.set()
        self.threads: set[str] = set()

    def refresh(self) -> int:
        self.threads.add(threading.current_thread().name)
        assert self.open.wait(30)
        if self.failing:
            raise self.failure
        return self.revision

    def live(self) -> Mapping[Topic, Contract]:
        return {CONTRACT.topics.public: CONTRACT} if self.revision > 1 else {}


def test_the_first_answer_is_waited_for_and_later_ones_are_not() -> None:
    source = Source()
    with Following(source, pause=0.01) as followed:
        assert followed.refresh() == 1
        assert followed.live() == {}
        source.open.clear()
        source.revision = 2
        assert followed.refresh() == 1
        source.open.set()
        eventually(lambda: followed.refresh() == 2, 30)
        assert followed.live() == {CONTRACT.topics.public: CONTRACT}
    assert source.threads == {"contracts"}


def test_a_failure_is_raised_to_the_loop_and_what_was_known_stays() -> None:
    source = Source()
    source.revision = 2
    with Following(source, pause=0.01) as followed:
        followed.refresh()
        source.failing = True

        def failed() -> bool:
            try:
                followed.refresh()
            except BrokerUnreachable:
                return True
            return False

        eventually(failed, 30)
        assert followed.live() == {CONTRACT.topics.public: CONTRACT}
        source.failing = False
        eventually(lambda: not failed(), 30)


def test_a_source_that_fails_from_the_start_does_not_hang() -> None:
    source = Source()
    source.failing = True
    with Following(source, pause=60) as followed:
        for _ in range(3):
            with pytest.raises(BrokerUnreachable):
                followed.refresh()


def test_leaving_does_not_wait_for_a_broker() -> None:
    source = Source()
    source.open.clear()
    with Following(source, pause=0.01):
        pass
    source.open.set()
