"""Running ``mesh demo`` as people do, from the root of the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Kept:
    """A demo that has ended and left its mesh running in ``folder``."""

    ended: subprocess.CompletedProcess[str]
    folder: Path


def run_demo(*options: str, cwd: Path = ROOT, temporary: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A demo to its end; what it makes for itself lies in ``temporary`` if that is given."""
    clean = {name: text for name, text in os.environ.items() if name not in ("MESH_CONFIG", "MESH_PRINCIPAL")}
    return subprocess.run(
        [sys.executable, "-m", "mesh", "demo", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
        cwd=cwd,
        env=clean | ({"TMPDIR": str(temporary)} if temporary else {}),
    )
