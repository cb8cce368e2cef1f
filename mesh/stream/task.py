"""What every kind of task shares: taking records of one log in order, and following the commit with its state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from mesh.errors import PermanentError
from mesh.stream.arrival import Arrival, Changes, Outcome, Punctuation


class ProcessingFailed(PermanentError):
    """A user's function raised; the processor stops before the record. The text never holds a value of it."""

    def __init__(self, function: str, where: str, reason: str) -> None:
        self.function, self.where, self.reason = function, where, reason
        super().__init__(f"{function} failed on {where}: {reason}; mend it and start the processor again")


class WindowFailed(ProcessingFailed):
    """A window's function raised: it was given many records, so there is none to be set aside."""


@runtime_checkable
class Task(Protocol):
    """One function at work on one log (a partition of an input, or of the repartitioned log).

    A driver gives it the records of the log in order, each once; writes the outputs, then in one transaction what
    ``changes`` gives and the input's offset, and says so by ``committed``. Or it says ``rolled_back``, and gives again
    every record since the last commit. Outputs that are not of the transaction (at least once) are made again after a
    crash, with the same identity. Records that are in the state already, because somebody has set the group back, are
    recognised by their offsets and make nothing.
    """

    def restore(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """Take up the state: the latest value of every key of this task in the changelog."""

    def apply(self, arrival: Arrival) -> Outcome:
        """The next record; raises Waiting, and nothing has happened, or ProcessingFailed."""

    def punctuate(self, punctuation: Punctuation) -> Outcome:
        """The next entry of the log is no record, but says how far a source has come."""

    def finish(self) -> Outcome:
        """The log ends here for good: whatever waits for later records is done now."""

    def changes(self) -> Changes:
        """What the state has become since the last commit; asked once per commit, after the last record."""

    def committed(self) -> None:
        """Everything since the last commit is in Kafka."""

    def rolled_back(self) -> None:
        """Nothing since the last commit has happened."""

    def watermark(self) -> int | None:
        """How far event time has come here, in milliseconds; None where nothing depends on it."""
