"""Which input is singled out when transactions abort again and again, and that the others go on."""

from __future__ import annotations

from collections.abc import Collection

from mesh.kafka.isolation import Isolation
from mesh.types import TopicPartition

A, B, C = TopicPartition("a", 0), TopicPartition("b", 0), TopicPartition("c", 0)
HELD = [A, B, C]


class Recorder:
    """An intake that only remembers what is paused, and a clock that is set."""

    def __init__(self) -> None:
        self.paused: set[TopicPartition] = set()
        self.blocked: list[str] = []
        self.time = 0.0

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        self.paused |= set(partitions)

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        self.paused -= set(partitions)

    def isolation(self) -> Isolation:
        return Isolation(self, lambda topic, _: self.blocked.append(topic), lambda: self.time)


def abort(isolation: Isolation, topics: Collection[str], first: int, times: int) -> None:
    for attempt in range(first, first + times):
        isolation.aborted(topics, attempt, "because", HELD)


def test_two_aborts_are_no_pattern() -> None:
    recorder = Recorder()
    isolation = recorder.isolation()
    abort(isolation, ["a", "b"], 1, 2)
    assert isolation.alone is None
    assert recorder.paused == set()


def test_the_third_abort_puts_one_input_on_trial_at_a_time() -> None:
    recorder = Recorder()
    isolation = recorder.isolation()
    abort(isolation, ["a", "b"], 1, 3)
    assert isolation.alone == "a"
    assert recorder.paused == {B, C}
    isolation.committed({"a"})
    isolation.advance(HELD, busy=True)
    assert isolation.alone == "b"
    assert recorder.paused == {A, C}


def test_the_culprit_is_paused_and_the_others_go_on() -> None:
    recorder = Recorder()
    isolation = recorder.isolation()
    abort(isolation, ["a", "b"], 1, 3)
    isolation.committed({"a"})
    isolation.advance(HELD, busy=True)
    abort(isolation, ["b"], 4, 3)
    assert recorder.blocked == ["b"]
    assert isolation.alone is None
    assert recorder.paused == {B}


def test_who_is_paused_stays_so_when_its_partitions_are_assigned_anew() -> None:
    recorder = Recorder()
    isolation = recorder.isolation()
    abort(isolation, ["a"], 1, 6)
    assert recorder.paused == {A}
    recorder.resume(HELD)
    isolation.assigned()
    isolation.advance(HELD, busy=True)
    assert (recorder.paused, isolation.alone) == ({A}, None)


def test_a_pause_ends_in_a_new_trial_and_grows_with_each_failure() -> None:
    recorder = Recorder()
    isolation = recorder.isolation()
    abort(isolation, ["b"], 1, 3)
    abort(isolation, ["b"], 4, 2)
    pauses = []
    for _ in range(9):
        # Three failures alone the first time, then one is enough.
        abort(isolation, ["b"], 6, 1)
        began = recorder.time
        while isolation.alone is None:
            recorder.time += 0.5
            isolation.advance(HELD, busy=True)
        pauses.append(recorder.time - began)
    assert pauses[:4] == [1.0, 2.0, 4.0, 8.0]
    assert pauses[-1] == 30.0
    isolation.committed({"b"})
    isolation.advance(HELD, busy=True)
    assert recorder.paused == set()
    assert list(isolation.culprits) == []


def test_a_suspect_without_records_is_let_go() -> None:
    recorder = Recorder()
    isolation = recorder.isolation()
    abort(isolation, ["a", "b"], 1, 3)
    for suspect in ("a", "b"):
        isolation.advance(HELD, busy=False)
        recorder.time += 0.9
        isolation.advance(HELD, busy=False)
        assert isolation.alone == suspect, "its records are still on their way"
        recorder.time += 0.2
        isolation.advance(HELD, busy=False)
    assert isolation.alone is None
    assert recorder.paused == set()
    assert recorder.blocked == []


def test_a_suspect_whose_records_come_late_is_tried_all_the_same() -> None:
    recorder = Recorder()
    isolation = recorder.isolation()
    abort(isolation, ["a"], 1, 3)
    for attempt in range(4, 7):
        isolation.advance(HELD, busy=False)
        isolation.aborted(["a"], attempt, "because", HELD)
    assert recorder.blocked == ["a"]
