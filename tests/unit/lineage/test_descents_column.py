"""The parents column keeps every descent, small, whatever kind of processor the records come from."""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.errors import LineageBroken
from mesh.lineage import (
    ColumnHead,
    Deposit,
    Descent,
    DescentsColumn,
    Identity,
    Manifest,
    OffsetSet,
    ParentSet,
    PartitionChain,
    PartitionTransaction,
    Reference,
    Span,
    decode_descents,
    decode_head,
    descent_of,
    encode_descents,
)
from tests.unit.lineage.conftest import BASIS
from tests.unit.lineage.conftest import TOPICS as PRODUCT_TOPICS

TOPICS = [UUID(int=number) for number in (7, 1, 2**127)]
HEAD = ColumnHead("punctuality.delays")
references = st.builds(Reference, st.sampled_from(TOPICS), st.integers(0, 3), st.integers(0, 2**40))
near = st.builds(Reference, st.sampled_from(TOPICS), st.integers(0, 1), st.integers(0, 60))
sets = st.lists(st.one_of(near, references), min_size=1, max_size=30).map(ParentSet.of)
ids = st.binary(min_size=16, max_size=16)
deposits = st.builds(Deposit, references, st.integers(1, 2**30), st.binary(min_size=32, max_size=32))


@st.composite
def descent(draw: st.DrawFn) -> Descent:
    driving, index = draw(references), draw(st.integers(0, 300))
    slot = draw(st.none() | ids)
    previous = draw(st.none() | st.builds(Identity, ids, ids))
    deposit = draw(st.none() | deposits)
    parents = None if deposit is not None else draw(st.just(ParentSet.of([driving])) | sets)
    return Descent(driving, index, parents, deposit, slot, previous)


heads = st.builds(ColumnHead, st.text(max_size=12), st.booleans(), st.integers(-1, 2**40))


def sized(descents: Sequence[Descent]) -> float:
    """Bytes per record, once what was packed is known to come out again."""
    column = encode_descents(DescentsColumn(HEAD, descents))
    assert list(decode_descents(column).descents) == list(descents)
    return len(column) / len(descents)


@settings(deadline=None)
@given(heads, st.lists(descent(), max_size=20))
def test_any_descents_come_out_as_they_went_in(head: ColumnHead, descents: list[Descent]) -> None:
    column = encode_descents(DescentsColumn(head, descents))
    assert decode_descents(column) == DescentsColumn(head, descents)
    assert decode_head(column) == head
    assert len(column) <= sum(len(each.encode()) for each in descents) + len(head.processor.encode()) + 130


@settings(deadline=None)
@given(st.lists(descent(), min_size=1, max_size=8), st.data())
def test_damaged_columns_are_refused_or_say_something_else(descents: list[Descent], data: st.DataObject) -> None:
    plain = bytearray(zlib.decompress(encode_descents(DescentsColumn(ColumnHead(""), descents))[4:]))
    plain[data.draw(st.integers(0, len(plain) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = decode_descents(b"\x01\x00\x00\x00" + zlib.compress(bytes(plain)))
    except LineageBroken:
        return
    assert isinstance(found, DescentsColumn)


@pytest.mark.parametrize(
    "column",
    [
        b"",
        b"\x02",
        b"\x01\x00\x00\x01\xff",
        b"\x01\x00\x00\x00rubbish",
        b"\x01\x00\x00\x00" + zlib.compress(b"\xff\xff\xff\x7f\x00\x00"),
        b"\x01\x00\x00\x00" + zlib.compress(b"\x01\x00\x00\x00\x01\x00\x01\x00\x00"),
        b"\x01\x00\x00\x00" + zlib.compress(b"\x00\x00\x00\x00"),
        b"\x01\x00\x00\x00" + zlib.compress(bytes(65 * 1024 * 1024)),
    ],
)
def test_what_is_no_column_is_refused(column: bytes) -> None:
    with pytest.raises(LineageBroken, match="parents column"):
        decode_descents(column)


def one_to_one(dice: random.Random, count: int) -> list[Descent]:
    """A processor that filters, of six input partitions interleaved as one output partition gets them."""
    at, found = [dice.randrange(10**6) for _ in range(6)], []
    for _ in range(count):
        place = dice.randrange(6)
        at[place] += dice.choice([1, 1, 2, 3, 9])
        found.append(Descent.of_one(Reference(TOPICS[0], place, at[place])))
    return found


def test_one_to_one_takes_less_than_two_bytes_a_record() -> None:
    assert sized(one_to_one(random.Random(1), 20_000)) < 2
    contiguous = [Descent.of_one(Reference(TOPICS[0], 0, offset)) for offset in range(10**7, 10**7 + 20_000)]
    assert sized(contiguous) < 0.02


def test_looked_up_parents_take_less_than_eight_bytes_a_record() -> None:
    dice = random.Random(2)
    weather, planes = [50_000] * 3, [dice.randrange(40_000) for _ in range(3_000)]
    enriched = []
    for each in one_to_one(dice, 20_000):
        station = dice.randrange(3)
        weather[station] += dice.random() < 0.02
        parents = [each.driving, Reference(TOPICS[1], station, weather[station])]
        plane = dice.choice(planes)
        enriched.append(replace(each, parents=ParentSet.of([*parents, Reference(TOPICS[2], plane % 2, plane)])))
    assert sized(enriched) < 8


def windows(dice: random.Random, sparse: bool) -> list[Descent]:
    found, start = [], 0
    for _ in range(2_000):
        offsets = [start := start + (dice.randrange(1, 30) if sparse else 1) for _ in range(60)]
        parents = ParentSet.of([Reference(TOPICS[0], 0, offset) for offset in offsets])
        found.append(Descent(Reference(TOPICS[0], 0, start + 3), parents=parents, slot=dice.randbytes(16)))
    return found


def test_windows_take_their_slot_and_little_more_or_a_byte_for_each_scattered_parent() -> None:
    assert sized(windows(random.Random(3), sparse=False)) < 18
    assert sized(windows(random.Random(3), sparse=True)) < 16 + 60


def manifest(descents: Sequence[Descent], parents: bytes) -> Manifest:
    count = len(descents)
    chain = PartitionChain.start("punctuality.delays", "cluster", 0, PRODUCT_TOPICS, 0)
    transaction = PartitionTransaction(
        ingress_to=count,
        delivered=OffsetSet.between(0, count),
        public=Span(100, count),
        parents=parents,
        basis=BASIS,
        gate="_mesh.gate.test.0",
        created_at=1,
    )
    return chain.extend(transaction)


def test_a_public_record_is_asked_for_its_descent() -> None:
    descents = one_to_one(random.Random(4), 5)
    told = manifest(descents, encode_descents(DescentsColumn(HEAD, descents)))
    assert [descent_of(told, offset) for offset in range(100, 105)] == descents
    with pytest.raises(LineageBroken, match="offset 105"):
        descent_of(told, 105)
    assert descent_of(manifest(descents, b""), 100) is None, "a product of source says nothing of parents"
    carried = encode_descents(DescentsColumn(ColumnHead("", late_before=7)))
    assert descent_of(manifest(descents, carried), 100) is None, "nor does one that was derived before"
    with pytest.raises(LineageBroken, match="it tells of 4 records"):
        descent_of(manifest(descents, encode_descents(DescentsColumn(HEAD, descents[:4]))), 100)
