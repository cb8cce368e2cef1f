"""Looking at a mesh from outside, and ending it: what runs, whether it answers, and the way to stop it."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass

from mesh.embedded.folder import DataFolder
from mesh.embedded.platform import answers_http
from mesh.embedded.state import Running, State
from mesh.errors import BrokerUnreachable, PlatformFailure, SettingsError
from mesh.kafka import Connection, verify_credentials
from mesh.settings import Settings

_STOP_SECONDS = 90.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Health:
    """One service: alive as a process; ``answers`` is None for what takes no requests."""

    service: Running
    alive: bool
    answers: bool | None

    @property
    def well(self) -> bool:
        """Alive, and answering if it should."""
        return self.alive and self.answers is not False


@dataclass(frozen=True, slots=True)
class Status:
    """A folder's mesh as seen now; ``pid`` None means nothing runs on it."""

    folder: str
    pid: int | None
    ready: bool
    bootstrap: str | None
    registry: str | None
    services: tuple[Health, ...]

    @property
    def well(self) -> bool:
        """Everything runs and answers."""
        return self.pid is not None and self.ready and all(each.well for each in self.services)


def status_of(folder: DataFolder) -> Status:
    """Look at a folder's mesh; a few seconds at most, also where nothing answers."""
    pid, state = folder.lock().holder(), folder.read_state()
    try:
        settings = folder.settings()
    except SettingsError:
        return Status(str(folder.root), pid, ready=False, bootstrap=None, registry=None, services=())
    cluster = settings.home
    mine = pid is not None and state is not None and state.pid == pid
    answering = (
        {"kafka": _kafka_answers(Connection.of(settings)), "registry": answers_http(f"{cluster.registry}/health")}
        if mine
        else {}
    )
    return Status(
        str(folder.root),
        pid,
        mine and state is not None and state.ready,
        cluster.bootstrap,
        cluster.registry,
        _healths(state, answering) if mine and state is not None else (),
    )


def _answering(settings: Settings) -> dict[str, bool]:
    registry = f"{settings.home.registry}/health"
    return {"kafka": _kafka_answers(Connection.of(settings)), "registry": answers_http(registry)}


def _healths(state: State, answering: dict[str, bool]) -> tuple[Health, ...]:
    return tuple(
        Health(service, _alive(service.pid), answering.get(service.name.partition("-")[0]))
        for service in state.services
    )


def _alive(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _kafka_answers(connection: Connection) -> bool:
    try:
        return verify_credentials(connection, seconds=2)
    except BrokerUnreachable:
        return False


def stop_running(folder: DataFolder, seconds: float = _STOP_SECONDS) -> int | None:
    """Stop the mesh that runs on a folder and wait; gives the process it was, None when nothing ran.

    Raises PlatformFailure when it does not end in time or is not ours to stop.
    """
    lock = folder.lock()
    pid = lock.holder()
    if pid is None:
        return None
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return pid
    except PermissionError:
        raise PlatformFailure(f"process {pid} that runs {folder.root} belongs to another user; ask them") from None
    deadline = time.monotonic() + seconds
    while lock.holder() == pid:
        if time.monotonic() > deadline:
            raise PlatformFailure(f"process {pid} did not stop within {seconds:g} s; end it with: kill -9 {pid}")
        time.sleep(_POLL_SECONDS)
    return pid
