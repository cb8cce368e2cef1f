"""A virtual environment for each rival, made once from its pinned requirements and kept in the user's cache."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

RIVALS: Final = Path(__file__).with_name("rivals")
_PATIENCE_SECONDS: Final = 300.0


class NotInstalled(Exception):
    """A rival's environment cannot be made here; its text is why."""


def requirements(rival: str) -> Path:
    """Its pinned packages."""
    return RIVALS / f"{rival}.txt"


def python_of(rival: str, cache: Path | None = None) -> Path:
    """The interpreter that has a rival's packages; raises NotInstalled. Which index they come from is pip's setting."""
    wanted = requirements(rival).read_bytes() + platform.python_version().encode()
    folder = (cache or _cache()) / f"{rival}-{hashlib.sha256(wanted).hexdigest()[:12]}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(folder)])
        install = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--only-binary", ":all:"]
        _run([str(python), *install, "--requirement", str(requirements(rival))])
        (folder / "complete").touch()
    return python


def _cache() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "mesh" / "benchmarks"


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"pip took longer than {_PATIENCE_SECONDS:g} s") from None
    if done.returncode:
        raise NotInstalled((done.stderr or done.stdout).strip().splitlines()[-1])
