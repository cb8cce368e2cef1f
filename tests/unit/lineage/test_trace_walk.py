"""A trace leads every coordinate back to its origin, and says of every missing one why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from mesh.errors import LineageBroken, NotAuthorised, NotFound, UsageError
from mesh.judge.frame import frame
from mesh.kafka import TopicState
from mesh.lineage import (
    Basis,
    Disposition,
    Link,
    Place,
    Presence,
    Trace,
    VerdictHeader,
    encode_manifest,
    encode_verdict_header,
    trace,
)
from mesh.types import Coordinate, Finding, SchemaId, TopicPartition

if TYPE_CHECKING:
    from tests.unit.lineage.conftest import Simulate, Simulation, Step

T = "operations.flights.v1"
PASSED, REFUSED, PARKED, HOLE = (
    Disposition.PASSED,
    Disposition.QUARANTINED,
    Disposition.PARKED,
    Disposition.NOT_DELIVERED,
)
FINDING = Finding("dep_time.maximum", "dep_time", "over 2359")


@dataclass
class Stored:
    """One record of the kept logs."""

    where: Coordinate
    body: bytes | None
    extra: list[tuple[str, bytes | None]] | None = None

    def topic(self) -> str:
        return self.where.topic

    def partition(self) -> int:
        return self.where.partition

    def offset(self) -> int:
        return self.where.offset

    def key(self) -> bytes | None:
        return b"N12345"

    def value(self) -> bytes | None:
        return self.body

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return self.extra

    def timestamp(self) -> tuple[int, int]:
        return 2, 1_700_000_000_000


@dataclass
class KeptLogs:
    """Logs by topic, with what a cluster knows of them."""

    states: dict[str, TopicState] = field(default_factory=dict)
    records: dict[str, dict[int, Stored]] = field(default_factory=dict)
    begins: dict[str, int] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)

    def add(self, topic: str, offset: int, body: bytes | None, headers: list[tuple[str, bytes | None]] | None) -> None:
        where = Coordinate(topic, 0, offset)
        self.records.setdefault(topic, {})[offset] = Stored(where, body, headers)

    def expire(self, topic: str, before: int) -> None:
        self.begins[topic] = before
        self.records[topic] = {at: record for at, record in self.records[topic].items() if at >= before}

    def cluster_id(self) -> str:
        return "cluster"

    def topics(self, names: Iterable[str]) -> Mapping[str, TopicState]:
        return {name: self.states[name] for name in names if name in self.states}

    def bounds(self, partition: TopicPartition) -> tuple[int, int]:
        return self.begins.get(partition.topic, 0), self.ends[partition.topic]

    def read(self, partition: TopicPartition, start: int, end: int) -> Iterator[Stored]:
        if partition.topic in self.denied:
            raise NotAuthorised("auditor", f"read {partition}", "TOPIC_AUTHORIZATION_FAILED")
        kept = self.records.get(partition.topic, {})
        return (kept[at] for at in sorted(kept) if start <= at < end)

    def fetch(self, partition: TopicPartition, offset: int) -> Stored | None:
        return next(self.read(partition, offset, offset + 1), None)

    def trace(self, topic: str, offset: int, topic_id: UUID | None = None) -> Trace:
        return trace(Coordinate(topic, 0, offset, topic_id), self, self, self)


def kept(done: Simulation) -> KeptLogs:
    """The logs a gate would have left behind."""
    logs, ids = KeptLogs(), done.chain.topics
    for suffix, topic_id in (("", ids.public), (".ingress", ids.ingress), (".quarantine", ids.quarantine)):
        logs.states[T + suffix] = TopicState(T + suffix, topic_id, 1, 1)
    logs.states[f"{T}.lineage"] = TopicState(f"{T}.lineage", UUID(int=8), 1, 1)
    for (at, _), payload in zip(done.entries, done.payloads, strict=True):
        logs.add(f"{T}.lineage", at, payload, None)
    for offset, fate in done.fates.items():
        if fate is not HOLE:
            logs.add(f"{T}.ingress", offset, *record(offset))
    for offset, ingress in done.public.items():
        logs.add(T, offset, *record(ingress))
    for offset, ingress in done.quarantine.items():
        body, headers = record(ingress)
        logs.add(f"{T}.quarantine", offset, body, [*headers, ("mesh-verdict", verdict(ingress))])
    logs.ends = {
        T: done.ends["public"],
        f"{T}.ingress": done.chain.ingress_next,
        f"{T}.quarantine": done.ends["quarantine"],
        f"{T}.lineage": done.ends["lineage"],
    }
    return logs


def record(ingress: int) -> tuple[bytes, list[tuple[str, bytes | None]]]:
    return frame(SchemaId(3), b"body"), [("mesh-origin", b"flights.csv#%d" % ingress)]


def verdict(ingress: int) -> bytes:
    told = VerdictHeader(
        product="operations.flights",
        coordinate=Coordinate(f"{T}.ingress", 0, ingress),
        findings=(FINDING,),
        basis=Basis("urn:flights", "1.2.0", "ab" * 32, "0.1.0+test"),
        schema_id=SchemaId(3),
    )
    return encode_verdict_header(told)


@pytest.fixture
def steps(random_steps: Callable[[int], list[Step]]) -> list[Step]:
    return random_steps(5) + random_steps(6)


@pytest.fixture
def done(simulate: Simulate, steps: list[Step]) -> Simulation:
    return simulate(steps)


def test_every_coordinate_leads_to_its_origin(done: Simulation) -> None:
    logs = kept(done)
    for topic, truth, disposition in (
        (T, done.public, PASSED),
        (f"{T}.quarantine", done.quarantine, REFUSED),
    ):
        for offset, ingress in truth.items():
            found = logs.trace(topic, offset)
            assert found.fate.ingress.offset == ingress
            assert found.fate.disposition is disposition
            assert found.fate.settled == found.asked
            assert found.origin == f"flights.csv#{ingress}"
            assert found.schema.schema_id == 3
            assert found.schema.fingerprint == "fe" * 32
            assert found.fate.findings == ((FINDING,) if disposition is REFUSED else ())
            assert found.record.presence is Presence.READABLE
            assert not found.replaced


def test_every_ingress_coordinate_leads_to_its_first_fate(done: Simulation) -> None:
    logs = kept(done)
    for offset, fate in done.fates.items():
        found = logs.trace(f"{T}.ingress", offset)
        assert found.fate.disposition in (fate, PARKED), "a parked record may be released later"
        if found.fate.disposition is REFUSED:
            assert found.fate.findings == (FINDING,)
        if fate is HOLE:
            assert found.record.presence is Presence.MARKER
            assert found.origin is None


def test_lineage_outlives_the_records(done: Simulation) -> None:
    logs = kept(done)
    before = {topic: logs.trace(topic, offset) for topic, offset in ((T, max(done.public)), (f"{T}.ingress", 0))}
    for topic in (T, f"{T}.ingress", f"{T}.quarantine"):
        logs.expire(topic, logs.ends[topic])
    for topic, known in before.items():
        found = logs.trace(topic, known.asked.offset)
        assert found.record.presence is Presence.EXPIRED
        assert replace(found, record=known.record, fate=known.fate) == known
    for offset, ingress in done.public.items():
        assert logs.trace(T, offset).origin == f"flights.csv#{ingress}", "released records too"
    refused = logs.trace(f"{T}.quarantine", max(done.quarantine))
    assert refused.fate.findings is None
    assert refused.origin == f"flights.csv#{done.quarantine[max(done.quarantine)]}"


def test_a_missing_record_is_classified(done: Simulation) -> None:
    logs, offset, last = kept(done), min(done.public), max(done.public)
    for each in (offset, last):
        del logs.records[T][each]
        assert logs.trace(T, each).record.presence is Presence.LOST
    logs.states[T] = replace(logs.states[T], config={"cleanup.policy": "compact"})
    assert logs.trace(T, offset).record.presence is Presence.COMPACTED
    assert logs.trace(T, last).record.presence is Presence.LOST, "no later record of its key took its place"
    logs.expire(f"{T}.ingress", logs.ends[f"{T}.ingress"])
    assert logs.trace(T, last).record.presence is Presence.COMPACTED, "its key is not known any more"
    logs.denied.add(T)
    assert logs.trace(T, offset).record.presence is Presence.FORBIDDEN


@pytest.mark.parametrize("suffix", ["", ".quarantine", ".ingress"])
def test_beyond_the_end_is_pending(done: Simulation, suffix: str) -> None:
    logs = kept(done)
    with pytest.raises(NotFound, match="pending: nothing has been committed"):
        logs.trace(T + suffix, logs.ends[T + suffix])


def test_an_ingress_record_no_gate_has_read_is_pending(done: Simulation) -> None:
    logs = kept(done)
    logs.add(f"{T}.ingress", done.chain.ingress_next, b"waits", None)
    logs.ends[f"{T}.ingress"] += 5
    with pytest.raises(NotFound, match="marker: a transaction marker"):
        logs.trace(f"{T}.ingress", done.chain.ingress_next + 1)
    with pytest.raises(NotFound, match="pending: no gate has settled it"):
        logs.trace(f"{T}.ingress", done.chain.ingress_next)


def test_a_marker_is_a_marker_and_a_foreign_record_is_an_alarm(done: Simulation) -> None:
    logs = kept(done)
    marker = next(offset for offset in range(max(done.public)) if offset not in done.public)
    with pytest.raises(NotFound, match="marker: a transaction marker"):
        logs.trace(T, marker)
    logs.add(T, marker, b"foreign", None)
    with pytest.raises(LineageBroken, match="no manifest accounts for"):
        logs.trace(T, marker)


def test_expired_manifests_say_so(done: Simulation) -> None:
    logs, (at, oldest) = kept(done), done.entries[len(done.entries) // 2]
    logs.expire(f"{T}.lineage", at)
    if oldest.ingress_to > oldest.ingress_from:
        assert logs.trace(f"{T}.ingress", oldest.ingress_from).manifest.link is Link.UNVERIFIABLE
    with pytest.raises(NotFound, match="expired: the manifests before"):
        logs.trace(T, min(done.public))


def test_the_chain_is_verified_on_the_way(done: Simulation) -> None:
    logs = kept(done)
    links = {logs.trace(T, offset).manifest.link for offset in done.public}
    assert Link.INTACT in links
    index = next(n for n, (_, m) in enumerate(done.entries) if n and m.public.count)
    at, manifest = done.entries[index - 1]
    forged = encode_manifest(replace(manifest, created_at=manifest.created_at + 1), SchemaId(7))
    logs.add(f"{T}.lineage", at, forged, None)
    with pytest.raises(LineageBroken, match="not the one it was chained to"):
        logs.trace(T, done.entries[index][1].public.base)
    del logs.records[f"{T}.lineage"][at]
    if index == 1:
        with pytest.raises(LineageBroken, match="though nothing has expired"):
            logs.trace(T, done.entries[index][1].public.base)


def test_a_damaged_manifest_is_named_by_its_coordinate(done: Simulation) -> None:
    logs, (at, _) = kept(done), done.entries[0]
    logs.add(f"{T}.lineage", at, b"\x00\x00\x00\x00\x07\x02garbage", None)
    with pytest.raises(LineageBroken, match=rf"{T}.lineage/0/{at} .*damaged"):
        logs.trace(T, 0)


def test_a_recreated_topic_does_not_answer_for_the_old_one(done: Simulation) -> None:
    logs, offset, old = kept(done), max(done.public), done.chain.topics.public
    logs.states[T] = replace(logs.states[T], topic_id=UUID(int=99))
    with pytest.raises(LineageBroken, match="re-created"):
        logs.trace(T, offset)
    found = logs.trace(T, offset, old)
    assert found.record.presence is Presence.REPLACED
    assert found.fate.ingress.offset == done.public[offset]
    assert found.replaced == (T,)
    del logs.states[T]
    assert logs.trace(T, offset, old).record.presence is Presence.REPLACED


def test_what_cannot_be_traced_is_refused(done: Simulation) -> None:
    logs = kept(done)
    with pytest.raises(UsageError, match="holds no records"):
        logs.trace(f"{T}.lineage", 0)
    with pytest.raises(UsageError, match="another"):
        trace(Coordinate(T, 0, 0, cluster_id="another"), logs, logs)
    with pytest.raises(NotFound, match="partition"):
        trace(Coordinate(T, 1, 0), logs, logs)
    logs.cluster_id = lambda: "copied"  # type: ignore[method-assign]
    with pytest.raises(LineageBroken, match="another cluster"):
        logs.trace(T, max(done.public))
    del logs.states[f"{T}.lineage"]
    with pytest.raises(NotFound, match="may you read its lineage"):
        logs.trace(T, 0)


def test_json_holds_no_content(done: Simulation) -> None:
    told = kept(done).trace(f"{T}.quarantine", min(done.quarantine)).as_json()
    assert told["place"] == Place.QUARANTINE
    assert told["disposition"] == "quarantined"
    assert told["findings"] == [
        {"clause": "dep_time.maximum", "path": "dep_time", "reason": "over 2359", "reaction": "quarantine"}
    ]
    assert "N12345" not in str(told)
    assert "body" not in str(told)
