"""How the gate stands with every partition, judged from what Kafka alone holds; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mesh.gate.lag import Lag
from mesh.lineage import Manifest, Stop, StopCause


class State(StrEnum):
    """What a partition is doing; the first two are healthy."""

    RUNNING = "running"
    IDLE = "idle"
    """Nothing came within the window, and nothing waits."""
    LATE = "late"
    """The gate works, but the oldest unread record has waited too long."""
    STOPPED = "stopped"
    """Records wait, and no gate has committed anything since."""
    BLOCKED = "blocked"
    """Records wait, and the gates go on with other partitions; or nothing can be read or written here."""
    HALTED = "halted"
    """Its contract stopped it: by a clause that halts, a breaker, or as many waiting records as there may be."""


@dataclass(frozen=True, slots=True)
class Limits:
    """In seconds: over what is counted, when a wait is late, and after how long without a commit a gate stands still.

    30 s is the session of a gate that is gone (15 s) and the time another has to take up its partitions (10 s), with
    something to spare.
    """

    window: float = 60.0
    late: float = 10.0
    stalled: float = 30.0


@dataclass(frozen=True, slots=True)
class Seen:
    """The facts of one partition: ``window`` are the manifests of the window, ``last`` the newest of all.

    ``trouble`` says why the partition cannot be served at all; empty when it can. ``contract`` is the version in force.
    ``erased_at`` is when the youngest record that the public topic no longer holds was committed, epoch milliseconds.
    """

    product: str
    topic: str
    partition: int
    contract: str
    lag: Lag = field(default_factory=Lag)
    last: Manifest | None = None
    window: Sequence[Manifest] = ()
    trouble: str = ""
    erased_at: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """One partition as people are told of it; counts and rate (records a second) are those of the window.

    ``contract`` and ``build`` are those of the last commit, and the contract in force where nothing was committed yet.
    ``committed_at`` is epoch milliseconds.
    """

    product: str
    topic: str
    partition: int
    state: State
    reason: str
    lag: int
    lag_seconds: float
    rate: float
    accepted: int
    refused: int
    clauses: Mapping[str, int]
    contract: str
    build: str
    gate: str
    committed_at: int | None
    keys_held: int = 0
    records_parked: int = 0

    @property
    def healthy(self) -> bool:
        """Running or idle."""
        return self.state in (State.RUNNING, State.IDLE)

    def as_json(self) -> dict[str, Any]:
        """For machines; a wait that nobody knows is null, since JSON has no infinity."""
        known = {name: getattr(self, name) for name in self.__slots__}
        seconds = None if self.lag_seconds == float("inf") else round(self.lag_seconds, 3)
        return known | {"state": str(self.state), "lag_seconds": seconds, "clauses": dict(self.clauses)}


def standings(seen: Collection[Seen], now_ms: int, limits: Limits) -> list[Standing]:
    """Judge every partition, in the order given; what other partitions do tells a blocked one from a stopped gate."""
    commits = [each.last.created_at for each in seen if each.last is not None]
    newest = max(commits, default=None)
    return [_standing(each, now_ms, newest, limits) for each in seen]


def _standing(seen: Seen, now_ms: int, newest: int | None, limits: Limits) -> Standing:
    state, reason = _state(seen, now_ms, newest, limits)
    basis = seen.last.basis if seen.last is not None else None
    clauses: Counter[str] = Counter()
    for manifest in seen.window:
        clauses.update(manifest.clause_counts)
    return Standing(
        product=seen.product,
        topic=seen.topic,
        partition=seen.partition,
        state=state,
        reason=reason,
        lag=seen.lag.records,
        lag_seconds=seen.lag.seconds(now_ms),
        rate=round(sum(len(each.delivered) for each in seen.window) / limits.window, 3),
        accepted=sum(each.public.count for each in seen.window),
        refused=sum(each.quarantine.count for each in seen.window),
        clauses=dict(sorted(clauses.items())),
        contract=basis.contract_version if basis is not None else seen.contract,
        build=basis.build if basis is not None else "",
        gate=seen.last.gate if seen.last is not None else "",
        committed_at=seen.last.created_at if seen.last is not None else None,
        keys_held=seen.last.keys_held if seen.last is not None else 0,
        records_parked=seen.last.records_parked if seen.last is not None else 0,
    )


def _state(seen: Seen, now_ms: int, newest: int | None, limits: Limits) -> tuple[State, str]:
    stop = seen.last.stop if seen.last is not None else None
    if seen.trouble:
        return State.BLOCKED, seen.trouble
    if stop is not None and not stop.resumed:
        return State.HALTED, _halted(seen, stop, now_ms)
    return _flowing(seen, now_ms, newest, limits)


def _flowing(seen: Seen, now_ms: int, newest: int | None, limits: Limits) -> tuple[State, str]:
    """The state of a partition that nothing stops on purpose."""
    if not seen.lag.records:
        return (State.RUNNING if seen.window else State.IDLE), ""
    waited = seen.lag.seconds(now_ms)
    if waited <= limits.late:
        return State.RUNNING, ""
    told = f"the oldest of {seen.lag.records:,} unread records has waited {_spoken(waited)}"
    quiet = (now_ms - seen.last.created_at) / 1000 if seen.last is not None else float("inf")
    if min(waited, quiet) <= limits.stalled:
        return State.LATE, told
    if newest is not None and _passed_over(seen, newest, limits):
        return State.BLOCKED, f"{told}, while other partitions go on; the log of the gate says why"
    return (
        State.STOPPED,
        f"{told}, and no gate has committed anything since; is one running?",
    )


def _halted(seen: Seen, stop: Stop, now_ms: int) -> str:
    since = _spoken(max(0.0, (now_ms - stop.since) / 1000))
    show = f"mesh quarantine list {seen.product} state=open"
    if stop.cause is StopCause.FULL:
        return f"{stop.reason}, for {since}; it goes on when some are settled: {show}"
    return (
        f"{stop.reason}, {since} ago; next: {show}, then mesh gate resume {seen.product} --partition {seen.partition}"
    )


def _passed_over(seen: Seen, newest: int, limits: Limits) -> bool:
    """Whether some gate committed something else when this partition had been waiting for it long enough."""
    own = seen.last.created_at if seen.last is not None else 0
    since = max(own, seen.lag.since if seen.lag.since is not None else own)
    return newest > since + limits.stalled * 1000


def _spoken(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds != float("inf") else "nobody knows how long: it cannot be read"
