"""The benchmark of processors counts bytes as the formats have them, and its steps are the same on both runtimes."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

from benchmarks.processing import COMPARISONS, FAUST, sizes
from benchmarks.processors import hour, mapped

AT = datetime(2013, 1, 1, tzinfo=UTC)


def test_bytes_of_lineage_keep_what_is_promised() -> None:
    found = sizes()
    assert found["header of one parent"] == 29
    assert found["the same in a batch of 500, zlib"] <= 8
    assert found["a parent of 10,000 in 200,000"] <= 1.1
    assert found["a parent of 10,000 contiguous ones"] < 0.01


def test_steps_give_rows_of_the_derived_product() -> None:
    record = SimpleNamespace(value={"key": "a", "amount": 3, "at": AT})
    assert mapped(record) == {"key": "a", "total": 6, "count": 1, "at": AT}
    window = SimpleNamespace(start=AT)
    assert hour("a", window, [record, record]) == {"key": "a", "total": 6, "count": 2, "at": AT}


def test_the_loop_has_a_floor_over_faust() -> None:
    assert any(each.other == FAUST and each.floor == 20 for each in COMPARISONS)
