"""Programs of the project run to their end, each in a process of its own, their progress followed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mesh.cli.demo.stage import Stage
from mesh.errors import PlatformFailure

Tell = Callable[[str, "dict[str, Any]"], None]


@dataclass(slots=True)
class Program:
    """One program that makes a product; ``progress`` is the last that it told of itself."""

    product: str
    process: subprocess.Popen[str]
    progress: dict[str, Any] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    @classmethod
    def start(cls, stage: Stage, product: str, file: Path, *arguments: str) -> Program:
        """Start it with its progress as JSON on stderr."""
        process = subprocess.Popen(
            [sys.executable, str(file), "--progress", "json", *arguments],
            env=dict(stage.environment),
            cwd=stage.project,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return cls(product, process)

    def listen(self, tell: Tell) -> None:
        """Follow its stderr: JSON objects are progress, other lines are kept in case it fails."""
        for line in self.process.stderr or ():
            try:
                self.progress = dict(json.loads(line))
            except (ValueError, TypeError):
                self.said.append(line.rstrip())
            else:
                tell(self.product, self.progress)


def run_all(programs: Sequence[Program], tell: Tell) -> None:
    """Wait for all of them; raises PlatformFailure with the last words of the first that fails, and ends the others."""
    threads = [threading.Thread(target=each.listen, args=(tell,), daemon=True) for each in programs]
    for thread in threads:
        thread.start()
    try:
        while any(each.process.poll() is None for each in programs) and not any(_codes(programs)):
            time.sleep(0.1)
    finally:
        for each in programs:
            each.process.kill()
            each.process.wait()
        for thread in threads:
            thread.join(5)
    for each in programs:
        if each.process.returncode:
            said = each.said[-1] if each.said else "it said nothing"
            raise PlatformFailure(f"the program of {each.product} ended with {each.process.returncode}: {said}")


def _codes(programs: Sequence[Program]) -> list[int | None]:
    return [each.process.poll() for each in programs]
