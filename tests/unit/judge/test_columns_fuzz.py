"""Hundreds of thousands of broken bodies in little memory: columns, rows, an oracle and fastavro agree."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = Path(__file__).with_name("fuzz.py")


def fuzzed(bodies: int, first: int, seconds: float) -> str:
    """What the run tells at its end."""
    # As few bytes of address space as the program allows itself: libraries take some for every thread.
    run = subprocess.run(
        [sys.executable, str(_PROGRAM), str(bodies), str(first)],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env={"OPENBLAS_NUM_THREADS": "1", "PATH": ""},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_broken_bodies_in_a_child_process() -> None:
    told = fuzzed(200_000, 1, 150)
    assert "bodies=2" in told and "schemas=43" in told


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
def test_ten_million_broken_bodies(capsys: pytest.CaptureFixture[str]) -> None:
    told = fuzzed(10_000_000, 1_000, 4 * 3600 - 60)
    with capsys.disabled():
        sys.stdout.write(told)
