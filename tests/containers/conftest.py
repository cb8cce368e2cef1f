"""What every test here needs: a Docker engine that answers."""

from __future__ import annotations

import shutil
import subprocess

import pytest


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """Skip where there is no engine; `make test-containers` brings one up first."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "info"], capture_output=True, check=False).returncode:
        pytest.skip("no Docker engine answers; run `make test-containers`")
