"""When a transaction aborts again and again: one input per transaction, pause the culprit, let the others go on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from mesh.types import TopicPartition

logger = logging.getLogger(__name__)

# One abort may be a broker's hiccup and the second finds records that cannot be written; the third is a pattern.
_ABORTS_TOGETHER = 3
_ABORTS_ALONE = 3
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0
# Its records are asked for anew after the abort, which takes longer than a turn: let go at once, who aborts alone would
# never be tried.
_QUIET_SECONDS = 1.0


class Pausable(Protocol):
    """The part of the intake that isolation needs."""

    def pause(self, partitions: Collection[TopicPartition]) -> None: ...

    def resume(self, partitions: Collection[TopicPartition]) -> None: ...


class Isolation:
    """Finds the input that makes transactions abort and pauses it, longer each time it fails again."""

    def __init__(self, intake: Pausable, blocked: Callable[[str, str], None], clock: Callable[[], float]) -> None:
        self._intake, self._blocked, self._clock = intake, blocked, clock
        self._suspects: list[str] = []
        self._failures = 0
        self._paused: dict[str, tuple[float, float]] = {}
        self._stale = False
        self._quiet: float | None = None

    @property
    def alone(self) -> str | None:
        """The input that is on trial: only its records are taken."""
        return self._suspects[0] if self._suspects else None

    @property
    def culprits(self) -> Collection[str]:
        """The inputs that are paused."""
        return self._paused.keys()

    def aborted(self, topics: Iterable[str], attempt: int, reason: str, held: Iterable[TopicPartition]) -> None:
        """A transaction over these inputs aborted for the ``attempt``-th time in a row."""
        if self._suspects:
            self._failures += 1
            # Who was convicted before keeps the others waiting no longer than it takes to see that nothing has changed.
            if self._failures >= (1 if self._suspects[0] in self._paused else _ABORTS_ALONE):
                self._convict(reason)
        elif attempt >= _ABORTS_TOGETHER:
            self._suspects, self._failures = sorted(topics), 0
        self._apply(held)

    def committed(self, topics: Collection[str]) -> None:
        """A transaction over these inputs committed: who was on trial alone is innocent."""
        if self.alone in topics:
            self._paused.pop(self._suspects.pop(0), None)
            self._failures, self._stale = 0, True

    def assigned(self) -> None:
        """Partitions came (back), and are read whoever is paused: the next turn sees to that."""
        self._stale = True

    def advance(self, held: Iterable[TopicPartition], *, busy: bool) -> None:
        """Call every turn: a suspect that gives nothing is let go, a pause that has run out becomes a trial."""
        if self._suspects and not self._failures and self._is_idle(busy=busy):
            self._suspects.pop(0)
            self._stale = True
        if not self._suspects:
            self._try_again()
        if self._stale:
            self._apply(held)

    def _is_idle(self, *, busy: bool) -> bool:
        """Whether the suspect has given nothing for long enough."""
        if busy:
            self._quiet = None
        elif self._quiet is None:
            self._quiet = self._clock()
        return self._quiet is not None and self._clock() - self._quiet >= _QUIET_SECONDS

    def _try_again(self) -> None:
        due = [topic for topic, (until, _) in self._paused.items() if self._clock() >= until]
        if due:
            self._suspects, self._failures, self._stale = due[:1], 0, True

    def _convict(self, reason: str) -> None:
        topic = self._suspects.pop(0)
        _, last = self._paused.get(topic, (0.0, _FIRST_PAUSE_SECONDS / 2))
        pause = min(_LONGEST_PAUSE_SECONDS, last * 2)
        self._paused[topic] = (self._clock() + pause, pause)
        self._failures = 0
        logger.error("%s is paused for %g s, the other inputs go on: %s", topic, pause, reason)
        self._blocked(topic, reason)

    def _apply(self, held: Iterable[TopicPartition]) -> None:
        """Make the intake read what is to be read now, and nothing else."""
        self._stale, self._quiet = False, None
        partitions = list(held)
        wanted = [tp for tp in partitions if self.wants(tp.topic)]
        self._intake.pause([tp for tp in partitions if not self.wants(tp.topic)])
        self._intake.resume(wanted)

    def wants(self, topic: str) -> bool:
        """Whether this input is to be worked on now."""
        if self._suspects:
            return topic == self._suspects[0]
        return topic not in self._paused
