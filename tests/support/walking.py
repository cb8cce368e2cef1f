"""Doing what a document says, step by step, as its reader would."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.snippets import Snippet, missing_line

_STEP_SECONDS = 120
_BASH = shutil.which("bash") or "/bin/bash"


class Walk:
    """A reader at work: a folder, an environment, and the terminals that keep running something."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[bytes]] = []
        self._home = folder
        self._output = ""
        clean = {name: text for name, text in os.environ.items() if not name.startswith("MESH_CO")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._environment = {**clean, "PATH": path, **variables}

    def take(self, snippets: Iterable[Snippet]) -> int:
        """Take every step; gives how many commands were run. Fails at the first that does not do what is said."""
        count = 0
        after: Snippet | None = None
        for each in snippets:
            if each.kind == "file":
                self._write(each)
            elif each.kind == "output":
                assert after is not None, f"{each.where}: output of nothing"
                missing = missing_line(each.text, self._output)
                assert missing is None, f"{after.where} did not print {missing!r}, but:\n{self._output}"
            elif each.kind == "run":
                self._run(each)
                count, after = count + 1, each
        return count

    def _write(self, snippet: Snippet) -> None:
        path = self.folder / snippet.words
        assert path.parent.is_dir(), f"{snippet.where}: nothing made the folder of {snippet.words}"
        path.write_text(snippet.text, encoding="utf-8")

    def _run(self, snippet: Snippet) -> None:
        if snippet.background:
            self.started.append(self._start(snippet.text))
            return
        deadline = time.monotonic() + snippet.seconds
        code = self._finish(snippet.text)
        while code != snippet.exit_code and time.monotonic() < deadline:
            time.sleep(0.3)
            code = self._finish(snippet.text)
        assert code == snippet.exit_code, (
            f"{snippet.where} ended with {code}, not {snippet.exit_code}:\n{snippet.text}\n{self._output}"
        )

    def _start(self, text: str) -> subprocess.Popen[bytes]:
        with (self._home / "background.log").open("ab") as log:
            return subprocess.Popen(
                [_BASH, "-c", f"exec {text}"],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _finish(self, text: str) -> int:
        """Run commands as one terminal would: the folder they change to is the next step's."""
        script = f'trap "pwd -P >&9" EXIT\n{text}'
        reader, writer = os.pipe()
        done = subprocess.run(
            [_BASH, "-e", "-c", f"exec 9>&{writer}\n{script}"],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_STEP_SECONDS,
            check=False,
            pass_fds=(writer,),
        )
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8") as told:
            self.folder = Path(told.read().strip().splitlines()[-1])
        self._output = done.stdout
        return done.returncode


@contextmanager
def walking(folder: Path, **variables: str) -> Iterator[Walk]:
    """A walk that in the end leaves nothing running of what its steps started."""
    walk = Walk(folder, variables)
    try:
        yield walk
    finally:
        for process in walk.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
