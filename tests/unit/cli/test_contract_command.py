"""``mesh contract`` at the terminal: data on stdout, people on stderr, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mesh.cli.contract import app
from tests.support.documents import Workbench

run = CliRunner().invoke


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good document and a bad one."""
    (tmp_path / "visas").mkdir()
    (tmp_path / "visas" / "good.odcs.yaml").write_text(Workbench().text(), "utf-8")
    (tmp_path / "visas" / "bad.odcs.yaml").write_text(Workbench().text(lambda source: source.pop("status")), "utf-8")
    (tmp_path / "visas" / "notes.yaml").write_text("not: a contract\n", "utf-8")
    return tmp_path


def test_a_good_document_is_one_line_and_exit_0(folder: Path) -> None:
    result = run(app, ["check", str(folder / "visas" / "good.odcs.yaml")])
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "1 contract(s) checked, nothing wrong\n"


def test_problems_go_to_stdout_with_file_line_and_path_and_exit_3(folder: Path) -> None:
    result = run(app, ["check", str(folder)])
    assert result.exit_code == 3
    assert result.stdout == f"{folder / 'visas' / 'bad.odcs.yaml'}:1: status is missing\n"
    assert result.stderr == "1 problem(s) in 1 of 2 contract(s)\n"


def test_the_json_names_every_document(folder: Path) -> None:
    result = run(app, ["check", "--json", str(folder)])
    told = json.loads(result.stdout)
    assert result.exit_code == 3
    assert told["valid"] is False
    assert [document["valid"] for document in told["documents"]] == [False, True]


def test_an_empty_folder_and_a_missing_file_say_what_to_do(tmp_path: Path) -> None:
    empty, missing = run(app, ["check", str(tmp_path)]), run(app, ["check", str(tmp_path / "nowhere.yaml")])
    assert (empty.exit_code, missing.exit_code) == (1, 2)
    assert "documents end in .odcs.yaml" in empty.stderr
    assert "cannot read" in missing.stderr


def test_the_derived_schemas_are_json_on_stdout(folder: Path) -> None:
    file = str(folder / "visas" / "good.odcs.yaml")
    value, key = run(app, ["export", "avro", file]), run(app, ["export", "avro", file, "--key"])
    assert json.loads(value.stdout)["name"] == "Application"
    assert json.loads(key.stdout) == "string"


def test_a_bad_document_is_not_exported(folder: Path) -> None:
    result = run(app, ["export", "avro", str(folder / "visas" / "bad.odcs.yaml")])
    assert (result.exit_code, result.stdout) == (3, "")
    assert "status is missing" in result.stderr
