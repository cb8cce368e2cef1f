"""Files as the embedded mesh writes them: whole or not at all, private to their owner, disk faults in words."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mesh.errors import PlatformFailure

_FULL = {errno.ENOSPC, errno.EDQUOT}
_ROOM = 128 * 1024


@contextmanager
def disk_faults(folder: Path) -> Iterator[None]:
    """An OSError of the file system inside the block leaves it as a PlatformFailure that names ``folder``."""
    try:
        yield
    except OSError as fault:
        raise disk_failure(folder, fault) from None


def disk_failure(folder: Path, fault: OSError) -> PlatformFailure:
    """What to tell a person about a failed write below ``folder``."""
    if fault.errno in _FULL:
        return no_space(folder)
    return PlatformFailure(f"cannot write in {folder}: {fault.strerror or fault}; choose a folder that can be written")


def no_space(folder: Path) -> PlatformFailure:
    """The disk that holds ``folder`` is full."""
    return PlatformFailure(f"no disk space left in {folder}; free some, or choose a folder on another disk")


def has_no_room(folder: Path) -> bool:
    """Whether the disk of ``folder`` is as good as full: a program that ended for it could not even write why."""
    return shutil.disk_usage(folder).free < _ROOM


def is_full(fault: OSError) -> bool:
    """Whether the disk, or the quota on it, is used up."""
    return fault.errno in _FULL


def private_folder(path: Path) -> Path:
    """Make a folder that only its owner can enter; one that exists is closed to others."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def write_private(path: Path, text: str) -> None:
    """Write a file only its owner can read; whoever reads sees the old content or the new, never a part."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
