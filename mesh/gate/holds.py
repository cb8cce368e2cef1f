"""The held keys of one partition: who holds each, and which later records wait for it. Pure; follows a transaction."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from mesh.contract import Contract
from mesh.contract.fields import custom
from mesh.judge import Verdicts
from mesh.judge.frame import PREFIX
from mesh.types import Reaction

logger = logging.getLogger(__name__)

NOBODY: Final = -1
"""The holder of a key that is settled while records still wait for it: they leave in several transactions."""


MOST_WAITING: Final = 10_000
"""Records of a partition that may wait where the contract says nothing: more would outgrow what a person settles."""


def most_waiting(contract: Contract) -> int:
    """The custom property ``hold: {records: 500}`` of the schema object, else ``MOST_WAITING``."""
    given: Any = custom(contract.document.source["schema"][0]).get("hold")
    if given is None:
        return MOST_WAITING
    try:
        return max(1, int(given["records"]))
    except (KeyError, TypeError, ValueError):
        logger.warning("%s: hold %r cannot be read, so %d records may wait", contract.product, given, MOST_WAITING)
        return MOST_WAITING


def name_of(key: bytes) -> bytes:
    """What makes two keys the same: the key without the id of its schema, which a new version of it changes."""
    return key[PREFIX:] if len(key) > PREFIX and key[0] == 0 else key


@dataclass(slots=True)
class Parked:
    """One record that waits: its ingress offset, its bytes, and its offset in the topic of state.

    That offset is told by a delivery report, so it is known when the transaction has committed and not before.
    """

    ingress: int
    size: int
    at: int = -1

    def report(self, error: Any, message: Any) -> None:
        """The producer's delivery callback."""
        if error is None:
            self.at = message.offset()


@dataclass(slots=True)
class Hold:
    """A held key: the ingress offset of the refused record that holds it, and who waits, in order."""

    holder: int
    waiting: deque[Parked] = field(default_factory=deque)

    @property
    def leaving(self) -> bool:
        """Whether the holder is settled and those who wait may go."""
        return self.holder == NOBODY


@dataclass(frozen=True, slots=True)
class Screened:
    """Which rows of a batch are parked, which begin a hold, and the first one that has no room; None: all have."""

    parked: frozenset[int] = frozenset()
    holding: tuple[int, ...] = ()
    full: int | None = None


NOTHING_HELD: Final = Screened()


def holds_on(verdicts: Verdicts, row: int) -> bool:
    """Whether a row is refused by a clause that holds its key."""
    return any(finding.reaction is Reaction.HOLD_KEY for finding in verdicts.findings.get(row, ()))


class Holds:
    """The keys of one partition, by name. Changes are a draft until ``commit``, and nothing after ``roll_back``."""

    def __init__(self, most: int, held: Mapping[bytes, Hold] | None = None) -> None:
        self.most = most
        """How many records may wait: those that hold a key, and those parked behind them."""
        self._held: dict[bytes, Hold] = dict(held or {})
        self._draft: dict[bytes, Hold | None] = {}
        self._parked = sum(len(hold.waiting) for hold in self._held.values())
        self._change = 0
        self._names = {hold.holder: name for name, hold in self._held.items() if not hold.leaving}
        self._leaving = {name: None for name, hold in self._held.items() if hold.leaving}

    def __len__(self) -> int:
        """How many keys are held."""
        gone = sum(hold is None and name in self._held for name, hold in self._draft.items())
        new = sum(hold is not None and name not in self._held for name, hold in self._draft.items())
        return len(self._held) + new - gone

    @property
    def parked(self) -> int:
        """How many records wait."""
        return self._parked + self._change

    @property
    def room(self) -> int:
        """How many more may wait."""
        return self.most - self.parked - len(self)

    def get(self, name: bytes) -> Hold | None:
        """A held key, as the open transaction has it."""
        return self._draft[name] if name in self._draft else self._held.get(name)

    def name_held_by(self, ingress: int) -> bytes | None:
        """The key that a refused record holds, as committed."""
        return self._names.get(ingress)

    def leaving(self) -> list[bytes]:
        """The keys whose records may go, as committed."""
        return list(self._leaving)

    def screen(self, keys: Sequence[bytes | None], verdicts: Verdicts) -> Screened:
        """What becomes of a judged batch, without doing it yet: records of a held key wait whatever they hold."""
        parked: list[int] = []
        begun: dict[bytes, int] = {}
        holding = {row for row in verdicts.findings if holds_on(verdicts, row)}
        if not holding and not self._held and not self._draft:
            return NOTHING_HELD
        room = self.room
        for row, key in enumerate(keys):
            name = name_of(key) if key is not None else None
            if name is None:
                continue
            waits = name in begun or self.get(name) is not None
            if (waits or row in holding) and len(parked) + len(begun) >= room:
                return Screened(frozenset(parked), tuple(begun.values()), row)
            if waits:
                parked.append(row)
            elif row in holding:
                begun[name] = row
        return Screened(frozenset(parked), tuple(begun.values()))

    def hold(self, key: bytes, ingress: int) -> None:
        """A refused record holds its key from here on; those who wait for it wait for this one."""
        self._drafted(name_of(key), begin=True).holder = ingress

    def park(self, key: bytes, parked: Parked) -> None:
        """A later record of a held key waits."""
        self._drafted(name_of(key)).waiting.append(parked)
        self._change += 1

    def settle(self, ingress: int) -> None:
        """The refused record at this ingress offset is settled: what waits for it may go."""
        name = self._names.get(ingress)
        hold = self.get(name) if name is not None else None
        if name is not None and hold is not None and hold.holder == ingress:
            self._drafted(name).holder = NOBODY

    def let_go(self, name: bytes) -> Parked:
        """The first record that waits leaves; the key is free when none is left."""
        hold = self._drafted(name)
        gone = hold.waiting.popleft()
        self._change -= 1
        return gone

    def free(self) -> None:
        """Forget the keys that nothing holds and nothing waits for; call when a transaction has released."""
        for name, hold in list(self._draft.items()):
            if hold is not None and hold.leaving and not hold.waiting:
                self._draft[name] = None

    def waiting(self, names: Collection[bytes], most: int, most_bytes: int) -> list[tuple[bytes, Parked]]:
        """The next records of some keys, in order within each, as many as fit; at least one."""
        found: list[tuple[bytes, Parked]] = []
        size = 0
        for name in names:
            hold = self._held.get(name)
            for parked in hold.waiting if hold is not None else ():
                size += parked.size
                if found and (size > most_bytes or len(found) >= most):
                    return found
                found.append((name, parked))
        return found

    def changes(self) -> Iterator[tuple[bytes, int | None]]:
        """The keys whose holder changes in the open transaction, each with the new one; None for one that is free."""
        for name, hold in self._draft.items():
            before = self._held.get(name)
            if (before.holder if before is not None else None) != (hold.holder if hold is not None else None):
                yield name, hold.holder if hold is not None else None

    def commit(self) -> None:
        """The transaction has committed."""
        for name, hold in self._draft.items():
            before = self._held.pop(name, None)
            self._leaving.pop(name, None)
            if before is not None:
                self._names.pop(before.holder, None)
            if hold is not None:
                self._held[name] = hold
                if hold.leaving:
                    self._leaving[name] = None
                else:
                    self._names[hold.holder] = name
        self._parked += self._change
        self._clear()

    def roll_back(self) -> None:
        """The transaction has come to nothing."""
        self._clear()

    def _clear(self) -> None:
        self._draft.clear()
        self._change = 0

    def _drafted(self, name: bytes, *, begin: bool = False) -> Hold:
        hold = self.get(name)
        if hold is None:
            assert begin, "only a held key has waiting records"  # noqa: S101
            hold = self._draft[name] = Hold(NOBODY)
        elif name not in self._draft:
            hold = self._draft[name] = replace(hold, waiting=deque(hold.waiting))
        return hold
