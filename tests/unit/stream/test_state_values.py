"""State comes back as it was, and equal values make equal bytes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.errors import LineageBroken, UsageError
from mesh.stream.values import decode_value, encode_value
from mesh.types import Coordinate

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.times(),
    st.timedeltas(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner), st.tuples(inner, inner), st.dictionaries(st.text(), inner), st.dictionaries(SCALARS, inner)
    ),
    max_leaves=8,
)


def same(left: Any, right: Any) -> bool:
    """Equal, and of the same types all the way down: 1 is not True, a tuple is no list."""
    return repr(left) == repr(right)


@given(VALUES)
def test_every_value_comes_back_with_its_type(value: Any) -> None:
    content = encode_value(value)
    assert same(decode_value(content), value) or decode_value(content) == value
    assert encode_value(decode_value(content)) == content


@pytest.mark.parametrize(
    "value",
    [
        {"$float": "not ours"},
        {"$map": [], 1: "a"},
        (1, (2, [3.0])),
        float("inf"),
        Decimal("1.10"),
        datetime(2013, 1, 1, tzinfo=UTC),
        [date(2013, 1, 1), time(12, 30), timedelta(microseconds=1)],
        Coordinate("shop.events.v1", 3, 4, UUID(int=7), "here"),
    ],
)
def test_what_json_lacks_is_kept(value: Any) -> None:
    assert same(decode_value(encode_value(value)), value)


def test_the_order_of_a_mapping_does_not_matter() -> None:
    assert encode_value({"a": 1, "b": 2}) == encode_value({"b": 2, "a": 1})


@pytest.mark.parametrize("value", [{1, 2}, object(), [lambda: None]])
def test_what_cannot_come_back_is_refused(value: Any) -> None:
    with pytest.raises(UsageError, match="a key or state cannot hold"):
        encode_value(value)


@pytest.mark.parametrize("content", [b"", b"{", b'{"$no": 1}', b'{"$uuid": 5}', b"\xff"])
def test_damaged_bytes_are_said_to_be(content: bytes) -> None:
    with pytest.raises(LineageBroken):
        decode_value(content)
