"""``mesh contract export`` at the terminal: the document on stdout or in a file, people on stderr."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from mesh.cli.contract import app
from tests.support.contracts import Draft
from tests.support.documents import Workbench

run = CliRunner().invoke
FORMATS = ("avro", "asyncapi", "odps", "pydantic", "html")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good documents."""
    (tmp_path / "visas.odcs.yaml").write_text(Workbench().text(), "utf-8")
    (tmp_path / "weather.odcs.yaml").write_text(Draft().text, "utf-8")
    return tmp_path


@pytest.mark.parametrize("format_", FORMATS)
def test_the_file_holds_what_stdout_would_have(format_: str, folder: Path) -> None:
    document, output = str(folder / "visas.odcs.yaml"), folder / "out"
    printed = run(app, ["export", format_, document])
    saved = run(app, ["export", format_, document, "--output", str(output)])
    assert (printed.exit_code, printed.stderr, saved.exit_code, saved.stdout) == (0, "", 0, "")
    assert saved.stderr == f"wrote {output}\n"
    assert printed.stdout == output.read_text("utf-8")
    assert printed.stdout.endswith("\n")


@pytest.mark.parametrize("format_", FORMATS)
def test_a_file_that_cannot_be_written_and_one_that_is_not_there_are_told(format_: str, folder: Path) -> None:
    document = str(folder / "visas.odcs.yaml")
    result = run(app, ["export", format_, document, "--output", str(folder / "no" / "where")])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "name a file in a folder that exists" in result.stderr
    assert run(app, ["export", format_, str(folder / "nobody.yaml")]).exit_code == 2


def test_documents_are_yaml_or_json_of_files_and_folders(folder: Path) -> None:
    printed, as_json = (run(app, ["export", "asyncapi", str(folder), *more]).stdout for more in ([], ["--json"]))
    assert yaml.safe_load(printed) == json.loads(as_json)
    assert len(json.loads(as_json)["channels"]) == 4
    product = run(app, ["export", "odps", str(folder / "visas.odcs.yaml"), "--inputs", str(folder), "--json"])
    assert json.loads(product.stdout)["kind"] == "DataProduct"


def test_contracts_of_two_products_are_not_one(folder: Path) -> None:
    result = run(app, ["export", "odps", str(folder)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "2 data products" in result.stderr
