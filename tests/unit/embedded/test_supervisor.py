from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.embedded.process import Service
from mesh.embedded.signals import StopRequest
from mesh.embedded.state import Running
from mesh.embedded.supervisor import Patience, Supervisor
from mesh.errors import PlatformFailure
from tests.support.broker import eventually

# Writes a line when it has started and when it is told to stop.
PROGRAM = """
import pathlib, signal, sys, time
def say(word):
    with open(sys.argv[1], "a") as file:
        file.write(word + " " + sys.argv[2] + "\\n")
def stop(*_):
    say("stopped")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
say("started")
time.sleep(60)
"""


class Stage:
    """A supervisor over small programs that write down when they start and stop."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.diary = folder, folder / "diary"
        self.stop, self.seen, self.told = StopRequest(), list[tuple[Running, ...]](), list[str]()
        quick = Patience(deaths=3, within=60, pause=0.01, longest_pause=0.05)
        self.supervisor = Supervisor(self.stop, self.told.append, self.seen.append, quick)

    def lines(self) -> list[str]:
        return self.diary.read_text().splitlines() if self.diary.exists() else []

    def program(self, name: str) -> Service:
        command = [sys.executable, "-c", PROGRAM, str(self.diary), name]
        return Service(name, command, self.folder / f"{name}.log", ready=lambda: f"started {name}" in self.lines())

    def failing(self, name: str) -> Service:
        return Service(name, [sys.executable, "-c", "raise ValueError('broken for good')"], self.folder / f"{name}.log")

    def pid(self, name: str) -> int:
        (pid,) = [each.pid for each in self.supervisor.running() if each.name == name]
        assert pid is not None
        return pid


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.supervisor.stop()


def test_services_start_in_order_and_stop_in_reverse(stage: Stage) -> None:
    assert stage.supervisor.start([stage.program("kafka")])
    assert stage.supervisor.start([stage.program("registry")])
    pids = [each.pid for each in stage.supervisor.running()]
    stage.supervisor.stop()
    assert stage.lines() == ["started kafka", "started registry", "stopped registry", "stopped kafka"]
    assert stage.supervisor.running() == ()
    for pid in pids:
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_what_dies_is_restarted(stage: Stage) -> None:
    stage.supervisor.start([stage.program("gate")])
    first = stage.pid("gate")

    def kill_and_await() -> None:
        os.kill(first, signal.SIGKILL)
        eventually(lambda: stage.lines().count("started gate") == 2)
        stage.stop.ask()

    killer = threading.Thread(target=kill_and_await)
    killer.start()
    stage.supervisor.watch()
    killer.join()
    assert stage.pid("gate") != first
    assert stage.seen[-1][0].restarts == 1
    assert "gate ended (exit code -9); starting it again" in stage.told[0]


def test_what_dies_too_often_is_given_up(stage: Stage) -> None:
    stage.supervisor.start([stage.failing("gate")])
    with pytest.raises(PlatformFailure, match=r"gate died 4 times in 60 s and is given up.*gate\.log") as raised:
        stage.supervisor.watch()
    assert "ValueError: broken for good" in str(raised.value)


def test_a_failed_start_is_told_and_the_rest_can_be_stopped(stage: Stage) -> None:
    stage.supervisor.start([stage.program("kafka")])
    broken = stage.failing("registry")
    with pytest.raises(PlatformFailure, match="broken for good"):
        stage.supervisor.start([Service(broken.name, broken.command, broken.log, ready=lambda: False)])
    stage.supervisor.stop()
    assert stage.lines()[-1] == "stopped kafka"


def test_a_stop_while_starting_is_heard(stage: Stage) -> None:
    stage.stop.ask()
    assert not stage.supervisor.start([stage.program("kafka")])


def test_signals_ask_once_for_order_and_twice_for_haste() -> None:
    stop = StopRequest()
    before = signal.getsignal(signal.SIGTERM)
    with stop.listening():
        os.kill(os.getpid(), signal.SIGTERM)
        eventually(stop.asked.is_set, 2)
        assert not stop.hurry.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        eventually(stop.hurry.is_set, 2)
    assert stop.signal == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before
