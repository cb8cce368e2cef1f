"""A mesh is stopped and started again on its folder: everything is still there and goes on where it stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mesh.embedded.folder import DataFolder
from mesh.embedded.status import status_of
from tests.support.broker import eventually
from tests.support.contracts import Draft
from tests.support.processes import mentioning

pytestmark = pytest.mark.broker

SUBSCRIBE = ("subscribe", "coast.gauges", "--name", "tide-desk", "--purpose", "testing")


class Shell:
    """A person in a folder who types ``mesh`` commands."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {**os.environ, "MESH_CONFIG": str(home / ".mesh" / "mesh.yaml")}
        self.up: subprocess.Popen[bytes] | None = None

    def mesh(self, *arguments: str, given: str | None = None) -> str:
        done = self.run(arguments, given)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, arguments: Sequence[str], given: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mesh", *arguments]
        return subprocess.run(
            command, cwd=self.home, env=self.environment, input=given, capture_output=True, text=True, check=False
        )

    def start(self) -> None:
        command = [sys.executable, "-m", "mesh", "up"]
        with (self.home / "up.log").open("ab") as log:
            self.up = subprocess.Popen(command, cwd=self.home, env=self.environment, stdout=log, stderr=log)
        eventually(lambda: status_of(DataFolder(self.home / ".mesh")).well, 60)

    def stop(self) -> None:
        if self.up is not None and self.up.poll() is None:
            self.up.send_signal(signal.SIGTERM)
            self.up.wait(60)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    yield shell
    shell.stop()


def test_a_restart_keeps_records_offsets_rights_and_lineage(shell: Shell) -> None:
    folder = shell.home / "contracts" / "coast"
    folder.mkdir(parents=True)
    (folder / "gauges.odcs.yaml").write_text(Draft(product="coast.gauges", readers=["tide-desk"]).text)
    shell.start()
    shell.mesh("apply", "contracts")
    lines = "".join(json.dumps({"station": f"S{n}", "speed": n * 10.0}) + "\n" for n in range(40))
    shell.mesh("publish", "coast.gauges", "--no-check", given=lines)
    first = [json.loads(line) for line in shell.mesh(*SUBSCRIBE, "--limit", "10").splitlines()]
    assert len(first) == 10
    shell.stop()
    assert mentioning(str(shell.home)) == []

    shell.start()
    assert shell.run(["plan", "contracts", "--detailed-exitcode"]).returncode == 0
    rest = [json.loads(line) for line in shell.mesh(*SUBSCRIBE, "--until-end").splitlines()]
    seen = [record["value"]["speed"] for record in first + rest]
    assert sorted(seen) == [n * 10.0 for n in range(30)]
    trace = json.loads(shell.mesh("trace", first[0]["coordinate"], "--json"))
    assert (trace["disposition"], trace["contract"]["version"]) == ("passed", "1.2.0")
    shell.mesh("publish", "coast.gauges", given='{"station": "S1", "speed": 1.0}\n')
    last = [json.loads(line) for line in shell.mesh(*SUBSCRIBE, "--limit", "1").splitlines()]
    assert last[0]["value"] == {"station": "S1", "speed": 1.0}
