"""The folder of one mesh: its configuration, secrets, logs, data, and the lock that keeps it to one supervisor."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from mesh.access import ADMIN
from mesh.embedded.files import disk_faults, private_folder, write_private
from mesh.embedded.state import State
from mesh.errors import AlreadyRunning, PlatformFailure
from mesh.settings import Settings

# Whoever only looks whether the lock is held (`mesh status`) holds it himself for an instant.
_LOCK_SECONDS = 0.5


class DataFolder:
    """Paths and files below one root. Raises PlatformFailure where the disk does not let it."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.config = self.root / "mesh.yaml"
        self.kafka = self.root / "kafka"
        self.logs = self.root / "logs"
        self._secrets = self.root / "secrets"
        self._state = self.root / "state.json"

    def prepare(self) -> None:
        """Make the folders; only the owner enters those with secrets, data and logs."""
        with disk_faults(self.root):
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.kafka, self.logs, self._secrets):
                private_folder(folder)

    def lock(self) -> FolderLock:
        """The lock of this folder, not yet taken."""
        return FolderLock(self.root)

    def secret(self, principal: str) -> str:
        """The password of a platform principal; a random one at first."""
        path = self._secrets / principal
        with disk_faults(self.root):
            if not path.exists():
                write_private(path, secrets.token_urlsafe(24) + "\n")
            return path.read_text(encoding="utf-8").strip()

    def has_secret(self, principal: str) -> bool:
        """Whether the password of a platform principal is still here."""
        return (self._secrets / principal).exists()

    def settings(self) -> Settings:
        """The settings clients of this mesh use; raises SettingsError when it was never started or is damaged."""
        return Settings.load(self.config)

    def registry_port(self) -> int | None:
        """The registry's port of the last start."""
        tail = str(self._main().get("registry", "")).rpartition(":")[2]
        return int(tail) if tail.isdigit() else None

    def write_config(self, bootstrap: str, registry_port: int) -> None:
        """Put the addresses of this start into mesh.yaml; the rest of a file somebody has edited stays."""
        places = {"bootstrap": bootstrap, "registry": f"http://127.0.0.1:{registry_port}"}
        content = self._read_config()
        if places.items() <= self._main().items():
            return
        main = {"security_protocol": "SASL_PLAINTEXT"} | self._main() | places
        content = {"principal": ADMIN, "secret": "file:secrets/{principal}"} | content
        content["clusters"] = {**content.get("clusters", {}), "main": main}
        with disk_faults(self.root):
            write_private(self.config, yaml.safe_dump(content, sort_keys=False))

    def _main(self) -> dict[str, Any]:
        clusters = self._read_config().get("clusters")
        main = clusters.get("main") if isinstance(clusters, Mapping) else None
        return dict(main) if isinstance(main, Mapping) else {}

    def _read_config(self) -> dict[str, Any]:
        try:
            content = yaml.safe_load(self.config.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, yaml.YAMLError) as fault:
            raise PlatformFailure(f"cannot read {self.config}: {fault}; mend it or remove it") from None
        if not isinstance(content, dict):
            raise PlatformFailure(f"{self.config} is not a mapping; mend it or remove it")
        return content

    def write_state(self, state: State) -> None:
        """Say what runs now, for `mesh status`."""
        with disk_faults(self.root):
            write_private(self._state, json.dumps(asdict(state), indent=2) + "\n")

    def read_state(self) -> State | None:
        """What the supervisor said last; None when it never did."""
        try:
            return State.of(json.loads(self._state.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError):
            return None


class FolderLock:
    """One supervisor per folder. The kernel gives the lock back when its holder dies, however it dies."""

    def __init__(self, root: Path) -> None:
        self._root, self._path = root, root / "lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take it; raises AlreadyRunning when another process has it."""
        deadline = time.monotonic() + _LOCK_SECONDS
        with disk_faults(self._root):
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        while not _locked(descriptor):
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise AlreadyRunning(str(self._root), self._written() or 0)
            time.sleep(0.02)
        self._descriptor = descriptor
        with disk_faults(self._root):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give it back."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self) -> int | None:
        """The process that has it, or None. A number is only given while that process lives."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            return None if _locked(descriptor) else self._written()
        finally:
            os.close(descriptor)

    def _written(self) -> int | None:
        text = self._path.read_text(encoding="ascii").strip()
        return int(text) if text.isdigit() else None


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
