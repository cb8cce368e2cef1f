"""A parent reference is 29 bytes and says when it is none."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.errors import LineageBroken
from mesh.lineage import Reference


@settings(deadline=None)
@given(st.uuids(), st.integers(0, 2**31 - 1), st.integers(0, 2**63 - 1))
def test_round_trip(topic_id: UUID, partition: int, offset: int) -> None:
    packed = Reference(topic_id, partition, offset).pack()
    assert len(packed) == 29
    assert Reference.unpack(packed) == Reference(topic_id, partition, offset)


def test_the_layout_is_fixed() -> None:
    packed = Reference(UUID("00112233-4455-6677-8899-aabbccddeeff"), 3, 258).pack()
    assert packed.hex() == "01" + "00112233445566778899aabbccddeeff" + "00000003" + "0000000000000102"


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        (b"", "0 bytes"),
        (bytes(30), "30 bytes"),
        (b"\x02" + bytes(28), "version 2"),
        (b"\x01" + bytes(16) + b"\xff" * 4 + bytes(8), "negative"),
    ],
)
def test_what_is_no_reference_is_told(packed: bytes, reason: str) -> None:
    with pytest.raises(LineageBroken, match=reason):
        Reference.unpack(packed)
