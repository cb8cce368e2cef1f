"""Every record has exactly one disposition, and ``why`` says which; also of what processors did with it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from mesh.errors import LineageBroken
from mesh.judge.frame import frame
from mesh.lineage import Atlas, OffsetSet, Progress, Reference, failures_of
from mesh.lineage.impact import Consumer
from mesh.lineage.key_search import search_key
from mesh.lineage.offsets import EMPTY
from mesh.lineage.trace import Walk
from mesh.lineage.why import Answer, Ending, Use, use_of, why
from mesh.types import Coordinate, SchemaId, TopicPartition
from tests.support.ledgers import FINDING, Ledger, Record

T = "operations.flights.v1"
INGRESS, PUBLIC = TopicPartition(f"{T}.ingress", 0), TopicPartition(T, 0)


@pytest.fixture
def ledger() -> Ledger:
    """Good and bad records, an aborted one, a marker, and some that no gate has read."""
    made = Ledger()
    made.product("operations.flights")
    made.publish("operations.flights", b"0", b"1!", b"2")
    made.logs.aborted[INGRESS] = {3: Record(INGRESS, 3, (b"k", b"taken back"))}
    made.logs.skip(INGRESS, 2)
    made.publish("operations.flights", b"5")
    made.gate("operations.flights")
    made.publish("operations.flights", b"6")
    return made


def asked(ledger: Ledger, place: TopicPartition, offset: int) -> Answer:
    at = Coordinate(place.topic, place.partition, offset)
    return why(Walk(at, ledger.logs, ledger.logs, ledger.logs.raw))


def test_every_ingress_offset_ends_in_exactly_one_disposition(ledger: Ledger) -> None:
    endings = [asked(ledger, INGRESS, offset).ending for offset in range(8)]
    assert endings == [
        Ending.PASSED,
        Ending.QUARANTINED,
        Ending.PASSED,
        Ending.ABORTED,
        Ending.MARKER,
        Ending.PASSED,
        Ending.PENDING,
        Ending.PENDING,
    ]
    assert FINDING.clause in asked(ledger, INGRESS, 1).reason
    assert Counter(endings)[Ending.PASSED] == 3


def test_a_record_that_passed_and_is_gone_says_why(ledger: Ledger) -> None:
    del ledger.logs.records[PUBLIC][1]
    assert asked(ledger, PUBLIC, 1).ending is Ending.LOST
    assert asked(ledger, PUBLIC, 1).alarms
    ledger.logs.create(T, ledger.products["operations.flights"].ids.public, 1, {"cleanup.policy": "compact"})
    assert asked(ledger, PUBLIC, 1).ending is Ending.COMPACTED
    ledger.logs.expire(PUBLIC)
    assert asked(ledger, PUBLIC, 1).ending is Ending.PASSED, "retention is no news"


def test_a_parked_record_is_followed_to_where_it_went(ledger: Ledger) -> None:
    ledger.gate("operations.flights", park=lambda record: record.value() == b"6")
    assert asked(ledger, INGRESS, 6).ending is Ending.PARKED
    (released,) = ledger.gate("operations.flights", release=True)
    answer = asked(ledger, INGRESS, 6)
    assert (answer.ending, answer.reason) == (
        Ending.PASSED,
        f"it was parked, and went to {T}/0/{released.offset} when its key was released",
    )


def test_a_repeated_record_is_told(ledger: Ledger) -> None:
    ledger.gate("operations.flights", repeat=lambda record: record.value() == b"6")
    assert asked(ledger, INGRESS, 6).ending is Ending.REPEATED


def test_a_foreign_record_is_an_error(ledger: Ledger) -> None:
    at = ledger.logs.write(PUBLIC, b"k", b"past the gate")
    with pytest.raises(LineageBroken, match="no manifest accounts for"):
        asked(ledger, PUBLIC, at)


@pytest.fixture
def delays(ledger: Ledger) -> Ledger:
    """A processor that read three of four records: one it used, one it filtered, one came late."""
    ledger.gate("operations.flights")
    ledger.product("punctuality.delays", processor="punctuality.delays")
    return ledger


def used(ledger: Ledger, offset: int) -> Use:
    world = Atlas.of_one(ledger.logs, ledger.logs)
    flights, delays = (world.holding(made.topics) for made in ledger.products.values())
    return use_of(Reference(flights.topic_id, 0, offset), Consumer(delays, [flights]), [])


def test_a_processor_says_what_it_did_with_each_record(delays: Ledger) -> None:
    assert used(delays, 0).ending is Ending.PENDING
    delays.progress(
        "punctuality.delays",
        Progress(
            processor="punctuality.delays",
            build="b7",
            product="operations.flights",
            topic_id=delays.products["operations.flights"].ids.public,
            partition=0,
            start=1,
            end=6,
            delivered=OffsetSet.of([1, 2, 4, 5]),
            filtered=OffsetSet.of([2]),
            late=OffsetSet.of([4]),
            parked=OffsetSet.of([5]),
            failures=failures_of({5: "delay raised KeyError at delays.py:7"}),
        ),
    )
    endings = [used(delays, offset).ending for offset in (0, 1, 2, 3, 4, 5, 6)]
    assert endings[:4] == [Ending.BEFORE, Ending.USED, Ending.FILTERED, Ending.LOST]
    assert endings[4:] == [Ending.LATE, Ending.PARKED, Ending.PENDING]
    assert used(delays, 5).reason == "delay raised KeyError at delays.py:7; punctuality.delays said so, build b7"
    assert used(delays, 2).build == "b7"
    delays.logs.denied.add("punctuality.delays.v1.parents")
    assert used(delays, 1).ending is Ending.UNKNOWN


def test_of_a_record_that_came_again_the_last_word_counts(delays: Ledger) -> None:
    first = Progress(
        processor="punctuality.delays",
        build="b7",
        product="operations.flights",
        topic_id=delays.products["operations.flights"].ids.public,
        partition=0,
        start=0,
        end=6,
        delivered=OffsetSet.between(0, 6),
        filtered=OffsetSet.of([2]),
        parked=OffsetSet.of([4, 5]),
    )
    delays.progress("punctuality.delays", first)
    again = replace(first, build="b8", start=3, filtered=OffsetSet.of([4]), parked=EMPTY)
    delays.progress("punctuality.delays", replace(again, delivered=OffsetSet.between(4, 6)))
    assert [used(delays, at).ending for at in range(2, 6)] == [
        Ending.FILTERED,
        Ending.USED,
        Ending.FILTERED,
        Ending.USED,
    ]
    assert [used(delays, at).build for at in (3, 4)] == ["b7", "b8"]


def test_records_of_a_key_are_found_wherever_they_lie(ledger: Ledger) -> None:
    for schema_id, value in ((3, b"7"), (4, b"8!"), (3, b"9")):
        ledger.publish("operations.flights", value, key=frame(SchemaId(schema_id), b"EWR"))
    ledger.publish("operations.flights", b"10", key=frame(SchemaId(3), b"JFK"))
    ledger.gate("operations.flights")
    holding = Atlas.of_one(ledger.logs, ledger.logs).holding(ledger.products["operations.flights"].topics)
    found = search_key(holding, b"EWR")
    assert ([each.offset for each in found.found], found.whole) == ([7, 8, 9], True)
    ledger.logs.expire(INGRESS)
    assert search_key(holding, b"EWR").found == found.found, "by the outputs, once the ingress has expired"
    few = search_key(holding, b"EWR", most=2)
    assert not few.whole
    assert few.looked < found.looked
    ledger.logs.denied.add(f"{T}.quarantine")
    assert search_key(holding, b"EWR").denied == (f"{T}.quarantine",)
