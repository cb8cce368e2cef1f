"""A short demo that was told to keep its mesh, shared by the tests that look at it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.demo import Kept, run_demo
from tests.support.processes import mentioning


@pytest.fixture(scope="session")
def kept_demo() -> Iterator[Kept]:
    """``mesh demo --keep`` after its end; the mesh is stopped with the session."""
    ended = run_demo("--records", "1500", "--json", "--keep")
    named = re.search(r"export MESH_CONFIG=(\S+)", ended.stderr)
    assert named is not None, ended.stderr
    folder = Path(named[1]).parent
    try:
        yield Kept(ended, folder)
    finally:
        subprocess.run(
            [sys.executable, "-m", "mesh", "down", "--data", str(folder)], check=False, timeout=90, env=os.environ
        )
        for process in mentioning(str(folder)):
            process.kill()
        shutil.rmtree(folder, ignore_errors=True)
