"""The contracts in force, asked for by a thread of its own: no answer of a broker holds up the records of a gate."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from mesh.contract import Contract
from mesh.gate.ports import ContractSource
from mesh.types import Topic

# The loop asks once a second, so a contract takes effect within a second and a half.
_PAUSE_SECONDS = 0.5
# A broker that does not answer keeps the thread for as long as a request may take; nobody waits for it in the end.
_LEAVE_SECONDS = 1.0


class Following:
    """A contract source that answers at once with what was true half a second ago.

    On a busy broker the two requests of a refresh took a twelfth of the loop's time. ``source`` belongs to the thread
    from ``__enter__`` on. What fails there is raised by the next ``refresh``, once for each time it failed.
    """

    def __init__(self, source: ContractSource, pause: float = _PAUSE_SECONDS) -> None:
        self._source, self._pause = source, pause
        self._known: tuple[int, Mapping[Topic, Contract]] | None = None
        self._failure: Exception | None = None
        self._answered, self._leaving = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._follow, name="contracts", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        self._thread.join(_LEAVE_SECONDS)

    def refresh(self) -> int:
        """The revision known; waits for the first answer alone. Raises what the source did."""
        self._answered.wait()
        failure = self._failure
        if failure is not None:
            # As long as nothing is known at all, there is nothing to go on with: a gate without products seems ready.
            self._failure = None if self._known is not None else failure
            raise failure
        return self._known[0] if self._known is not None else 0

    def live(self) -> Mapping[Topic, Contract]:
        """Every contract in force at that revision, by public topic."""
        return self._known[1] if self._known is not None else {}

    def _follow(self) -> None:
        while not self._leaving.is_set():
            try:
                self._known = self._source.refresh(), self._source.live()
            except Exception as error:  # noqa: BLE001  (raised to the loop, which knows what to do about it)
                self._failure = error
            self._answered.set()
            self._leaving.wait(self._pause)
