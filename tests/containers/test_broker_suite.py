"""The broker suite once more, file by file, on a Kafka that testcontainers runs."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from mesh.kafka import verify_credentials
from tests.containers.kafka_container import running_container

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]

_ROOT = Path(__file__).parents[2]
_SUITES = ("integration", "conformance", "faults")
# They start Kafkas of their own, so a broker in a container would not be asked.
_OWN_KAFKA = {"test_embedded_kafka.py", "test_embedded_platform.py"}


def _files() -> list[str]:
    """Every file that asks for a broker."""
    found = (path for suite in _SUITES for path in sorted((_ROOT / "tests" / suite).glob("test_*.py")))
    return [
        str(path.relative_to(_ROOT))
        for path in found
        if path.name not in _OWN_KAFKA and "mark.broker" in path.read_text(encoding="utf-8")
    ]


@pytest.fixture
def environment() -> Iterator[Mapping[str, str]]:
    """Points tests at a broker in a container, a new one for each file: what others left there slows a gate down."""
    with running_container() as kafka:
        assert verify_credentials(kafka.admin)
        yield {
            **os.environ,
            "MESH_TEST_BOOTSTRAP": kafka.bootstrap,
            "MESH_TEST_PRINCIPAL": kafka.admin.principal,
            "MESH_TEST_PASSWORD": kafka.admin.password.get_secret_value() if kafka.admin.password else "",
        }


@pytest.mark.parametrize("file", _files())
def test_a_file_of_the_suite_passes(file: str, environment: Mapping[str, str], tmp_path: Path) -> None:
    """Each in a process of its own with its own registry and gate, so that one cannot spoil another."""
    report = tmp_path / "report.xml"
    options = ("-q", "-m", "broker and not soak", "-p", "no:cacheprovider", f"--junitxml={report}")
    command = [sys.executable, "-m", "pytest", *options, file]
    done = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    suite = ET.parse(report).getroot()[0].attrib  # noqa: S314 - written by pytest a moment ago
    assert int(suite["tests"]) > 0
    assert (suite["failures"], suite["errors"], suite["skipped"]) == ("0", "0", "0")
    # For who reads the report: one test here stands for so many there.
    sys.stdout.write(f"{file}: {done.stdout.strip().splitlines()[-1]}\n")
