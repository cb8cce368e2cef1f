"""The mesh a demo plays on: ``mesh up`` in a process of its own, as a user would run it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mesh.embedded.folder import DataFolder
from mesh.embedded.status import status_of
from mesh.errors import DeadlineExceeded, PlatformFailure

_START_SECONDS = 120.0
_STOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Stage:
    """A running mesh and the project whose contracts and producers play on it."""

    folder: DataFolder
    project: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment of a program that is to use this mesh."""
        return {**os.environ, "MESH_CONFIG": str(self.folder.config)}

    def mesh(self, *arguments: str) -> Sequence[str]:
        """The command line of a ``mesh`` command."""
        return [sys.executable, "-m", "mesh", *arguments]

    def run(self, *arguments: str) -> None:
        """Run a ``mesh`` command to its end, without its data; raises PlatformFailure when it fails."""
        done = subprocess.run(
            self.mesh(*arguments), env=self.environment, cwd=self.project, stdout=subprocess.DEVNULL, check=False
        )
        if done.returncode:
            raise PlatformFailure(f"`mesh {' '.join(arguments)}` ended with {done.returncode}; its words are above")


@contextmanager
def staged(project: Path, data: Path | None, *, keep: bool, optimise: bool) -> Iterator[Stage]:
    """Start a mesh; afterwards stop it and remove a folder that was made for it, unless it is to be kept."""
    root = data or Path(tempfile.mkdtemp(prefix="mesh-demo-"))
    stage = Stage(DataFolder(root), project)
    process = _start(stage, optimise=optimise)
    kept = False
    try:
        with _ending_as_interrupted():
            _await_ready(stage, process)
            yield stage
        kept = keep
    finally:
        if not kept:
            _stop(process)
            if data is None:
                shutil.rmtree(root, ignore_errors=True)


@contextmanager
def _ending_as_interrupted() -> Iterator[None]:
    """Take SIGTERM and a closed terminal for Ctrl-C: the mesh is in a session of its own and would outlive them."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _start(stage: Stage, *, optimise: bool) -> subprocess.Popen[bytes]:
    stage.folder.prepare()
    log = (stage.folder.logs / "up.log").open("ab")
    command = stage.mesh("up", "--data", str(stage.folder.root), *(["--optimise"] if optimise else []))
    # A session of its own: Ctrl-C stops the demo, and the demo then stops the mesh in order, or leaves it as asked.
    with log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def _await_ready(stage: Stage, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not status_of(stage.folder).well:
        if process.poll() is not None:
            raise PlatformFailure(f"the mesh did not start: {_last_line(stage.folder.logs / 'up.log')}")
        if time.monotonic() > deadline:
            raise DeadlineExceeded(f"starting the mesh in {stage.folder.root}", _START_SECONDS)
        time.sleep(0.2)


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else f"it said nothing in {log}"


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
