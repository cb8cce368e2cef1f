"""Generated pipelines on the pure engine against an oracle: every value, parent set, revision and disposition."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.stream import Place
from tests.support.pipeline_oracle import expected
from tests.support.pipeline_run import Rehearsal, Told, arrival, engine_of, run_plainly
from tests.support.pipelines import EVENTS, KINDS, Case, Event, Kind, cases


def agree(told: Told, case: Case) -> None:
    """What came out is what must come out."""
    wanted = expected(case)
    assert told.made() == wanted.all()
    assert [made.chain for made in told.made()] == [made.chain for made in wanted.all()]
    assert (told.filtered, told.late, told.parked) == (wanted.filtered, wanted.late, wanted.parked)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_values_parents_revisions_and_dispositions_are_those_of_the_oracle(kind: Kind, data: st.DataObject) -> None:
    case = data.draw(cases((kind,)))
    agree(run_plainly(case), case)


def run_roughly(case: Case, dice: random.Random) -> Told:
    """Commits, aborts and restarts after any record: an abort gives every record since the last commit again."""
    told, engine = Told(), engine_of(case)
    for partition in range(case.partitions):
        work = Rehearsal(engine, Place(EVENTS, partition))
        log, at, committed = case.log(partition), 0, 0
        outputs = told.outputs.setdefault(partition, [])
        kept = 0
        while at < len(log) or committed < at:
            chance = dice.random()
            if chance < 0.15 and dice.random() < 0.5:
                work.task.rolled_back()
                del outputs[kept:]
                at = committed
            elif chance < 0.15:
                work.restart()
                del outputs[kept:]
                at = committed
            elif chance < 0.4 or at == len(log):
                work.commit()
                committed, kept = at, len(outputs)
            else:
                outcome = work.task.apply(arrival(EVENTS, partition, at, log[at]))
                told.note(partition, at, outcome.fate)
                outputs += outcome.outputs
                at += 1
    return told


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data(), seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_aborts_and_restarts_change_nothing(kind: Kind, data: st.DataObject, seed: int) -> None:
    case = data.draw(cases((kind,)))
    agree(run_roughly(case, random.Random(seed)), case)


@pytest.mark.parametrize("kind", KINDS)
def test_aborts_and_restarts_in_large_windows_change_nothing(kind: Kind) -> None:
    dice = random.Random(5)
    for _ in range(6):
        events = [Event(0, dice.choice("ab"), at + dice.randint(-9, 0), at % 7) for at in range(70)]
        rates = [Event(0, dice.choice("ab"), at * 9, at) for at in range(8)]
        case = Case(kind, tuple(events), tuple(rates), 1, size=dice.choice([4, 25]), hop=4, lateness=3, retention=30)
        agree(run_roughly(case, dice), case)
