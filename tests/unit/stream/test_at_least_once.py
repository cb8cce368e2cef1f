"""A driver whose outputs are not of the transaction, and a group set back: records come again, and make nothing new."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mesh.lineage import Identity
from mesh.stream import Arrival, Output, Place
from tests.support.pipeline_oracle import expected
from tests.support.pipeline_run import NAMES, Rehearsal, arrival, as_made, engine_of
from tests.support.pipelines import EVENTS, KINDS, Case, Event, Kind, cases


class Gate:
    """Passes each identity once; another digest under a known slot is a divergence."""

    def __init__(self) -> None:
        self.passed: dict[bytes, tuple[Identity, Output]] = {}

    def take(self, outputs: Iterable[Output]) -> None:
        """What was written, perhaps again."""
        for output in outputs:
            identity = output.descent.identity(NAMES.processor, NAMES.output)
            known, _ = self.passed.setdefault(identity.slot, (identity, output))
            assert known == identity, "a replay diverged"


def write(work: Rehearsal, dice: random.Random) -> bool:
    """Write state and offset, or nothing of it, or be set back to an earlier offset; gives whether it was committed."""
    chance = dice.random()
    if chance < 0.3:
        return False
    work.commit()
    return chance < 0.8


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data(), seed=st.integers(0, 2**32))
# Cases as long as these take minutes to shrink; the case that failed first is told.
@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_records_that_come_again_make_the_same_outputs_or_none(kind: Kind, data: st.DataObject, seed: int) -> None:
    case: Case = data.draw(cases((kind,)))
    dice, engine, gates = random.Random(seed), engine_of(case), []
    for partition in range(case.partitions):
        gate, work = Gate(), Rehearsal(engine, Place(EVENTS, partition))
        log, committed = case.log(partition), 0
        while committed < len(log):
            at = committed
            for at in range(committed, min(len(log), committed + dice.randint(1, 6))):
                gate.take(work.task.apply(arrival(EVENTS, partition, at, log[at])).outputs)
            if write(work, dice):
                committed = at + 1
                if dice.random() < 0.7:
                    continue
            work.restart()
        gates.append(gate)
    made = [each for gate in gates for each in as_made(output for _, output in gate.passed.values())]
    assert made == expected(case).all()


def once_more(arrived: Arrival, topic_id: UUID) -> Arrival:
    """The same record of a topic that was made again under its name."""
    place = arrived.record.coordinate._replace(topic_id=topic_id)
    return Arrival.of(replace(arrived.record, coordinate=place), arrived.key, arrived.value)


@pytest.mark.parametrize("kind", ["running", "tumbling", "hopping", "session"])
def test_a_group_set_back_makes_nothing_new_but_a_topic_made_again_does(kind: Kind) -> None:
    events = tuple(Event(0, "a", 60 * at, at + 1) for at in range(9))
    case = Case(kind, events, partitions=1, size=10, hop=5)
    engine = engine_of(case)
    work = Rehearsal(engine, Place(EVENTS, 0))
    arrivals = [arrival(EVENTS, 0, at, each) for at, each in enumerate(events)]
    first = [output for each in arrivals for output in work.task.apply(each).outputs]
    work.commit()
    work.restart()
    assert first
    assert [output for each in arrivals for output in work.task.apply(each).outputs] == []
    # Times of a day later: the windows of the old records are over.
    again = [once_more(arrival(EVENTS, 0, at, later(each)), UUID(int=99)) for at, each in enumerate(events)]
    made = [output for each in again for output in work.task.apply(each).outputs]
    drivers = {each.driving.offset for each in made if each.driving.topic_id == UUID(int=99)}
    assert len(drivers) >= len(first) // 2, "records of the new topic are not those of the old one"
    parents = {each.topic_id for output in made for each in output.descent.parents or ()}
    assert UUID(int=99) in parents


def later(event: Event) -> Event:
    """The same event on the next day."""
    assert event.time is not None
    return replace(event, time=event.time + 86_400)
