"""READERS on a real mesh: a field nobody uses can be dropped, one in use cannot, and the reader is named."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from mesh.catalog import registered_readers
from mesh.cli.app import app
from mesh.errors import NotAuthorised
from mesh.kafka import Connection, Producer
from mesh.registry import RegistryClient
from tests.support.contracts import Draft
from tests.support.mesh import RunningMesh

pytestmark = pytest.mark.broker

NOTE = {"name": "note", "logicalType": "string", "physicalType": "string"}
GUST = {"name": "gust", "logicalType": "number", "physicalType": "double"}


class Team:
    """A team whose product is changed by what its readers use."""

    def __init__(self, mesh: RunningMesh, root: Path) -> None:
        self.mesh, self.domain = mesh, f"t{secrets.token_hex(4)}"
        self.product = f"{self.domain}.observations"
        self.public = f"{self.product}.v1"
        self.folder = root / "team" / "contracts"
        self.file = self.folder / self.domain / "observations.odcs.yaml"
        self.file.parent.mkdir(parents=True)

    def write(self, version: str, *extra: dict[str, Any], mode: str = "READERS") -> None:
        draft = Draft(product=self.product, version=version, topic={"partitions": 1}, extra=extra)
        source = yaml.safe_load(draft.text)
        source["schema"][0]["customProperties"].append({"property": "compatibility", "value": mode})
        self.file.write_text(yaml.safe_dump(source, sort_keys=False), encoding="utf-8")

    def types(self, *words: str) -> Result:
        return CliRunner().invoke(app, list(words))

    def apply(self) -> Result:
        return self.types("apply", str(self.folder))

    def readers(self, verb: str, *words: str) -> Result:
        return self.types("contract", "readers", verb, self.product, *words)


@pytest.fixture
def team(mesh: RunningMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    monkeypatch.setenv("MESH_CONFIG", str(mesh.folder.config))
    return Team(mesh, tmp_path)


def test_what_a_reader_uses_stays_and_what_nobody_uses_may_go(team: Team) -> None:
    team.write("1.0.0", NOTE, GUST)
    assert team.apply().exit_code == 0
    with RegistryClient(team.mesh.settings.home.registry) as registry:
        assert registry.compatibility(f"{team.public}-value") == "NONE"
        assert registry.compatibility(f"{team.public}-key") == "FULL_TRANSITIVE"
    added = team.readers("add", "--name", "desk", "--uses", "station,gust")
    assert (added.exit_code, added.stdout) == (0, "")
    listed = json.loads(team.readers("list", "--json").stdout)
    assert [(each["name"], each["uses"]) for each in listed] == [("desk", ["station", "gust"])]

    team.write("1.1.0", GUST)
    told = team.types("contract", "diff", str(team.file))
    assert told.exit_code == 0, told.output
    assert "note" in told.stdout
    assert team.apply().exit_code == 0

    team.write("1.2.0")
    told = team.types("contract", "diff", str(team.file), "--json")
    change = next(each for each in json.loads(told.stdout)["changes"] if each["path"] == "gust")
    assert (change["step"], change["affects"], change["direction"]) == ("major", ["desk"], "removed")
    assert told.exit_code == 4
    refused = team.apply()
    assert refused.exit_code == 4
    assert "not READERS: the reader desk: gust" in refused.stderr

    assert team.readers("remove", "--name", "desk").exit_code == 0
    assert team.apply().exit_code == 0
    assert team.readers("remove", "--name", "desk").exit_code == 1


def test_before_anybody_could_register_every_reader_is_protected(team: Team) -> None:
    team.write("1.0.0", GUST, mode="BACKWARD_TRANSITIVE")
    assert team.apply().exit_code == 0
    assert "compatibility READERS first" in team.readers("add", "--name", "desk", "--uses", "gust").stderr
    team.write("1.1.0", {**GUST, "physicalType": "float"})
    refused = team.apply()
    assert refused.exit_code == 4
    team.write("1.1.0", {**GUST, "physicalType": "float"}, mode="READERS")
    assert "not READERS: version 1: gust" in team.apply().stderr


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--name", "desk"), 2, "say what the reader needs"),
        (("--name", "Desk", "--uses", "gust"), 2, "is no name of a reader"),
        (("--name", "desk", "--uses", "gusts"), 3, "gusts: there is no such field"),
    ],
)
def test_a_reader_that_cannot_be(team: Team, words: tuple[str, ...], code: int, told: str) -> None:
    team.write("1.0.0", GUST)
    assert team.apply().exit_code == 0
    refused = team.readers("add", *words)
    assert refused.exit_code == code
    assert told in refused.stderr


def test_a_schema_of_its_own_must_read_what_is_written_now(team: Team, tmp_path: Path) -> None:
    team.write("1.0.0", GUST)
    assert team.apply().exit_code == 0
    fields: list[dict[str, Any]] = [
        {"name": "station", "type": "string"},
        {"name": "wind", "type": "double", "aliases": ["gust"]},
    ]
    name = json.loads(team.types("contract", "export", "avro", str(team.file)).stdout)
    schema = tmp_path / "desk.avsc"
    schema.write_text(json.dumps({**name, "fields": fields}), encoding="utf-8")
    refused = team.readers("add", "--name", "desk", "--schema", str(schema))
    assert refused.exit_code == 4
    assert "wind: union" in refused.stderr or "wind: null cannot be read as double" in refused.stderr
    fields[1] = {**fields[1], "type": ["null", "double"]}
    schema.write_text(json.dumps({**name, "fields": fields}), encoding="utf-8")
    assert team.readers("add", "--name", "desk", "--schema", str(schema), "--uses", "wind").exit_code == 0


def test_only_the_platform_registers_readers_and_everybody_may_see_them(team: Team) -> None:
    team.write("1.0.0", GUST)
    assert team.apply().exit_code == 0
    mine = Connection.of(team.mesh.settings, team.domain)
    with pytest.raises(NotAuthorised), Producer(mine) as producer:
        producer.write(f"_mesh.{team.domain}.readers", key=b"k", value=b"{}")
    assert registered_readers(mine, team.domain) == {}
