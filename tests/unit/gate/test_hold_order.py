"""A held key keeps its order: what is public of a key is in the order of the source, whatever happens in between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.cli.trace import rows
from mesh.contract import Contract
from mesh.gate.quarantine import Verb
from mesh.lineage import Disposition, Parking, StopCause, Trace, trace
from mesh.types import Coordinate
from tests.support.contracts import Draft
from tests.support.stepping import Stepping

NUMBER = {"name": "number", "logicalType": "integer", "physicalType": "int", "required": True}
HEIGHT = {
    "name": "height",
    "logicalType": "integer",
    "physicalType": "int",
    "logicalTypeOptions": {"maximum": 10},
}
GOOD, HOLDS, PLAIN = {"speed": 1.0, "height": 1}, {"speed": 400.0, "height": 1}, {"speed": 1.0, "height": 11}
MENDED = {"speed": 2.0, "height": 2}


def contract(**custom: Any) -> Contract:
    draft = Draft(product="weather.readings", reaction="hold-key", topic={"partitions": 1}, extra=[NUMBER, HEIGHT])
    document = yaml.safe_load(draft.text)
    document["schema"][0]["customProperties"] += [{"property": name, "value": each} for name, each in custom.items()]
    return Contract.parse(yaml.safe_dump(document))


def halting() -> Contract:
    document = yaml.safe_load(yaml.safe_dump(contract().document.source))
    for each in document["schema"][0]["properties"]:
        if each["name"] == "height":
            each["customProperties"] = [{"property": "reaction", "value": "halt"}]
    return Contract.parse(yaml.safe_dump(document))


HOLDING = contract()


class Story:
    """A gate, what was published, and what people did."""

    def __init__(self, holding: Contract = HOLDING) -> None:
        self.gate = Stepping(holding)
        self.published: defaultdict[str, list[int]] = defaultdict(list)
        self.loose: set[int] = set()
        self.discarded: set[int] = set()
        self.number = 0

    def publish(self, station: str, record: Mapping[str, object]) -> int:
        offset = self.gate.publish(station, {**record, "number": self.number})
        self.published[station].append(self.number)
        if record["height"] == PLAIN["height"]:
            self.loose.add(self.number)
        self.number += 1
        return offset

    def settle(self, choice: int, verb: Verb, patch: Mapping[str, object] | None) -> None:
        waiting = self.gate.open()
        if not waiting:
            return
        at = sorted(waiting)[choice % len(waiting)]
        if verb is Verb.DISCARD:
            self.discarded.add(self.gate.logs.decoded(waiting[at].value)["number"])
        self.gate.command(verb, at, patch)

    def public(self) -> dict[str, list[int]]:
        found: defaultdict[str, list[int]] = defaultdict(list)
        for record in self.gate.passed():
            found[record["station"]].append(record["number"])
        return found

    def in_order(self) -> None:
        """Of each key what passed is a part of what was published, in its order; loose records come when they come."""
        for numbers in self.public().values():
            strict = [number for number in numbers if number not in self.loose]
            assert strict == sorted(set(strict))

    def trace(self, topic: str, offset: int) -> Trace:
        """As ``mesh trace`` does."""
        logs = cast("Any", self.gate.logs)
        return trace(Coordinate(topic, 0, offset), logs, logs)

    def settle_all(self) -> None:
        """Work and mend until nothing waits."""
        for _ in range(200):
            self.gate.work()
            self.gate.work()
            waiting = self.gate.open()
            last = self.gate.logs.manifests()[-1] if self.gate.logs.manifests() else None
            at_end = self.gate.position == self.gate.logs.ends_at[self.gate.ingress.topic]
            if at_end and not waiting and (last is None or not last.records_parked):
                return
            for at in waiting:
                self.gate.command(Verb.REPLAY, at, MENDED)
        raise AssertionError("it does not come to an end")


stations = st.sampled_from("AAB")
operations = st.one_of(
    st.tuples(st.just("publish"), stations, st.sampled_from([GOOD, GOOD, HOLDS, PLAIN])),
    st.tuples(st.just("publish"), stations, st.sampled_from([GOOD, HOLDS])),
    st.tuples(st.just("work"), st.integers(1, 6), st.sampled_from([True, True, False])),
    st.tuples(st.just("settle"), st.integers(0, 9), st.sampled_from(["mended", "mended", "again", "discarded"])),
    st.sampled_from([("restart",), ("compact",), ("work", 0, True), ("work", 3, False)]),
)


def perform(story: Story, operation: tuple[Any, ...]) -> None:
    kind, *rest = operation
    acts: dict[str, Callable[..., object]] = {
        "publish": story.publish,
        "work": lambda most, committed: story.gate.work(most, committed=committed),
        "restart": story.gate.restart,
        "compact": story.gate.logs.compact,
        "settle": lambda choice, how: story.settle(
            choice, Verb.DISCARD if how == "discarded" else Verb.REPLAY, MENDED if how == "mended" else None
        ),
    }
    acts[kind](*rest)


@settings(deadline=None, max_examples=80)
@given(st.lists(operations, min_size=12, max_size=50))
def test_per_key_the_public_order_is_the_order_of_the_source(done: list[tuple[Any, ...]]) -> None:
    story = Story()
    for operation in done:
        perform(story, operation)
        story.in_order()
    story.settle_all()
    story.in_order()
    public = story.public()
    for station, numbers in story.published.items():
        assert set(public[station]) | story.discarded >= set(numbers)
    tally = story.gate.logs.check()
    assert (tally.read, tally.parked) == (story.number, 0)


def test_later_records_of_a_refused_key_wait_and_others_pass() -> None:
    story = Story()
    for station, record in (("A", GOOD), ("A", HOLDS), ("A", GOOD), ("B", GOOD), ("A", HOLDS), ("A", GOOD)):
        story.publish(station, record)
    story.gate.work()
    assert story.public() == {"A": [0], "B": [3]}
    (held,) = story.gate.open().values()
    assert held.verdict.coordinate.offset == 1
    last = story.gate.logs.manifests()[-1]
    assert (list(last.parked), last.keys_held, last.records_parked) == ([2, 4, 5], 1, 3)
    assert last.clause_counts == {"speed-possible": 1}
    assert last.ingress_to_outcome(4).disposition is Disposition.PARKED
    assert (story.gate.logs.check().parked, story.gate.logs.check().quarantined) == (3, 1)


def test_a_settled_holder_lets_them_go_until_one_is_refused_again() -> None:
    story = Story()
    for record in (HOLDS, GOOD, HOLDS, GOOD):
        story.publish("A", record)
    story.gate.work()
    story.settle(0, Verb.REPLAY, MENDED)
    story.gate.work()
    assert story.public() == {"A": [0, 1]}
    last = story.gate.logs.manifests()[-1]
    assert (list(last.released), list(last.refused), last.records_parked) == ([0, 1, 2], [2], 1)
    story.gate.work()
    story.gate.restart()
    story.gate.work()
    assert story.public() == {"A": [0, 1]}
    story.settle(0, Verb.DISCARD, None)
    story.gate.work()
    assert story.public() == {"A": [0, 1, 3]}
    last = story.gate.logs.manifests()[-1]
    assert (list(last.released), last.keys_held, last.records_parked) == ([3], 0, 0)
    # The topic of state holds nothing that a compaction would keep.
    story.gate.logs.compact()
    assert not story.gate.logs.logs[story.gate.logs.topic_names.state]


def test_a_holder_that_is_refused_again_goes_on_holding() -> None:
    story = Story()
    for record in (HOLDS, GOOD):
        story.publish("A", record)
    story.gate.work()
    story.settle(0, Verb.REPLAY, None)
    story.gate.work()
    assert story.public() == {}
    (held,) = story.gate.open().values()
    assert (held.verdict.attempt, held.verdict.coordinate.offset) == (2, 0)
    story.gate.restart()
    story.settle(0, Verb.REPLAY, MENDED)
    story.gate.work()
    assert story.public() == {"A": [0, 1]}


def test_parked_records_keep_every_byte() -> None:
    story = Story()
    story.publish("A", HOLDS)
    headers = [("own", b"\x00\xff"), ("own", None), ("mesh-origin", b"file#7")]
    offset = story.gate.publish("A", {**GOOD, "number": 9}, headers)
    story.gate.work()
    story.gate.restart()
    story.settle(0, Verb.DISCARD, None)
    story.gate.work()
    (passed,) = story.gate.logs.logs[story.gate.logs.topic_names.public].values()
    source = story.gate.logs.logs[story.gate.ingress.topic][offset]
    assert (passed.key(), passed.value(), passed.headers()) == (source.key(), source.value(), source.headers())
    assert passed.timestamp() == source.timestamp()


def test_records_without_a_key_and_plain_refusals_hold_nothing() -> None:
    story = Story()
    story.publish("A", PLAIN)
    logs = story.gate.logs
    logs.append(story.gate.ingress.topic, None, logs.value({"station": "A", **HOLDS, "number": 1}))
    story.publish("A", GOOD)
    story.gate.work()
    assert story.public() == {"A": [1]}
    assert logs.manifests()[-1].keys_held == 0


def test_at_its_bound_the_partition_stands_and_goes_on_when_there_is_room() -> None:
    story = Story(contract(hold={"records": 3}))
    for record in (HOLDS, GOOD, GOOD, GOOD, GOOD):
        story.publish("A", record)
    story.publish("B", GOOD)
    assert story.gate.work() == 3
    assert story.gate.work() == 0
    last = story.gate.logs.manifests()[-1]
    assert last.stop is not None
    assert (last.stop.cause, last.stop.offset, last.keys_held, last.records_parked) == (StopCause.FULL, 3, 1, 2)
    count = len(story.gate.logs.manifests())
    assert story.gate.work() == 0
    assert len(story.gate.logs.manifests()) == count
    assert "3 records wait" in story.gate.step.troubles()[str(story.gate.ingress)]
    story.gate.restart()
    assert story.gate.work() == 0
    story.settle(0, Verb.REPLAY, MENDED)
    assert story.gate.work() == 3
    assert story.public() == {"A": [0, 1, 2, 3, 4], "B": [5]}
    assert story.gate.logs.manifests()[-1].stop is None
    assert story.gate.step.troubles() == {}


def test_many_parked_records_leave_in_several_transactions_and_later_ones_stay_behind() -> None:
    story = Story()
    story.publish("A", HOLDS)
    for _ in range(1_200):
        story.publish("A", GOOD)
    story.gate.work(2_000)
    story.settle(0, Verb.REPLAY, MENDED)
    story.gate.work()
    assert len(story.public()["A"]) == 501
    story.publish("A", GOOD)
    story.gate.restart()
    story.gate.work()
    story.gate.work()
    story.in_order()
    assert story.public()["A"] == list(range(1_202))
    assert story.gate.logs.check().accepted == 1_202


def test_an_ingress_that_is_set_back_reads_what_was_parked_again() -> None:
    story = Story()
    for record in (GOOD, HOLDS, GOOD, GOOD):
        story.publish("A", record)
    story.gate.work()
    story.gate.logs.compact()
    story.gate.restart(0)
    story.gate.work(3)
    last = story.gate.logs.manifests()[-1]
    assert (last.epoch, list(last.parked), last.records_parked) == (1, [2], 1)
    story.gate.work()
    assert story.gate.logs.manifests()[-1].records_parked == 2
    story.gate.restart()
    story.settle(1, Verb.REPLAY, MENDED)
    story.gate.work()
    assert story.public() == {"A": [0, 0, 1, 2, 3]}


def test_what_an_aborted_transaction_parked_is_not_parked() -> None:
    story = Story()
    for record in (HOLDS, GOOD, GOOD):
        story.publish("A", record)
    story.gate.work(1)
    story.gate.work(committed=False)
    assert story.gate.work(1) == 1
    assert story.gate.logs.manifests()[-1].records_parked == 1
    story.settle(0, Verb.REPLAY, MENDED)
    story.gate.work(committed=False)
    story.gate.work()
    assert story.public() == {"A": [0, 1, 2]}


def test_a_trace_says_what_was_parked_and_where_it_went() -> None:
    story = Story()
    for record in (HOLDS, GOOD, HOLDS):
        story.publish("A", record)
    story.gate.work()
    logs, topics = story.gate.logs, story.gate.logs.topic_names
    waits = story.trace(topics.ingress, 1)
    assert (waits.fate.disposition, waits.waited) == (
        Disposition.PARKED,
        Parking(Coordinate(topics.lineage, 0, 0)),
    )
    story.settle(0, Verb.REPLAY, MENDED)
    story.gate.work()
    gone = story.trace(topics.ingress, 1).waited
    assert gone is not None and gone.settled is not None
    assert (gone.disposition, gone.settled.topic, gone.settled.offset) == (Disposition.PASSED, topics.public, 1)
    assert gone.released == Coordinate(topics.lineage, 0, logs.ends_at[topics.lineage] - 2)
    # The public record and the one that was refused when it was released tell the same from the other side.
    assert story.trace(topics.public, 1).waited == gone
    assert story.trace(topics.public, 0).waited is None
    again = story.trace(topics.quarantine, max(logs.logs[topics.quarantine])).waited
    assert again is not None
    assert (again.parked, again.disposition) == (gone.parked, Disposition.QUARANTINED)
    shown = dict(rows(story.trace(topics.public, 1)))
    assert shown["released"].startswith(f"passed, now {topics.public}/0/1")
    assert "not yet" in dict(rows(waits))["released"]


def test_a_stop_is_recorded_and_outlives_the_gate() -> None:
    story = Story(contract(breaker={"run": 2}))
    for record in (GOOD, PLAIN, PLAIN, GOOD):
        story.publish("A", record)
    assert story.gate.work(committed=False) == 2
    assert story.gate.alerts == []
    assert story.gate.work() == 2
    assert len(story.gate.alerts) == 1
    last = story.gate.logs.manifests()[-1]
    assert last.stop is not None
    assert (last.stop.cause, last.stop.offset, last.stop.resumed) == (StopCause.BREAKER, 2, False)
    story.gate.restart()
    assert story.gate.work() == 0
    assert "stopped it at offset 2" in story.gate.step.troubles()[str(story.gate.ingress)]
    story.gate.command(Verb.RESUME, 0)
    assert story.gate.work() == 0
    last = story.gate.logs.manifests()[-1]
    assert last.stop is not None and last.stop.resumed
    assert story.gate.work() == 2
    assert story.gate.logs.manifests()[-1].stop is None
    assert len(story.gate.alerts) == 1


def test_a_record_that_halts_passes_it_also_in_another_gate_once_somebody_said_so() -> None:
    story = Story(halting())
    for record in (PLAIN, GOOD):
        story.publish("A", record)
    assert story.gate.work() == 0
    last = story.gate.logs.manifests()[-1]
    assert last.stop is not None
    assert (last.stop.cause, last.ingress_to, len(last.delivered)) == (StopCause.HALT, 0, 0)
    story.gate.command(Verb.RESUME, 0)
    story.gate.work()
    story.gate.restart()
    assert story.gate.work() == 2
    assert story.gate.logs.manifests()[-1].stop is None
    assert story.gate.logs.check().quarantined == 1


@pytest.mark.parametrize("careful", [False, True])
def test_an_attempt_after_a_failed_one_parks_the_same(careful: bool) -> None:
    story = Story()
    for record in (HOLDS, GOOD, GOOD):
        story.publish("A", record)
    assert story.gate.work(committed=False) == 3
    assert story.gate.work(2, careful=careful) == 2
    assert list(story.gate.logs.manifests()[-1].parked) == [1]
