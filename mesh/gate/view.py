"""Looking at the gate from outside: everything is read from Kafka, so it works wherever the gate runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Set
from dataclasses import dataclass, field

from mesh.access.platform import GATE
from mesh.contract import Contract
from mesh.errors import LineageBroken, PermanentError
from mesh.gate.lag import Lag, LagMeter
from mesh.gate.measure import Breach, breaches, promises
from mesh.gate.recovery import NO_LEADER
from mesh.gate.rows import RowMeter
from mesh.gate.sets import Measured, SetBreach
from mesh.gate.sets import broken as rules_broken
from mesh.gate.standing import Limits, Seen, Standing, standings
from mesh.kafka import Acl, Admin, LogReader, TopicState
from mesh.lineage import LineageLog, Manifest, Place, decode_manifest
from mesh.types import Clock, TopicPartition

_END = 1 << 62
_MOST_MARKERS = 4
_EXPIRED = "unread records have expired; the partition stands still rather than hide the loss"


@dataclass(frozen=True, slots=True)
class Look:
    """How every partition stands, and which promises of the contracts are broken."""

    partitions: list[Standing]
    breaches: list[Breach | SetBreach]
    measured: list[Measured] = field(default_factory=list)
    """The rules over many records, where they were asked for."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """The public topics that could not be read for that, and why."""

    @property
    def healthy(self) -> bool:
        """Whether every partition runs or is idle, and every promise and rule is kept as far as anybody knows."""
        return not self.breaches and all(each.healthy for each in self.partitions)


class GateView:
    """What committed manifests and ends of topics say of the gate. Not for use by two threads at once.

    The committed position of an ingress partition is the end of its last manifest: both are written in one
    transaction, and reading the manifest never waits for one that is open.
    """

    def __init__(self, admin: Admin, reader: LogReader, clock: Clock, rows: RowMeter | None = None) -> None:
        self._admin, self._reader, self._clock = admin, reader, clock
        self._meter, self._rows = LagMeter(admin, reader), rows
        self._erased: dict[tuple[TopicPartition, int], int | None] = {}

    def look(self, contracts: Collection[Contract], limits: Limits | None = None) -> Look:
        """Every partition of the products, sorted by topic; raises what Admin and LogReader do."""
        within = limits or Limits()
        ordered = sorted(contracts, key=lambda contract: contract.topics.public)
        states = self._admin.topics(name for contract in ordered for name in _names(contract))
        since = int((self._clock.now() - within.window) * 1000)
        troubles, denied = self._troubles(ordered, states), self._denied(ordered)
        served = [contract for contract in ordered if contract.topics.public not in troubles]
        found = self._found(served, states, since, denied)
        seen = [each for contract in ordered for each in _seen(contract, states, found, troubles)]
        now_ms = int(self._clock.now() * 1000)
        judged = standings(seen, now_ms, within)
        broken: list[Breach | SetBreach] = []
        for contract in served:
            own = [at for at, each in enumerate(seen) if each.topic == contract.topics.public]
            broken += breaches(contract, [seen[at] for at in own], [judged[at] for at in own], now_ms)
        measured, unread = self._rows.measure(served, now_ms) if self._rows is not None else ([], {})
        return Look(judged, [*broken, *rules_broken(measured)], measured, unread)

    def _found(
        self,
        contracts: Collection[Contract],
        states: Mapping[str, TopicState],
        since: int,
        denied: Mapping[str, str],
    ) -> Mapping[TopicPartition, Seen]:
        """The facts of every ingress partition that can be served."""
        places = {place: contract for contract in contracts for place in _ingress(contract, states)}
        beginnings = self._admin.beginnings(places)
        tails = {place: self._tail(contract, place.partition, since) for place, contract in places.items()}
        positions = {
            place: _position(tail.manifests, states[place.topic], beginnings[place])
            for place, tail in tails.items()
            if not tail.trouble
        }
        lags = self._meter.measure(positions)
        erased = self._erasures(places, {place for place, tail in tails.items() if not tail.trouble})
        return {
            place: Seen(
                str(contract.product),
                contract.topics.public,
                place.partition,
                contract.version,
                lags.get(place, Lag()),
                tail.manifests[-1] if tail.manifests else None,
                tuple(each for each in tail.manifests if each.created_at >= since),
                tail.trouble
                or (_EXPIRED if positions[place] < beginnings[place] else denied.get(contract.topics.public, "")),
                erased.get(place),
            )
            for (place, contract), tail in zip(places.items(), tails.values(), strict=True)
        }

    def _tail(self, contract: Contract, number: int, since: int) -> _Tail:
        """The manifests since a time, else the newest alone; what cannot be read is one product's trouble."""
        place = TopicPartition(contract.topics.lineage, number)
        try:
            start = self._reader.offset_at(place, since)
            payloads = (message.value() for message in self._reader.read(place, start, _END))
            manifests = [decode_manifest(payload) for payload in payloads if payload is not None]
            last = LineageLog(self._reader, place).index.last() if not manifests else None
        except LineageBroken as error:
            return _Tail([], f"how it stands cannot be told: {error}")
        return _Tail(manifests or ([last[1]] if last is not None else []))

    def _erasures(
        self, places: Mapping[TopicPartition, Contract], readable: Collection[TopicPartition]
    ) -> dict[TopicPartition, int | None]:
        """When the youngest record that a public topic no longer holds was committed, where a retention is promised."""
        asked = {
            TopicPartition(contract.topics.public, place.partition): place
            for place, contract in places.items()
            if place in readable and any(promise.clause == "retention" for promise in promises(contract))
        }
        beginnings = self._admin.beginnings(asked)
        return {place: self._erasure(places[place], public, beginnings[public]) for public, place in asked.items()}

    def _erasure(self, contract: Contract, public: TopicPartition, begin: int) -> int | None:
        if begin > 0 and (public, begin) not in self._erased:
            index = LineageLog(self._reader, TopicPartition(contract.topics.lineage, public.partition)).index
            # The markers of transactions lie between the records, and no manifest counts them.
            last = range(begin - 1, max(-1, begin - 1 - _MOST_MARKERS), -1)
            hits = (index.find(Place.PUBLIC, offset) for offset in last)
            hit = next((hit for hit in hits if hit is not None), None)
            self._erased[public, begin] = hit[1].created_at if hit is not None else None
        return self._erased.get((public, begin))

    def _troubles(self, contracts: Collection[Contract], states: Mapping[str, TopicState]) -> Mapping[str, str]:
        """The public topics of the products of which nothing can be read or written, and why."""
        dark: dict[str, list[TopicPartition]] = {}
        for place in self._admin.leaderless(states):
            dark.setdefault(place.topic, []).append(place)
        told: dict[str, str] = {}
        for contract in contracts:
            names, public = _names(contract), contract.topics.public
            if gone := [name for name in names if name not in states]:
                told[public] = f"there is no topic {', '.join(gone)}; apply the contract again (mesh apply)"
            elif away := [str(place) for name in names for place in dark.get(name, ())]:
                told[public] = f"nobody leads {', '.join(away)}: {NO_LEADER}"
        return told

    def _denied(self, contracts: Collection[Contract]) -> Mapping[str, str]:
        """The public topics of the products whose topics the gate may not use as it has to, and which those are.

        Only the platform may look at permissions; to others such a product is blocked without a reason, once it waits.
        """
        try:
            granted = self._admin.acls(GATE)
        except PermanentError:
            return {}
        if not granted:
            return {}
        missing = {contract.topics.public: _missing(contract, granted) for contract in contracts}
        told = "the gate may not {}; apply the contract again (mesh apply)"
        return {public: told.format(", ".join(found)) for public, found in missing.items() if found}


def _missing(contract: Contract, granted: Set[Acl]) -> list[str]:
    """What no record can pass without."""
    topics = contract.topics
    writes = topics.public, topics.quarantine, topics.lineage
    needed = [Acl(GATE, "Read", "Topic", topics.ingress), *(Acl(GATE, "Write", "Topic", topic) for topic in writes)]
    return [f"{acl.operation.lower()} {acl.name}" for acl in needed if acl not in granted]


@dataclass(frozen=True, slots=True)
class _Tail:
    """The end of a lineage partition, or why it cannot be read."""

    manifests: list[Manifest]
    trouble: str = ""


def _position(tail: list[Manifest], ingress: TopicState, beginning: int) -> int:
    """The next offset the gate reads; a re-created ingress is read from its beginning."""
    if not tail or tail[-1].topics.ingress != ingress.topic_id:
        return beginning
    return tail[-1].ingress_to


def _names(contract: Contract) -> tuple[str, ...]:
    topics = contract.topics
    return topics.ingress, topics.public, topics.quarantine, topics.lineage


def _seen(
    contract: Contract,
    states: Mapping[str, TopicState],
    found: Mapping[TopicPartition, Seen],
    troubles: Mapping[str, str],
) -> Iterator[Seen]:
    trouble = troubles.get(contract.topics.public, "")
    if not trouble:
        yield from (found[place] for place in _ingress(contract, states))
        return
    for number in range(contract.partitions):
        yield Seen(str(contract.product), contract.topics.public, number, contract.version, trouble=trouble)


def _ingress(contract: Contract, states: Mapping[str, TopicState]) -> list[TopicPartition]:
    topic = contract.topics.ingress
    return [TopicPartition(topic, number) for number in range(states[topic].partitions)]
