"""Which contracts a command is about: the files it was given, and those of the folders."""

from __future__ import annotations

from pathlib import Path

from mesh.contract.document import SUFFIX
from mesh.errors import NotFound


def documents_at(path: Path) -> list[Path]:
    """The file itself, or every document below a folder, in order; raises NotFound where there is none."""
    if not path.is_dir():
        return [path]
    files = sorted(path.rglob(f"*{SUFFIX}"))
    if not files:
        raise NotFound("contract", str(path), f"documents end in {SUFFIX}")
    return files
