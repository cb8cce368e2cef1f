"""Secrets are made once, kept for the owner alone, and never shared between principals."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesh.access import secret_for
from mesh.errors import SettingsError
from mesh.settings import Cluster, Settings
from mesh.types import Principal

WEATHER = Principal("weather")


def settings(folder: Path, secret: str) -> Settings:
    clusters = {"main": Cluster(bootstrap="127.0.0.1:1", registry="http://127.0.0.1:2")}
    return Settings(clusters=clusters, secret=secret, folder=folder)


def test_a_new_secret_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    secret = secret_for(settings(tmp_path, "file:secrets/{principal}"), WEATHER).get_secret_value()
    path = tmp_path / "secrets" / "weather"
    assert path.read_text().strip() == secret
    assert len(secret) >= 32
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [each.name for each in path.parent.iterdir()] == ["weather"]


def test_a_secret_that_is_there_is_used(tmp_path: Path) -> None:
    (tmp_path / "weather").write_text("mine\n")
    assert secret_for(settings(tmp_path, "file:{principal}"), WEATHER).get_secret_value() == "mine"


def test_every_principal_gets_another_secret(tmp_path: Path) -> None:
    where = settings(tmp_path, "file:{principal}")
    assert secret_for(where, WEATHER) != secret_for(where, Principal("fleet"))


@pytest.mark.parametrize("reference", ["env:MESH_PASSWORD", "file:secret"])
def test_one_secret_for_everybody_is_refused(tmp_path: Path, reference: str) -> None:
    with pytest.raises(SettingsError, match="one secret for everybody"):
        secret_for(settings(tmp_path, reference), WEATHER)


def test_a_secret_of_the_environment_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = settings(tmp_path, "env:MESH_TEST_SECRET_{principal}")
    with pytest.raises(SettingsError, match="MESH_TEST_SECRET_weather"):
        secret_for(where, WEATHER)
    monkeypatch.setenv("MESH_TEST_SECRET_weather", "given")
    assert secret_for(where, WEATHER).get_secret_value() == "given"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("a file where the folder should be")
    with pytest.raises(SettingsError, match="cannot keep the secret"):
        secret_for(settings(tmp_path, "file:secrets/{principal}"), WEATHER)
