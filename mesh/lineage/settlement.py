"""What a command of an operator did to one quarantined record; part of the manifest of the transaction that did it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    """What became of a quarantined record by a command."""

    PASSED = "passed"
    """Judged again and written to the public topic."""
    REPEATED = "repeated"
    """Not written: the same output of its processor had passed before."""
    REFUSED = "refused"
    """Judged again and quarantined again: a new record, one attempt more, takes its place."""
    DISCARDED = "discarded"
    """Nobody will look at it again."""
    VOID = "void"
    """The command changed nothing; ``reason`` says why."""

    RESUMED = "resumed"
    """The command was about a partition that stood still, and it goes on."""

    @property
    def settles(self) -> bool:
        """Whether the quarantined record is done with."""
        return self not in (Result.VOID, Result.RESUMED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """One command, settled. Offsets are those of the product's partition with the manifest's number.

    ``ingress`` and ``quarantined`` are -1 where a void command names no record. ``actor`` is attested by whoever wrote
    the command. ``patch`` is empty for the original bytes, else JSON that shows no classified value.
    """

    command: int
    quarantined: int
    ingress: int
    result: Result
    actor: str
    reason: str
    patch: str = ""
