"""``mesh contract diff`` as people and pipelines type it: files, git revisions, output, exit codes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from mesh.cli.contract import app
from tests.support.documents import Workbench

CLEAN = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
WHO = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")


def types(*words: str) -> Result:
    return CliRunner().invoke(app, ["diff", *words])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    bench = Workbench()
    (tmp_path / "old.yaml").write_text(bench.text(), encoding="utf-8")
    (tmp_path / "wide.yaml").write_text(bench.text(lambda s: s.update(version="1.3.0", tags=["x"])), encoding="utf-8")
    (tmp_path / "narrow.yaml").write_text(
        bench.text(lambda s: s["schema"][0]["properties"][1].update(physicalType="int")), encoding="utf-8"
    )
    return tmp_path


def test_what_breaks_is_a_row_and_an_exit_code(folder: Path) -> None:
    told = types("old.yaml", "narrow.yaml")
    assert told.exit_code == 4
    header, row = told.stdout.splitlines()
    assert header.split("\t") == ["change", "path", "direction", "class", "step", "what", "old", "new"]
    assert row.split("\t")[:6] == ["schema", "fee", "changed", "breaks publishers", "major", "long becomes int"]
    assert row.split("\t")[6].startswith("old.yaml:")
    assert "1 change(s), 1 breaking; a major step is required, but 1.2.0 to 1.2.0 is none" in told.stderr


def test_what_breaks_nobody_exits_with_zero(folder: Path) -> None:
    told = types("old.yaml", "wide.yaml")
    assert told.exit_code == 0
    assert told.stdout.splitlines()[1].startswith("document\ttags\tadded\tneither\tpatch")
    assert "a patch step is required, 1.2.0 to 1.3.0 makes more" in told.stderr


def test_a_document_differs_from_itself_in_nothing(folder: Path) -> None:
    told = types("old.yaml", "old.yaml")
    assert (told.exit_code, told.stdout) == (0, "")


def test_the_json_has_everything(folder: Path) -> None:
    told = types("old.yaml", "narrow.yaml", "--json")
    found = json.loads(told.stdout)
    assert told.exit_code == 4
    assert (found["product"], found["breaking"], found["required"], found["made"], found["sufficient"]) == (
        "visas.applications",
        True,
        "major",
        "none",
        False,
    )
    assert found["changes"][0]["class"] == ["breaks publishers"]
    assert found["old"] == {"file": "old.yaml", "version": "1.2.0"}


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *WHO, *words], cwd=folder, check=True, capture_output=True)  # noqa: S607


def test_a_revision_of_git(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CLEAN.items():
        monkeypatch.setenv(name, value)
    git(folder, "init", "-q")
    git(folder, "add", "old.yaml")
    git(folder, "commit", "-q", "-m", "first")
    (folder / "old.yaml").write_text((folder / "narrow.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    told = types("HEAD:old.yaml", "old.yaml")
    assert told.exit_code == 4
    assert told.stdout.splitlines()[1].split("\t")[6].startswith("HEAD:old.yaml:")
    missing = types("HEAD:other.yaml", "old.yaml")
    assert missing.exit_code == 2
    assert "git does not give HEAD:other.yaml" in missing.stderr
    nowhere = types("nosuch:old.yaml", "old.yaml")
    assert nowhere.exit_code == 2
    assert "git does not give nosuch:old.yaml" in nowhere.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nix.yaml", "old.yaml"), "cannot read nix.yaml"),
        (("--", "-p:old.yaml", "old.yaml"), "neither a file nor a git revision"),
        ((":old.yaml", "old.yaml"), "neither a file nor a git revision"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(folder: Path, words: tuple[str, ...], told: str) -> None:
    said = types(*words)
    assert said.exit_code == 2
    assert told in said.stderr
    assert "Traceback" not in said.output


def test_it_is_a_command_of_the_group() -> None:
    names = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert {"diff", "readers"} <= set(names)
