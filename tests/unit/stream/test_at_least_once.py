"""A driver that cannot write outputs, state and offsets at once: records come again, and nothing new comes of it."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mesh.lineage import Identity
from mesh.stream import Changes, Output, Place
from tests.support.pipeline_oracle import expected
from tests.support.pipeline_run import NAMES, Rehearsal, arrival, as_made, engine_of
from tests.support.pipelines import EVENTS, KINDS, Case, Kind, cases


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


def write_some(work: Rehearsal, changes: Changes, dice: random.Random) -> bool:
    """Write state in its order, and perhaps die on the way; gives whether the input's offset was committed.

    Windows in any order among themselves, event time when all of them are there, removals after the commit.
    """
    puts = changes.puts[:]
    count = dice.randint(0, len(puts) * 2)
    work.changelog |= dict(puts[:count])
    if count < len(puts) or dice.random() < 0.3:
        return False
    work.changelog |= dict(changes.marks)
    if dice.random() < 0.3:
        return False
    for key in changes.removals:
        if dice.random() < 0.7:
            work.changelog.pop(key, None)
    return True


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
            if write_some(work, work.task.changes(), dice):
                committed = at + 1
                work.task.committed()
                if dice.random() < 0.7:
                    continue
            work.restart()
        gates.append(gate)
    made = [each for gate in gates for each in as_made(output for _, output in gate.passed.values())]
    assert made == expected(case).all()
