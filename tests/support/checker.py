"""Decides by source coordinate whether the gate kept its promise: reads everything committed and believes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mesh.contract import Contract
from mesh.kafka import Connection, LogReader, Message
from mesh.lineage import (
    VERDICT_HEADER,
    Disposition,
    Manifest,
    PartitionChain,
    RecordDigest,
    Result,
    decode_manifest,
    decode_origins,
    digest_of,
    last_verdict,
)
from mesh.types import TopicPartition

_WHOLE = 1 << 60
_WAITING = (Disposition.QUARANTINED, Disposition.PARKED)
_ENDS = (*_WAITING, Disposition.PASSED, Disposition.REPEATED)


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


def check(connection: Connection, contract: Contract, partitions: Iterable[int] | None = None) -> Tally:
    """Check every partition of a product that the gate has caught up with; AssertionError says what does not hold."""
    tally = Tally()
    with LogReader(connection) as reader:
        for number in range(contract.partitions) if partitions is None else partitions:
            _check_partition(reader, contract, number, tally)
    return tally


def _records(reader: LogReader, topic: str, partition: int) -> dict[int, Message]:
    return {record.offset(): record for record in reader.read(TopicPartition(topic, partition), 0, _WHOLE)}


def _check_partition(reader: LogReader, contract: Contract, number: int, tally: Tally) -> None:
    topics = contract.topics
    ingress = _records(reader, topics.ingress, number)
    public = _records(reader, topics.public, number)
    quarantine = _records(reader, topics.quarantine, number)
    manifests = _chained(reader, topics.lineage, number)
    settled: dict[int, Disposition] = {}
    claimed: Counter[str] = Counter()
    for manifest in manifests:
        for offset in manifest.released:
            # Written before the records read in the same transaction, and at most once to the public topic.
            waited = settled.get(offset)
            assert waited in _WAITING, f"ingress {number}/{offset} was released, but it had been {waited}"
            settled[offset] = _check_record(manifest, offset, ingress, public, quarantine)
            claimed[settled[offset]] += 1
        for offset in manifest.delivered:
            assert offset not in settled, f"ingress {number}/{offset} was settled twice"
            settled[offset] = _check_record(manifest, offset, ingress, public, quarantine)
            claimed[settled[offset]] += 1
        _check_manifest(manifest, ingress)
        _check_settlements(manifest, quarantine)
        tally.settlements.update(str(each.result) for each in manifest.settlements)
    where = f"{topics.public} partition {number}"
    assert settled.keys() == ingress.keys(), f"{where}: {settled.keys() ^ ingress.keys()} not accounted for"
    ends = Counter(settled.values())
    assert len(ingress) == sum(ends[each] for each in _ENDS), f"{where}: {len(ingress)} were read, {ends}"
    assert claimed["passed"] == len(public), f"{where}: {len(public)} public records, {claimed['passed']} accounted for"
    assert claimed["quarantined"] == len(quarantine), f"{where}: {len(quarantine)} quarantined, {claimed}"
    tally.read += len(ingress)
    tally.accepted += ends[Disposition.PASSED]
    tally.quarantined += ends[Disposition.QUARANTINED]
    tally.parked += ends[Disposition.PARKED]
    tally.repeated += ends[Disposition.REPEATED]
    tally.manifests += len(manifests)
    for record in quarantine.values():
        verdict = last_verdict(record.headers() or ())
        assert verdict is not None, f"{where}: {record.offset()} has no verdict"
        tally.clauses.update({finding.clause for finding in verdict.findings})


def _check_record(
    manifest: Manifest,
    offset: int,
    ingress: Mapping[int, Message],
    public: Mapping[int, Message],
    quarantine: Mapping[int, Message],
) -> Disposition:
    outcome = manifest.ingress_to_outcome(offset)
    if outcome.offset is None:
        return outcome.disposition
    settlement = manifest.settlement(offset)
    patched = settlement is not None and bool(settlement.patch)
    if outcome.disposition is Disposition.PASSED:
        same = _content(public[outcome.offset], patched) == _content(ingress[offset], patched)
        assert same, f"{offset} was altered on its way"
    else:
        assert outcome.disposition is Disposition.QUARANTINED
        if offset not in manifest.stubs:
            held, headers = quarantine[outcome.offset], quarantine[outcome.offset].headers() or []
            assert headers[-1][0] == VERDICT_HEADER
            key, value, original, when = _content(ingress[offset], patched)
            assert (held.key(), headers[:-1], held.timestamp()[1]) == (key, original, when)
            assert patched or held.value() == value
    return outcome.disposition


def _content(record: Message, patched: bool) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]], int]:
    """All that an output shares with its ingress record: everything, but for the value of one that was corrected."""
    return record.key(), None if patched else record.value(), record.headers() or [], record.timestamp()[1]


def _check_settlements(manifest: Manifest, quarantine: Mapping[int, Message]) -> None:
    """What was moved by commands is what the settlements say, each about the quarantined copy of its own record."""
    moved = [each for each in manifest.settlements if each.result in (Result.PASSED, Result.REFUSED)]
    assert {each.ingress for each in moved} <= set(manifest.released)
    for each in manifest.settlements:
        if each.quarantined >= 0:
            verdict = last_verdict(quarantine[each.quarantined].headers() or ())
            assert verdict is not None
            assert verdict.coordinate.offset == each.ingress


def _check_manifest(manifest: Manifest, ingress: Mapping[int, Message]) -> None:
    digest = RecordDigest()
    for offset in manifest.delivered - manifest.stubs:
        record = ingress[offset]
        digest.add(record.key(), record.value(), record.headers() or [])
    assert digest.digest() == manifest.sha256_in, "the digest over the bytes read does not hold"
    origins = decode_origins(manifest.origins)
    for at, offset in enumerate(manifest.delivered):
        if origins and offset not in manifest.stubs:
            assert origins[at] == dict(ingress[offset].headers() or []).get("mesh-origin")


def _chained(reader: LogReader, topic: str, number: int) -> list[Manifest]:
    """The manifests of a partition, each continuing the one before it."""
    manifests: list[Manifest] = []
    chain: PartitionChain | None = None
    previous = b""
    for record in reader.read(TopicPartition(topic, number), 0, _WHOLE):
        payload = record.value() or b""
        manifest = decode_manifest(payload)
        assert manifest.previous == previous, f"{topic}/{number}/{record.offset()} does not continue the chain"
        if chain is not None and manifest.epoch == chain.epoch:
            assert (manifest.sequence, manifest.ingress_from) == (chain.sequence, chain.ingress_next)
            assert manifest.public.base >= chain.public_next
            assert (manifest.settled_before, manifest.commands_next >= chain.commands_next) == (
                chain.settled_last,
                True,
            )
        chain, previous = PartitionChain.resume(manifest, payload, record.offset()), digest_of(payload)
        manifests.append(manifest)
    return manifests
