"""A disk that fills up, for real."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of ``size`` (``64k``, ``8m``) on ``folder``; skips the test where none may be mounted."""
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    command = [mount or "mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if mount is None or umount is None or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("may not mount a small file system here")
    try:
        yield folder
    finally:
        subprocess.run([umount, str(folder)], check=True)
