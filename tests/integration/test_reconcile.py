"""``mesh reconcile`` on what a real gate left behind, and on what somebody changed past it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from mesh.cli.app import app
from mesh.contract import Contract
from mesh.kafka import LogReader, Producer
from mesh.types import TopicPartition
from tests.support.broker import eventually
from tests.support.contracts import Draft
from tests.support.flowing import Flow, await_progress
from tests.support.mesh import RunningMesh
from tests.support.writing import Framing

pytestmark = pytest.mark.broker

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def desk() -> str:
    return f"d{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def contract(mesh: RunningMesh, desk: str) -> Contract:
    """Two partitions, sixty records in several transactions, six of them refused, and one of those replayed."""
    product = f"u{secrets.token_hex(4)}.readings"
    contract = Draft(product=product, topic={"partitions": 2}, operators=[desk]).contract()
    mesh.apply(contract)
    for begin in range(0, 60, 20):
        fill(mesh, contract, begin, begin + 20)
    return contract


def fill(mesh: RunningMesh, contract: Contract, begin: int, end: int) -> None:
    with Producer(mesh.connection(contract.product.domain)) as producer:
        for key, value, number in Framing(mesh, contract).many(begin, end):
            producer.produce(contract.topics.ingress, key=key, value=value, partition=number % 2)
        producer.flush()
    mesh.await_gated(contract)


@pytest.fixture
def run(mesh: RunningMesh, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("MESH_CONFIG", str(mesh.folder.config))

    def ran(*arguments: object, principal: str | None = None) -> Result:
        if principal is not None:
            monkeypatch.setenv("MESH_PRINCIPAL", principal)
        result: Any = CliRunner().invoke(app, list(map(str, arguments)))
        return result  # type: ignore[no-any-return]

    return ran


def reconciled(run: Run, contract: Contract, *options: object, code: int = 0) -> dict[str, Any]:
    done = run("reconcile", contract.product, "--json", *options)
    assert done.exit_code == code, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def total(found: dict[str, Any], name: str) -> int:
    return sum(int(each[name]) for each in found["gate"])


def test_what_a_gate_did_adds_up_before_and_after_a_replay(run: Run, contract: Contract, desk: str) -> None:
    found = reconciled(run, contract)
    assert [total(found, name) for name in ("read", "passed", "refused", "pending")] == [60, 54, 6, 0]
    where = f"{contract.topics.quarantine}/0/0"
    done = run("quarantine", "replay", where, "--set", "speed=1.0", "--reason", "a slip", "--yes", principal=desk)
    assert done.exit_code == 0, done.stdout + done.stderr
    run("reconcile", contract.product, principal="_mesh.admin")
    eventually(lambda: total(reconciled(run, contract), "released") == 1, 30, every=0.3)
    found = reconciled(run, contract)
    assert [total(found, name) for name in ("read", "released", "passed", "refused")] == [60, 1, 55, 6]
    table = run("reconcile", contract.product)
    assert table.exit_code == 0
    assert table.stdout.splitlines()[0].split("\t")[:4] == ["partition", "read", "released", "passed"]
    later = reconciled(run, contract, "--since", "2999-01-01")
    assert total(later, "read") == 0


def test_a_record_written_past_the_gate_is_named(run: Run, mesh: RunningMesh, contract: Contract) -> None:
    place = TopicPartition(contract.topics.public, 1)
    with LogReader(mesh.admin) as reader:
        copied = next(iter(reader.read(place, 0, 1 << 60)))
        _, end = reader.bounds(place)
    with Producer(mesh.admin) as producer:
        producer.produce(place.topic, key=copied.key(), value=copied.value(), partition=1)
        producer.flush()
    found = reconciled(run, contract, code=1)
    assert not found["adds_up"]
    (wrong,) = found["mismatches"]
    assert (wrong["fault"], wrong["topic"], wrong["partition"]) == ("foreign", place.topic, 1)
    assert wrong["start"] == end
    table = run("reconcile", contract.product)
    assert table.exit_code == 1
    assert f"{place}/{end}: foreign: no manifest accounts for it" in table.stdout
    assert table.stdout.count("\tNO") == 1, "the other partition adds up"
    assert "does not add up" in table.stderr


def test_a_product_adds_up_at_any_moment_while_records_flow(run: Run, mesh: RunningMesh) -> None:
    product = f"u{secrets.token_hex(4)}.readings"
    flowing = Draft(product=product, topic={"partitions": 2}).contract()
    mesh.apply(flowing)
    with Flow(mesh, [flowing], per_second=300) as flow:
        for _ in range(6):
            await_progress(mesh, flow, 60)
            assert reconciled(run, flowing)["adds_up"]
    eventually(lambda: total(reconciled(run, flowing), "read") == flow.sent, 60, every=0.5)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("reconcile nonsense", 2),
        ("reconcile no.such", 1),
        ("reconcile no.such --since soon", 2),
        ("why nonsense", 2),
        ("why no.such.v1/0/0", 1),
        ("why --key K no.such", 1),
        ("why --key K no.such.v1/0/0", 2),
        ("impact nonsense", 2),
        ("impact no.such.v1/0/0", 1),
        ("impact no.such.v1/0/0 --horizon long", 2),
    ],
)
def test_what_cannot_be_answered_is_said_in_one_sentence(run: Run, words: str, code: int) -> None:
    done = run(*words.split())
    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr.strip().count("\n") <= 1


def test_what_was_made_of_a_refused_record_is_nothing(run: Run, contract: Contract) -> None:
    done = run("impact", f"{contract.topics.quarantine}/0/1")
    assert done.exit_code == 1
    assert "it never passed, so nothing was made from it" in done.stderr
