"""How often a loop commits: by what commits cost, by size, and at once for a record that comes alone."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from mesh.kafka.pace import Pace

TURN = 0.005


def intervals(cost: Callable[[int], float], every: float, seconds: float = 20.0, *, most: int = 20_000) -> list[float]:
    """The times between commits of a loop that gets one record ``every`` seconds; ``cost`` is by records held."""
    pace, now, next_record = Pace(most, 0.25), 100.0, 100.0
    records, started, commits = 0, 0.0, list[float]()
    while now < 100 + seconds:
        now += TURN
        while next_record <= now:
            started = started if records else now
            records, next_record = records + 1, next_record + every
        if records and pace.due(now, started, records, behind=False):
            began, now = now, now + cost(records)
            pace.committed(began, now)
            commits.append(now)
            records = 0
    # What it has learnt, not how it began.
    return [after - before for before, after in pairwise(commits[10:])]


def test_a_slow_product_is_committed_record_by_record() -> None:
    found = intervals(lambda _: 0.02, every=1.0)
    assert found == pytest.approx([1.0] * len(found), abs=3 * TURN)


def test_a_lone_record_after_a_pause_does_not_wait_though_commits_are_dear() -> None:
    pace = Pace(20_000, 0.25)
    pace.committed(10.0, 10.3)
    assert not pace.due(10.5, 10.5, 1, behind=False)
    assert pace.due(10.81, 10.81, 1, behind=False)


def test_commits_take_no_more_than_a_quarter_of_the_time() -> None:
    found = intervals(lambda _: 0.02, every=0.001)
    assert sum(found) / len(found) == pytest.approx(0.08, abs=2 * TURN)


def test_commits_that_get_dearer_with_what_they_hold_settle_below_half_a_second() -> None:
    """300 products at a record a second each, 0.5 ms for each partition a commit touches."""
    found = intervals(lambda records: 0.01 + 0.0005 * min(records, 300), every=1 / 300)
    assert 0.1 < sum(found) / len(found) < 0.6
    assert max(found) < 0.7


def test_the_dearest_commits_are_never_more_than_half_a_second_apart() -> None:
    found = intervals(lambda _: 0.5, every=0.001)
    assert found == pytest.approx([1.0] * len(found), abs=2 * TURN)


def test_one_commit_that_hung_does_not_slow_the_next_ones_for_long() -> None:
    pace = Pace(20_000, 0.25)
    for _ in range(20):
        pace.committed(0.0, 0.01)
    pace.committed(1.0, 3.0)
    assert pace.left(3.0, 3.0, behind=False) == pytest.approx(0.5)
    for at in range(4, 20):
        pace.committed(float(at), at + 0.01)
    assert pace.left(19.01, 19.01, behind=False) == pytest.approx(0.045, abs=0.02)


def test_a_loop_that_is_behind_commits_by_size_or_by_the_age_of_the_transaction() -> None:
    pace = Pace(20_000, 0.25)
    pace.committed(0.0, 0.001)
    assert not pace.due(5.2, 5.0, 19_999, behind=True)
    assert pace.due(5.01, 5.0, 20_000, behind=True)
    assert pace.due(5.25, 5.0, 1, behind=True)


def test_size_counts_also_for_a_loop_that_keeps_up() -> None:
    pace = Pace(100, 0.25)
    pace.committed(0.0, 1.0)
    assert not pace.due(1.1, 1.05, 99, behind=False)
    assert pace.due(1.1, 1.05, 100, behind=False)
