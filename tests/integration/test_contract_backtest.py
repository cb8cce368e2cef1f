"""``mesh contract backtest``: what a gate would say, said before it is applied, about records that are really there."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mesh.cli.contract import app
from mesh.contract import Contract
from mesh.kafka import Producer
from mesh.types import SchemaId
from tests.support.checker import check
from tests.support.contracts import Draft
from tests.support.mesh import RunningMesh
from tests.support.writing import Framing

pytestmark = pytest.mark.broker

GOOD, SLOW = 300, 30


@pytest.fixture(scope="module")
def draft() -> Draft:
    return Draft(product=f"b{secrets.token_hex(4)}.readings", topic={"partitions": 2})


@pytest.fixture(scope="module")
def gated(mesh: RunningMesh, draft: Draft) -> Contract:
    """A product whose gate has settled good records and most kinds of bad ones."""
    contract = draft.contract()
    mesh.apply(contract)
    framing = Framing(mesh, contract)
    bad: list[tuple[bytes | None, bytes | None]] = [
        (framing.key("A"), framing.value("A", 1.0)[:-3]),
        (framing.key("A"), b"garbage"),
        (framing.key("A"), framing.value("A", 1.0, SchemaId(9_999_999))),
        (framing.key("B"), framing.value("A", 500.0)),
        (None, framing.value("A", 1.0)),
        (framing.key("A"), None),
    ]
    with Producer(mesh.connection(contract.product.domain)) as producer:
        for key, value, number in framing.many(0, GOOD):
            headers = [("mesh-origin", b"file#1")]
            producer.produce(contract.topics.ingress, key=key, value=value, partition=number % 2, headers=headers)
        for wrong_key, wrong_value in bad:
            producer.produce(contract.topics.ingress, key=wrong_key, value=wrong_value, partition=1)
        producer.flush()
    mesh.await_gated(contract)
    return contract


@pytest.fixture
def proposed(mesh: RunningMesh, draft: Draft, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a domain that proposes contracts."""
    monkeypatch.setenv("MESH_CONFIG", str(mesh.folder.config))
    (tmp_path / "same.odcs.yaml").write_text(draft.text, "utf-8")
    (tmp_path / "tight.odcs.yaml").write_text(draft.text.replace("speed < 300.0", "speed < 200.0"), "utf-8")
    other = replace(draft, product="elsewhere.readings")
    (tmp_path / "other.odcs.yaml").write_text(other.text, "utf-8")
    return tmp_path


def backtest(document: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["backtest", str(document), *options])


def test_the_counts_are_the_gates(mesh: RunningMesh, gated: Contract, proposed: Path) -> None:
    settled = check(mesh.admin, gated)
    result = backtest(proposed / "same.odcs.yaml", "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 3
    assert (told["read"], told["refused"]) == (settled.read, settled.quarantined)
    assert told["clauses"] == settled.clauses
    assert settled.clauses.keys() >= {
        "speed-possible",
        "body.malformed",
        "key.mismatch",
        "schema.unknown",
        "value.null",
    }
    assert f"would refuse {settled.quarantined} of {settled.read} records" in result.stderr


def test_a_tighter_rule_refuses_more_and_shows_where_and_why(gated: Contract, proposed: Path) -> None:
    result = backtest(proposed / "tight.odcs.yaml", "--examples", "1")
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    (row,) = (row for row in rows if row[0] == "speed-possible")
    speeds = [400.0 if number % 10 == 0 else float(number % 300) for number in range(GOOD)]
    assert int(row[1]) == sum(speed >= 200 for speed in speeds) + 1
    assert row[2].startswith(f"{gated.topics.ingress}/")
    assert row[3] == "message.speed < 200.0 does not hold: speed is 400.0"


def test_what_the_gate_has_passed_passes_again(gated: Contract, proposed: Path) -> None:
    public = gated.topics.public
    result = backtest(proposed / "same.odcs.yaml", "--on", public)
    assert result.exit_code == 0, result.stderr
    assert f"would refuse none of {GOOD - SLOW} records on {public}" in result.stderr
    assert result.stdout == "clause\trecords\texample\twhy\n"


def test_only_the_newest_or_those_since_are_read(gated: Contract, proposed: Path) -> None:
    def read(*options: str) -> int:
        return int(json.loads(backtest(proposed / "same.odcs.yaml", "--json", *options).stdout)["read"])

    assert read("--limit", "7") == 7
    assert read("--since", "100") == GOOD + 6 - 200
    assert read("--since", "2001-01-01") == GOOD + 6
    assert read("--since", "2199-01-01T00:00Z") == 0


@pytest.mark.parametrize(
    ("document", "options", "code", "told"),
    [
        ("same", ("--on", "elsewhere.readings"), 2, "not of elsewhere.readings"),
        ("other", (), 1, "there is no"),
        ("same", ("--since", "yesterday"), 2, "neither a time"),
    ],
)
def test_what_cannot_be_judged_is_said(
    gated: Contract, proposed: Path, document: str, options: tuple[str, ...], code: int, told: str
) -> None:
    result = backtest(proposed / f"{document}.odcs.yaml", *options)
    assert (result.exit_code, result.stdout) == (code, "")
    assert told in result.stderr


def test_quarantined_records_are_not_judged_again(gated: Contract, proposed: Path) -> None:
    result = backtest(proposed / "same.odcs.yaml", "--on", gated.topics.quarantine)
    assert result.exit_code == 2
    assert f"name {gated.topics.ingress} or {gated.topics.public}" in result.stderr
