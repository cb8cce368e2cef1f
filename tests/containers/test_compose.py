"""deploy/compose.yaml: the demo's small products through its gates, its confinement, its restart, its end."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping

import httpx
import pytest

from mesh import Mesh
from mesh.access import ADMIN
from mesh.contract import Contract
from mesh.kafka import Admin, Connection, LogReader
from mesh.types import TopicPartition
from tests.containers.composed import Composed, docker
from tests.support.broker import eventually

pytestmark = [pytest.mark.containers, pytest.mark.timeout(600)]

_RECORDS = {"reference.carriers": 16, "reference.airports": 1458, "fleet.aircraft": 3322}
_POOL = "_mesh.gate.default"
_WHOLE = 1 << 62
_COUNT = """
import sqlite3
rows = sqlite3.connect("/var/lib/mesh/lineage.db").execute("SELECT sum(accepted) FROM activity")
print(rows.fetchone()[0] or 0)
"""


@pytest.fixture(scope="module")
def volumes_before() -> set[str]:
    return _volumes()


@pytest.fixture(scope="module")
def composed(volumes_before: set[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    found = Composed(tmp_path_factory.mktemp("composed"))
    try:
        found.up()
        yield found
    finally:
        found.down()


@pytest.fixture(scope="module")
def counted(composed: Composed) -> Mapping[str, tuple[int, int, int]]:
    """Ingress, public and quarantined records of every product its producer has run for."""
    for product in _RECORDS:
        composed.produce(product.replace(".", "-"))
    return _count(composed)


def test_every_record_is_accepted_or_quarantined(counted: Mapping[str, tuple[int, int, int]]) -> None:
    assert {product: ingress for product, (ingress, _, _) in counted.items()} == _RECORDS
    assert {product: public + refused for product, (_, public, refused) in counted.items()} == _RECORDS
    assert all(public > refused for _, public, refused in counted.values())


def test_a_subscriber_outside_reads_what_is_public(
    composed: Composed, counted: Mapping[str, tuple[int, int, int]]
) -> None:
    with (
        Mesh.connect(composed.config) as mesh,
        mesh.subscribe(*_RECORDS, name="delay-desk", purpose="delay-analysis", until_end=True) as records,
    ):
        assert sum(1 for _ in records) == sum(public for _, public, _ in counted.values())


def test_each_gate_does_the_work_of_both(composed: Composed) -> None:
    for stopped in ("gate-0", "gate-1"):
        composed.compose("stop", stopped)
        composed.produce("weather-observations")
        composed.compose("start", stopped)
    ingress, public, refused = _count(composed, ["weather.observations"])["weather.observations"]
    assert ingress == public + refused == 2 * 26115


def test_questions_about_lineage_are_answered(composed: Composed, counted: Mapping[str, tuple[int, int, int]]) -> None:
    composed.compose("--profile", "lineage", "up", "--detach", "lineage-collector", "lineage-api")
    caller = "fleet", composed.settings.password("fleet").get_secret_value()
    with httpx.Client(base_url=composed.lineage, auth=caller, timeout=30) as api:
        eventually(lambda: _answers(api), 60)
        told = api.get("/v1/trace/fleet.aircraft.v1/0/0").json()
        with Mesh.connect(composed.config, "fleet") as mesh:
            assert told["record"] == json.loads(json.dumps(mesh.trace("fleet.aircraft.v1/0/0").as_json()))
        assert api.get("/v1/why/weather.observations.v1/0/0").json()["stub"]["owner"], "another domain's"
    passed = sum(public for _, public, _ in counted.values())
    eventually(lambda: _indexed(composed) >= passed, 60)


def _indexed(composed: Composed) -> int:
    """How many accepted records the collector's file knows of."""
    return int(composed.compose("exec", "lineage-collector", "python", "-c", _COUNT))


def _answers(api: httpx.Client) -> bool:
    try:
        return api.get("/health").status_code == 200
    except httpx.TransportError:
        return False


def test_containers_are_confined(composed: Composed) -> None:
    for details in json.loads(docker("inspect", *composed.containers())):
        host, name = details["HostConfig"], details["Name"]
        assert details["Config"]["User"].partition(":")[0] not in ("", "0", "root"), name
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        published = [each["HostIp"] for bound in (host["PortBindings"] or {}).values() for each in bound]
        assert set(published) <= {"127.0.0.1"}, name


def test_no_password_is_seen(composed: Composed, counted: Mapping[str, tuple[int, int, int]]) -> None:
    seen = docker("inspect", *composed.containers()) + composed.compose("logs") + composed.compose("top")
    assert composed.passwords
    assert not [password for password in composed.passwords if password in seen]


def test_everything_outlives_down_and_up(composed: Composed, counted: Mapping[str, tuple[int, int, int]]) -> None:
    composed.compose("--profile", "lineage", "down", "--timeout", "30")
    assert composed.containers() == []
    composed.up()
    assert "nothing to do" in composed.compose("logs", "apply")
    assert _count(composed) == counted


def test_down_with_volumes_leaves_nothing(composed: Composed, volumes_before: set[str]) -> None:
    composed.down()
    assert composed.containers() == []
    assert composed.networks() == []
    assert _volumes() <= volumes_before


def _volumes() -> set[str]:
    return set(docker("volume", "ls", "--quiet").split())


def _count(composed: Composed, products: Collection[str] = _RECORDS) -> dict[str, tuple[int, int, int]]:
    connection = Connection.of(composed.settings, ADMIN)
    with Mesh.connect(composed.config) as mesh, Admin(connection) as admin, LogReader(connection) as reader:
        return {product: _settled(mesh.contract(product), admin, reader) for product in products}


def _settled(contract: Contract, admin: Admin, reader: LogReader) -> tuple[int, int, int]:
    """How many records lie on the three topics, once the gates have read all there are."""
    topics = contract.topics
    places = _places(contract, topics.ingress)
    eventually(lambda: admin.committed(_POOL, places) == admin.ends(places, committed=True), 60)
    ingress, public, refused = (
        _size(reader, contract, each) for each in (topics.ingress, topics.public, topics.quarantine)
    )
    return ingress, public, refused


def _places(contract: Contract, topic: str) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in range(contract.partitions)]


def _size(reader: LogReader, contract: Contract, topic: str) -> int:
    return sum(1 for place in _places(contract, topic) for _ in reader.read(place, 0, _WHOLE))
