"""Decides by source coordinate whether the gate kept its promise: reads everything committed and believes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from mesh.contract import Contract
from mesh.kafka import Admin, Connection, LogReader, Message
from mesh.lineage import (
    PARENTS_HEADER,
    VERDICT_HEADER,
    Descent,
    Disposition,
    HighWater,
    Manifest,
    PartitionChain,
    RecordDigest,
    Result,
    decode_descents,
    decode_manifest,
    decode_origins,
    digest_of,
    head_of,
    last_verdict,
)
from mesh.types import ProductTopics, Reaction, TopicPartition

_WHOLE = 1 << 60
_WAITING = (Disposition.QUARANTINED, Disposition.PARKED)
_ENDS = (*_WAITING, Disposition.PASSED, Disposition.REPEATED)

Log = Mapping[int, Message]


@dataclass
class Tally:
    """Where the records of one product ended; ``settlements`` counts what commands came to."""

    read: int = 0
    accepted: int = 0
    quarantined: int = 0
    parked: int = 0
    repeated: int = 0
    settlements: Counter[str] = field(default_factory=Counter)
    manifests: int = 0
    clauses: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Evidence:
    """Everything committed of one partition of a product, by offset.

    ``ingress`` has one log for each incarnation of the topic, by its Kafka id: offsets of one mean nothing in another.
    """

    topics: ProductTopics
    number: int
    ingress: Mapping[UUID, Log]
    public: Log
    quarantine: Log
    lineage: Log

    def at(self, topic: str, offset: int) -> str:
        """How an offset is named in what the checker says."""
        return f"{topic}/{self.number}/{offset}"


def check(
    connection: Connection,
    contract: Contract,
    partitions: Iterable[int] | None = None,
    former: Mapping[int, Evidence] | None = None,
) -> Tally:
    """Check every partition of a product that the gate has caught up with; AssertionError says what does not hold.

    ``former`` is what was gathered, by partition, before the ingress topic was deleted and made again.
    """
    tally = Tally()
    for number, evidence in gather(connection, contract, partitions).items():
        judge(evidence if former is None else _joined(former[number], evidence), tally)
    return tally


def gather(connection: Connection, contract: Contract, partitions: Iterable[int] | None = None) -> dict[int, Evidence]:
    """Read what there is, by partition."""
    topics = contract.topics
    with Admin(connection) as admin, LogReader(connection) as reader:
        incarnation = admin.topics([topics.ingress])[topics.ingress].topic_id
        return {
            number: Evidence(
                topics,
                number,
                {incarnation: _records(reader, topics.ingress, number)},
                _records(reader, topics.public, number),
                _records(reader, topics.quarantine, number),
                _records(reader, topics.lineage, number),
            )
            for number in (range(contract.partitions) if partitions is None else partitions)
        }


def _records(reader: LogReader, topic: str, partition: int) -> dict[int, Message]:
    return {record.offset(): record for record in reader.read(TopicPartition(topic, partition), 0, _WHOLE)}


def _joined(former: Evidence, now: Evidence) -> Evidence:
    ingress = {**former.ingress, **now.ingress}
    return Evidence(now.topics, now.number, ingress, now.public, now.quarantine, now.lineage)


def judge(evidence: Evidence, tally: Tally) -> None:
    """Hold the outputs against the ingress by what the manifests say; counts into ``tally``."""
    judgement = _Judgement(evidence)
    for manifest in _chained(evidence):
        judgement.hear(manifest)
        tally.settlements.update(str(each.result) for each in manifest.settlements)
        tally.manifests += 1
    judgement.conclude()
    ends = Counter(judgement.settled.values())
    tally.read += len(judgement.settled)
    tally.accepted += ends[Disposition.PASSED]
    tally.quarantined += ends[Disposition.QUARANTINED]
    tally.parked += ends[Disposition.PARKED]
    tally.repeated += ends[Disposition.REPEATED]
    for offset, record in evidence.quarantine.items():
        verdict = last_verdict(record.headers() or ())
        assert verdict is not None, f"{evidence.at(evidence.topics.quarantine, offset)} has no verdict"
        tally.clauses.update({finding.clause for finding in verdict.findings})


class _Judgement:
    """What the manifests of one partition have claimed so far."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence, self.topics = evidence, evidence.topics
        self.settled: dict[tuple[UUID, int], Disposition] = {}
        self.slots: set[tuple[UUID, bytes]] = set()
        self.claimed: dict[str, set[int]] = {self.topics.public: set(), self.topics.quarantine: set()}

    def hear(self, manifest: Manifest) -> None:
        """The next manifest: whom it settles, and with what."""
        incarnation = manifest.topics.ingress
        assert incarnation in self.evidence.ingress, f"{self.topics.ingress} {incarnation} is not the topic there is"
        for offset in manifest.released:
            # Written before the records read in the same transaction, and at most once to the public topic.
            waited = self.settled.get((incarnation, offset))
            assert waited in _WAITING, f"{self._source(offset)} was released, but it had been {waited}"
            self.settled[incarnation, offset] = self._settle(manifest, offset)
        for offset in manifest.delivered:
            assert (incarnation, offset) not in self.settled, f"{self._source(offset)} was settled twice"
            self.settled[incarnation, offset] = self._settle(manifest, offset)
        self._check_digest(manifest)
        self._check_settlements(manifest)
        self._check_descents(manifest)

    def _source(self, offset: int) -> str:
        return self.evidence.at(self.topics.ingress, offset)

    def _settle(self, manifest: Manifest, offset: int) -> Disposition:
        source = self.evidence.ingress[manifest.topics.ingress].get(offset)
        assert source is not None, f"{self._source(offset)} was settled, but it is not there"
        outcome = manifest.ingress_to_outcome(offset)
        if outcome.offset is None:
            return outcome.disposition
        settlement = manifest.settlement(offset)
        patched = settlement is not None and bool(settlement.patch)
        if outcome.disposition is Disposition.PASSED:
            copy, where = self._claim(self.topics.public, self.evidence.public, outcome.offset, offset)
            key, value, headers, when = _content(copy, patched)
            written = (key, value, _unmarked(headers, offset), when)
            assert written == _content(source, patched), f"{where} was altered on its way"
        else:
            assert outcome.disposition is Disposition.QUARANTINED
            copy, where = self._claim(self.topics.quarantine, self.evidence.quarantine, outcome.offset, offset)
            if offset not in manifest.stubs:
                _check_quarantined(copy, source, where, patched=patched)
        return outcome.disposition

    def _claim(self, topic: str, log: Log, offset: int, source: int) -> tuple[Message, str]:
        where = f"{self.evidence.at(topic, offset)}, from {self._source(source)},"
        assert offset not in self.claimed[topic], f"{where} was claimed before"
        self.claimed[topic].add(offset)
        assert offset in log, f"{where} is not there"
        return log[offset], where

    def _check_settlements(self, manifest: Manifest) -> None:
        """What commands moved is what the settlements say, each about the quarantined copy of its own record."""
        moved = [each for each in manifest.settlements if each.result in (Result.PASSED, Result.REFUSED)]
        assert {each.ingress for each in moved} <= set(manifest.released)
        for each in manifest.settlements:
            if each.quarantined >= 0:
                verdict = last_verdict(self.evidence.quarantine[each.quarantined].headers() or ())
                assert verdict is not None
                assert verdict.coordinate.offset == each.ingress

    def _check_descents(self, manifest: Manifest) -> None:
        """Of a derived product: the column says what the records' headers say, and no output passes twice."""
        head = head_of(manifest)
        if not head.processor:
            return
        told = decode_descents(manifest.parents).descents
        assert len(told) == manifest.public.count
        for at, descent in zip(range(manifest.public.base, manifest.public.end), told, strict=True):
            where = self.evidence.at(self.topics.public, at)
            header = dict(self.evidence.public[at].headers() or [])[PARENTS_HEADER]
            assert header == descent.encode(), f"{where}: the manifest tells of other parents"
            slot = descent.identity(head.processor, self.topics.public).slot
            assert (manifest.topics.public, slot) not in self.slots, f"{where}: the same output passed before"
            self.slots.add((manifest.topics.public, slot))
            mark = max((each.offset, each.output_index) for each in manifest.high_water if _moved(each, descent))
            assert mark >= (descent.driving.offset, descent.index), f"{where} is above its high-water mark"

    def _check_digest(self, manifest: Manifest) -> None:
        ingress, digest = self.evidence.ingress[manifest.topics.ingress], RecordDigest()
        for offset in manifest.delivered - manifest.stubs:
            record = ingress[offset]
            digest.add(record.key(), record.value(), record.headers() or [])
        read = f"{self._source(manifest.ingress_from)} to {manifest.ingress_to}"
        assert digest.digest() == manifest.sha256_in, f"{read}: the digest over the bytes read does not hold"
        origins = decode_origins(manifest.origins)
        for at, offset in enumerate(manifest.delivered):
            if origins and offset not in manifest.stubs:
                told = dict(ingress[offset].headers() or []).get("mesh-origin")
                assert origins[at] == told, f"{self._source(offset)}: its origin is another"

    def conclude(self) -> None:
        """Nothing is left over, on either side."""
        for incarnation, log in self.evidence.ingress.items():
            unread = [self._source(offset) for offset in log if (incarnation, offset) not in self.settled]
            assert not unread, f"{', '.join(unread[:5])}: {len(unread)} records were read by nobody"
        for topic, log in (
            (self.topics.public, self.evidence.public),
            (self.topics.quarantine, self.evidence.quarantine),
        ):
            odd = [self.evidence.at(topic, offset) for offset in sorted(log.keys() - self.claimed[topic])]
            assert not odd, f"{', '.join(odd[:5])}: {len(odd)} records come from nowhere"
        assert all(end in _ENDS for end in self.settled.values()), f"an unknown end: {Counter(self.settled.values())}"


def _moved(mark: HighWater, descent: Descent) -> bool:
    return (mark.topic_id, mark.partition) == (descent.driving.topic_id, descent.driving.partition)


def _check_quarantined(held: Message, source: Message, where: str, *, patched: bool) -> None:
    """The original bytes and the verdict as the last header."""
    headers = held.headers() or []
    assert headers, f"{where} has no verdict"
    assert headers[-1][0] == VERDICT_HEADER, f"{where} has no verdict as its last header"
    key, value, original, when = _content(source, patched)
    same = (held.key(), headers[:-1], held.timestamp()[1]) == (key, original, when)
    assert same, f"{where} was altered on its way"
    assert patched or held.value() == value, f"{where} was altered on its way"


def _unmarked(headers: list[tuple[str, bytes | None]], ingress: int) -> list[tuple[str, bytes | None]]:
    """The publisher's own headers; a mark is taken off only if it is one, of this record."""
    if not headers or headers[-1][0] != VERDICT_HEADER:
        return headers
    mark = last_verdict(headers)
    marks = mark is not None and {finding.reaction for finding in mark.findings} == {Reaction.MARK}
    return headers[:-1] if marks and mark is not None and mark.coordinate.offset == ingress else headers


def _content(record: Message, patched: bool) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]], int]:
    """All that an output shares with its ingress record: everything, but for the value of one that was corrected."""
    return record.key(), None if patched else record.value(), record.headers() or [], record.timestamp()[1]


def _chained(evidence: Evidence) -> list[Manifest]:
    """The manifests of a partition, each continuing the one before it."""
    manifests: list[Manifest] = []
    chain: PartitionChain | None = None
    previous = b""
    for offset, record in evidence.lineage.items():
        where, payload = evidence.at(evidence.topics.lineage, offset), record.value() or b""
        manifest = decode_manifest(payload)
        assert manifest.previous == previous, f"{where} does not continue the chain"
        if chain is not None and manifest.epoch == chain.epoch:
            _check_tiling(chain, manifest, where)
        chain, previous = PartitionChain.resume(manifest, payload, offset), digest_of(payload)
        manifests.append(manifest)
    return manifests


def _check_tiling(chain: PartitionChain, manifest: Manifest, where: str) -> None:
    """Within an epoch each manifest begins where the one before it ended; markers may lie between public spans."""
    begins = (manifest.sequence, manifest.ingress_from)
    assert begins == (chain.sequence, chain.ingress_next), f"{where}: the manifests do not tile the ingress"
    assert manifest.public.base >= chain.public_next, f"{where}: the manifests overlap on the public topic"
    assert manifest.settled_before == chain.settled_last, f"{where}: the chain of settlements is broken"
    assert manifest.commands_next >= chain.commands_next, f"{where}: the commands went back"
