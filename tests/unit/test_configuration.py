"""Settings: the file first, variables over it, secrets by reference, and a sentence for what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesh.errors import SettingsError
from mesh.kafka import Connection
from mesh.settings import Settings

CONTENT = """
principal: weather
secret: file:secrets/{principal}
clusters:
  main: {bootstrap: "127.0.0.1:1", registry: "http://127.0.0.1:2", security_protocol: SASL_PLAINTEXT}
  north: {bootstrap: "127.0.0.1:3", registry: "http://127.0.0.1:4", domains: [ice]}
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("MESH_CONFIG", "MESH_PRINCIPAL", "MESH_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "mesh.yaml"
    path.write_text(CONTENT, encoding="utf-8")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "weather").write_text("s3cret\n", encoding="utf-8")
    return path


def test_the_file_is_found_and_read(file: Path) -> None:
    settings = Settings.load()
    assert settings.home.bootstrap == "127.0.0.1:1"
    assert settings.cluster_of("ice").bootstrap == "127.0.0.1:3"
    assert settings.cluster_of("weather") is settings.home
    assert settings.folder == file.parent


def test_variables_win_over_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_PRINCIPAL", "fleet")
    monkeypatch.setenv("MESH_CLUSTERS__MAIN__BOOTSTRAP", "127.0.0.1:9")
    settings = Settings.load()
    assert (settings.principal, settings.home.bootstrap) == ("fleet", "127.0.0.1:9")
    assert settings.home.registry == "http://127.0.0.1:2"


def test_secrets_are_references_and_never_shown(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.load()
    connection = Connection.of(settings)
    assert connection.config()["sasl.password"] == "s3cret"
    assert "s3cret" not in repr(connection) + repr(settings) + str(connection)
    monkeypatch.setenv("MESH_SECRET", "env:OTHER_{principal}")
    monkeypatch.setenv("OTHER_weather", "other")
    assert Settings.load().password("weather").get_secret_value() == "other"


def test_what_is_missing_is_said(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="no secret for nobody in"):
        Settings.load().password("nobody")
    with pytest.raises(SettingsError, match=r"clusters\.main"):
        file.write_text("clusters: {main: {bootstrap: x}}", encoding="utf-8")
        Settings.load()
    with pytest.raises(SettingsError, match="must be a mapping"):
        file.write_text("- a list", encoding="utf-8")
        Settings.load()
    file.unlink()
    with pytest.raises(SettingsError, match="mesh up"):
        Settings.load()
    with pytest.raises(SettingsError, match="cannot read the configuration"):
        Settings.load(file)


def test_a_principal_is_needed_where_the_cluster_asks_for_one(file: Path) -> None:
    file.write_text(CONTENT.replace("principal: weather\n", ""), encoding="utf-8")
    with pytest.raises(SettingsError, match="no principal is configured"):
        Connection.of(Settings.load())
    assert Connection.of(Settings.load(), "weather").principal == "weather"


def test_who_acts_as_a_caller_finds_nobody_elses_secret(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    for principal in ("_mesh.admin", "customs"):
        (tmp_path / "secrets" / principal).write_text("kept", "utf-8")
    path = tmp_path / "mesh.yaml"
    path.write_text(
        "clusters: {one: {bootstrap: 'k:1', registry: 'http://r'}}\nsecret: file:secrets/{principal}\n", "utf-8"
    )
    settings = Settings.load(path)
    acting = settings.acting_as("customs", "shown").model_copy(update={"clusters": settings.clusters})
    assert (acting.principal, acting.password("customs").get_secret_value()) == ("customs", "shown")
    with pytest.raises(SettingsError, match="as customs alone"):
        acting.password("_mesh.admin")
    assert settings.password("_mesh.admin").get_secret_value() == "kept"
    assert "shown" not in repr(acting)


def test_a_cluster_can_have_secrets_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "mesh.yaml").write_text(
        "clusters:\n  main: {bootstrap: 'k:1', registry: 'http://r'}\n"
        "  coast: {bootstrap: 'c:1', registry: 'http://s', domains: [tides], secret: 'file:coast/{principal}'}\n"
        "secret: file:secrets/{principal}\n",
        "utf-8",
    )
    for folder, secret in (("secrets", "here"), ("coast", "there")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "harbours").write_text(secret, "utf-8")
    settings = Settings.load(tmp_path / "mesh.yaml")
    found = [Connection.of(settings, "harbours", domain).config()["sasl.password"] for domain in ("tides", "harbours")]
    assert found == ["there", "here"]
    assert settings.secret_path("ferries", settings.clusters["coast"]) == tmp_path / "coast" / "ferries"
