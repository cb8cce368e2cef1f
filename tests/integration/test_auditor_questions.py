"""An auditor's questions about real processors behind a real gate; Kafka alone answers them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import yaml
from confluent_kafka import TopicPartition as ClientTopicPartition
from typer.testing import CliRunner

from mesh import Mesh, Processor
from mesh.cli.app import app
from mesh.contract import Contract
from mesh.errors import NotAuthorised
from mesh.inquiry import Inquiry
from mesh.judge.frame import unframe
from mesh.judge.rows import RowCodec
from mesh.kafka import Admin, LogReader
from mesh.lineage import Graph, Reach, Reference, Standing
from mesh.lineage.why import Ending
from mesh.settings import Settings
from mesh.types import Coordinate, TopicPartition
from tests.support.broker import eventually
from tests.support.derived import derived, publish, source
from tests.support.mesh import RunningMesh
from tests.support.pipelines import Event

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

WHOLE = 1 << 60


@dataclass(frozen=True)
class Chain:
    """Events; changes, which leave out what is below zero; totals, which go on; hours, of another domain."""

    events: Contract
    changes: Contract
    totals: Contract
    hours: Contract

    @property
    def all(self) -> tuple[Contract, ...]:
        return self.events, self.changes, self.totals, self.hours


def by_key(record: Any) -> str:
    return str(record.value["key"])


def processors(chain: Chain) -> Sequence[Processor]:
    changes, totals, hours = (Processor(str(each.product)) for each in chain.all[1:])
    events = str(chain.events.product)

    @changes.each(events)
    def change(event: Any, _step: Any) -> dict[str, Any] | None:
        amount = event.value["amount"]
        return {"key": event.value["key"], "total": amount, "count": 1} if amount >= 0 else None

    @totals.aggregate(str(chain.changes.product), key=by_key)
    def total(state: Any, record: Any) -> tuple[dict[str, int], dict[str, Any]]:
        state = {"sum": state.get("sum", 0) + record.value["total"], "count": state.get("count", 0) + 1}
        return state, {"key": record.value["key"], "total": state["sum"], "count": state["count"]}

    @hours.window(events, key=by_key, size=timedelta(milliseconds=10))
    def hour(key: Any, _window: Any, records: Any) -> dict[str, Any]:
        return {"key": key, "total": sum(each.value["amount"] for each in records), "count": len(records)}

    return changes, totals, hours


@pytest.fixture(scope="module")
def chain(mesh: RunningMesh) -> Chain:
    home, abroad = (f"{letter}{secrets.token_hex(4)}" for letter in "hz")
    names = [f"{home}.events", f"{home}.changes"]
    made = Chain(
        readable(source(names[0]), abroad),
        readable(derived(names[1], names[:1]), abroad),
        derived(f"{home}.totals", names[1:]),
        derived(f"{abroad}.hours", names[:1]),
    )
    mesh.apply(*made.all[:3])
    mesh.apply(made.hours)
    publish(mesh, made.events, [Event(n % 2, "ab"[n % 3 % 2], n, n % 7 - 1) for n in range(28)])
    with Mesh.connect(mesh.folder.config) as way_in, Inquiry(kafka_alone(mesh)) as looking:
        for processor, contract in zip(processors(made), made.all[1:], strict=True):
            way_in.process(processor, until_end=True, finish=contract is made.hours)
            eventually(partial(settled, looking, contract), 60, every=0.3)
    return made


def settled(looking: Inquiry, contract: Contract) -> bool:
    """Whether the gate has dealt with everything; a processor's markers stay behind what it has read."""
    return not any(each.pending for each in looking.reconcile(contract.product).gate)


def readable(contract: Contract, reader: str) -> Contract:
    """The same, granted to another domain."""
    document = yaml.safe_load(contract.document.dump())
    custom = [{"property": "principals", "value": [reader]}]
    document["roles"] = [{"role": "reader", "access": "read", "customProperties": custom}]
    return Contract.parse(yaml.safe_dump(document))


@pytest.fixture
def inquiry(mesh: RunningMesh) -> Iterator[Inquiry]:
    """As the platform, with a registry that does not answer."""
    with Inquiry(kafka_alone(mesh)) as opened:
        yield opened


def kafka_alone(mesh: RunningMesh) -> Settings:
    cluster = mesh.settings.home.model_copy(update={"registry": "http://127.0.0.1:1"})
    return mesh.settings.model_copy(update={"clusters": {"main": cluster}})


@dataclass(frozen=True)
class Read:
    """A public record as it lies."""

    at: Coordinate
    value: dict[str, Any]


def public(mesh: RunningMesh, contract: Contract) -> list[Read]:
    codec = RowCodec(contract.value_schema)
    with LogReader(mesh.admin) as reader:
        places = [TopicPartition(contract.topics.public, number) for number in range(contract.partitions)]
        found = [(place, record) for place in places for record in reader.read(place, 0, WHOLE)]
    rows: list[Any] = [codec.decode(unframe(record.value() or b"")[1]) for _, record in found]
    at = [Coordinate(place.topic, place.partition, record.offset()) for place, record in found]
    return [Read(*each) for each in zip(at, rows, strict=True)]


def leaves(graph: Graph) -> list[Coordinate]:
    """The source records at the end of all ways."""
    return [each.at for each in graph.stations.values() if each.making is None]


def plain(at: Coordinate) -> Coordinate:
    return Coordinate(at.topic, at.partition, at.offset)


def test_every_total_and_every_hour_is_the_sum_of_the_rows_it_is_traced_to(
    mesh: RunningMesh, chain: Chain, inquiry: Inquiry
) -> None:
    amounts = {each.at: each.value["amount"] for each in public(mesh, chain.events)}
    for contract in (chain.totals, chain.hours):
        records = public(mesh, contract)
        assert len(records) > 5
        for record in records[::3]:
            graph = inquiry.ancestry(record.at, Reach(most=None))
            rows = [amounts[plain(each)] for each in leaves(graph)]
            assert (sum(rows), len(rows)) == (record.value["total"], record.value["count"])
            made = graph.root.making
            assert made is not None
            assert made.processor == str(contract.product)
            assert made.build is not None


def test_forward_is_the_inverse_of_backward(mesh: RunningMesh, chain: Chain, inquiry: Inquiry) -> None:
    back: dict[Coordinate, set[Reference]] = {}
    for contract in chain.all[1:]:
        for record in public(mesh, contract):
            graph = inquiry.ancestry(record.at, Reach(most=None))
            for station in graph.stations.values():
                back.setdefault(plain(station.at), set()).add(graph.root.reference)
    for event in public(mesh, chain.events)[::7]:
        found = inquiry.impact(event.at)
        assert {each.reference for each in found.effects} == back.get(event.at, set())
        assert not found.final, "totals go on for ever"


def test_a_filtered_record_is_told_from_a_used_one(mesh: RunningMesh, chain: Chain, inquiry: Inquiry) -> None:
    for event in public(mesh, chain.events)[:8]:
        uses = {use.product: use for use in inquiry.why(event.at).uses}
        change = uses[str(chain.changes.product)]
        assert change.ending is (Ending.FILTERED if event.value["amount"] < 0 else Ending.USED)
        assert len(change.outputs) == (event.value["amount"] >= 0)
        assert uses[str(chain.hours.product)].ending is Ending.USED
        assert str(chain.totals.product) not in uses, "it is not made from events"


def test_all_products_add_up(chain: Chain, inquiry: Inquiry) -> None:
    for contract in chain.all:
        balance = inquiry.reconcile(contract.product)
        assert balance.adds_up, balance.mismatches
        assert len(balance.hops) == (0 if contract is chain.events else 2)
    hops = inquiry.reconcile(chain.changes.product).hops
    assert [sum(getattr(each, name) for each in hops) for name in ("input", "pending")] == [28, 0]
    assert sum(each.filtered for each in hops) == 4


def test_another_domain_sees_a_stub_where_it_may_not_look(mesh: RunningMesh, chain: Chain) -> None:
    with Inquiry(kafka_alone(mesh), chain.hours.product.domain) as abroad:
        graph = abroad.ancestry(public(mesh, chain.hours)[0].at)
        assert graph.root.passage is not None
        closed = [each for each in graph.stations.values() if each is not graph.root]
        assert {each.standing for each in closed} == {Standing.FORBIDDEN}
        assert {each.at.topic for each in closed} == {chain.events.topics.public}
        balance = abroad.reconcile(chain.hours.product)
        assert list(balance.closed) == [str(chain.events.product)]
        with pytest.raises(NotAuthorised):
            abroad.trace(Coordinate(chain.events.topics.public, 0, 0))


def test_the_commands_answer_in_words_and_in_json(
    mesh: RunningMesh, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESH_CONFIG", str(mesh.folder.config))
    last = public(mesh, chain.totals)[-1].at
    told = run("trace", last, "--all")
    assert f"made    by {chain.totals.product} [declared]" in told
    assert f"made    by {chain.changes.product} [declared]" in told
    document = json.loads(run("trace", last, "--json", "--depth", 1))
    records = {each["id"]: each for each in document["ancestry"]["records"]}
    made = records[document["ancestry"]["root"]]["made"]
    assert records[made["parents"][0]["records"][0]]["product"] == str(chain.changes.product)
    assert run("trace", last, "--dot").startswith("digraph lineage {")
    event = public(mesh, chain.events)[1].at
    assert json.loads(run("impact", event, "--json"))["count"] >= 2
    assert "live: more can follow" in run("impact", event)
    assert "used:" in run("why", event)


def run(*words: object) -> str:
    done: Any = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == 0, done.stdout + done.stderr
    return str(done.stdout)


def test_lineage_outlives_every_record(mesh: RunningMesh, chain: Chain, inquiry: Inquiry) -> None:
    """The last test: it leaves nothing but manifests and commits."""
    asked = [record.at for contract in chain.all[1:] for record in public(mesh, contract)[-2:]]
    before = [inquiry.ancestry(at, Reach(most=None)).as_json() for at in asked]
    with Admin(mesh.admin) as admin:
        topics = [topic for each in chain.all for topic in (each.topics.public, each.topics.ingress)]
        gone = [ClientTopicPartition(topic, number, -1) for topic in topics for number in range(2)]
        for future in admin.client.delete_records(gone).values():
            future.result(30)
    assert not public(mesh, chain.totals)
    assert [inquiry.ancestry(at, Reach(most=None)).as_json() for at in asked] == before
    for contract in chain.all:
        balance = inquiry.reconcile(contract.product)
        assert balance.adds_up, balance.mismatches
        assert sum(each.expired for each in balance.gate) == sum(each.passed for each in balance.gate)
