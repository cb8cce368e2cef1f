"""How far a partition may be committed while its records are processed in any order."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from mesh.lineage import Reference
from mesh.stream import Fate
from mesh.stream.faust.ledger import Entry, Ledger
from mesh.types import TopicPartition

PLACE = TopicPartition("a.b.v1", 0)


def taken(ledger: Ledger, *offsets: int, place: TopicPartition = PLACE) -> list[Entry]:
    entries = [Entry(Reference(UUID(int=1), place.partition, offset), offset) for offset in offsets]
    for entry in entries:
        ledger.take(place, entry)
    return entries


def test_nothing_is_committed_past_a_record_that_is_still_processed() -> None:
    ledger = Ledger()
    first, second, third = taken(ledger, 4, 5, 9)
    third.done = second.done = True
    assert ledger.committable() == {}
    first.done = True
    assert ledger.committable() == {PLACE: 10}


def test_holes_left_by_markers_do_not_hold_a_commit_up() -> None:
    ledger = Ledger()
    for entry in taken(ledger, 0, 3, 7):
        entry.done = True
    assert ledger.committable() == {PLACE: 8}


def test_a_range_begins_where_the_last_commit_ended() -> None:
    ledger = Ledger()
    first, second = taken(ledger, 3, 5)
    first.done = second.done = True
    assert ledger.below(PLACE, 6) == (3, [first, second])
    ledger.committed({PLACE: 6})
    assert ledger.idle
    (third,) = taken(ledger, 9)
    third.done = True
    assert ledger.below(PLACE, 10) == (6, [third])


def test_a_released_partition_forgets_what_was_being_processed() -> None:
    ledger = Ledger()
    (entry,) = taken(ledger, 1)
    ledger.release([PLACE])
    entry.done = True
    assert ledger.committable() == {}
    assert ledger.find(PLACE, 1) is None


def test_what_came_of_nothing_is_filtered_and_what_was_used_is_not() -> None:
    plain, sent, used, late, parked = (Entry(Reference(UUID(int=1), 0, n), n) for n in range(5))
    sent.outputs, used.used, late.fate = 1, True, Fate.LATE
    parked.park("KeyError")
    assert [each.filtered for each in (plain, sent, used, late, parked)] == [True, False, False, False, False]


def test_numbers_of_outputs_after_a_new_key_do_not_meet_those_before() -> None:
    before = Entry(Reference(UUID(int=1), 0, 0), 0)
    after = Entry(Reference(UUID(int=1), 0, 0), 0, base=1 << 16)
    assert not {before.number() for _ in range(100)} & {after.number() for _ in range(100)}


@given(st.sets(st.integers(0, 200), min_size=1, max_size=30), st.data())
def test_position_is_below_every_unfinished_record_and_above_every_record_before_it(
    offsets: set[int], data: st.DataObject
) -> None:
    ledger = Ledger()
    entries = taken(ledger, *sorted(offsets))
    for entry in entries:
        entry.done = data.draw(st.booleans())
    position = ledger.committable().get(PLACE, 0)
    assert all(entry.done for entry in entries if entry.offset < position)
    unfinished = [entry.offset for entry in entries if not entry.done]
    assert position == (min(unfinished) if unfinished else max(offsets) + 1) or not entries[0].done
