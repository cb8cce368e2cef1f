"""``mesh publish`` and ``mesh subscribe`` at the terminal."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from mesh.cli.app import app
from mesh.contract import Contract
from mesh.kafka import Admin, LogReader
from mesh.types import TopicPartition
from tests.support.contracts import Draft
from tests.support.mesh import RunningMesh

pytestmark = pytest.mark.broker

SEEN_AT = {"name": "seen_at", "logicalType": "timestamp", "physicalType": "long/timestamp-millis"}
CSV = """station,speed,seen_at
EWR,12.5,2013-01-31T10:00:00Z
JFK,fast,2013-01-31T10:00:00Z
LGA,400,NA
,1,NA
BOS,1,
"""

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def readers() -> list[str]:
    return [f"q{secrets.token_hex(4)}" for _ in range(6)]


@pytest.fixture(scope="module")
def contracts(mesh: RunningMesh, readers: list[str]) -> tuple[Contract, Contract]:
    """A product to write to and one that is full."""
    domain = "p" + secrets.token_hex(4)
    topic = {"partitions": 1}
    made = [
        Draft(product=f"{domain}.{name}", readers=readers, extra=[SEEN_AT], topic=topic).contract()
        for name in ("empty", "full")
    ]
    mesh.apply(*made)
    return made[0], made[1]


@pytest.fixture
def run(mesh: RunningMesh, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a mesh command on the test mesh."""
    monkeypatch.setenv("MESH_CONFIG", str(mesh.folder.config))

    def ran(*arguments: object, stdin: str | bytes | None = None) -> Result:
        result: Any = CliRunner().invoke(app, [str(each) for each in arguments], input=stdin)
        return result  # type: ignore[no-any-return]

    return ran


@pytest.fixture(scope="module")
def full(mesh: RunningMesh, contracts: tuple[Contract, Contract]) -> Contract:
    """A product that holds twenty readings, published from standard input."""
    _, contract = contracts
    lines = "".join(f'{{"station": "S{number}", "speed": {number}}}\n' for number in range(20))
    environment = {**os.environ, "MESH_CONFIG": str(mesh.folder.config)}
    command = [sys.executable, "-m", "mesh", "publish", str(contract.product)]
    done = subprocess.run(command, input=lines, env=environment, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    mesh.await_gated(contract)
    return contract


def sent(mesh: RunningMesh, contract: Contract) -> list[list[tuple[str, bytes | None]]]:
    """The headers of everything on an ingress."""
    with LogReader(mesh.admin) as log:
        return [
            list(message.headers() or ())
            for message in log.read(TopicPartition(contract.topics.ingress, 0), 0, 1 << 60)
        ]


def test_good_lines_are_sent_and_bad_ones_told(
    mesh: RunningMesh, contracts: tuple[Contract, Contract], run: Run, tmp_path: Path
) -> None:
    contract, _ = contracts
    (tmp_path / "readings.csv").write_text(CSV, "utf-8")
    result = run("publish", contract.product, tmp_path / "readings.csv")
    assert (result.exit_code, result.stdout) == (3, "")
    told = result.stderr.splitlines()
    assert told[:2] == [
        "readings.csv:3: speed: is not a number (line.misread)",
        "readings.csv:4: speed: the rule does not hold: message.speed < 300.0 (speed-possible)",
    ]
    assert told[2].startswith("readings.csv:5: ")
    assert told[-1] == f"published 2 of 5 records to {contract.product}, refused 3"
    assert sent(mesh, contract) == [[("mesh-origin", b"readings.csv#2")], [("mesh-origin", b"readings.csv#6")]]


def test_without_check_and_origin_the_gate_gets_it_bare(
    mesh: RunningMesh, contracts: tuple[Contract, Contract], run: Run
) -> None:
    contract, _ = contracts
    before = len(sent(mesh, contract))
    line = '{"station": "EWR", "speed": 400.0}\n'
    result = run("publish", contract.product, "-", "--no-check", "--no-origin", stdin=line)
    assert result.exit_code == 0, result.stderr
    assert sent(mesh, contract)[before:] == [[]]


def test_a_foreign_principal_is_refused_with_exit_5(full: Contract, run: Run, readers: list[str]) -> None:
    result = run("publish", full.product, "--as", readers[0], stdin='{"station": "EWR", "speed": 1.0}\n')
    assert result.exit_code == 5
    assert "TOPIC_AUTHORIZATION_FAILED" in result.stderr
    assert "Traceback" not in result.stderr


def test_what_cannot_be_published_to_or_from_is_told(full: Contract, run: Run, tmp_path: Path) -> None:
    assert run("publish", "nobody.nothing", stdin="").exit_code == 1
    assert run("publish", "Nonsense", stdin="").exit_code == 2
    assert run("publish", full.product, tmp_path / "missing.csv").exit_code == 1
    result = run("publish", full.product, "--format", "csv", stdin="station,wind\nEWR,1\n")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "has no field wind" in result.stderr


def test_records_come_as_lines_of_json_and_the_next_run_goes_on(full: Contract, run: Run, readers: list[str]) -> None:
    command = ("subscribe", full.product, "--name", readers[1], "--purpose", "testing", "--until-end")
    first = run(*command, "--limit", 3)
    assert (first.exit_code, first.stderr) == (0, "")
    lines = [json.loads(line) for line in first.stdout.splitlines()]
    assert lines[0] == {
        "value": {"station": "S0", "speed": 0.0, "seen_at": None},
        "key": "S0",
        "product": str(full.product),
        "coordinate": f"{full.topics.public}/0/0",
        "event_time": None,
    }
    rest = [json.loads(line)["key"] for line in run(*command).stdout.splitlines()]
    assert [line["key"] for line in lines] + rest == [f"S{number}" for number in range(20)]


def test_a_purpose_that_is_not_allowed_is_refused_with_exit_5(full: Contract, run: Run, readers: list[str]) -> None:
    result = run("subscribe", full.product, "--name", readers[2], "--purpose", "marketing")
    assert (result.exit_code, result.stdout) == (5, "")
    assert "only for testing" in result.stderr


def test_a_reader_without_a_grant_is_refused_with_exit_5(full: Contract, run: Run) -> None:
    result = run("subscribe", full.product, "--name", full.product.domain, "--purpose", "testing", "--until-end")
    assert (result.exit_code, result.stdout) == (5, ""), "the owner may read, but not in a group without its prefix"
    assert "GROUP_AUTHORIZATION_FAILED" in result.stderr


def test_a_closed_pipe_ends_it_quietly_and_the_rest_comes_later(
    mesh: RunningMesh, full: Contract, run: Run, readers: list[str]
) -> None:
    environment = {**os.environ, "MESH_CONFIG": str(mesh.folder.config)}
    command = [sys.executable, "-m", "mesh", "subscribe", str(full.product), "--name", readers[3]]
    command += ["--purpose", "testing", "--until-end"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr as said:
        assert said.read() == ""
    assert process.wait(30) == 0
    with Admin(mesh.admin) as admin:
        place = TopicPartition(full.topics.public, 0)
        assert admin.committed(readers[3], [place]) == {place: None}


def test_what_was_subscribed_can_be_published(
    mesh: RunningMesh, full: Contract, contracts: tuple[Contract, Contract], run: Run, readers: list[str]
) -> None:
    out = run("subscribe", full.product, "--name", readers[4], "--purpose", "testing", "--limit", 2)
    values = "".join(json.dumps(json.loads(line)["value"]) + "\n" for line in out.stdout.splitlines())
    assert run("publish", contracts[0].product, stdin=values).exit_code == 0
