"""Keeps services running: started in order, restarted when they die, stopped in reverse."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mesh.embedded.process import Child, Service
from mesh.embedded.signals import StopRequest
from mesh.embedded.state import Running

_WATCH_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a service may die: more than ``deaths`` times in ``within`` seconds ends the supervision."""

    deaths: int = 5
    within: float = 60.0
    pause: float = 0.5
    longest_pause: float = 8.0


@dataclass(slots=True)
class _Kept:
    child: Child
    deaths: list[float] = field(default_factory=list)
    due: float | None = None
    restarts: int = 0


class Supervisor:
    """Runs services until ``stop`` is asked for. One thread uses it, from beginning to end."""

    def __init__(
        self,
        stop: StopRequest,
        tell: Callable[[str], None] = lambda _: None,
        changed: Callable[[tuple[Running, ...]], None] = lambda _: None,
        patience: Patience | None = None,
    ) -> None:
        self._request, self._tell, self._changed = stop, tell, changed
        self._patience = patience or Patience()
        self._groups: list[list[_Kept]] = []

    def start(self, services: Sequence[Service]) -> bool:
        """Start these together and wait until all are ready; False when asked to stop meanwhile.

        Raises PlatformFailure when one ends or is not ready in its time.
        """
        group = [_Kept(Child(service)) for service in services]
        self._groups.append(group)
        for kept in group:
            kept.child.start()
        self._report()
        return all(kept.child.await_ready(self._request.asked) for kept in group)

    def watch(self) -> None:
        """Restart what dies until asked to stop; raises PlatformFailure for what dies too often."""
        while not self._request.asked.wait(_WATCH_SECONDS):
            for kept in self._all():
                if kept.due is not None and time.monotonic() >= kept.due:
                    self._restart(kept)
                elif kept.due is None and kept.child.exit_code is not None:
                    self._bury(kept)

    def stop(self) -> None:
        """Stop everything, what was started last first; nothing is left running."""
        while self._groups:
            group = self._groups.pop()
            for kept in group:
                kept.child.ask_to_stop()
            for kept in group:
                kept.child.stop(self._request.hurry)

    def running(self) -> tuple[Running, ...]:
        """What runs now."""
        return tuple(_told(kept) for kept in self._all())

    def _all(self) -> list[_Kept]:
        return [kept for group in self._groups for kept in group]

    def _bury(self, kept: _Kept) -> None:
        now, patience, service = time.monotonic(), self._patience, kept.child.service
        kept.deaths = [at for at in kept.deaths if at > now - patience.within] + [now]
        if len(kept.deaths) > patience.deaths:
            raise kept.child.failure(f"died {len(kept.deaths)} times in {patience.within:g} s and is given up")
        pause = min(patience.pause * 2 ** (len(kept.deaths) - 1), patience.longest_pause)
        kept.due = now + pause
        self._tell(f"{service.name} ended (exit code {kept.child.exit_code}); starting it again in {pause:g} s")
        self._report()

    def _restart(self, kept: _Kept) -> None:
        kept.due, kept.restarts = None, kept.restarts + 1
        kept.child.start()
        self._report()

    def _report(self) -> None:
        self._changed(self.running())


def _told(kept: _Kept) -> Running:
    service = kept.child.service
    return Running(service.name, kept.child.pid, service.ports, kept.restarts, str(service.own_log or service.log))
