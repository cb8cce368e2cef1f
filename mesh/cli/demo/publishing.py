"""The domains' producers, each in a process of its own, their progress shown together."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mesh.cli.console import Bars
from mesh.cli.demo.stage import Stage
from mesh.errors import PlatformFailure, UsageError

PRODUCERS: Mapping[str, str] = {
    "operations.flights": "operations_flights.py",
    "weather.observations": "weather_observations.py",
    "fleet.aircraft": "fleet_aircraft.py",
    "reference.airports": "reference_airports.py",
    "reference.carriers": "reference_carriers.py",
}


@dataclass(slots=True)
class _Run:
    product: str
    process: subprocess.Popen[str]
    done: int = 0
    said: list[str] = field(default_factory=list)

    def listen(self, tell: Callable[[str, int, int], None]) -> None:
        """Follow the program's stderr: JSON lines are progress, others are kept in case it fails."""
        for line in self.process.stderr or ():
            try:
                progress = json.loads(line)
                self.done = int(progress["done"])
                tell(self.product, self.done, int(progress["total"]))
            except (ValueError, KeyError, TypeError):
                self.said.append(line.rstrip())


def producers_of(project: Path) -> Path:
    """The folder with the producers; raises UsageError outside a checkout."""
    folder = project / "producers"
    if not (folder / PRODUCERS["operations.flights"]).is_file() or not (project / "contracts").is_dir():
        raise UsageError(f"{project} has no producers/ and contracts/; run the demo in a clone, or name it: --project")
    return folder


def publish_all(stage: Stage, records: int | None, bars: Bars) -> dict[str, int]:
    """Run every producer to its end; gives how many records each handed over.

    Raises PlatformFailure with the last words of the first one that fails.
    """
    folder = producers_of(stage.project)
    runs = [_start(stage, product, folder / file, records) for product, file in PRODUCERS.items()]
    threads = [threading.Thread(target=run.listen, args=(bars.show,), daemon=True) for run in runs]
    for thread in threads:
        thread.start()
    try:
        _await(runs)
    finally:
        for run in runs:
            run.process.kill()
            run.process.wait()
        for thread in threads:
            thread.join(5)
    return {run.product: run.done for run in runs}


def _start(stage: Stage, product: str, program: Path, records: int | None) -> _Run:
    command: Sequence[str] = [sys.executable, str(program), "--progress", "json"]
    if records is not None:
        command = [*command, "--records", str(records)]
    process = subprocess.Popen(
        command,
        env=dict(stage.environment),
        cwd=stage.project,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    return _Run(product, process)


def _await(runs: Sequence[_Run]) -> None:
    while any(run.process.poll() is None for run in runs) and not any(run.process.poll() for run in runs):
        time.sleep(0.1)
    for run in runs:
        if run.process.returncode:
            said = run.said[-1] if run.said else "it said nothing"
            raise PlatformFailure(f"the producer of {run.product} ended with {run.process.returncode}: {said}")
