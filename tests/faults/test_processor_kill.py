"""Processors are killed as the kernel would, in the middle of windows, and workers come and go: one effect each."""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import pytest

from mesh.contract import Contract
from mesh.kafka import Admin
from mesh.types import TopicPartition
from tests.support.broker import eventually
from tests.support.derived import Looker, derived, publish, source
from tests.support.mesh import RunningMesh
from tests.support.pipeline_oracle import expected
from tests.support.pipelines import EVENTS, KINDS, LOOKING, RATES, Case, Event, Kind, Made
from tests.support.toll import Toll
from tests.support.working import Job, Worker

pytestmark = pytest.mark.broker

SEED = int(os.environ.get("MESH_TEST_SEED", "20261122"))
PARTITIONS = 4
RECORDS = 2_000


@dataclass(frozen=True, slots=True)
class Laid:
    """Events on the broker, enough for a second or two of a slow processor."""

    mesh: RunningMesh
    case: Case
    looker: Looker
    events: Contract
    rates: Contract
    products: dict[Kind, Contract]

    def job(self, kind: Kind, product: Contract, pause: float = 0.001) -> Job:
        """The work of a derived product."""
        case = replace(self.case, kind=kind)
        return Job(self.mesh, case, str(product.product), str(self.events.product), str(self.rates.product), pause)

    def check(self, kind: Kind, product: Contract) -> int:
        """Outputs, parents and revisions are the oracle's, each once, and the gate passed them all; gives how many."""
        wanted = expected(replace(self.case, kind=kind)).all()
        written = self.looker.written(product)
        assert told(written.outputs) == told(wanted)
        # Markers of transactions end the ingress, so the gate's offset never comes to its end.
        eventually(lambda: len(self._passed(product)) >= len(wanted), 60, every=0.5)
        assert self._passed(product) == sorted(map(str, written.identities))
        return len(wanted)

    def _passed(self, product: Contract) -> list[str]:
        return sorted(map(str, self.looker.written(product, public=True).identities))


def told(outputs: list[Made]) -> list[str]:
    """Comparable, whatever partition they lie in."""
    return sorted(str((made.value, sorted(made.parents), made.driving, made.chain)) for made in outputs)


def generated(seed: int) -> Case:
    """Many small windows, one event in eight late."""
    dice = random.Random(seed)
    events, clock = [], 0
    for _ in range(RECORDS):
        clock += dice.choice([0, 1, 1, 2])
        time = clock - dice.choice([0] * 7 + [dice.randint(1, 60)])
        events.append(Event(dice.randrange(PARTITIONS), dice.choice("abc"), time, dice.randint(-3, 5)))
    rates = [Event(each % PARTITIONS, dice.choice("abc"), clock * each // 20, each) for each in range(24)]
    return Case("tumbling", tuple(events), tuple(rates), PARTITIONS, size=30, hop=10, lateness=5, retention=30)


@pytest.fixture(scope="module")
def laid(mesh: RunningMesh) -> Laid:
    case, domain = generated(SEED), "k" + secrets.token_hex(4)
    events, rates = (source(f"{domain}.{name}", PARTITIONS) for name in ("events", "rates"))
    names = [str(events.product), str(rates.product)]
    products = {
        kind: derived(f"{domain}.{kind}", names if kind in LOOKING else names[:1], partitions=PARTITIONS)
        for kind in KINDS
    }
    mesh.apply(events, rates, *products.values())
    publish(mesh, events, case.events)
    publish(mesh, rates, case.rates)
    looker = Looker(mesh, {EVENTS: events, RATES: rates})
    looker.learn()
    return Laid(mesh, case, looker, events, rates, products)


@pytest.fixture
def admin(mesh: RunningMesh) -> Iterator[Admin]:
    with Admin(mesh.admin) as found:
        yield found


def progress(admin: Admin, product: Contract) -> int:
    """How far a processor has come: offsets of its ingress and its changelog, as committed.

    What is killed before its first commit leaves nothing to take up.
    """
    topics = (product.topics.ingress, product.topics.changelog)
    places = [TopicPartition(topic, number) for topic in topics for number in range(product.partitions)]
    return sum(admin.ends(places, committed=True).values())


def kill_in_the_middle(admin: Admin, job: Job, product: Contract, rounds: int, dice: random.Random) -> int:
    """Up to so many times: start, wait until it has committed something more, kill. Gives how often it was at work."""
    hit = 0
    for _ in range(rounds):
        goal = progress(admin, product) + dice.randrange(1, 60 if rounds < 10 else 6)
        worker = job.start(0, "--until-end")
        eventually(partial(_far_or_over, admin, product, goal, worker), 60, every=0.01)
        time.sleep(dice.uniform(0, 0.3))  # anywhere in a transaction's life
        if worker.process.poll() is not None:
            break
        hit += 1
        worker.kill()
    return hit


def _far_or_over(admin: Admin, product: Contract, goal: int, worker: Worker) -> bool:
    return progress(admin, product) >= goal or worker.process.poll() is not None


@pytest.mark.parametrize(
    ("kind", "rounds"),
    [
        ("tumbling", 3),
        ("running", 3),
        *(
            pytest.param(kind, 20, marks=[pytest.mark.soak, pytest.mark.timeout(1_800)])
            for kind in ("hopping", "session", "pairs", "asof", "batch", "columns", "priced")
        ),
    ],
)
def test_kills_in_mid_window_leave_one_effect_each(
    laid: Laid, admin: Admin, kind: Kind, rounds: int, toll: Toll
) -> None:
    product = laid.products[kind]
    pause = 0.002 if rounds < 10 else 0.04
    job = laid.job(kind, product, pause)
    hit = kill_in_the_middle(admin, job, product, rounds, random.Random(SEED))
    laid.job(kind, product, 0).start(0, "--until-end").finish()
    outputs = laid.check(kind, product)
    toll.add(f"processor killed ({kind})", rounds=rounds, kills=hit, written=outputs, read=outputs)
    assert hit >= 2, "the processor was done before it was killed; more records are needed"


def test_workers_come_and_go_and_every_effect_is_there_once(laid: Laid, admin: Admin, toll: Toll) -> None:
    product = laid.products["hopping"]
    job = laid.job("hopping", product, 0.002)

    def waits(more: int) -> None:
        goal = progress(admin, product) + more
        eventually(lambda: progress(admin, product) >= goal, 60, every=0.02)

    workers: list[Worker] = [job.start(0)]
    waits(20)
    workers.append(job.start(1))
    waits(40)
    workers[0].kill()
    workers.append(job.start(2))
    waits(20)
    assert workers[1].stop() == 0, workers[1].words()
    last = job.start(0, "--until-end")
    last.finish()
    assert workers[2].stop() == 0, workers[2].words()
    outputs = laid.check("hopping", product)
    toll.add("workers of a processor", rounds=1, kills=1, written=outputs, read=outputs)
