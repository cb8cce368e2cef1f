"""The generated pipelines on the Faust runtime and a real Kafka: the oracle's outputs, also after kills."""

from __future__ import annotations

import os
import random
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner

from mesh import Mesh, Processor, Record
from mesh.cli.app import app
from mesh.contract import Contract
from mesh.kafka import Admin, LogReader
from mesh.lineage import PARENTS_HEADER, Descent, Progress, last_verdict
from mesh.types import TopicPartition
from tests.support.broker import eventually
from tests.support.derived import PARTITIONS, Looker, derived, publish, source
from tests.support.faust_pipeline import as_text
from tests.support.mesh import RunningMesh
from tests.support.pipeline_oracle import expected
from tests.support.pipelines import EVENTS, KINDS, LOOKING, RATES, START, Case, Event, Kind, Made, processor_of

SOME = [each if each == "asof" else pytest.param(each, marks=pytest.mark.soak) for each in KINDS]


def generated(kind: Kind, count: int) -> Case:
    """Skewed and late times over two partitions."""
    dice = random.Random(count)
    events, clock = [], 0
    for _ in range(count):
        clock += dice.choice([0, 1, 1, 2, 4, 9])
        time = clock - dice.choice([0, 0, 0, 1, 3, 7, 12, 18, 40])
        events.append(Event(int(dice.random() < 0.3), dice.choice(["a", "b", "c", ""]), time, dice.randint(-3, 5)))
    rates = [Event(each % 2, dice.choice("abc"), clock * each // 20, each) for each in range(20)]
    return Case(kind, tuple(events), tuple(rates), size=12, hop=5, lateness=3, retention=15)


@dataclass
class Laid:
    """A pipeline on the broker, and the workers at work on it."""

    mesh: RunningMesh
    case: Case
    contract: Contract
    names: tuple[str, str]
    rates: Contract
    looker: Looker
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @classmethod
    def of(cls, mesh: RunningMesh, case: Case) -> Laid:
        domain = "p" + secrets.token_hex(4)
        events, rates = source(f"{domain}.events"), source(f"{domain}.rates")
        names = str(events.product), str(rates.product)
        contract = derived(f"{domain}.totals", names if case.kind in LOOKING else names[:1])
        mesh.apply(events, rates, contract)
        publish(mesh, events, case.events)
        publish(mesh, rates, case.rates)
        looker = Looker(mesh, {EVENTS: events, RATES: rates})
        looker.learn()
        return cls(mesh, case, contract, names, rates, looker)

    def start(self, pause: float) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.support.faust_pipeline", as_text(self.case)]
        command += [str(self.contract.product), *self.names, "--pause", str(pause)]
        environment = {**os.environ, "MESH_CONFIG": str(self.mesh.folder.config)}
        self.workers.append(subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL))
        return self.workers[-1]

    def came(self) -> int:
        """Offsets taken on the product's ingress."""
        places = [TopicPartition(self.contract.topics.ingress, number) for number in range(PARTITIONS)]
        with Admin(self.mesh.admin) as admin:
            return sum(admin.ends(places, committed=True).values())

    def lying(self, admin: Admin, topic: str) -> TopicPartition:
        """The only partition of a topic that holds records."""
        places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        (found,) = (place for place, end in admin.ends(places, committed=True).items() if end)
        return found

    def agree(self) -> None:
        """Values, parents, chains and dispositions are those of the oracle."""
        wanted, written = expected(self.case), self.looker.written(self.contract, repeats=True)
        assert ordered(written.outputs) == ordered(wanted.all())
        everything = {(p, at) for p in range(self.case.partitions) for at in range(len(self.case.log(p)))}
        assert self._told(written.progress, "delivered") == everything
        assert self._told(written.progress, "filtered") == wanted.filtered
        assert self._told(written.progress, "late") == wanted.late
        assert self._told(written.progress, "parked") == wanted.parked

    def _told(self, progress: list[Progress], name: str) -> set[tuple[int, int]]:
        number = self.looker.number
        return {(each.partition, number(EVENTS, each.partition, at)) for each in progress for at in getattr(each, name)}


def ordered(outputs: list[Made]) -> list[str]:
    """Comparable, whatever partition they lie in; which record drove an output may differ after a kill."""
    return sorted(str((made.value, sorted(made.parents), made.chain)) for made in outputs)


@pytest.fixture
def lay(mesh: RunningMesh) -> Iterator[Callable[[Case], Laid]]:
    made: list[Laid] = []

    def laid(case: Case) -> Laid:
        made.append(Laid.of(mesh, case))
        return made[-1]

    yield laid
    for worker in (worker for each in made for worker in each.workers):
        worker.kill()
        worker.wait()


@pytest.mark.parametrize("kind", SOME)
def test_faust_writes_what_the_oracle_says(lay: Callable[[Case], Laid], way_in: Mesh, kind: Kind) -> None:
    laid = lay(generated(kind, 160))
    processor = processor_of(laid.case, str(laid.contract.product), *laid.names)
    tally = way_in.process(processor, runtime="faust", until_end=True)
    laid.agree()
    wanted = expected(laid.case)
    assert (tally.records, tally.outputs) == (160, len(wanted.all()))
    assert (tally.filtered, tally.late) == (len(wanted.filtered), len(wanted.late))
    assert way_in.process(processor, runtime="faust", until_end=True).records == 0
    assert len(laid.looker.written(laid.contract).outputs) == len(wanted.all())


@pytest.mark.parametrize("kind", SOME)
def test_records_that_fail_are_parked_as_on_the_loop(lay: Callable[[Case], Laid], way_in: Mesh, kind: Kind) -> None:
    laid = lay(replace(generated(kind, 160), breaks=(1, -2), refused=(4,)))
    processor = processor_of(laid.case, str(laid.contract.product), *laid.names)
    tally = way_in.process(processor, runtime="faust", until_end=True)
    laid.agree()
    assert (tally.parked, tally.parked > 10) == (len(expected(laid.case).parked), True)


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_kills_in_the_middle_change_nothing(lay: Callable[[Case], Laid], kind: Kind) -> None:
    laid = lay(generated(kind, 400))
    for share in (20, 60):
        worker = laid.start(0.01)
        eventually(lambda share=share: laid.came() > share, 60, every=0.1)  # type: ignore[misc]
        worker.kill()
        worker.wait()
    assert laid.start(0.0).wait(90) == 0
    laid.agree()


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["running", "tumbling"])
def test_state_goes_along_when_a_second_worker_joins(lay: Callable[[Case], Laid], kind: Kind) -> None:
    laid = lay(generated(kind, 400))
    first = laid.start(0.03)
    eventually(lambda: laid.came() > 20, 60, every=0.1)
    second = laid.start(0.03)
    assert [first.wait(120), second.wait(120)] == [0, 0]
    laid.agree()


@pytest.mark.soak
def test_what_is_open_where_the_inputs_end_is_closed_when_asked(lay: Callable[[Case], Laid], way_in: Mesh) -> None:
    laid = lay(generated("tumbling", 40))
    processor = processor_of(laid.case, str(laid.contract.product), *laid.names)
    before = way_in.process(processor, runtime="faust", until_end=True).outputs
    closed = way_in.process(processor, runtime="faust", until_end=True, finish=True).outputs
    assert closed > 0
    written = laid.looker.written(laid.contract)
    assert len(written.outputs) == before + closed == sum(each.outputs for each in written.progress)
    assert set().union(*(each.parents for each in written.outputs)) == {
        (EVENTS, p, at) for p in range(PARTITIONS) for at, event in enumerate(laid.case.log(p)) if event.key
    } - {(EVENTS, *each) for each in expected(laid.case).late}


@pytest.mark.soak
def test_a_run_that_stops_at_a_time_leaves_the_rest_to_the_next(lay: Callable[[Case], Laid], way_in: Mesh) -> None:
    laid = lay(generated("running", 160))
    processor = processor_of(laid.case, str(laid.contract.product), *laid.names)
    times = sorted(event.time or 0 for event in laid.case.events)
    middle = START + timedelta(seconds=times[80])
    first = way_in.process(processor, runtime="faust", until_end=True, before=middle)
    second = way_in.process(processor, runtime="faust", until_end=True)
    assert 0 < first.records < 160
    assert first.records + second.records == 160
    laid.agree()


@pytest.mark.soak
def test_a_latest_row_that_changed_meanwhile_diverges_and_is_not_passed(
    mesh: RunningMesh, lay: Callable[[Case], Laid], way_in: Mesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    laid = lay(generated("asof", 20))
    processor = Processor(str(laid.contract.product))
    processor.table(laid.names[1], key=lambda record: record.value["key"] if record.value else None)

    @processor.each(laid.names[0])
    def latest(event: Record, step: Any) -> dict[str, Any] | None:
        rate = step.lookup(laid.names[1], "z")
        return {"key": "a", "total": rate.value["amount"], "count": event.coordinate.offset}

    publish(mesh, laid.rates, [Event(0, "z", 9_000, 1)])
    assert way_in.process(processor, runtime="faust", until_end=True).outputs == 20
    mesh.await_gated(laid.contract)
    public = [TopicPartition(laid.contract.topics.public, number) for number in range(PARTITIONS)]
    with Admin(mesh.admin) as admin, LogReader(mesh.admin) as reader:
        passed = [each.value() for place in public for each in reader.read(place, 0, 1 << 60)]
        assert len(passed) == 20
        publish(mesh, laid.rates, [Event(0, "z", 10_000, 77)])
        forget(mesh, laid.contract)
        assert way_in.process(processor, runtime="faust", until_end=True).outputs == 20
        slots: dict[bytes, set[bytes]] = {}
        for number in range(PARTITIONS):
            for message in reader.read(TopicPartition(laid.contract.topics.ingress, number), 0, 1 << 60):
                descent = Descent.decode(dict(message.headers() or ())[PARENTS_HEADER] or b"")
                identity = descent.identity(
                    laid.contract.topics.public.removesuffix(".v1"), laid.contract.topics.public
                )
                slots.setdefault(identity.slot, set()).add(identity.digest)
        assert [len(each) for each in slots.values()] == [2] * 20
        resume_until_quarantined(laid, monkeypatch, admin)
        (refused, *_) = reader.read(laid.lying(admin, laid.contract.topics.quarantine), 0, 1 << 60)
        verdict = last_verdict(refused.headers() or ())
        assert verdict is not None
        assert [each.clause for each in verdict.findings] == ["parents.divergent"]
        assert [each.value() for place in public for each in reader.read(place, 0, 1 << 60)] == passed


def resume_until_quarantined(laid: Laid, monkeypatch: pytest.MonkeyPatch, admin: Admin) -> None:
    """The partition stands at the first output that diverged; an operator sends it to the quarantine."""
    monkeypatch.setenv("MESH_CONFIG", str(laid.mesh.folder.config))
    partition = str(laid.lying(admin, laid.contract.topics.ingress).partition)
    words = ["gate", "resume", str(laid.contract.product), "--partition", partition, "--reason", "seen"]

    def refused() -> bool:
        CliRunner().invoke(app, words)
        places = [TopicPartition(laid.contract.topics.quarantine, number) for number in range(PARTITIONS)]
        return any(admin.ends(places, committed=True).values())

    eventually(refused, 60, every=0.5)


def forget(mesh: RunningMesh, contract: Contract) -> None:
    """As if the processor had never committed: its group is gone."""
    client = AdminClient(mesh.admin.config())

    def gone() -> bool:
        (future,) = client.delete_consumer_groups([str(contract.product)]).values()
        return future.exception() is None

    eventually(gone, 30, every=0.5)
