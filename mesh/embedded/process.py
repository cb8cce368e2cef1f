"""One child process: started tied to us, watched until it is ready, stopped by its own pid, its last words kept."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mesh.embedded.files import disk_faults, has_no_room, no_space
from mesh.errors import PlatformFailure

_TETHER = Path(__file__).with_name("tether.py")
_POLL_SECONDS = 0.05
_KEEP_BYTES = 10 * 1024 * 1024
_TAIL_BYTES = 64 * 1024
_TELLING = re.compile(r"\b(ERROR|FATAL|CRITICAL)\b|Error\b|Exception\b|\berror:|Caused by")
_STACK = re.compile(r"^ {4}|^\s+(at |\.\.\. \d+ more|File \")|^\s*$|^Traceback ")


@dataclass(frozen=True, slots=True)
class Service:
    """A program to keep running. ``ready`` is asked until it says yes; without it, a started process is ready."""

    name: str
    command: Sequence[str]
    log: Path
    """Gets standard output and error."""
    environment: Mapping[str, str] | None = None
    """The whole environment; None passes ours on."""
    ready: Callable[[], bool] | None = None
    ports: tuple[int, ...] = ()
    own_log: Path | None = None
    """A log the program writes by itself."""
    start_seconds: float = 60.0
    stop_seconds: float = 20.0


class Child:
    """A service's process. Start it from a thread that lives as long as it: the tie is to that thread."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._process: subprocess.Popen[bytes] | None = None
        self._marks: dict[Path, int] = {}

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def exit_code(self) -> int | None:
        """How it ended; negative for a signal; None while it runs."""
        return self._process.poll() if self._process is not None else None

    def start(self) -> None:
        """Start the process, ending a former one first; raises PlatformFailure when its log cannot be written."""
        self.kill()
        logs = [path for path in (self.service.log, self.service.own_log) if path is not None]
        with disk_faults(self.service.log.parent):
            _put_aside(self.service.log)
            self._marks = {path: path.stat().st_size if path.exists() else 0 for path in logs}
            with self.service.log.open("ab") as output:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(_TETHER), str(os.getpid()), *self.service.command],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=self.service.environment,
                    start_new_session=True,  # a Ctrl-C at the terminal must reach us alone, we stop it in order
                )

    def await_ready(self, stopping: threading.Event) -> bool:
        """Wait until the service answers; False when ``stopping`` was set meanwhile.

        Raises PlatformFailure when the process ends, or does not answer in ``start_seconds``.
        """
        deadline = time.monotonic() + self.service.start_seconds
        while not stopping.is_set():
            if self.exit_code is not None:
                raise self.failure("ended while starting")
            if self.service.ready is None or self.service.ready():
                return True
            if time.monotonic() > deadline:
                raise self.failure(f"was not ready within {self.service.start_seconds:g} s")
            stopping.wait(_POLL_SECONDS)
        return False

    def ask_to_stop(self) -> None:
        """Send SIGTERM and do not wait."""
        if self._process is not None:
            self._process.terminate()  # does nothing to a process that has ended, so never hits another's pid

    def stop(self, hurry: threading.Event | None = None) -> None:
        """Ask it to stop, wait, and kill it when its time is over or ``hurry`` is set. Afterwards it is gone."""
        self.ask_to_stop()
        deadline, hurried = time.monotonic() + self.service.stop_seconds, hurry or threading.Event()
        while self.pid is not None and time.monotonic() < deadline and not hurried.is_set():
            hurried.wait(_POLL_SECONDS)
        self.kill()

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def failure(self, what: str) -> PlatformFailure:
        """The error that tells why, from what the process wrote since it was started."""
        words = last_words(self._marks)
        if any("No space left on device" in line for line in words) or has_no_room(self.service.log.parent):
            return no_space(self.service.log.parent)
        code = "" if self.exit_code is None else f" (exit code {self.exit_code})"
        told = "".join(f"\n  {line}" for line in words)
        log = self.service.own_log or self.service.log
        return PlatformFailure(f"{self.service.name} {what}{code}; see {log}{told}")


def last_words(marks: Mapping[Path, int], count: int = 5) -> list[str]:
    """The telling lines of logs from the given byte positions on: errors if there are any, else the last lines."""
    lines = [line for path, mark in marks.items() for line in _written_since(path, mark)]
    kept = [line.strip()[:300] for line in lines if not _STACK.match(line)]
    telling = [line for line in kept if _TELLING.search(line)]
    return list(dict.fromkeys(telling or kept))[-count:]


def _written_since(path: Path, mark: int) -> list[str]:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            # A rolled log is shorter than the mark; then all of it is new.
            file.seek(max(mark if mark <= size else 0, size - _TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()
    except OSError:
        return []


def _put_aside(log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > _KEEP_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))
