"""Framing both ways, and what is not framed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.errors import MalformedBody
from mesh.judge.frame import fault, frame, heads, prefix, schema_id, unframe
from mesh.types import SchemaId


@given(st.integers(0, (1 << 32) - 1).map(SchemaId), st.binary(max_size=20))
def test_frame_and_back(known: SchemaId, body: bytes) -> None:
    payload = frame(known, body)
    assert payload[:5] == prefix(known) == b"\0" + known.to_bytes(4, "big")
    assert unframe(payload) == (known, body)
    assert schema_id(payload) == known
    assert fault(payload) is None


@pytest.mark.parametrize(
    ("payload", "kind"),
    [(b"", "empty"), (b"\1\0\0\0\1x", "magic"), (b"{", "magic"), (b"\0\0\0\0", "short"), (b"\0", "short")],
)
def test_what_is_not_framed(payload: bytes, kind: str) -> None:
    found = fault(payload)
    assert found is not None
    assert found.kind == kind
    with pytest.raises(MalformedBody, match="the payload"):
        unframe(payload)


def test_an_empty_body_is_framed() -> None:
    assert unframe(b"\0\0\0\0\7") == (7, b"")


def test_heads_are_what_payloads_begin_with_whatever_that_is() -> None:
    payloads = [None, b"", b"\x00\x00\x00\x00\x07body", b"\x00\x00\x00\x00\x07", b"\x01\x02", b"{}"]
    assert heads(payloads) == {b"\x00\x00\x00\x00\x07", b"\x01\x02", b"{}"}
    assert heads([None, None]) == set()
