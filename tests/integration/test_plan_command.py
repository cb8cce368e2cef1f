"""``mesh plan`` and ``mesh apply`` as people and pipelines type them: output, exit codes, refusals."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from mesh.cli.app import app
from mesh.kafka import Admin, Connection, verify_credentials
from tests.support.broker import eventually
from tests.support.contracts import Draft
from tests.support.mesh import RunningMesh

pytestmark = pytest.mark.broker


class Terminal:
    """A folder with one contract and a terminal to type commands in."""

    def __init__(self, root: Path) -> None:
        self.domain = f"t{secrets.token_hex(4)}"
        self.draft = Draft(product=f"{self.domain}.observations", topic={"partitions": 2, "retentionMs": 9_000_000})
        self.folder = root / "team" / "contracts"
        self.change()

    def change(self, **changed: Any) -> None:
        self.draft = replace(self.draft, **changed)
        path = self.folder / self.domain / "observations.odcs.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.draft.text, encoding="utf-8")

    def types(self, *words: str) -> Result:
        return CliRunner().invoke(app, [words[0], str(self.folder), *words[1:]])


@pytest.fixture
def terminal(mesh: RunningMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("MESH_CONFIG", str(mesh.folder.config))
    return Terminal(tmp_path)


def test_the_exit_codes_of_a_pipeline(terminal: Terminal) -> None:
    assert terminal.types("plan").exit_code == 0
    assert terminal.types("plan", "--detailed-exitcode").exit_code == 7
    assert terminal.types("apply").exit_code == 0
    assert terminal.types("plan", "--detailed-exitcode").exit_code == 0
    terminal.change(topic={"partitions": 1, "retentionMs": 9_000_000})
    assert terminal.types("plan").exit_code == 0
    assert terminal.types("plan", "--detailed-exitcode").exit_code == 4
    refused = terminal.types("apply")
    assert refused.exit_code == 4
    assert "cannot take partitions away" in refused.stderr
    assert "Traceback" not in refused.output


def test_a_plan_is_a_table_on_stdout_and_a_summary_on_stderr(terminal: Terminal) -> None:
    shown = terminal.types("plan")
    header, *rows = shown.stdout.splitlines()
    assert header.split("\t") == ["product", "change", "resource", "before", "after", "remark"]
    assert {len(row.split("\t")) for row in rows} == {6}
    owners = [row.split("\t")[0] for row in rows]
    assert owners == sorted(owners)
    assert f"topic {terminal.domain}.observations.v1.ingress" in {row.split("\t")[2] for row in rows}
    assert f"{len(rows)} changes for 1 product(s)" in shown.stderr
    assert "observations" not in shown.stderr


def test_apply_twice_changes_nothing(terminal: Terminal) -> None:
    assert terminal.types("apply").exit_code == 0
    again = terminal.types("apply")
    assert (again.exit_code, again.stdout) == (0, "")
    assert "nothing to do: 1 product(s) of team" in again.stderr


def test_json_is_all_there_is_on_stdout(terminal: Terminal) -> None:
    shown = json.loads(terminal.types("plan", "--json").stdout)
    assert (shown["source"], shown["products"], shown["applied"]) == (
        "team",
        [f"{terminal.domain}.observations"],
        False,
    )
    assert len(shown["changes"]) > 20
    assert json.loads(terminal.types("apply", "--json").stdout) == {**shown, "applied": True}
    assert json.loads(terminal.types("apply", "--json").stdout)["changes"] == []


def test_a_dry_run_changes_nothing(terminal: Terminal, mesh: RunningMesh) -> None:
    assert terminal.types("apply", "--dry-run").exit_code == 0
    with Admin(mesh.admin) as admin:
        assert not [name for name in admin.topic_names() if terminal.domain in name]


def test_losing_data_takes_a_word(terminal: Terminal) -> None:
    terminal.types("apply")
    terminal.change(topic={"partitions": 2, "retentionMs": 3_600_000}, version="1.3.0")
    for words in (["apply"], ["apply", "--dry-run"], ["apply", "--yes"]):
        refused = terminal.types(*words)
        assert refused.exit_code == 4
        assert f"topic {terminal.domain}.observations.v1 would lose" in refused.stderr
    assert terminal.types("apply", "--allow-destructive").exit_code == 0
    assert terminal.types("plan", "--detailed-exitcode").exit_code == 0


def test_a_domain_cannot_apply(terminal: Terminal, mesh: RunningMesh) -> None:
    terminal.types("apply")
    eventually(lambda: verify_credentials(Connection.of(mesh.settings, terminal.domain)))
    refused = terminal.types("apply", "--as", terminal.domain)
    assert refused.exit_code == 5
    (line,) = [line for line in refused.stderr.splitlines() if line.startswith("error:")]
    assert terminal.domain in line
    assert refused.stdout == ""


def test_a_broken_contract_is_told_by_file_and_line(terminal: Terminal) -> None:
    path = terminal.folder / terminal.domain / "observations.odcs.yaml"
    path.write_text(path.read_text().replace("required: true", "required: maybe", 1))
    refused = terminal.types("plan")
    assert refused.exit_code == 3
    assert "observations.odcs.yaml:" in refused.stderr


def test_the_version_step_is_judged_against_what_is_registered(terminal: Terminal) -> None:
    policy = "{id: step, reason: r, severity: error, when: previous != null && changed, require: step == 'patch'}"
    (terminal.folder / "policy.yaml").write_text(f"policies:\n  - {policy}\n", encoding="utf-8")
    assert terminal.types("apply").exit_code == 0
    assert terminal.types("apply").exit_code == 0
    terminal.change(status="deprecated")
    refused = terminal.types("plan")
    assert (refused.exit_code, refused.stdout) == (3, "")
    assert "does not keep: step == 'patch' [step: r]" in refused.stderr
    assert terminal.types("apply").exit_code == 3
    terminal.change(version="1.2.1")
    assert terminal.types("apply").exit_code == 0


def test_a_folder_without_contracts_is_told(terminal: Terminal, tmp_path: Path) -> None:
    terminal.folder = tmp_path / "nowhere"
    refused = terminal.types("plan")
    assert refused.exit_code == 1
    assert "no contract in" in refused.stderr


def test_a_mesh_that_is_down_is_told(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_CLUSTERS__MAIN__REGISTRY", "http://127.0.0.1:1")
    refused = terminal.types("plan")
    assert refused.exit_code == 6
    assert "cannot reach the schema registry" in refused.stderr
