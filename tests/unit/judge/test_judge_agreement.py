"""The quick pass and the closer look agree on every row, whatever the bytes; nothing raises, nothing balloons."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from mesh.judge import Batch, Verdicts
from mesh.types import Headers
from tests.support import avro_oracle as oracle
from tests.support.judging import RECORD, Court

COURT = Court()
LOOK_CLOSER = Court()


def _doubt(rows: Sequence[int], batch: Batch, times: list[int | None], doubtful: list[int]) -> None:
    doubtful.extend(rows)


for head, plan in list(LOOK_CLOSER.judge._plans.items()):
    LOOK_CLOSER.judge._plans[head] = replace(plan, sift=_doubt)

EDGES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "shop": st.sampled_from(["A", "AB", "ABCD", "ABCDE", "ab", "ÄB", ""]),
        "number": st.sampled_from([0, 1, 64, 8192, 999_999, 1_000_000, -(1 << 31)]),
        "count": st.sampled_from([0, 13, 100, 1000, 1001, -(1 << 63), (1 << 63) - 1]),
        "paid": st.none() | st.sampled_from([0, 129, 130, 1000, 10_000, -(1 << 63)]),
        "weight": st.none() | st.sampled_from([0.0, 0.1, 0.25, 0.3, 99.5, 99.6, 5e-324, 1e300, math.inf, math.nan]),
        "price": st.none() | st.sampled_from([b"", b"\x00", b"\x01", b"\xff", b"\x01\x86\x9f", b"\x01\x86\xa0"]),
        "status": st.none() | st.sampled_from(["open", "shipped", "lost"]),
        "email": st.none() | st.sampled_from(["@", "a@b", "nobody", "@" * 20, "@" * 21]),
        "tags": st.none() | st.lists(st.sampled_from(["", "a", "b"]), max_size=4),
        "address": st.none()
        | st.fixed_dictionaries({"street": st.sampled_from(["", "Main"]), "zip": st.none() | st.just("1")}),
        "placed": st.sampled_from([0, 946_684_799_999_999, 946_684_800_000_000, (1 << 63) - 1]),
    }
)

# Some fields at the edges of their clauses, the others good: most records would break something otherwise.
RECORDS = st.tuples(EDGES, st.sets(st.sampled_from(sorted(RECORD)), max_size=4)).map(
    lambda drawn: RECORD | {name: drawn[0][name] for name in drawn[1]}
)


def both(keys: list[bytes | None], values: list[bytes | None], headers: list[Headers]) -> Verdicts:
    batch = Batch(keys, values, headers)
    verdicts, closer = COURT.judge.judge(batch), LOOK_CLOSER.judge.judge(batch)
    assert verdicts.findings == closer.findings
    assert verdicts.event_times == closer.event_times
    return verdicts


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(RECORDS, min_size=1, max_size=8))
def test_records(records: list[dict[str, Any]]) -> None:
    keys, values = [COURT.key(record) for record in records], [COURT.value(record) for record in records]
    verdicts = both(keys, list(values), [()] * len(records))
    for row, record in enumerate(records):
        event(f"accepted: {row not in verdicts.findings}")
        found = {finding.clause for finding in verdicts.findings.get(row, ())}
        assert found == _expected(record)
        assert verdicts.event_times[row] == record["placed"] // 1000


def _expected(record: dict[str, Any]) -> set[str]:  # said once more, by hand
    number, count, paid, weight, price = (record[name] for name in ("number", "count", "paid", "weight", "price"))
    cents = None if price is None else int.from_bytes(price, "big", signed=True)
    tags, address, shop = record["tags"] or [], record["address"] or {}, record["shop"]
    paid_in_full = paid is None or (-(1 << 63) <= count * 10 < 1 << 63 and paid >= count * 10)
    broken = {
        "shop.pattern": not (shop.isascii() and shop.isalpha() and shop.isupper()),
        "shop.minLength": len(shop) < 2,
        "shop.maxLength": len(shop) > 4,
        "number.minimum": number < 1,
        "number.exclusiveMaximum": number >= 1_000_000,
        "count.maximum": count > 1000,
        "weight.exclusiveMinimum": weight is not None and not weight > 0,
        "weight.maximum": weight is not None and not weight <= 99.5,
        "weight.multipleOf": weight is not None and not _tenths(weight),
        "price.minimum": cents is not None and cents < 1,
        "price.maximum": cents is not None and cents > 99_999,
        "status.values": record["status"] == "lost",
        "email.pattern": record["email"] == "nobody",
        "email.maxLength": len(record["email"] or "") > 20,
        "tags.minItems": record["tags"] == [],
        "tags.maxItems": len(tags) > 3,
        "tags.uniqueItems": len(set(tags)) < len(tags),
        "tags[].minLength": "" in tags,
        "address.street.minLength": address.get("street") == "",
        "address.zip.pattern": address.get("zip") == "1",
        "placed.minimum": record["placed"] < 946_684_800_000_000,
        "paid_in_full": not paid_in_full,
        "little_noise": count == 13,
    }
    return {clause for clause, is_broken in broken.items() if is_broken}


def _tenths(weight: float) -> bool:
    return math.isfinite(weight) and Fraction(str(weight)) * 10 % 1 == 0


@st.composite
def payloads(draw: st.DrawFn, good: bytes | None) -> bytes | None:
    """A good payload, perhaps with a few bytes changed, or something else altogether."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.none() | st.binary(max_size=12))
    body = bytearray(good or b"")
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, max(len(body) - 1, 0)))
        how = draw(st.sampled_from(["set", "insert", "cut", "pad"]))
        if how == "insert" or not body:
            body.insert(at, draw(st.sampled_from([0, 1, 2, 0x7F, 0x80, 0xFF])))
        elif how == "set":
            body[at] = draw(st.integers(0, 255))
        elif how == "pad":
            body[at : at + 1] = bytes([body[at] | 0x80, 0])
        else:
            del body[at:]
    return bytes(body)


NAMES = st.sampled_from(["mesh-origin", "mesh-verdict", "mesh-", "x"])
HEADERS = st.lists(st.tuples(NAMES, st.none() | st.binary(max_size=2)), max_size=2)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_bytes(data: st.DataObject) -> None:
    record = data.draw(RECORDS | st.just(RECORD))
    key, value = data.draw(payloads(COURT.key(record))), data.draw(payloads(COURT.value(record)))
    headers = data.draw(HEADERS)
    verdicts = both([key], [value], [headers])
    event(f"accepted: {not verdicts.findings}")
    if not verdicts.findings:
        assert key is not None
        assert value is not None
        decoded = oracle.read(COURT.contract.value_schema, value[5:])
        assert oracle.read(COURT.contract.key_schema, key[5:]) == {name: decoded[name] for name in ("shop", "number")}


BOMBS = Path(__file__).with_name("bombs.py")


def test_hostile_bytes_cost_neither_memory_nor_time() -> None:
    ran = subprocess.run([sys.executable, str(BOMBS)], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
