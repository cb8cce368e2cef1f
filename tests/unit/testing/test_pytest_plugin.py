"""Contracts as pytest items, in runs of their own."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np  # loaded before pytester counts modules: it cannot be loaded twice  # noqa: F401
import pytest

from tests.support.documents import Workbench

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[3]
PLUGIN = ("-p", "mesh.testing.plugin", "-p", "no:cacheprovider")


def bounded() -> str:
    fee = {"name": "fee", "logicalType": "integer", "physicalType": "long", "logicalTypeOptions": {"minimum": 0}}
    return Workbench().text(lambda source: source["schema"][0]["properties"].__setitem__(1, fee))


@pytest.fixture
def team(pytester: pytest.Pytester) -> pytest.Pytester:
    """A team's repository: one contract, golden records, one test of its own."""
    folder = pytester.mkdir("contracts")
    (folder / "visas.odcs.yaml").write_text(bounded(), "utf-8")
    golden = [
        {"record": {"ref": "a", "fee": 5}, "verdict": "accepted", "why": "an ordinary one"},
        {"record": {"ref": "b", "fee": -1}, "verdict": ["fee.minimum"]},
    ]
    (folder / "visas.samples.ndjson").write_text("".join(json.dumps(each) + "\n" for each in golden), "utf-8")
    pytester.makepyfile(test_own="def test_own(): pass")
    return pytester


def test_each_golden_record_and_each_clause_is_an_item(team: pytest.Pytester) -> None:
    result = team.runpytest_inprocess(*PLUGIN, "-v", "--mesh-contracts", "contracts")
    result.stdout.fnmatch_lines(["*golden[[]line 1: an ordinary one] PASSED*", "*golden[[]line 2] PASSED*"])
    result.stdout.fnmatch_lines(["*generated[[]satisfying] PASSED*", "*generated[[]breaking fee.minimum] PASSED*"])
    result.assert_outcomes(passed=6)


def test_nobody_who_does_not_ask_is_disturbed(team: pytest.Pytester) -> None:
    team.runpytest_inprocess(*PLUGIN).assert_outcomes(passed=1)


def test_the_ini_file_asks_for_every_whole_run_and_for_no_other(team: pytest.Pytester) -> None:
    team.makeini("[pytest]\nmesh_contracts = contracts\ntestpaths = test_own.py\n")
    team.runpytest_inprocess(*PLUGIN).assert_outcomes(passed=6)
    team.runpytest_inprocess(*PLUGIN, "test_own.py").assert_outcomes(passed=1)


def test_a_failure_says_what_was_expected_and_what_the_contract_says_without_a_stack(team: pytest.Pytester) -> None:
    wrong = {"record": {"ref": "a", "fee": -7}, "verdict": "accepted"}
    (team.path / "contracts" / "visas.samples.ndjson").write_text(json.dumps(wrong) + "\n", "utf-8")
    result = team.runpytest_inprocess(*PLUGIN, "--mesh-contracts", "contracts")
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*visas.samples.ndjson:1: line 1",
            "expected: accepted",
            "the contract says:",
            "  fee.minimum at fee: -7 is below the minimum of 0; perhaps 0",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_the_fixtures_judge_records_and_stop_time(team: pytest.Pytester) -> None:
    team.makepyfile(
        test_own="""
        def test_judging(mesh_contract, judge_records):
            contract = mesh_contract("contracts/visas.odcs.yaml")
            good, bad = judge_records(contract, [{"ref": "a", "fee": 1}, {"ref": "a", "fee": -1}])
            assert (good, [each.clause for each in bad]) == ((), ["fee.minimum"])

        def test_time(frozen_clock):
            before = frozen_clock.now()
            frozen_clock.advance(60)
            assert (frozen_clock.now() - before, frozen_clock.monotonic()) == (60, 60)
        """
    )
    team.runpytest_inprocess(*PLUGIN).assert_outcomes(passed=2)


def test_pytest_finds_the_plugin_under_the_name_it_would_be_asked_for_by() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"mesh.testing.plugin": "mesh.testing.plugin"}
