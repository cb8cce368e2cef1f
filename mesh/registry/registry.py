"""The registry: a state behind a lock, and writes that are answered when they have been read back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from mesh.errors import DeadlineExceeded, MeshError
from mesh.registry.decisions import Decision
from mesh.registry.log import SchemaLog
from mesh.registry.records import LogRecord, Mark
from mesh.registry.state import State

T = TypeVar("T")
_READ_BACK_SECONDS = 10.0


class Registry:
    """Reads and writes for any number of threads. Every method but ``close`` may raise a MeshError of the log.

    A write decides on a state that holds everything written before it: there is one writer, and it waits until its
    own record has come back through the log. So a read after a write sees it, and a crash loses nothing answered.
    """

    def __init__(self, log: SchemaLog, read_back_seconds: float = _READ_BACK_SECONDS) -> None:
        self._log, self._patience = log, read_back_seconds
        self._state = State()
        self._position = 0
        self._arrived = threading.Condition()
        self._writing = threading.Lock()
        self._settled = False

    def start(self) -> None:
        """Take the log over and read all of it."""
        self._log.start(self._take)
        with self._writing:
            self._settle()

    def close(self) -> None:
        """Let a write finish, then stop."""
        with self._writing:
            self._log.close()

    def read(self, ask: Callable[[State], T]) -> T:
        """The answer of the state to one question."""
        with self._arrived:
            return ask(self._state)

    def write(self, decide: Callable[[State], Decision[T]]) -> T:
        """Append what ``decide`` decides, wait until it has been read back, and give its answer."""
        with self._writing:
            self._settle()
            decision = self.read(decide)
            for record in decision.records:
                self._append(record)
            return decision.answer

    @property
    def failure(self) -> MeshError | None:
        """Why this registry cannot go on, if it cannot: another has taken over, or the log cannot be read."""
        return self._log.failure

    def check_health(self) -> int:
        """The offset read up to; raises the failure, DeadlineExceeded when behind, or what the broker says."""
        if self._log.failure is not None:
            raise self._log.failure
        if self._log.behind():
            with self._arrived:
                self._arrived.wait(1.0)
            if behind := self._log.behind():
                raise DeadlineExceeded(f"reading the last {behind} offset(s) of the schema log", 1.0)
        return self._position

    def _take(self, records: Sequence[LogRecord], position: int) -> None:
        with self._arrived:
            for record in records:
                self._state.apply(record)
            self._position = position
            self._arrived.notify_all()

    def _settle(self) -> None:
        """After a start or a write of unknown outcome: what comes before this record is in the state or nowhere."""
        if not self._settled:
            self._append(Mark(self.read(lambda state: state.highest_id)))
            self._settled = True

    def _append(self, record: LogRecord) -> None:
        self._settled, settled = False, self._settled
        offset = self._log.append(record)
        with self._arrived:
            if not self._arrived.wait_for(lambda: self._position > offset, self._patience):
                raise DeadlineExceeded("reading a schema record back", self._patience)
        self._settled = settled
