"""``mesh gate status`` on a running mesh: what people and machines are told, also while the gate is down."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from click.testing import Result
from typer.testing import CliRunner

from mesh.cli.app import app
from mesh.contract import Contract
from mesh.embedded.platform import answers_http
from mesh.embedded.ports import free_ports
from mesh.kafka import Admin, Producer
from tests.support.broker import eventually
from tests.support.contracts import Draft
from tests.support.mesh import Program, RunningMesh
from tests.support.writing import Framing

pytestmark = pytest.mark.broker

Run = Callable[..., Result]


@pytest.fixture
def contract(mesh: RunningMesh) -> Contract:
    contract = Draft(product=f"s{secrets.token_hex(4)}.readings", topic={"partitions": 2}).contract()
    mesh.apply(contract)
    return contract


@pytest.fixture
def run(mesh: RunningMesh, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("MESH_CONFIG", str(mesh.folder.config))

    def ran(*words: str) -> Result:
        result: Any = CliRunner().invoke(app, ["gate", "status", *words])
        return result  # type: ignore[no-any-return]

    return ran


def publish(mesh: RunningMesh, contract: Contract, count: int) -> None:
    with Producer(mesh.connection(contract.product.domain)) as producer:
        for key, value, _ in Framing(mesh, contract).many(0, count):
            producer.produce(contract.topics.ingress, key=key, value=value, headers=[], partition=0)
        producer.flush()


def partitions(result: Result) -> list[dict[str, Any]]:
    found = json.loads(result.stdout)["partitions"]
    assert isinstance(found, list)
    return found


def test_what_the_gate_did_is_counted_per_partition_and_clause(mesh: RunningMesh, contract: Contract, run: Run) -> None:
    product = str(contract.product)
    fresh = run(product, "--json")
    assert fresh.exit_code == 0, fresh.output
    assert [(each["state"], each["lag"], each["build"]) for each in partitions(fresh)] == [("idle", 0, "")] * 2
    publish(mesh, contract, 100)
    mesh.await_gated(contract)
    told = run(product, "--json")
    assert told.exit_code == 0, told.output
    busy, quiet = partitions(told)
    assert (busy["state"], quiet["state"]) == ("running", "idle")
    assert (busy["accepted"], busy["refused"], busy["clauses"]) == (90, 10, {"speed-possible": 10})
    assert (busy["lag"], busy["lag_seconds"], busy["contract"]) == (0, 0.0, contract.version)
    assert busy["rate"] == pytest.approx(100 / 60, abs=0.01)
    table = run(product).stdout.splitlines()
    assert table[0].split("\t")[:4] == ["product", "partition", "state", "lag"]
    assert table[1].split("\t")[:4] == [contract.topics.public, "0", "running", "0"]


def test_a_domain_may_look_at_its_own_products(
    mesh: RunningMesh, contract: Contract, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESH_PRINCIPAL", contract.product.domain)
    told = run(str(contract.product), "--json")
    assert told.exit_code == 0, told.output
    assert [each["state"] for each in partitions(told)] == ["idle", "idle"]


def test_rows_that_repeat_are_told_by_the_clause(mesh: RunningMesh, run: Run) -> None:
    contract = repeating(f"s{secrets.token_hex(4)}.readings")
    mesh.apply(contract)
    product = str(contract.product)
    publish(mesh, contract, 50)
    mesh.await_gated(contract)
    kept = run(product, "--json")
    assert kept.exit_code == 0, kept.output
    (rule,) = json.loads(kept.stdout)["rules"]
    assert (rule["clause"], rule["rows"], rule["value"], rule["kept"]) == ("pairs", 45, 0, True)
    publish(mesh, contract, 5)
    mesh.await_gated(contract)
    told = run(product, "--json")
    assert told.exit_code == 1
    (event,) = json.loads(told.stdout)["breaches"]
    assert (event["event"], event["clause"], event["measured"], event["rows"]) == ("rule.breach", "pairs", 4, 49)
    assert f"{contract.topics.public} breaks pairs: 4 of 49 rows" in run(product).output
    assert run(product, "--rows", "0").exit_code == 0


def repeating(product: str) -> Contract:
    """The contract of these tests with a rule over many records."""
    source = Draft(product=product, topic={"partitions": 2}).contract().document
    source.source["schema"][0]["quality"] = [
        {"id": "pairs", "metric": "duplicateValues", "arguments": {"properties": ["station", "speed"]}, "mustBe": 0}
    ]
    return Contract.parse(source.dump())


def test_a_gate_that_is_down_is_seen_from_kafka_alone(mesh: RunningMesh, contract: Contract, run: Run) -> None:
    publish(mesh, contract, 10)
    mesh.await_gated(contract)
    mesh.gate.stop()
    try:
        publish(mesh, contract, 30)
        late: list[Result] = []

        def is_late() -> bool:
            late.append(run(str(contract.product), "--json", "--late", "1"))
            return late[-1].exit_code == 1

        eventually(is_late, 30, every=0.5)
        waiting = partitions(late[-1])[0]
        assert (waiting["state"], waiting["lag"]) == ("late", 30)
        assert waiting["lag_seconds"] > 1
    finally:
        mesh.gate.start()
    mesh.await_gated(contract)
    assert run(str(contract.product)).exit_code == 0


def test_a_product_without_its_topic_is_blocked_with_what_to_do(
    mesh: RunningMesh, contract: Contract, run: Run
) -> None:
    with Admin(mesh.admin) as admin:
        admin.delete_topic(contract.topics.quarantine)
        eventually(lambda: contract.topics.quarantine not in admin.topic_names())
    told = run(str(contract.product))
    assert told.exit_code == 1
    assert "mesh apply" in told.output
    assert [line.split("\t")[2] for line in told.stdout.splitlines()[1:3]] == ["blocked", "blocked"]
    mesh.apply(contract)
    eventually(lambda: run(str(contract.product)).exit_code == 0)


def test_a_gate_says_whether_it_is_ready_and_what_is_missing(mesh: RunningMesh, contract: Contract) -> None:
    port = free_ports(1)[0]
    gate = Program(mesh.folder, "gate", "run", "--ordinal", "9", "--health", str(port))
    gate.start()
    try:
        gate.await_life(lambda: answer(port, "/ready")[0] == 200)
        assert answer(port, "/health") == (200, [])
        mesh.registry_program.stop()
        status, reasons = answer(port, "/ready")
        assert status == 503
        assert any("registry" in reason for reason in reasons), reasons
        assert answer(port, "/health") == (200, [])
    finally:
        mesh.registry_program.start()
        gate.stop()
    mesh.registry_program.await_life(lambda: answers_http(mesh.settings.home.registry))


def answer(port: int, path: str) -> tuple[int, list[str]]:
    """Status and reasons; 0 where nobody answers yet."""
    try:
        found = httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False)
    except httpx.HTTPError:
        return 0, []
    return found.status_code, found.json()["reasons"]


def test_a_product_nobody_applied_is_named(run: Run) -> None:
    told = run("nobody.nothing")
    assert told.exit_code == 1
    assert "nobody.nothing" in told.output
