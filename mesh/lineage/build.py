"""Which code judged a record: the version and a digest of the library's own sources."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


@cache
def build_identity() -> str:
    """``mesh-backbone/<version>+<first 12 hex digits of SHA-256 over every module of the package>``."""
    digest = hashlib.sha256()
    root = Path(__file__).parent.parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return f"mesh-backbone/{_version()}+{digest.hexdigest()[:12]}"


def _version() -> str:
    try:
        return version("mesh-backbone")
    except PackageNotFoundError:
        return "unpackaged"
