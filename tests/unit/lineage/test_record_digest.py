"""The record digest follows its written layout and tells records apart that differ only in where bytes lie."""

from __future__ import annotations

import hashlib
import struct
from itertools import combinations

import pytest

from mesh.lineage import NO_RECORDS, RecordDigest, layouts_of
from mesh.types import Headers

Record = tuple[bytes | None, bytes | None, Headers]


def digest(*records: Record) -> bytes:
    taken = RecordDigest()
    for key, value, headers in records:
        taken.add(key, value, headers)
    return taken.digest()


def test_the_layout_is_the_documented_one() -> None:
    expected = struct.pack(">iii", 1, -1, 2) + b"k"
    expected += struct.pack(">ii", 3, 2) + "né".encode() + b"xy" + struct.pack(">ii", 1, -1) + b"o"
    assert digest((b"k", None, [("né", b"xy"), ("o", None)])) == hashlib.sha256(expected).digest()


def test_no_two_of_these_are_taken_for_each_other() -> None:
    records: list[Record] = [
        (None, None, []),
        (b"", None, []),
        (None, b"", []),
        (b"ab", b"", []),
        (b"a", b"b", []),
        (b"a", b"b", [("", None)]),
        (b"a", b"b", [("", b"")]),
        (b"a", b"b", [("h", b"x"), ("i", b"y")]),
        (b"a", b"b", [("i", b"y"), ("h", b"x")]),
        (b"a", b"b", [("hx", b""), ("i", b"y")]),
    ]
    for left, right in combinations(records, 2):
        assert digest(left) != digest(right)


def test_order_and_number_count() -> None:
    one, two = (b"1", b"", ()), (b"2", b"", ())
    assert digest(one, two) != digest(two, one)
    assert digest(one) != digest(one, one)
    assert digest() == NO_RECORDS


@pytest.mark.parametrize("odd", [None, (None, b"v", []), (b"k", None, []), (b"k", b"v", [("h", None)])])
def test_records_laid_out_together_are_digested_alike(odd: Record | None) -> None:
    records: list[Record] = [(b"k%d" % number, b"v" * number, []) for number in range(20)]
    if odd is not None:
        records.insert(7, odd)
    keys, values, headers = zip(*records, strict=True)
    together = RecordDigest()
    together.add_all(layouts_of(keys, values, headers))
    assert together.digest() == digest(*records)
    assert layouts_of((), (), ()) == b""
