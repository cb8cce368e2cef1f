"""The broker suite once more, on a Kafka that testcontainers runs."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from mesh.kafka import verify_credentials
from tests.containers.kafka_container import running_container

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]

_ROOT = Path(__file__).parents[2]
_SUITES = ("tests/integration", "tests/conformance", "tests/faults")
# They start Kafkas of their own, so a broker in a container would not be asked.
_OWN_KAFKA = "*test_embedded_[kp]*"


def test_the_broker_suite_passes_on_testcontainers(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.xml"
    suites = [suite for suite in _SUITES if (_ROOT / suite).is_dir()]
    options = ("-q", "-m", "broker and not soak", f"--ignore-glob={_OWN_KAFKA}", f"--junitxml={report}")
    with running_container() as kafka:
        assert verify_credentials(kafka.admin)
        environment = {
            **os.environ,
            "MESH_TEST_BOOTSTRAP": kafka.bootstrap,
            "MESH_TEST_PRINCIPAL": kafka.admin.principal,
            "MESH_TEST_PASSWORD": kafka.admin.password.get_secret_value() if kafka.admin.password else "",
        }
        with capfd.disabled():
            command = [sys.executable, "-m", "pytest", *options, *suites]
            done = subprocess.run(command, cwd=_ROOT, env=environment, check=False)
    assert done.returncode == 0
    suite = ET.parse(report).getroot()[0].attrib  # noqa: S314 - written by pytest a moment ago
    assert int(suite["tests"]) > 0
    assert (suite["failures"], suite["errors"], suite["skipped"]) == ("0", "0", "0")
