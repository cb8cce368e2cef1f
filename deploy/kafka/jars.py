"""Puts the locked jars of the broker and its tools into a folder: ``jars.py FOLDER``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from mesh.embedded.jars import JarCache, locked_jars, parse_lock

_TOOLS = Path(__file__).with_name("tools.lock")


def main(folder: Path) -> None:
    """Fill ``folder`` with exactly the locked jars; raises PlatformFailure when one cannot be had."""
    jars = (*locked_jars(optional=True), *parse_lock(_TOOLS.read_text(encoding="utf-8")))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in JarCache.of_environment().provide(jars):
        shutil.copy2(path, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
