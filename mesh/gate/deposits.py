"""Parent sets too large for a header: whether what was deposited is what the header speaks of."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, Sequence
from typing import Final

from mesh.errors import DeadlineExceeded, LineageBroken
from mesh.gate.inputs import UNDECLARED, Declared
from mesh.gate.spans import spans
from mesh.kafka import Admin, LogReader
from mesh.lineage import MALFORMED, Deposit
from mesh.lineage.parents import places_in
from mesh.lineage.progress import set_in
from mesh.types import Finding, Topic, TopicPartition

_AT_ONCE: Final = 100
READ_SECONDS: Final = 3.0
"""A transaction must not outlive its time-out over reading what somebody made large on purpose."""

# A deposit that was committed with its record may become readable a little after it.
_SETTLE_SECONDS: Final = 2.0
_POLL_SECONDS: Final = 0.05


class Deposits:
    """Reads topics of parents. The sets are not unpacked: a large one would take longer than all else in its batch."""

    def __init__(self, admin: Admin, reader: LogReader) -> None:
        self._admin, self._reader = admin, reader

    def problems(self, topic: Topic, deposits: Sequence[Deposit], declared: Declared) -> list[Finding | None]:
        """What is wrong with each deposit, None for nothing; of fewer than all when reading takes too long.

        At least one is looked at. Raises DeadlineExceeded when one is there but cannot be read yet, and what Admin and
        LogReader raise.
        """
        found: list[Finding | None] = []
        deadline = time.monotonic() + READ_SECONDS
        while len(found) < len(deposits) and (not found or time.monotonic() < deadline):
            some = deposits[len(found) : len(found) + (_AT_ONCE if found else 1)]
            found += self._some(topic, some, declared)
        return found

    def _some(self, topic: Topic, deposits: Sequence[Deposit], declared: Declared) -> list[Finding | None]:
        wanted: dict[int, set[int]] = {}
        for deposit in deposits:
            wanted.setdefault(deposit.at.partition, set()).add(deposit.at.offset)
        held: dict[tuple[int, int], bytes] = {}
        for partition, offsets in wanted.items():
            self._read(TopicPartition(topic, partition), offsets, held)
        return [_problem(held.get((each.at.partition, each.at.offset)), each, declared) for each in deposits]

    def _read(self, place: TopicPartition, offsets: Collection[int], held: dict[tuple[int, int], bytes]) -> None:
        readable = self._readable(place, offsets)
        for low, high in spans([offset for offset in offsets if offset < readable]):
            for message in self._reader.read(place, low, high + 1):
                if message.offset() in offsets:
                    held[place.partition, message.offset()] = message.value() or b""

    def _readable(self, place: TopicPartition, offsets: Collection[int]) -> int:
        """The end of what can be read, once that is past all of them that were ever written."""
        written = self._admin.ends([place], committed=False)[place]
        last = max((offset for offset in offsets if offset < written), default=-1)
        deadline = time.monotonic() + _SETTLE_SECONDS
        while (end := self._reader.bounds(place)[1]) <= last:
            if time.monotonic() > deadline:
                raise DeadlineExceeded(f"an open transaction on {place}", _SETTLE_SECONDS)
            time.sleep(_POLL_SECONDS)
        return end


def _problem(payload: bytes | None, deposit: Deposit, declared: Declared) -> Finding | None:
    where = f"its parents are said to lie at partition {deposit.at.partition}, offset {deposit.at.offset}"
    if payload is None:
        return Finding(MALFORMED, "", f"{where} of the topic of parents, where nothing is")
    try:
        content = set_in(payload)
        places = list(places_in(content))
    except LineageBroken as error:
        return Finding(MALFORMED, "", f"{where} of the topic of parents: {error.reason}")
    if hashlib.sha256(content).digest() != deposit.sha256:
        return Finding(MALFORMED, "", f"{where} of the topic of parents, where other ones are")
    astray = next(filter(None, (declared.astray(*place) for place in places)), "")
    return Finding(UNDECLARED, "", astray) if astray else None
