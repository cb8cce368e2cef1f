from __future__ import annotations

import os
from pathlib import Path

import pytest

from mesh.embedded.folder import DataFolder
from mesh.embedded.state import Running, State
from mesh.errors import AlreadyRunning, PlatformFailure, SettingsError


def test_one_supervisor_per_folder(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "m")
    first, second = folder.lock(), folder.lock()
    assert second.holder() is None
    first.acquire()
    assert second.holder() == os.getpid()
    with pytest.raises(AlreadyRunning, match=rf"process {os.getpid()}\); stop it with: mesh down"):
        second.acquire()
    first.release()
    assert second.holder() is None
    second.acquire()
    second.release()


def test_secrets_are_private_and_stay(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "m")
    folder.prepare()
    assert not folder.has_secret("_mesh.admin")
    secret = folder.secret("_mesh.admin")
    assert folder.has_secret("_mesh.admin")
    assert folder.secret("_mesh.admin") == secret
    path = folder.root / "secrets" / "_mesh.admin"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_the_configuration_is_valid_and_finds_the_secret(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "m")
    folder.prepare()
    secret = folder.secret("_mesh.admin")
    folder.write_config("127.0.0.1:19092", 18081)
    settings = folder.settings()
    assert settings.principal == "_mesh.admin"
    assert settings.home.bootstrap == "127.0.0.1:19092"
    assert settings.home.security_protocol == "SASL_PLAINTEXT"
    assert settings.password("_mesh.admin").get_secret_value() == secret
    assert folder.registry_port() == 18081


def test_what_somebody_wrote_into_the_configuration_stays(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.config.write_text(
        "principal: weather\nclusters: {main: {bootstrap: old, registry: old, domains: [weather]}}\n"
    )
    folder.write_config("127.0.0.1:1", 2)
    settings = folder.settings()
    assert (settings.principal, settings.home.domains, settings.home.bootstrap) == (
        "weather",
        ("weather",),
        "127.0.0.1:1",
    )
    written = folder.config.stat().st_mtime_ns
    folder.write_config("127.0.0.1:1", 2)
    assert folder.config.stat().st_mtime_ns == written


@pytest.mark.parametrize("content", ["- a list\n", "clusters: [\n"])
def test_a_damaged_configuration_is_not_written_over(tmp_path: Path, content: str) -> None:
    folder = DataFolder(tmp_path)
    folder.config.write_text(content)
    with pytest.raises(PlatformFailure, match=r"mesh\.yaml"):
        folder.write_config("127.0.0.1:1", 2)
    assert folder.config.read_text() == content


def test_a_folder_that_was_never_started_has_no_settings(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    assert folder.registry_port() is None
    assert folder.read_state() is None
    with pytest.raises(SettingsError):
        folder.settings()


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "m").write_text("")
    with pytest.raises(PlatformFailure, match="cannot write in"):
        DataFolder(tmp_path / "m").prepare()


def test_state_is_read_back(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    state = State(7, ready=True, services=(Running("kafka", 8, (1, 2), 0, "log"), Running("gate", None, (), 3, "log")))
    folder.write_state(state)
    assert folder.read_state() == state
    (tmp_path / "state.json").write_text('{"pid": 1}')
    assert folder.read_state() is None
