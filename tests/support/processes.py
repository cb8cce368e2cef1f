"""Looking for processes that should be there, or should not."""

from __future__ import annotations

import psutil


def gone(pid: int) -> bool:
    """Whether a process has ended, be it that nobody has collected its exit code yet."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def mentioning(text: str) -> list[psutil.Process]:
    """The living processes whose command line holds ``text``."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and text in " ".join(process.cmdline()):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
