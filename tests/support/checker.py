"""Decides by source coordinate whether the gate kept its promise: reads everything committed and believes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from mesh.contract import Contract
from mesh.kafka import Connection, LogReader, Message
from mesh.lineage import (
    VERDICT_HEADER,
    Disposition,
    Manifest,
    PartitionChain,
    RecordDigest,
    decode_manifest,
    decode_origins,
    digest_of,
    last_verdict,
)
from mesh.types import TopicPartition

_WHOLE = 1 << 60


@dataclass
class Tally:
    """What was found of one product."""

    read: int = 0
    accepted: int = 0
    quarantined: int = 0
    manifests: int = 0
    clauses: Counter[str] = field(default_factory=Counter)


def check(connection: Connection, contract: Contract) -> Tally:
    """Check every partition of a product that the gate has caught up with; AssertionError says what does not hold."""
    tally = Tally()
    with LogReader(connection) as reader:
        for number in range(contract.partitions):
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
    settled: dict[int, int] = {}
    claimed: Counter[str] = Counter()
    for manifest in manifests:
        for offset in manifest.delivered:
            assert offset not in settled, f"ingress {number}/{offset} was settled twice"
            settled[offset] = manifest.sequence
            claimed[_check_record(manifest, offset, ingress, public, quarantine)] += 1
        _check_manifest(manifest, ingress)
    where = f"{topics.public} partition {number}"
    assert settled.keys() == ingress.keys(), f"{where}: {settled.keys() ^ ingress.keys()} not accounted for"
    assert claimed["passed"] == len(public), f"{where}: {len(public)} public records, {claimed['passed']} accounted for"
    assert claimed["quarantined"] == len(quarantine), f"{where}: {len(quarantine)} quarantined, {claimed}"
    tally.read += len(ingress)
    tally.accepted += len(public)
    tally.quarantined += len(quarantine)
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
) -> str:
    outcome = manifest.ingress_to_outcome(offset)
    assert outcome.offset is not None
    if outcome.disposition is Disposition.PASSED:
        assert _content(public[outcome.offset]) == _content(ingress[offset]), f"{offset} was altered on its way"
    else:
        assert outcome.disposition is Disposition.QUARANTINED
        if offset not in manifest.stubs:
            held, headers = quarantine[outcome.offset], quarantine[outcome.offset].headers() or []
            assert headers[-1][0] == VERDICT_HEADER
            key, value, original, when = _content(ingress[offset])
            assert (held.key(), held.value(), headers[:-1], held.timestamp()[1]) == (key, value, original, when)
    return str(outcome.disposition)


def _content(record: Message) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]], int]:
    return record.key(), record.value(), record.headers() or [], record.timestamp()[1]


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
        chain, previous = PartitionChain.resume(manifest, payload), digest_of(payload)
        manifests.append(manifest)
    return manifests
