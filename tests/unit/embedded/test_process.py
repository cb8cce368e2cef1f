from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from mesh.embedded.process import Child, Service, last_words
from mesh.errors import PlatformFailure
from tests.support.broker import eventually
from tests.support.processes import gone

ROOT = Path(__file__).parents[3]


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def service(tmp_path: Path, code: str, **more: object) -> Service:
    return Service("thing", python(code), tmp_path / "logs" / "thing.log", **more)  # type: ignore[arg-type]


def test_a_process_is_ready_when_it_says_so(tmp_path: Path) -> None:
    sign = tmp_path / "sign"
    code = f"import pathlib, time; pathlib.Path({str(sign)!r}).touch(); time.sleep(60)"
    child = Child(service(tmp_path, code, ready=sign.exists))
    child.start()
    try:
        assert child.await_ready(threading.Event())
        assert child.pid is not None
        assert psutil.Process(child.pid).cmdline()[1:] == python(code)[1:]
    finally:
        child.stop()
    assert child.pid is None


def test_an_early_end_tells_the_last_error(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "thing.log"
    log.parent.mkdir()
    log.write_text("ERROR of another day\n")
    child = Child(service(tmp_path, "print('hello'); raise ValueError('no such key')", ready=lambda: False))
    child.start()
    with pytest.raises(PlatformFailure, match=r"thing ended while starting \(exit code 1\)") as raised:
        child.await_ready(threading.Event())
    assert str(raised.value).splitlines()[1:] == ["  ValueError: no such key"]
    assert str(log) in str(raised.value)


def test_a_full_disk_is_recognised(tmp_path: Path) -> None:
    child = Child(service(tmp_path, "raise OSError(28, 'No space left on device')", ready=lambda: False))
    child.start()
    with pytest.raises(PlatformFailure, match="no disk space left in"):
        child.await_ready(threading.Event())


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    child = Child(Service("thing", ["/nowhere/java"], tmp_path / "thing.log", ready=lambda: False))
    child.start()
    with pytest.raises(PlatformFailure, match="No such file or directory"):
        child.await_ready(threading.Event())


def test_readiness_has_a_deadline(tmp_path: Path) -> None:
    child = Child(service(tmp_path, "import time; time.sleep(60)", ready=lambda: False, start_seconds=0.2))
    child.start()
    try:
        with pytest.raises(PlatformFailure, match=r"was not ready within 0\.2 s"):
            child.await_ready(threading.Event())
    finally:
        child.stop()


def stubborn(tmp_path: Path) -> Child:
    sign = tmp_path / "sign"
    code = (
        "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"pathlib.Path({str(sign)!r}).touch(); time.sleep(60)"
    )
    child = Child(service(tmp_path, code, ready=sign.exists, stop_seconds=0.3))
    child.start()
    assert child.await_ready(threading.Event())
    return child


def test_what_does_not_stop_is_killed(tmp_path: Path) -> None:
    child = stubborn(tmp_path)
    child.stop()
    assert child.exit_code == -9


def test_hurry_does_not_wait(tmp_path: Path) -> None:
    child, hurry = stubborn(tmp_path), threading.Event()
    hurry.set()
    before = time.monotonic()
    child.stop(hurry)
    assert time.monotonic() - before < 0.25
    assert child.exit_code == -9


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills the children of a killed parent")
def test_a_child_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    code = f"""
import pathlib, sys, time
from mesh.embedded.process import Child, Service
sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
child = Child(Service("thing", sleep, pathlib.Path({str(tmp_path)!r}) / "log"))
child.start()
print(child.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen(python(code), stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        eventually(lambda: "tether" not in " ".join(psutil.Process(pid).cmdline()))
        parent.kill()
    eventually(lambda: gone(pid), 5)


def test_last_words_skip_stacks_and_old_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("ERROR old\n")
    mark = log.stat().st_size
    with log.open("a") as file:
        file.write("INFO fine\nERROR it broke\n\tat a.b.C(D.java:1)\nCaused by: java.net.BindException: in use\n\n")
    assert last_words({log: mark}) == ["ERROR it broke", "Caused by: java.net.BindException: in use"]
    assert last_words({log: mark, tmp_path / "none": 0}, count=1) == ["Caused by: java.net.BindException: in use"]


def test_last_words_without_errors_are_the_last_lines(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("one\ntwo\n")
    assert last_words({tmp_path / "log": 10_000}) == ["one", "two"]
