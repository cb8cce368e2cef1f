"""A derived product whose inputs lie on two clusters: its records pass, and lineage leads from one to the other."""

from __future__ import annotations

import io
import json
import secrets
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner

from mesh import Mesh, Processor
from mesh.access import LINEAGE
from mesh.catalog.graph import known_graph
from mesh.cli.app import app
from mesh.contract import Contract
from mesh.embedded.kafka import KafkaOptions
from mesh.embedded.ports import free_ports
from mesh.errors import UsageError
from mesh.inquiry import Inquiry
from mesh.inquiry.collecting import Collecting, collect
from mesh.kafka import Admin, LogReader, Producer
from mesh.lineage import Descent, Graph, ParentSet, Reference
from mesh.lineage.station import Station
from mesh.lineage.why import Ending
from mesh.producer.encoding import RecordEncoder
from mesh.settings import ConsoleSink, LineageSettings, Settings
from mesh.types import Coordinate, TopicPartition
from tests.support.broker import Broker, embedded_kafka, eventually
from tests.support.derived import derived, publish, source
from tests.support.mesh import RunningMesh, running_mesh
from tests.support.openlineage import faults
from tests.support.pipelines import Event
from tests.support.proxy import Proxy

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300)]

WHOLE = 1 << 60
KEYS = ("a", "b", "c")


@dataclass(frozen=True)
class Federation:
    """Events on the cluster that is the processor's own; rates on another, and on a third that is out of reach."""

    near: RunningMesh
    far: RunningMesh
    events: Contract
    rates: Contract
    priced: Contract
    waiting: Contract
    other: Contract
    link: tuple[int, int]

    @property
    def settings(self) -> Settings:
        return self.near.settings


def _third(far: RunningMesh, domain: str, port: int) -> dict[str, Any]:
    """The other cluster behind an address where nobody listens yet."""
    reached = _cluster(far, domain)
    return reached | {"bootstrap": f"127.0.0.1:{port}"}


def _cluster(mesh: RunningMesh, domain: str) -> dict[str, Any]:
    home = mesh.settings.home
    secret = f"file:{mesh.folder.root / 'secrets'}/{{principal}}"
    return {
        "bootstrap": home.bootstrap,
        "registry": home.registry,
        "security_protocol": home.security_protocol,
        "domains": [domain],
        "secret": secret,
    }


@pytest.fixture(scope="module")
def federation(mesh: RunningMesh) -> Iterator[Federation]:
    own, other, third = (letter + secrets.token_hex(4) for letter in "noz")
    events, priced = source(f"{own}.events"), derived(f"{own}.priced", [f"{own}.events", f"{other}.rates"])
    waiting = derived(f"{own}.waiting", [f"{own}.events", f"{third}.rates"], partitions=1)
    more = source(f"{own}.more", 1)
    rates, away = source(f"{other}.rates", readers=[own]), source(f"{third}.rates", 1, readers=[own])
    port = free_ports(1)[0]
    beside = {"other": _cluster(mesh, other), "third": _third(mesh, third, port)}
    options = KafkaOptions(heap_mib=512)
    with (
        tempfile.TemporaryDirectory(prefix="mesh-near-") as folder,
        embedded_kafka(Path(folder), options) as kafka,
        running_mesh(Broker(kafka.connection), beside) as near,
    ):
        mesh.apply(rates, away)
        near.apply(events, priced, waiting, more)
        publish(mesh, rates, [Event(number, key, 0, 10 + number) for number, key in enumerate(KEYS[:2])])
        publish(near, events, [Event(each % 2, KEYS[each % 3], each, each) for each in range(30)])
        link = port, int(mesh.kafka.bootstrap.rpartition(":")[2])
        yield Federation(near, mesh, events, rates, priced, waiting, more, link)


@pytest.fixture
def way_in(federation: Federation) -> Iterator[Mesh]:
    with Mesh.connect(federation.near.folder.config) as connected:
        yield connected


def by_key(record: Any) -> str:
    return str(record.value["key"])


def pricing(federation: Federation) -> Processor:
    """Every event beside the rate of its key, of whatever event time."""
    processor = Processor(str(federation.priced.product))
    processor.table(str(federation.rates.product), key=by_key)

    @processor.each(str(federation.events.product))
    def price(event: Any, step: Any) -> dict[str, Any]:
        rate = step.lookup(str(federation.rates.product), event.value["key"])
        factor = rate.value["amount"] if rate is not None and rate.value is not None else 0
        return {"key": event.value["key"], "total": event.value["amount"] * factor, "count": 1}

    return processor


def public(mesh: RunningMesh, contract: Contract) -> list[Coordinate]:
    """Where the public records of a product lie, with the ids of their topics."""
    topic = contract.topics.public
    with Admin(mesh.admin) as admin, LogReader(mesh.admin) as reader:
        topic_id = admin.topics([topic])[topic].topic_id
        places = (TopicPartition(topic, number) for number in range(contract.partitions))
        return [
            Coordinate(topic, place.partition, message.offset(), topic_id)
            for place in places
            for message in reader.read(place, 0, WHOLE)
        ]


def test_a_product_waits_alone_while_the_cluster_of_an_input_is_away(
    federation: Federation,
) -> None:
    waiting, near = federation.waiting, federation.near
    event = public(near, federation.events)[0]
    away = source_topic(federation.far, waiting)
    driving = Reference(event.topic_id or UUID(int=0), event.partition, event.offset)
    descents = [
        Descent(driving, index, ParentSet.of([driving, Reference(topic, 0, 0)]))
        for index, topic in enumerate((away, UUID(int=7)))
    ]
    with near.registry() as registry:
        encoder = RecordEncoder(waiting, registry)
        row = {"key": "a", "total": 1, "count": 1}
        key, value = encoder.key_of(row), encoder.value(row)
    with Producer(near.connection(waiting.product.domain)) as producer:
        for each in descents:
            headers = [("mesh-parents", each.encode())]
            producer.produce(waiting.topics.ingress, key=key, value=value, headers=headers, partition=0)
        producer.flush()
    eventually(lambda: "cannot be looked into" in near.gate.log.read_text("utf-8"), 60)
    publish(near, federation.other, [Event(0, "a", 99, 99)])  # the others go on
    assert not public(near, waiting)
    with Proxy(*federation.link):
        near.await_gated(waiting)
    assert len(public(near, waiting)) == 1, "the parent that is there passes"
    refused = TopicPartition(waiting.topics.quarantine, 0)
    with LogReader(near.admin) as reader:
        (message,) = reader.read(refused, 0, WHOLE)
    assert "parents.undeclared" in str(message.headers())


@pytest.fixture(scope="module")
def whole(federation: Federation) -> Iterator[Federation]:
    """The same with every cluster within reach."""
    with Proxy(*federation.link):
        yield federation


@pytest.fixture(scope="module")
def priced(whole: Federation) -> list[Coordinate]:
    """What the processor made, behind the gate."""
    with Mesh.connect(whole.near.folder.config) as way_in:
        tally = way_in.process(pricing(whole), until_end=True)
    assert (tally.records, tally.outputs) == (30, 30)
    eventually(lambda: len(public(whole.near, whole.priced)) >= 30, 60, every=0.5)
    return public(whole.near, whole.priced)


def asked(federation: Federation, *arguments: str) -> Any:
    """What a command says as JSON."""
    config = {"MESH_CONFIG": str(federation.near.folder.config)}
    result = CliRunner().invoke(app, [*arguments, "--json"], env=config)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def cluster_ids(federation: Federation) -> dict[str, str]:
    """Where the products of the sources live."""
    with Admin(federation.near.admin) as here, Admin(federation.far.admin) as there:
        return {str(federation.events.product): here.cluster_id(), str(federation.rates.product): there.cluster_id()}


def parents(graph: Graph) -> list[Station]:
    assert graph.root.making is not None
    return [station for branch in graph.root.making.branches for station in branch.stations]


def test_a_record_is_traced_to_source_rows_on_both_clusters(federation: Federation, priced: list[Coordinate]) -> None:
    ids = cluster_ids(federation)
    assert len(set(ids.values())) == 2
    both = 0
    with Inquiry(federation.settings) as inquiry:
        graphs = [inquiry.ancestry(each) for each in priced]
    for found in map(parents, graphs):
        assert all((one.trouble, one.at.cluster_id) == (None, ids[str(one.product)]) for one in found)
        assert all(one.passage is not None for one in found), "the gates of both clusters saw them"
        both += {one.product for one in found} == ids.keys()
    assert both == 20  # two keys of three have a rate
    told = asked(federation, "trace", str(priced[0]))
    assert {each["cluster_id"] for each in told["ancestry"]["records"]} == set(ids.values())


def test_lineage_leads_forward_from_one_cluster_to_the_other(federation: Federation, priced: list[Coordinate]) -> None:
    with Inquiry(federation.settings) as inquiry:
        back = {each: {one.reference for one in parents(inquiry.ancestry(each))} for each in priced}
        for rate in public(federation.far, federation.rates):
            reference = Reference(rate.topic_id or UUID(int=0), rate.partition, rate.offset)
            wanted = {(each.partition, each.offset) for each, its in back.items() if reference in its}
            impact = inquiry.impact(rate)
            assert {(each.reference.partition, each.reference.offset) for each in impact.effects} == wanted != set()
            (use,) = inquiry.why(rate).uses
            assert (use.product, use.ending) == (str(federation.priced.product), Ending.USED)
        balance = inquiry.reconcile(federation.priced.product)
    assert balance.adds_up, balance.mismatches
    hops = known_graph(federation.settings).around(federation.priced.product).hops
    sources = {federation.events.topics.public, federation.rates.topics.public}
    assert {each.source for each in hops if each.target == federation.priced.topics.public} == sources


def test_records_of_another_cluster_cannot_be_taken_one_by_one(federation: Federation, way_in: Mesh) -> None:
    processor = Processor(str(federation.priced.product))
    processor.each(str(federation.rates.product))(lambda record, step: None)
    with pytest.raises(UsageError, match=r"lives on another cluster .* can be looked up"):
        way_in.process(processor, until_end=True)
    with pytest.raises(UsageError, match="no agent can read it"):
        way_in.faust(str(federation.priced.product)).input(str(federation.rates.product))


def source_topic(mesh: RunningMesh, derived: Contract) -> UUID:
    """The id of the topic of its input that lives elsewhere, as its own cluster tells it."""
    assert derived.derivation is not None
    (product,) = (each for each in derived.derivation.inputs if each.domain != derived.product.domain)
    topic = f"{product}.v1"
    with Admin(mesh.admin) as admin:
        return admin.topics([topic])[topic].topic_id


def test_events_name_each_input_on_its_own_cluster(
    federation: Federation, priced: list[Coordinate], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = LineageSettings(openlineage=ConsoleSink(kind="console"))
    settings = federation.settings.model_copy(update={"lineage": sink})
    how = Collecting(tmp_path / "index.db", until_end=True)
    collect(settings, how, io.StringIO(), LINEAGE)  # what was before the first start is not told
    with Mesh.connect(federation.near.folder.config) as way_in:
        publish(federation.near, federation.events, [Event(0, "a", 500, 500)])
        way_in.process(pricing(federation), until_end=True)
    eventually(lambda: len(public(federation.near, federation.priced)) > len(priced), 60, every=0.5)
    told, now = io.StringIO(), time.time
    monkeypatch.setattr("mesh.inquiry.collecting.time.time", lambda: now() + 180)  # the minute is over
    collect(settings, how, told, LINEAGE)
    events = [json.loads(each) for each in told.getvalue().splitlines()]
    assert not [fault for event in events for fault in faults(event)]
    mine = [each for each in events if each["job"]["name"].endswith(federation.priced.topics.public)]
    made = [each for each in mine if each["job"]["facets"]["jobType"]["jobType"] == "PROCESSOR"]
    assert made
    for event in made:
        assert {(each["namespace"], each["name"]) for each in event["inputs"]} == {
            (f"kafka://{federation.near.kafka.bootstrap}", federation.events.topics.public),
            (f"kafka://{federation.far.kafka.bootstrap}", federation.rates.topics.public),
        }
        assert all(each["facets"]["schema"]["fields"] for each in event["inputs"])
