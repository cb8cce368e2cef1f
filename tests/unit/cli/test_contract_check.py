"""``mesh contract check`` with policies, reports and revisions, as people and CI systems call it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from typer.testing import CliRunner

from mesh.cli.contract import app
from tests.support.contracts import Draft

run = CliRunner().invoke

POLICY = """source: team
policies:
  - id: owner-named
    reason: somebody must answer
    severity: error
    require: contract.team.name == 'weather team'
    message: the weather team owns weather
    at: team.name
  - id: speed-described
    reason: people ask
    severity: warning
    foreach: fields
    require: it.description != ''
    message: the field has no description
  - id: step
    reason: versions tell contracts apart
    severity: error
    when: previous != null && changed
    require: step in ['patch', 'minor', 'major']
    at: version
"""


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    folder = tmp_path / "contracts"
    (folder / "weather").mkdir(parents=True)
    (folder / "policy.yaml").write_text(POLICY, "utf-8")
    document(folder).write_text(Draft().text, "utf-8")
    return folder


def document(folder: Path) -> Path:
    return folder / "weather" / "observations.odcs.yaml"


def break_owner(folder: Path) -> None:
    document(folder).write_text(Draft().text.replace("weather team", "nobody"), "utf-8")


def test_warnings_are_told_and_refuse_nothing(contracts: Path) -> None:
    result = run(app, ["check", str(contracts)])
    assert result.exit_code == 0
    assert result.stdout.count("the field has no description (there is no key: 'description')") == 2
    assert result.stderr == "1 contract(s) checked, nothing wrong, 2 warning(s)\n"


def test_a_broken_policy_is_told_by_line_path_and_reason_and_exit_3(contracts: Path) -> None:
    break_owner(contracts)
    result = run(app, ["check", str(document(contracts))])
    assert result.exit_code == 3
    told = "team.name: the weather team owns weather [owner-named: somebody must answer]"
    line = document(contracts).read_text("utf-8").splitlines().index("  name: nobody") + 1
    assert f"{document(contracts)}:{line}: {told}\n" in result.stdout
    assert result.stderr == "1 problem(s) in 1 of 1 contract(s), 2 warning(s)\n"


def test_another_policy_file(contracts: Path, tmp_path: Path) -> None:
    other = tmp_path / "strict.yaml"
    other.write_text(POLICY.replace("'weather team'", "'the desk'"), "utf-8")
    assert run(app, ["check", str(contracts), "--policy", str(other)]).exit_code == 3
    assert run(app, ["check", str(contracts), "--policy", str(tmp_path / "none.yaml")]).exit_code == 2


def test_a_policy_file_that_cannot_be_used_is_a_finding_of_its_own(contracts: Path) -> None:
    (contracts / "policy.yaml").write_text(POLICY.replace("contract.team.name ==", "contract.teem ==", 1), "utf-8")
    result = run(app, ["check", str(contracts)])
    assert result.exit_code == 3
    assert (
        f"{contracts / 'policy.yaml'}:6: policies[0].require: column 10: contract never has a key teem" in result.stdout
    )


def test_a_policy_that_gives_no_truth_is_told_once(contracts: Path) -> None:
    (contracts / "policy.yaml").write_text(
        POLICY.replace("contract.team.name == 'weather team'", "contract.id"), "utf-8"
    )
    (contracts / "weather" / "copy.odcs.yaml").write_text(Draft().text, "utf-8")
    result = run(app, ["check", str(contracts)])
    assert result.exit_code == 3
    assert result.stdout.count("it gives string, not true or false") == 1


def test_the_json_has_every_finding_in_parts(contracts: Path) -> None:
    break_owner(contracts)
    told = json.loads(run(app, ["check", "--json", str(contracts)]).stdout)
    assert told["valid"] is False
    (found,) = (each for each in told["documents"][0]["findings"] if each["severity"] == "error")
    assert found == {
        "file": str(document(contracts)),
        "line": found["line"],
        "path": "team.name",
        "group": "policy",
        "rule": "owner-named",
        "severity": "error",
        "message": "the weather team owns weather",
        "reason": "somebody must answer",
    }


def test_standard_lint_and_rules_are_told_apart(contracts: Path) -> None:
    text = Draft().text
    cases = {
        "standard": text.replace("status: active", "stauts: active"),
        "lint": text.replace("physicalType: double", "physicalType: string"),
        "rules": text.replace("message.speed <", "message.sped <"),
    }
    for group, broken in cases.items():
        document(contracts).write_text(broken, "utf-8")
        told = json.loads(run(app, ["check", "--json", str(contracts)]).stdout)
        assert {found["group"] for found in told["documents"][0]["findings"]} == {group}


def test_junit_as_ci_systems_read_it(contracts: Path, tmp_path: Path) -> None:
    break_owner(contracts)
    (contracts / "weather" / "broken.odcs.yaml").write_text("kind: [", "utf-8")
    report = tmp_path / "build" / "contracts.xml"
    result = run(app, ["check", str(contracts), "--junit", str(report)])
    root = ElementTree.fromstring(report.read_text("utf-8"))  # noqa: S314  (we have just written it)
    assert (result.exit_code, root.tag) == (3, "testsuites")
    for suite in root:
        cases = list(suite)
        assert suite.tag == "testsuite"
        assert [case.get("name") for case in cases] == ["standard", "lint", "rules", "policy"]
        assert all(case.tag == "testcase" and case.get("classname") == suite.get("name") for case in cases)
        assert {part.tag for case in cases for part in case} <= {"failure", "skipped", "system-out"}
        assert int(suite.get("tests", "")) == len(cases)
        assert int(suite.get("failures", "")) == len(suite.findall("testcase/failure"))
        assert int(suite.get("skipped", "")) == len(suite.findall("testcase/skipped"))
    assert [root.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["8", "2", "0", "3"]
    (failure,) = root.findall("testsuite/testcase[@name='policy']/failure")
    assert failure.get("message") == "the weather team owns weather"
    assert "somebody must answer" in (failure.text or "")
    (warnings,) = root.findall("testsuite/testcase[@name='policy']/system-out")
    assert (warnings.text or "").count("warning: ") == 2


def test_a_report_that_cannot_be_written_is_told(contracts: Path) -> None:
    result = run(app, ["check", str(contracts), "--junit", str(contracts)])
    assert result.exit_code == 2
    assert "name another file" in result.stderr


def test_the_version_step_against_a_revision(contracts: Path) -> None:
    git(contracts, "init", "-q", "-b", "main")
    git(contracts, "add", ".")
    git(contracts, "commit", "-q", "-m", "first")
    assert run(app, ["check", str(contracts), "--against", "HEAD"]).exit_code == 0
    document(contracts).write_text(Draft().text.replace("To be tested", "Changed"), "utf-8")
    assert run(app, ["check", str(contracts)]).exit_code == 0
    result = run(app, ["check", str(contracts), "--against", "HEAD"])
    assert result.exit_code == 3
    assert "version: does not keep: step in ['patch', 'minor', 'major'] [step: versions tell" in result.stdout
    moved = contracts / "weather" / "moved.odcs.yaml"
    shutil.move(document(contracts), moved)
    assert run(app, ["check", str(moved), "--against", "HEAD"]).exit_code == 3
    moved.write_text(Draft(version="1.2.1").text.replace("To be tested", "Changed"), "utf-8")
    assert run(app, ["check", str(moved), "--against", "HEAD"]).exit_code == 0
    other = contracts / "weather" / "new.odcs.yaml"
    other.write_text(Draft(product="weather.alerts").text, "utf-8")
    assert run(app, ["check", str(other), "--against", "HEAD"]).exit_code == 0


@pytest.mark.parametrize("revision", ["no-such-revision", "--output=x", "HEAD:contracts"])
def test_a_revision_that_is_none_is_told(contracts: Path, revision: str) -> None:
    git(contracts, "init", "-q", "-b", "main")
    git(contracts, "commit", "-q", "--allow-empty", "-m", "first")
    result = run(app, ["check", str(contracts), f"--against={revision}"])
    assert result.exit_code == 2
    assert f"git does not give the revision {revision}" in result.stderr


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    subprocess.run(
        [shutil.which("git") or "git", "-C", str(folder), *identity, *words], check=True, capture_output=True
    )


def test_fields_of_inputs_among_the_documents_are_looked_up(contracts: Path) -> None:
    derived = yaml.safe_load(Draft(product="gales.hourly").text)
    derived["team"]["name"] = "weather team"
    inputs = {
        "property": "derivation",
        "value": {"inputs": ["weather.observations"], "group": ["weather.observations.town"]},
    }
    derived["schema"][0]["customProperties"].append(inputs)
    file = contracts / "gales" / "hourly.odcs.yaml"
    file.parent.mkdir()
    file.write_text(yaml.safe_dump(derived, sort_keys=False), "utf-8")
    result = run(app, ["check", str(contracts)])
    assert result.exit_code == 3
    assert "value.group[0]: weather.observations 1.2.0 has no field town; it has station, speed" in result.stdout
    assert run(app, ["check", str(file)]).exit_code == 0, "what is not among the documents may be applied"
