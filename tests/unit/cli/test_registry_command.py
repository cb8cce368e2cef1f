"""``mesh registry`` at the terminal: subjects and schemas on stdout, errors in one sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from mesh.cli.registry import app
from mesh.registry import RegistryClient
from mesh.registry.memory import MemorySchemaLog
from tests.support.registry import PLATFORM, served

run = CliRunner().invoke
SUBJECT = "weather.observations.v1-value"


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A registry with one subject of a contract, and a configuration that leads to it."""
    with served(MemorySchemaLog()) as url:
        with RegistryClient(url, PLATFORM[0], SecretStr(PLATFORM[1])) as client:
            client.register(SUBJECT, '"int"', product="weather.observations")
            client.register("other", '"long"')
        config = tmp_path / "mesh.yaml"
        config.write_text(json.dumps({"clusters": {"main": {"bootstrap": "127.0.0.1:9", "registry": url}}}))
        monkeypatch.setenv("MESH_CONFIG", str(config))
        yield url


def test_subjects_are_listed(url: str) -> None:
    assert run(app, ["subjects"]).stdout == f"subject\tversions\nother\t1\n{SUBJECT}\t1\n"
    assert json.loads(run(app, ["subjects", "--json"]).stdout) == {"other": [1], SUBJECT: [1]}


def test_a_schema_is_shown(url: str) -> None:
    assert run(app, ["show", SUBJECT]).stdout == '"int"\n'
    shown = json.loads(run(app, ["show", SUBJECT, "--version", "1", "--json"]).stdout)
    assert shown == {"subject": SUBJECT, "version": 1, "id": 1, "product": "weather.observations", "schema": "int"}


def test_a_subject_that_is_not_there_is_one_sentence(url: str) -> None:
    result = run(app, ["show", "nobody"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: there is no subject") and result.stderr.count("\n") == 1
