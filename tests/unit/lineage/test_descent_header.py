"""The mesh-parents header and the topic of parents: what goes in comes out, and forged bytes are refused."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.errors import LineageBroken
from mesh.lineage import (
    Deposit,
    Descent,
    Identity,
    OffsetSet,
    ParentSet,
    Progress,
    Reference,
    decode_parents_record,
    encode_deposit,
    encode_progress,
    failures_of,
    output_slot,
    window_slot,
)

TOPICS = [UUID(int=number) for number in (1, 2, 3)]
references = st.builds(Reference, st.sampled_from(TOPICS), st.integers(0, 5), st.integers(0, 2**40))
sets = st.builds(ParentSet.of, st.lists(references, min_size=1, max_size=30))
ids = st.binary(min_size=16, max_size=16)
identities = st.builds(Identity, ids, ids)
every_descent = st.builds(
    Descent,
    references,
    st.integers(0, 300),
    sets,
    st.none(),
    st.one_of(st.none(), ids),
    st.one_of(st.none(), identities),
)
descents = every_descent.filter(lambda each: each.fits)


@given(every_descent)
def test_a_header_says_what_was_said(descent: Descent) -> None:
    if descent.fits:
        assert Descent.decode(descent.encode()) == descent
    elsewhere = descent.deposited(Reference(TOPICS[0], 0, 7))
    assert elsewhere.fits
    assert Descent.decode(elsewhere.encode()) == elsewhere
    assert elsewhere.identity("p", "t") == descent.identity("p", "t"), "where the parents lie changes nothing"


@given(descents, st.data())
def test_other_bytes_are_refused_or_say_something_else(descent: Descent, data: st.DataObject) -> None:
    content = bytearray(descent.encode())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    try:
        found = Descent.decode(bytes(content))
    except LineageBroken:
        return
    assert found != descent
    assert found.encode() == bytes(content)


@given(descents)
def test_cut_off_headers_are_refused(descent: Descent) -> None:
    content = descent.encode()
    for length in range(len(content)):
        try:
            assert Descent.decode(content[:length]) != descent
        except LineageBroken:
            continue


def test_one_parent_takes_29_bytes() -> None:
    parent = Reference(TOPICS[0], 3, 258)
    assert Descent.of_one(parent).encode() == parent.pack()
    assert len(parent.pack()) == 29


@pytest.mark.parametrize("count", [10, 10_000, 1_000_000])
def test_contiguous_parents_cost_the_same_for_any_number(count: int) -> None:
    lot = ParentSet.of([Reference(TOPICS[0], 0, 5)]).lots[0]
    parents = ParentSet.of_lots([type(lot)(TOPICS[0], 0, OffsetSet.between(1_000, 1_000 + count))])
    assert len(parents.encode()) <= 16 + 10
    assert Descent(Reference(TOPICS[0], 0, 1_000), parents=parents).fits


def test_sparse_parents_cost_about_a_byte_each() -> None:
    parents = ParentSet.of(Reference(TOPICS[0], 0, 20 * number) for number in range(1_000))
    assert len(parents.encode()) <= 1_030
    assert not Descent(Reference(TOPICS[0], 0, 0), parents=parents).fits


@given(st.lists(references, max_size=30), st.lists(references, max_size=30))
def test_sets_are_sets(left: list[Reference], right: list[Reference]) -> None:
    assert set(ParentSet.of(left) | ParentSet.of(right)) == {*left, *right}
    assert ParentSet.of(left) | ParentSet.of(right) == ParentSet.of(right + left)


def test_identities_tell_outputs_apart_and_join_repeats() -> None:
    parent, other = Reference(TOPICS[0], 0, 1), Reference(TOPICS[0], 0, 2)
    one = Descent.of_one(parent)
    assert one.identity("p", "t") == Descent.of_one(parent).identity("p", "t")
    assert one.identity("p", "t") != one.identity("q", "t") != one.identity("q", "u")
    more = Descent(parent, parents=ParentSet.of([parent, other]))
    assert more.identity("p", "t").slot == one.identity("p", "t").slot
    assert more.identity("p", "t").digest != one.identity("p", "t").digest, "a lookup saw something else"
    assert output_slot("p", "t", parent, 1) != output_slot("p", "t", parent)
    assert window_slot("p", "t", 0, (0, 10), b"k", 0) != window_slot("p", "t", 0, (0, 10), b"k", 1)


def test_a_deposit_without_a_parent_is_refused() -> None:
    empty = Descent(Reference(TOPICS[0], 0, 0), deposit=Deposit(Reference(TOPICS[1], 0, 0), 0, bytes(32)))
    with pytest.raises(LineageBroken):
        Descent.decode(empty.encode())


@given(sets)
def test_a_deposited_set_comes_back(parents: ParentSet) -> None:
    assert decode_parents_record(encode_deposit(parents)) == parents


def test_progress_comes_back_and_damaged_bytes_are_refused() -> None:
    progress = Progress(
        processor="delays",
        build="1",
        product="operations.flights",
        topic_id=TOPICS[2],
        partition=1,
        start=10,
        end=20,
        delivered=OffsetSet.between(10, 19),
        filtered=OffsetSet.of([12, 13]),
        outputs=7,
        watermark=1_357_000_000_000,
        created_at=5,
    )
    payload = encode_progress(progress)
    assert decode_parents_record(payload) == progress
    failing = replace(progress, parked=OffsetSet.of([14]), failures=failures_of({14: "f raised KeyError"}))
    assert decode_parents_record(encode_progress(failing)) == failing
    assert (failing.failure(14), failing.failure(12)) == ("f raised KeyError", None)
    for bad in (b"", b"\x03", b"\x04", payload[:-1], payload + b"\0", b"\x03" + payload[1:]):
        with pytest.raises(LineageBroken):
            decode_parents_record(bad)


def test_a_processor_that_fails_everywhere_swells_no_commit() -> None:
    found = failures_of({at: f"{at % 50} " + "x" * 1_000 for at in range(5_000)} | {5_000: "rare"})
    assert (len(found), {len(each.reason) for each in found}) == (20, {300})
    assert all(len(each.offsets) == 100 for each in found)


def test_parents_that_do_not_fit_travel_only_as_a_deposit() -> None:
    many = ParentSet.of(Reference(TOPICS[0], 0, 20 * number) for number in range(1_000))
    descent = Descent(Reference(TOPICS[0], 0, 0), parents=many)
    assert not descent.fits
    with pytest.raises(LineageBroken, match="too long"):
        Descent.decode(descent.encode())
    deposited = descent.deposited(Reference(TOPICS[1], 0, 7))
    assert Descent.decode(deposited.encode()).count == 1_000
