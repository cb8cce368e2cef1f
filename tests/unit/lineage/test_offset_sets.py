"""Offset sets behave as sorted sets, whatever the runs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.errors import LineageBroken, UsageError
from mesh.lineage import OffsetSet

offsets = st.sets(st.integers(0, 60)).map(sorted)
large = st.sets(st.integers(0, 2**62)).map(sorted)


@settings(deadline=None)
@given(offsets, offsets)
def test_algebra_is_that_of_sets(left: list[int], right: list[int]) -> None:
    a, b = OffsetSet.of(left), OffsetSet.of(right)
    assert list(a | b) == sorted({*left, *right})
    assert list(a - b) == sorted({*left} - {*right})
    assert list(a & b) == sorted({*left} & {*right})
    assert (a | b) == OffsetSet.of(sorted({*left, *right})), "equal sets have equal runs"


@settings(deadline=None)
@given(offsets)
def test_rank_and_nth_are_inverse(members: list[int]) -> None:
    held = OffsetSet.of(members)
    assert [held.nth(index) for index in range(len(held))] == members
    assert [held.rank(member) for member in members] == list(range(len(members)))
    assert [offset in held for offset in range(62)] == [offset in set(members) for offset in range(62)]
    assert held.rank(61) == len(held) == len(members)
    assert held.end == (members[-1] + 1 if members else 0)
    with pytest.raises(LineageBroken, match="holds only"):
        held.nth(len(held))


@settings(deadline=None)
@given(large)
def test_encoding_round_trips(members: list[int]) -> None:
    held = OffsetSet.of(members)
    assert OffsetSet.decode(held.encode()) == held


def test_encoding_is_compact() -> None:
    assert len(OffsetSet.of(range(1_000_000, 1_020_000)).encode()) <= 8
    assert len(OffsetSet.of([*range(1_000_000, 1_020_000, 37)]).encode()) <= 20_000 // 37 + 8
    assert OffsetSet().encode() == b""


@pytest.mark.parametrize("members", [[2, 1], [1, 1], [1, 3, 3], [3, 1, 2], range(3, 0, -1), [5, 9, 7]])
def test_offsets_that_do_not_ascend_are_refused(members: list[int]) -> None:
    with pytest.raises(UsageError, match="ascend"):
        OffsetSet.of(members)


@pytest.mark.parametrize("content", [b"\x07\x01", b"\x00\x01", b"\x01\x80", b"\x00" + b"\x80" * 20])
def test_damaged_encodings_are_told(content: bytes) -> None:
    with pytest.raises(LineageBroken, match="an offset list"):
        OffsetSet.decode(content)
