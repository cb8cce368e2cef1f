"""``mesh contract sample`` and ``mesh contract test`` as people and CI systems call them."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from typer.testing import CliRunner

from mesh.cli.contract import app
from mesh.contract import Contract
from mesh.testing.golden import Golden, read_golden
from mesh.testing.judging import OfflineJudge
from tests.support.documents import Workbench

run = CliRunner().invoke

ROOT = Path(__file__).parents[3]
WEATHER = str(ROOT / "contracts" / "weather" / "observations.odcs.yaml")

Write = Callable[..., Path]


def fee(**options: Any) -> dict[str, Any]:
    return {"name": "fee", "logicalType": "integer", "physicalType": "long", "logicalTypeOptions": options}


def document(version: str = "1.2.0", **options: Any) -> str:
    def change(source: dict[str, Any]) -> None:
        source["schema"][0]["properties"][1] = fee(**options)
        source["version"] = version

    return Workbench().text(change)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a document and its golden records; gives the folder."""

    def written(text: str, *golden: Any) -> Path:
        (tmp_path / "visas.odcs.yaml").write_text(text, "utf-8")
        lines = [each if isinstance(each, str) else json.dumps(each) for each in golden]
        (tmp_path / "visas.samples.ndjson").write_text("\n".join(lines), "utf-8")
        return tmp_path

    return written


def test_samples_are_ndjson_on_stdout_and_keep_the_contract() -> None:
    result = run(app, ["sample", WEATHER, "7", "--seed", "3"])
    records = [json.loads(line) for line in result.stdout.splitlines()]
    judge = OfflineJudge(Contract.read(Path(WEATHER)))
    assert (result.exit_code, len(records), result.stderr) == (0, 7, "")
    assert {"origin", "temp", "time_hour"} <= records[0].keys()
    assert run(app, ["sample", WEATHER, "7", "--seed", "3"]).stdout == result.stdout
    assert judge.broken({**records[0], "time_hour": 0}) == frozenset()


def test_samples_break_the_clause_that_was_asked_for_and_say_which_break_more() -> None:
    result = run(app, ["sample", WEATHER, "3", "--breaking", "wind_speed.maximum"])
    assert all(json.loads(line)["wind_speed"] > 250 for line in result.stdout.splitlines())
    told = run(app, ["sample", WEATHER, "1", "--breaking-each", "--json"])
    samples = json.loads(told.stdout)["samples"]
    assert {each["breaking"] for each in samples} >= {"wind_dir.multipleOf", "gust_above_mean"}
    assert all(each["breaking"] in each["breaks"] for each in samples)
    assert "origin.required: no record was found that breaks it alone; this one breaks key.null too" in told.stderr


def test_wrong_words_are_usage_errors_that_name_the_right_ones() -> None:
    unknown = run(app, ["sample", WEATHER, "1", "--breaking", "wind"])
    both = run(app, ["sample", WEATHER, "1", "--breaking", "wind", "--breaking-each"])
    assert (unknown.exit_code, both.exit_code) == (2, 2)
    assert "the contract has no clause wind; it has origin.required" in unknown.stderr


def test_the_contracts_of_the_repository_are_proved_with_real_rows(tmp_path: Path) -> None:
    report = tmp_path / "reports" / "contracts.xml"
    result = run(app, ["test", str(ROOT / "contracts"), "--junit", str(report)])
    assert (result.exit_code, result.stdout) == (0, ""), result.stdout
    assert result.stderr.endswith("passed\n")
    suites = ElementTree.parse(report).getroot()  # noqa: S314  (ours)
    assert (suites.get("failures"), suites.get("skipped")) == ("0", "0")
    names = [case.get("name", "") for case in suites.iter("testcase")]
    assert any("reported as 2400" in name for name in names)
    assert any("1048 miles an hour" in name for name in names)
    assert "generated: breaking tailnum.pattern" in names


def test_a_wrong_verdict_is_shown_with_what_the_contract_says_and_exit_3(write: Write) -> None:
    wrong = {"record": {"ref": "a", "fee": -3}, "verdict": "accepted", "why": "free of charge"}
    folder = write(document(minimum=0), wrong)
    result = run(app, ["test", str(folder), "--junit", str(folder / "report.xml")])
    assert result.exit_code == 3
    assert result.stdout.splitlines() == [
        f"{folder / 'visas.samples.ndjson'}:1: golden: line 1: free of charge",
        "    expected: accepted",
        "    the contract says:",
        "      fee.minimum at fee: -3 is below the minimum of 0; perhaps 0",
    ]
    assert result.stderr == "1 contract(s), 4 cases: 3 passed, 1 failed\n"
    (failure,) = ElementTree.parse(folder / "report.xml").getroot().iter("failure")  # noqa: S314  (ours)
    assert failure.get("message") == "expected: accepted"


def test_the_json_has_every_case(write: Write) -> None:
    folder = write(document(minimum=0), {"record": {"ref": "a", "fee": 3}, "verdict": ["fee.minimum"]})
    told = json.loads(run(app, ["test", str(folder), "--json"]).stdout)
    assert told["passed"] is False
    assert [(case["group"], case["status"]) for case in told["cases"]] == [
        ("golden", "failed"),
        ("generated", "passed"),
        ("generated", "passed"),
        ("generated", "passed"),
    ]
    assert told["cases"][0]["text"].endswith("the contract says: accepted")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "is not JSON"),
        ('{"verdict": "accepted"}', "needs its record"),
        ('{"record": {"ref": "a"}, "verdict": "yes"}', 'its verdict is "accepted" or the list'),
        ('{"record": {"ref": "a"}, "verdict": ["fee.maximum"]}', "the contract has no clause fee.maximum"),
        ('{"record": {"ref": "a"}, "verdict": "accepted", "because": "x"}', "a golden record is an object of"),
        ('{"value": "%", "verdict": ["body.malformed"]}', "its value is not base64"),
        ('{"record": {"ref": "a"}, "headers": [], "verdict": "accepted"}', "its headers are names with texts"),
    ],
)
def test_a_bad_line_is_named_by_file_and_line(write: Write, line: str, told: str) -> None:
    folder = write(document(minimum=0), {"record": {"ref": "a", "fee": 3}, "verdict": "accepted"}, line)
    result = run(app, ["test", str(folder)])
    assert result.exit_code == 3
    assert f"{folder / 'visas.samples.ndjson'}:2: {told}" in result.stdout.replace(": a golden record needs", ": needs")


def test_payloads_keys_and_headers_can_be_golden_too(write: Write) -> None:
    judge = OfflineJudge(Workbench().contract())
    cut, good = (base64.b64encode(each).decode() for each in (b"\0\0\0\0\1\2", judge.payload({"ref": "a", "fee": 1})))
    folder = write(
        document(),
        {"value": cut, "verdict": ["body.malformed", "key.null"], "why": "a body that ends too early"},
        {"value": good, "key": None, "verdict": ["key.null"]},
        {"record": {"ref": "a", "fee": 1}, "headers": {"mesh-parents": "x"}, "verdict": ["header.reserved"]},
        {"record": {"ref": "a", "fee": 1}, "headers": {"mine": "x"}, "verdict": "accepted"},
        {"record": {"fee": 1}, "verdict": ["key.null", "ref.required"], "why": "lacks what the schema requires"},
    )
    result = run(app, ["test", str(folder)])
    assert (result.exit_code, result.stdout) == (0, "")


def test_a_document_that_is_no_contract_fails_with_its_problems(write: Write) -> None:
    folder = write("apiVersion: v3.1.0\n")
    result = run(app, ["test", str(folder)])
    assert result.exit_code == 3
    assert "visas.odcs.yaml:1: contract: document" in result.stdout


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)  # noqa: S607


def test_the_step_from_the_version_in_git_is_proved(write: Write) -> None:
    folder = write(document())
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    assert run(app, ["test", str(folder), "--against", "HEAD"]).exit_code == 0
    changed = yaml.safe_load(document())
    changed["schema"][0]["properties"].append({"name": "visitor", "logicalType": "string", "required": True})
    write(yaml.safe_dump(changed))
    result = run(app, ["test", str(folder), "--against", "HEAD"])
    assert result.exit_code == 3
    assert "evolution: HEAD" in result.stdout
    assert "visitor: the writer has no such field" in result.stdout
    assert "version 1.2.0 to 1.2.0, but the changes require a major step:" in result.stdout
    write(document("1.2.1", minimum=0))
    tightened = run(app, ["test", str(folder), "--against", "HEAD"])
    assert (tightened.exit_code, "fee" in tightened.stdout) == (3, True)
    missing = run(app, ["test", str(folder), "--against", "no-such-revision"])
    assert (missing.exit_code, "there is no file, folder or revision" in missing.stdout) == (3, True)


def test_a_new_document_has_no_step_to_prove_and_says_so(write: Write, tmp_path: Path) -> None:
    folder = write(document())
    (tmp_path / "earlier").mkdir()
    result = run(app, ["test", str(folder / "visas.odcs.yaml"), "--against", str(tmp_path / "earlier")])
    assert result.exit_code == 0
    assert "it is new" in result.stderr


def test_golden_records_are_read_as_publish_reads_them(write: Write) -> None:
    path = ROOT / "contracts" / "operations" / "flights.samples.ndjson"
    contract = Contract.read(path.with_name("flights.odcs.yaml"))
    golden: list[Golden] = read_golden(path, contract)
    assert any("dep_time.maximum" in each.verdict for each in golden)
    assert any("tailnum.pattern" in each.verdict for each in golden)
    assert any("arr_time.maximum" in each.verdict for each in golden)
