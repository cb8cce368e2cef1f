"""The generated pipelines on the transactional loop and a real Kafka: the same outputs as the oracle's, once each."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from mesh import Mesh
from mesh.contract import Contract
from mesh.lineage import Progress
from tests.support.derived import Looker, derived, publish, source
from tests.support.mesh import RunningMesh
from tests.support.pipeline_oracle import Expected, expected
from tests.support.pipelines import EVENTS, KINDS, LOOKING, RATES, Case, Event, Kind, Made, processor_of


@dataclass(frozen=True, slots=True)
class Laid:
    """One generated input on the broker, and a derived product for every kind of pipeline."""

    case: Case
    looker: Looker
    products: dict[Kind, Contract]
    parking: dict[Kind, Contract]
    events: str
    rates: str


def generated(seed: int, count: int = 160) -> Case:
    """Skewed and late times over two partitions."""
    dice = random.Random(seed)
    events, clock = [], 0
    for _ in range(count):
        clock += dice.choice([0, 1, 1, 2, 4, 9])
        time = clock - dice.choice([0, 0, 0, 1, 3, 7, 12, 18, 40])
        events.append(Event(int(dice.random() < 0.3), dice.choice(["a", "b", "c", ""]), time, dice.randint(-3, 5)))
    rates = [Event(each % 2, dice.choice("abc"), clock * each // 20, each) for each in range(20)]
    return Case("tumbling", tuple(events), tuple(rates), size=12, hop=5, lateness=3, retention=15)


@pytest.fixture(scope="module")
def laid(mesh: RunningMesh) -> Laid:
    case, domain = generated(7), "p" + secrets.token_hex(4)
    events, rates = source(f"{domain}.events"), source(f"{domain}.rates")
    names = [str(each.product) for each in (events, rates)]
    products, parking = (
        {kind: derived(f"{domain}.{kind}{more}", names if kind in LOOKING else names[:1]) for kind in KINDS}
        for more in ("", "-parking")
    )
    mesh.apply(events, rates, *products.values(), *parking.values())
    publish(mesh, events, case.events)
    publish(mesh, rates, case.rates)
    looker = Looker(mesh, {EVENTS: events, RATES: rates})
    looker.learn()
    return Laid(case, looker, products, parking, *names)


def ordered(outputs: list[Made]) -> list[str]:
    """Comparable, whatever partition they lie in."""
    return sorted(str((made.value, sorted(made.parents), made.driving, made.chain)) for made in outputs)


@pytest.fixture
def way_in(mesh: RunningMesh) -> Iterator[Mesh]:
    with Mesh.connect(mesh.folder.config) as connected:
        yield connected


@pytest.mark.parametrize("kind", KINDS)
def test_the_loop_writes_what_the_oracle_says_once_each(laid: Laid, way_in: Mesh, kind: Kind) -> None:
    case, contract = replace(laid.case, kind=kind), laid.products[kind]
    processor = processor_of(case, str(contract.product), laid.events, laid.rates)
    first = way_in.process(processor, until_end=True)
    wanted, written = expected(case), laid.looker.written(contract)
    assert ordered(written.outputs) == ordered(wanted.all())
    assert first.outputs == len(wanted.all())
    check_progress(laid, written.progress, wanted)
    assert way_in.process(processor, until_end=True).records == 0


@pytest.mark.parametrize("kind", KINDS)
def test_records_that_fail_are_parked_and_the_rest_is_what_the_oracle_says(
    laid: Laid, way_in: Mesh, kind: Kind
) -> None:
    case, contract = replace(laid.case, kind=kind, breaks=(1, -2), refused=(4,)), laid.parking[kind]
    processor = processor_of(case, str(contract.product), laid.events, laid.rates)
    tally = way_in.process(processor, until_end=True)
    wanted, written = expected(case), laid.looker.written(contract)
    assert ordered(written.outputs) == ordered(wanted.all())
    assert (tally.parked, len(wanted.parked) > 10) == (len(wanted.parked), True)
    check_progress(laid, written.progress, wanted)
    reasons = {each.reason for progress in written.progress for each in progress.failures}
    assert len(reasons) == (1 if kind in ("tumbling", "hopping", "session", "pairs") else 2), reasons


def check_progress(laid: Laid, progress: list[Progress], wanted: Expected) -> None:
    """Every record is accounted for, in ranges that follow each other."""
    told: dict[str, set[tuple[int, int]]] = {each: set() for each in ("delivered", "filtered", "late", "parked")}
    ends: dict[int, int] = {}
    for each in sorted(progress, key=lambda each: (each.partition, each.start)):
        assert each.start == ends.get(each.partition, 0)
        ends[each.partition] = each.end
        for name, numbers in told.items():
            numbers |= {(each.partition, laid.looker.number(EVENTS, each.partition, at)) for at in getattr(each, name)}
    everything = {(p, at) for p in range(laid.case.partitions) for at in range(len(laid.case.log(p)))}
    sets = {"filtered": wanted.filtered, "late": wanted.late, "parked": wanted.parked}
    assert told == {"delivered": everything} | sets
