"""What lies in the topic of state comes back as it went in; what no gate wrote is told, not guessed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mesh.contract import Contract
from mesh.errors import LineageBroken
from mesh.gate.holding import Released
from mesh.gate.holds import MOST_WAITING, NOBODY, most_waiting, name_of
from mesh.gate.parking import ParkedRecord, held_key, held_value, kept, parked_key, parked_value
from mesh.gate.quarantine import ParkedLog, Verb
from mesh.judge import Verdicts
from mesh.types import TopicPartition
from tests.support.stepping import Entry
from tests.unit.gate.test_hold_order import GOOD, HOLDS, MENDED, Story, contract

INGRESS, OTHER = UUID(int=1), UUID(int=2)
STATE = TopicPartition("weather.readings.v1.state", 0)
headers = st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=5)), max_size=3)


def entry(at: int, key: bytes | None, value: bytes | None, sent: Any = (), when: int = 0) -> Entry:
    return Entry(STATE, at, (key, value), tuple(sent), when)


def parked(at: int, offset: int, key: bytes = b"k", ingress: UUID = INGRESS) -> Entry:
    return entry(at, parked_key(ingress, offset, key), parked_value(b"v"))


@given(
    st.integers(0, 2**62), st.binary(max_size=20), st.none() | st.binary(max_size=20), headers, st.integers(0, 2**40)
)
def test_a_parked_record_is_as_it_came(offset: int, key: bytes, value: bytes | None, sent: Any, when: int) -> None:
    lies = entry(7, parked_key(INGRESS, offset, key), parked_value(value), sent, when)
    assert ParkedRecord.of(lies) == ParkedRecord(offset, key, value, sent or (), when)
    # A null value is a record, not the end of one.
    assert lies.value() is not None


def test_entries_are_folded_and_those_done_with_are_gone() -> None:
    entries = [
        entry(0, held_key(INGRESS, b"k"), held_value(3)),
        parked(1, 5),
        parked(2, 4),
        parked(3, 6, b"free"),
        entry(4, parked_key(INGRESS, 6, b"free"), None),
        entry(5, held_key(INGRESS, b"gone"), held_value(2)),
        entry(6, held_key(INGRESS, b"gone"), None),
        parked(7, 8, ingress=OTHER),
        parked(8, 9, ingress=OTHER),
        entry(9, parked_key(OTHER, 9, b"k"), None),
    ]
    found = kept(entries, INGRESS, 100)
    assert list(found.held) == [b"k"]
    assert (found.held[b"k"].holder, [(each.ingress, each.at) for each in found.held[b"k"].waiting]) == (
        3,
        [(4, 2), (5, 1)],
    )
    assert (found.stale, found.foreign) == ([], 1)


def test_what_will_be_read_again_is_stale_and_what_nobody_holds_may_leave() -> None:
    entries = [entry(0, held_key(INGRESS, b"late"), held_value(50)), parked(1, 51, b"late"), parked(2, 5, b"k")]
    found = kept(entries, INGRESS, 50)
    assert found.stale == [held_key(INGRESS, b"late"), parked_key(INGRESS, 51, b"late")]
    assert (list(found.held), found.held[b"k"].holder) == ([b"k"], NOBODY)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, b"x"),
        (b"q" + bytes(16), b"x"),
        (b"h", b"{}"),
        (held_key(INGRESS, b"k"), b"{}"),
        (held_key(INGRESS, b"k"), b"nothing"),
        (parked_key(INGRESS, 1, b"")[:20], b"\x01v"),
        (parked_key(INGRESS, 1, b""), b""),
    ],
)
def test_what_no_gate_wrote_is_told(key: bytes | None, value: bytes) -> None:
    with pytest.raises(LineageBroken):
        kept([entry(0, key, value)], INGRESS, 100)


def test_a_key_is_the_same_under_a_new_version_of_its_schema() -> None:
    assert name_of(b"\x00\x00\x00\x00\x01abc") == name_of(b"\x00\x00\x00\x00\x09abc") == b"abc"
    assert name_of(b"raw") == b"raw"


@pytest.mark.parametrize(
    ("given_", "expected"),
    [({"records": 7}, 7), ({"records": 0}, 1), ({"records": "many"}, MOST_WAITING), ("much", MOST_WAITING)],
)
def test_how_many_may_wait_is_the_contracts_choice(given_: Any, expected: int) -> None:
    assert most_waiting(contract(hold=given_)) == expected
    assert most_waiting(contract()) == MOST_WAITING


def test_none_leaves_behind_a_record_that_something_else_stops() -> None:
    records = [ParkedRecord(at, key, b"v", (), 0) for at, key in ((4, b"a"), (5, b"b"), (6, b"a"), (7, b"b"))]
    clear = Verdicts({}, [None] * 4)
    released = Released(records, [each.key for each in records], clear, frozenset(), {3})
    assert released.behind(()) == released
    left = released.behind({4})
    assert ([each.ingress for each in left.records], left.holding, left.settled) == ([4, 5, 7], frozenset({0}), {3})


def test_who_waits_for_whom_is_seen_from_outside() -> None:
    story = Story()
    for station, record in (("A", HOLDS), ("A", GOOD), ("B", HOLDS), ("A", GOOD)):
        story.publish(station, record)
    story.gate.work()
    logs: Any = story.gate.logs
    seen = ParkedLog.read(logs, logs, logs.topic_names, 0)
    assert [(each.record.ingress, each.behind) for each in seen.waiting] == [(1, 0), (3, 0)]
    assert seen.holders == {0: 2, 2: 0}


def test_a_topic_of_state_that_cannot_be_read_stops_its_product_and_no_other() -> None:
    story = Story()
    story.publish("A", HOLDS)
    story.gate.work()
    names = story.gate.logs.topic_names
    garbage = story.gate.logs.append(names.state, b"garbage", b"x")
    with pytest.raises(KeyError):
        story.gate.restart()
    assert "none of the gate's" in story.gate.step.troubles()[names.ingress]
    assert story.gate.step.positions() == {}
    # Somebody deletes what does not belong there.
    del story.gate.logs.logs[names.state][garbage.at]
    story.gate.restart()
    assert story.gate.step.troubles() == {}


def test_what_is_parked_gets_out_also_when_the_contract_holds_keys_no_more() -> None:
    story = Story()
    for record in (HOLDS, GOOD):
        story.publish("A", record)
    story.gate.work()
    text = contract().document.source | {"version": "1.3.0"}
    story.gate.logs.contract = _without_holds(text)
    story.gate.restart()
    assert story.gate.logs.manifests()[-1].records_parked == 1
    story.publish("A", GOOD)
    story.gate.work()
    story.settle(0, Verb.REPLAY, MENDED)
    story.gate.work()
    story.publish("A", HOLDS)
    story.publish("A", GOOD)
    story.gate.work()
    assert story.public() == {"A": [0, 1, 2, 4]}
    assert story.gate.logs.manifests()[-1].keys_held == 0


def _without_holds(source: Any) -> Contract:
    return Contract.parse(yaml.safe_dump(source).replace("hold-key", "quarantine"))
