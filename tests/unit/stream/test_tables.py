"""Lookups as of an event time: when they wait, what they find, and that the answer never changes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.errors import UsageError
from mesh.stream import Table, Waiting
from tests.support.pipeline_run import arrival
from tests.support.pipelines import RATES, START, Event


def rates(partitions: int = 1, lateness: int = 0) -> Table:
    """An empty table of rates by key."""
    return Table(RATES, partitions, lambda record: record.value and record.value["key"], lateness=lateness)


def put(table: Table, offset: int, time: int, partition: int = 0) -> None:
    """The next rate of key a."""
    table.take(arrival(RATES, partition, offset, Event(partition, "a", time, offset)).record)


def ask(table: Table, time: int) -> int | None:
    """The offset of the rate as of a time."""
    found = table.find("a", START + timedelta(seconds=time))
    return None if found is None else found.coordinate.offset


def test_a_lookup_waits_until_every_partition_has_passed_its_time() -> None:
    table = rates(partitions=2)
    put(table, 0, 10)
    with pytest.raises(Waiting):
        ask(table, 5)
    put(table, 0, 5, partition=1)
    with pytest.raises(Waiting):  # another row of the same time may come
        ask(table, 5)
    put(table, 1, 6, partition=1)
    assert ask(table, 5) == 0


def test_a_row_that_came_late_is_seen_only_as_of_where_its_partition_was() -> None:
    table = rates()
    for offset, time in enumerate([5, 10, 7, 20]):
        put(table, offset, time)
    assert [ask(table, time) for time in (4, 5, 7, 9, 10)] == [None, 0, 0, 0, 1]
    assert ask(table, 15) == 1  # its own time decides which row is the latest


def test_lateness_lets_rows_come_out_of_order() -> None:
    table = rates(lateness=5_000)
    for offset, time in enumerate([5, 10, 7, 20]):
        put(table, offset, time)
    assert ask(table, 7) == 2
    with pytest.raises(Waiting):
        ask(table, 15)


def test_a_table_taken_as_complete_is_not_waited_for_until_its_next_row() -> None:
    table = rates()
    put(table, 0, 10)
    table.grant()
    assert ask(table, 99) == 0
    put(table, 1, 20)
    with pytest.raises(Waiting):
        ask(table, 99)


def test_the_latest_row_follows_the_table() -> None:
    table = rates()
    assert table.find("a") is None
    put(table, 0, 10)
    put(table, 1, 9)
    found = table.find(("a",))
    assert found is not None
    assert found.coordinate.offset == 1


def test_a_table_without_event_time_has_no_past() -> None:
    table = Table(RATES, 1, lambda record: record.key, history=False)
    with pytest.raises(UsageError, match="names no event time"):
        table.find("a", START)


@given(
    times=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 30)), max_size=25),
    asked=st.lists(st.integers(0, 30), min_size=1, max_size=8),
    lateness=st.integers(0, 8),
)
@settings(max_examples=150, deadline=None)
def test_an_answer_once_given_never_changes(times: list[tuple[int, int]], asked: list[int], lateness: int) -> None:
    table = rates(partitions=2, lateness=lateness * 1000)
    given_before: dict[int, int | None] = {}
    offsets = [0, 0]
    for partition, time in times:
        put(table, offsets[partition], time, partition)
        offsets[partition] += 1
        for each in asked:
            try:
                answer = ask(table, each)
            except Waiting:
                assert each not in given_before
            else:
                assert given_before.setdefault(each, answer) == answer
