"""A partition that stands still by its contract's will; part of the manifest, so that its next owner knows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class StopCause(StrEnum):
    """What made the partition stop, which decides what lets it go on."""

    HALT = "halt"
    """A record breaks a clause that halts; somebody has to say go on."""
    BREAKER = "breaker"
    """Too many records were refused; somebody has to say go on."""
    FULL = "full"
    """As many records are parked behind held keys as may be; it goes on when some are released."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Where and why it stopped. ``offset`` is that of the ingress record that waits, ``since`` epoch milliseconds.

    ``resumed`` says that somebody let it go on: the record at ``offset`` no longer stops it.
    """

    cause: StopCause
    offset: int
    reason: str
    contract_version: str
    since: int
    resumed: bool = False
