"""Workers of a processor in processes of their own, which can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesh.embedded import tether
from tests.support.mesh import RunningMesh
from tests.support.pipelines import Case


@dataclass(frozen=True, slots=True)
class Job:
    """What the workers of one derived product do."""

    mesh: RunningMesh
    case: Case
    product: str
    events: str
    rates: str
    pause: float = 0.0

    def start(self, ordinal: int = 0, *options: str) -> Worker:
        """Start a worker of that number."""
        return Worker(self, ordinal, options)

    def arguments(self) -> list[str]:
        """The program's own."""
        names = ("kind", "size", "hop", "lateness", "retention", "partitions")
        fields: dict[str, Any] = {name: getattr(self.case, name) for name in names} | {"pause": self.pause}
        return [json.dumps(fields), self.product, self.events, self.rates]


class Worker:
    """A process; its words are in ``log``."""

    def __init__(self, job: Job, ordinal: int, options: tuple[str, ...]) -> None:
        self.log: Path = job.mesh.folder.logs / f"{job.product}-{ordinal}.log"
        tie = [sys.executable, tether.__file__, str(os.getpid())]
        program = [sys.executable, "-m", "tests.support.processing_program", *job.arguments()]
        environment = {**os.environ, "MESH_CONFIG": str(job.mesh.folder.config)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*tie, *program, "--ordinal", str(ordinal), *options],
                env=environment,
                stdout=log,
                stderr=log,
                cwd=Path(__file__).parents[2],
            )

    def kill(self) -> None:
        """As the kernel would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def stop(self) -> int:
        """As an operator would; gives the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def finish(self, seconds: float = 90) -> None:
        """Wait for it to end by itself, well; fail with its last words otherwise."""
        code = self.process.wait(seconds)
        assert code == 0, self.words()

    def words(self) -> str:
        """The end of what it said."""
        return self.log.read_text(encoding="utf-8")[-3000:]
