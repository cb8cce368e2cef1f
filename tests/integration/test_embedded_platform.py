"""``mesh up``, ``mesh status``, ``mesh down`` as people run them: whole processes, real signals."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mesh.embedded.folder import DataFolder
from mesh.embedded.jars import JarCache, locked_jars
from mesh.embedded.layout import remembered
from mesh.embedded.ports import free_ports
from mesh.embedded.state import Running
from mesh.embedded.status import Status, status_of
from mesh.kafka import Acl, Admin, Connection
from mesh.settings import Settings
from tests.support.broker import eventually
from tests.support.processes import gone, mentioning

pytestmark = pytest.mark.broker
ROOT = Path(__file__).parents[2]


def mesh(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "mesh", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=ROOT,
        env={**os.environ, **environment},
    )


class Up:
    """A running ``mesh up``, in a process group of its own as a terminal gives it."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data = data
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mesh", "up", "--data", str(data), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            start_new_session=True,
        )

    def status(self) -> Status:
        return status_of(DataFolder(self.data))

    def await_healthy(self) -> Status:
        eventually(lambda: self.process.poll() is not None or self.status().well, 90, every=0.2)
        assert self.process.poll() is None, self.output()
        return self.status()

    def service(self, name: str) -> Running:
        (found,) = [each.service for each in self.status().services if each.service.name == name]
        return found

    def interrupt(self) -> None:
        """Ctrl-C: the terminal signals the whole foreground group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def output(self) -> str:
        return self.process.communicate(timeout=60)[0]


@contextmanager
def up(data: Path, *options: str) -> Iterator[Up]:
    running = Up(data, *options)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.communicate()
        eventually(lambda: not mentioning(str(data)), 10)


def pids(status: Status) -> list[int]:
    found = [status.pid, *(each.service.pid for each in status.services)]
    return [pid for pid in found if pid is not None]


def test_a_day_in_the_life_of_a_mesh(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with up(data) as running:
        first = running.await_healthy()
        assert [each.service.name for each in first.services] == ["kafka", "registry", "gate"]
        told = mesh("status", "--data", str(data), "--json")
        assert told.returncode == 0
        assert json.loads(told.stdout)["healthy"] is True
        assert [each["state"] for each in json.loads(told.stdout)["services"]] == ["answers", "answers", "running"]
        second = mesh("up", "--data", str(data))
        assert second.returncode == 1
        assert f"a mesh already runs on {data} (process {running.process.pid})" in second.stderr
        assert second.stdout == ""
        check_furniture(data)
        running.interrupt()
        assert "stopping" in running.output()
        assert running.process.returncode == 130
        assert all(gone(pid) for pid in pids(first))
    assert mesh("status", "--data", str(data)).returncode == 6
    with up(data) as running:
        again = running.await_healthy()
        assert (again.bootstrap, again.registry) == (first.bootstrap, first.registry)
        check_furniture(data)
        stopped = mesh("down", "--data", str(data))
        assert (stopped.returncode, stopped.stdout) == (0, "")
        assert running.process.wait(10) == 0
        assert all(gone(pid) for pid in pids(again))
    assert "no mesh runs" in mesh("down", "--data", str(data)).stderr


def check_furniture(data: Path) -> None:
    """What the platform needs in Kafka, and nothing more for its principals."""
    settings = Settings.load(data / "mesh.yaml")
    with Admin(Connection.of(settings)) as admin:
        assert {"_mesh.admin", "_mesh.gate", "_mesh.lineage", "_mesh.registry"} == admin.users()
        topics = admin.topics(["_schemas", "_mesh.audit"])
        assert topics["_schemas"].config["cleanup.policy"] == "compact"
        assert topics["_mesh.audit"].config == {"cleanup.policy": "delete", "retention.ms": "-1"}
        assert {topic.partitions for topic in topics.values()} == {1}
        acls = admin.acls()
    assert Acl("_mesh.gate", "Write", "TransactionalId", "_mesh.gate.", "PREFIXED") in acls
    assert Acl("_mesh.registry", "Write", "Topic", "_schemas") in acls
    assert {acl.name for acl in acls if acl.resource == "Topic"} == {"_schemas", "_mesh.audit"}


@pytest.mark.parametrize("name", ["registry", "gate", "kafka"])
def test_what_is_killed_is_started_again(shared_mesh: Up, name: str) -> None:
    before = shared_mesh.service(name)
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    eventually(lambda: shared_mesh.service(name).restarts == before.restarts + 1, 20, every=0.2)
    shared_mesh.await_healthy()
    after = shared_mesh.service(name)
    assert after.pid not in (before.pid, None)
    assert (after.ports, after.restarts) == (before.ports, before.restarts + 1)


@pytest.fixture(scope="module")
def shared_mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with up(tmp_path_factory.mktemp("shared") / "data") as running:
        running.await_healthy()
        yield running
        running.interrupt()
        running.output()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills the children of a killed parent")
def test_a_killed_supervisor_takes_its_children_along_and_the_next_one_starts(tmp_path: Path) -> None:
    with up(tmp_path / "data") as running:
        found = running.await_healthy()
        running.process.kill()
        running.process.wait()
        eventually(lambda: all(gone(pid) for pid in pids(found)), 5)
        assert running.status().pid is None
    with up(tmp_path / "data") as running:
        running.await_healthy()


def test_ctrl_c_while_starting_leaves_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with up(data) as running:
        eventually(lambda: mentioning(f"@{data}/kafka/node-1/kafka.args"), 30)
        running.interrupt()
        output = running.output()
        assert running.process.returncode == 130
        assert "The mesh is up" not in output
        assert mentioning(str(data)) == []


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        for option in ("--port", "--registry-port"):
            refused = mesh("up", "--data", str(tmp_path / "data"), option, port)
            assert refused.returncode == 1
            assert f"port {port}" in refused.stderr
            assert option in refused.stderr
            assert "Traceback" not in refused.stderr


def test_no_network_at_the_first_start(tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_ports(1)[0]}"
    refused = mesh("up", "--data", str(tmp_path / "data"), MESH_JARS=str(tmp_path / "jars"), MESH_MAVEN=nowhere)
    assert refused.returncode == 1
    assert "the first start needs the network once" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_no_network_is_needed_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    JarCache.of_environment().provide(locked_jars())
    monkeypatch.setenv("MESH_MAVEN", f"http://127.0.0.1:{free_ports(1)[0]}")
    cache = JarCache.of_environment()
    assert cache.provide(locked_jars()) == [cache.path(jar) for jar in locked_jars()]


def test_a_lost_password_of_the_administrator_is_said(tmp_path: Path) -> None:
    data = tmp_path / "data"
    remembered(data / "kafka", 1, None)
    refused = mesh("up", "--data", str(data))
    assert refused.returncode == 1
    assert "the password of _mesh.admin is gone" in refused.stderr
