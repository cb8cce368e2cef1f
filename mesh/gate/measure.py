"""The service levels a contract promises, measured on what the gate committed; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from mesh.contract import Contract
from mesh.contract.topic import sla_milliseconds
from mesh.gate.standing import Seen, Standing, State
from mesh.lineage import Manifest

_MEASURED: Final = ("latency", "frequency", "retention")
INGRESS_RETENTION: Final = "ingressRetentionMs"
"""The clause that says how long an ingress keeps what nobody has read; a wait of half of it is told."""


class Cause(StrEnum):
    """Why a promise is broken, which decides whom to ask."""

    LATE = "late"
    """Records reach the public topic, too long after they happened: in every partition, so it is the publisher."""
    SKEWED = "skewed"
    """As late, but other partitions keep the promise: one key, or one instance of the publisher, lags."""
    IDLE = "idle"
    """Nobody publishes."""
    STOPPED = "stopped"
    """Records wait and no gate works."""
    BLOCKED = "blocked"
    """Records wait and the gates pass over them."""
    HALTED = "halted"
    """Records wait because the contract stopped their partition."""
    GATE = "behind"
    """Records wait and the gate is at work on them."""
    ERASED = "erased"
    """Records were deleted before their time."""
    RECORDS = "records"
    """The records themselves, taken together: too few, too many, or some of them twice."""


@dataclass(frozen=True, slots=True)
class Promise:
    """A clause of ``slaProperties`` as a time in seconds."""

    clause: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Breach:
    """A promise that is broken now; times in seconds. ``partition`` is None where it is about the whole product."""

    product: str
    topic: str
    partition: int | None
    clause: str
    cause: Cause
    promised: float
    measured: float

    @property
    def where(self) -> tuple[str, int | None, str]:
        """What stays the same while it lasts."""
        return self.topic, self.partition, self.clause

    def __str__(self) -> str:
        place = self.topic if self.partition is None else f"{self.topic}/{self.partition}"
        return f"{place} breaks {self.clause}: {self.measured:,.1f} s, promised {self.promised:,g} s ({self.cause})"

    def as_event(self) -> dict[str, Any]:
        """For logs and machines."""
        told = {name: getattr(self, name) for name in self.__slots__}
        return {"event": "sla.breach", **told, "cause": str(self.cause), "measured": round(self.measured, 3)}


def promises(contract: Contract) -> tuple[Promise, ...]:
    """What is promised and can be measured on the stream: latency, frequency and retention that are times."""
    found = []
    for entry in contract.document.source.get("slaProperties", ()):
        milliseconds = sla_milliseconds(entry)
        if entry.get("property") in _MEASURED and milliseconds is not None:
            found.append(Promise(str(entry["property"]), milliseconds / 1000))
    return tuple(found)


def breaches(contract: Contract, seen: Sequence[Seen], standing: Sequence[Standing], now_ms: int) -> list[Breach]:
    """The promises of one product that are broken now; ``seen`` and ``standing`` are its partitions, in one order."""
    found: list[Breach] = []
    for promise in promises(contract):
        if promise.clause == "latency":
            found += _latency(contract, promise, seen, standing)
        elif promise.clause == "retention":
            found += _kept(contract, promise, seen, now_ms)
        else:
            found += _frequency(contract, promise, seen, standing, now_ms)
    return found + list(_unread(contract, standing))


def _latency(
    contract: Contract, promise: Promise, seen: Sequence[Seen], standing: Sequence[Standing]
) -> Iterator[Breach]:
    """From the event, where the contract names its time, else from the arrival on the ingress, to the public topic."""
    committed = [_slowest(each.window) for each in seen]
    kept = [each for each in committed if each is not None and each <= promise.seconds]
    for slowest, each in zip(committed, standing, strict=True):
        if _waits(each, promise.seconds):
            yield _breach(contract, each.partition, promise, _gate(each), each.lag_seconds)
        elif slowest is not None and slowest > promise.seconds:
            yield _breach(contract, each.partition, promise, Cause.SKEWED if kept else Cause.LATE, slowest)


def _frequency(
    contract: Contract, promise: Promise, seen: Sequence[Seen], standing: Sequence[Standing], now_ms: int
) -> Iterator[Breach]:
    """From the last record on the public topic, whatever its partition; of a product never used nothing is said."""
    known = [manifest for each in seen for manifest in (*each.window, each.last) if manifest is not None]
    passed = [manifest.created_at for manifest in known if manifest.public.count]
    # Where all that is known was refused, the silence has lasted at least since the oldest of it.
    since = max(passed) if passed else min((manifest.created_at for manifest in known), default=None)
    if since is None or now_ms - since <= promise.seconds * 1000:
        return
    waiting = [each for each in standing if each.lag]
    worst = max(waiting, key=lambda each: each.lag_seconds, default=None)
    cause = Cause.IDLE if worst is None else _gate(worst)
    yield _breach(contract, None, promise, cause, (now_ms - since) / 1000)


def _kept(contract: Contract, promise: Promise, seen: Sequence[Seen], now_ms: int) -> Iterator[Breach]:
    """From the commit of the youngest record that is gone; a compacted product promises the last of each key alone."""
    for each in seen:
        age = (now_ms - each.erased_at) / 1000 if each.erased_at is not None else promise.seconds
        if age < promise.seconds and contract.cleanup == "delete":
            yield _breach(contract, each.partition, promise, Cause.ERASED, age)


def _unread(contract: Contract, standing: Sequence[Standing]) -> Iterator[Breach]:
    kept = int(contract.ingress_config["retention.ms"])
    if kept < 0:
        return
    alarm = Promise(INGRESS_RETENTION, kept / 2000)
    for each in standing:
        if _waits(each, alarm.seconds):
            yield _breach(contract, each.partition, alarm, _gate(each), each.lag_seconds)


def _slowest(window: Sequence[Manifest]) -> float | None:
    """How long after it happened the slowest accepted record of the window was committed."""
    waits = [each.created_at - each.event_time[0] for each in window if each.event_time is not None]
    return max(waits) / 1000 if waits else None


def _waits(each: Standing, seconds: float) -> bool:
    """Whether an unread record has waited longer; a wait nobody knows proves nothing."""
    return seconds < each.lag_seconds < float("inf")


def _gate(each: Standing) -> Cause:
    return _CAUSES.get(each.state, Cause.GATE)


_CAUSES: Final = {State.STOPPED: Cause.STOPPED, State.BLOCKED: Cause.BLOCKED, State.HALTED: Cause.HALTED}


def _breach(contract: Contract, partition: int | None, promise: Promise, cause: Cause, measured: float) -> Breach:
    topic = contract.topics.public
    return Breach(str(contract.product), topic, partition, promise.clause, cause, promise.seconds, measured)
