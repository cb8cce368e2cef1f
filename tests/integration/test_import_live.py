"""``mesh contract import`` from the registry and from live topics; docs/import.md is walked on the way."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from mesh.cli.app import app
from mesh.contract import Contract
from mesh.contract.avro import canonical_form
from mesh.kafka import Admin, Producer
from tests.support.contracts import Draft
from tests.support.demo import ROOT
from tests.support.mesh import RunningMesh
from tests.support.snippets import steps
from tests.support.walking import walking

pytestmark = pytest.mark.broker

Run = Callable[..., Result]


@pytest.fixture
def run(mesh: RunningMesh, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``mesh contract import`` on the test mesh."""
    monkeypatch.setenv("MESH_CONFIG", str(mesh.folder.config))

    def ran(*arguments: object) -> Result:
        result: Any = CliRunner().invoke(app, ["contract", "import", *map(str, arguments)])
        return result  # type: ignore[no-any-return]

    return ran


@pytest.fixture(scope="module")
def heights(mesh: RunningMesh) -> Contract:
    """The product of the page, with the twenty records that it counts."""
    contract = Draft(product="tides.heights", version="1.0.0", topic={"partitions": 2}).contract()
    mesh.apply(contract)
    lines = "".join(f'{{"station": "S{number}", "speed": {number}}}\n' for number in range(20))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESH_CONFIG", str(mesh.folder.config))
        done: Any = CliRunner().invoke(app, ["publish", "tides.heights"], input=lines)
    assert done.exit_code == 0, done.stderr
    mesh.await_gated(contract)
    return contract


def test_the_page_from_the_registry_and_a_topic(mesh: RunningMesh, heights: Contract, tmp_path: Path) -> None:
    with walking(tmp_path, MESH_CONFIG=str(mesh.folder.config)) as walk:
        assert walk.take(steps(ROOT / "docs" / "import.md", "import-live")) == 2


def test_a_draft_from_a_topic_has_its_schema_its_key_and_its_settings(run: Run, heights: Contract) -> None:
    drafted = Contract.parse(run("--topic", heights.topics.public).stdout)
    assert canonical_form(drafted.value_schema) == canonical_form(heights.value_schema)
    assert (drafted.key_fields, drafted.key_schema) == (("station",), "string")
    assert (drafted.product, drafted.partitions, drafted.cleanup) == (heights.product, 2, "delete")


def test_a_registry_may_be_named_and_what_is_not_there_is_said(run: Run, mesh: RunningMesh, heights: Contract) -> None:
    subject = f"{heights.topics.public}-value"
    drafted = Contract.parse(run("--subject", subject, "--registry", mesh.settings.home.registry).stdout)
    assert canonical_form(drafted.value_schema) == canonical_form(heights.value_schema)
    assert run("--subject", "nobody-value", "--product", "a.b").exit_code == 1
    assert "there is no topic nobody" in run("--topic", "nobody", "--product", "a.b").stderr


def test_a_topic_of_plain_json_is_inferred_and_what_is_none_is_counted(run: Run, mesh: RunningMesh) -> None:
    topic = f"loose{secrets.token_hex(4)}"
    with Admin(mesh.admin) as admin:
        admin.create_topic(topic, 1, {})
    with Producer(mesh.admin) as producer:
        for number in range(12):
            producer.produce(topic, key=None, value=json.dumps({"n": number, "ok": True}).encode(), headers=[])
        producer.produce(topic, key=None, value=b"\0\0\0\0\7x", headers=[])
        producer.produce(topic, key=None, value=b"no json", headers=[])
        producer.flush()
    result = run("--topic", topic, "--product", "loose.ends")
    fields = {field.name: field.physical_type for field in Contract.parse(result.stdout).fields}
    assert fields == {"n": "long", "ok": "boolean"}
    assert "2 record(s)" in result.stderr
    assert "add --product" in run("--topic", topic).stderr


def test_an_empty_topic_has_its_subject_to_speak_for_it(run: Run, mesh: RunningMesh) -> None:
    name = f"e{secrets.token_hex(4)}"
    contract = Draft(product=f"{name}.void").contract()
    mesh.apply(contract)
    drafted = Contract.parse(run("--topic", contract.topics.public).stdout)
    assert canonical_form(drafted.value_schema) == canonical_form(contract.value_schema)
    bare = f"bare{secrets.token_hex(4)}"
    with Admin(mesh.admin) as admin:
        admin.create_topic(bare, 1, {})
    refused = run("--topic", bare, "--product", "bare.bones")
    assert refused.exit_code == 2
    assert "holds no record to learn from" in refused.stderr
