"""Judges hostile payloads of a megabyte under a limit of memory; run as a process of its own by the tests beside it."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from mesh.judge.frame import frame
from tests.support.fuzzing import varint
from tests.support.judging import RECORD, VALUE, Court

MEGABYTE = 1 << 20
LIMIT = 1 << 30


def main() -> None:
    """Judge every bomb; a crash, a MemoryError or the test's deadline is the failure."""
    court = Court()
    good = court.value(RECORD | {"tags": None, "price": None, "email": None})
    head = good[: good.index(b"\x02\x08open") + 6]  # up to and with the status
    before_price = court.value(RECORD | {"price": b"\x07"}).split(b"\x02\x02\x07")[0]
    bombs = [
        good + b"\0" * MEGABYTE,
        b"\0" * MEGABYTE,
        frame(VALUE, b"\xff" * MEGABYTE),
        frame(VALUE, b"\x80" * MEGABYTE),
        head + b"\x00\x02" + varint(MEGABYTE // 2) + b"\0" * MEGABYTE,  # half a million empty tags
        head + b"\x00\x02" + varint(1 << 62) + b"\0" * MEGABYTE,
        head + b"\x00\x02" + b"\x01\x02\x00" * (MEGABYTE // 3),  # blocks of one
        head + b"\x02" + varint(MEGABYTE) + b"@" * MEGABYTE,  # an email of a megabyte
        before_price + b"\x02" + varint(MEGABYTE) + b"\x7f" * MEGABYTE,  # a price of 2.5 million digits
        before_price + b"\x02" + varint(MEGABYTE) + b"\x00" * MEGABYTE,
    ]
    for bomb in bombs:
        if not court.findings(court.key(RECORD), bomb):
            sys.exit("a bomb passed")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    main()
