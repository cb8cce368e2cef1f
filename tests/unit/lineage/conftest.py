"""A small gate that writes manifests and keeps the truth beside them, for every test of lineage."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from mesh.lineage import (
    Basis,
    Disposition,
    Manifest,
    OffsetSet,
    PartitionChain,
    PartitionTransaction,
    SchemaSeen,
    Span,
    TopicIds,
    encode_manifest,
)
from mesh.types import SchemaId

FATES = (
    Disposition.PASSED,
    Disposition.QUARANTINED,
    Disposition.REPEATED,
    Disposition.PARKED,
    Disposition.NOT_DELIVERED,
)
TOPICS = TopicIds(UUID(int=1), UUID(int=2), UUID(int=3))
BASIS = Basis("urn:flights", "1.2.0", "ab" * 32, "0.1.0+test")


@dataclass
class Step:
    """One transaction: the fate of each next ingress offset, how many are released, how many offsets were aborted."""

    fates: Sequence[Disposition]
    release: int = 0
    aborted: int = 0


@dataclass
class Simulation:
    """Manifests with their lineage offsets, and what really happened."""

    chain: PartitionChain
    entries: list[tuple[int, Manifest]] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    public: dict[int, int] = field(default_factory=dict)
    """Public offset to ingress offset."""
    quarantine: dict[int, int] = field(default_factory=dict)
    fates: dict[int, Disposition] = field(default_factory=dict)
    """Ingress offset to its latest fate."""
    parked: list[int] = field(default_factory=list)
    ends: dict[str, int] = field(default_factory=lambda: {"public": 0, "quarantine": 0, "lineage": 0})

    def run(self, step: Step) -> None:
        begin = self.chain.ingress_next
        fates = {begin + at: fate for at, fate in enumerate(step.fates)}
        released, self.parked = self.parked[: step.release], self.parked[step.release :]
        chosen = {fate: [o for o, f in fates.items() if f is fate] for fate in FATES}
        delivered = [offset for offset, fate in fates.items() if fate is not Disposition.NOT_DELIVERED]
        passed = released + chosen[Disposition.PASSED]
        transaction = PartitionTransaction(
            ingress_to=begin + len(fates),
            delivered=OffsetSet.of(delivered),
            refused=OffsetSet.of(chosen[Disposition.QUARANTINED]),
            repeated=OffsetSet.of(chosen[Disposition.REPEATED]),
            parked=OffsetSet.of(chosen[Disposition.PARKED]),
            released=OffsetSet.of(released),
            public=self._write("public", self.public, passed, step.aborted),
            quarantine=self._write("quarantine", self.quarantine, chosen[Disposition.QUARANTINED], step.aborted),
            schemas=(SchemaSeen(SchemaId(3), "fe" * 32),),
            origins=[b"flights.csv#%d" % offset for offset in delivered],
            basis=BASIS,
            gate="_mesh.gate.test.0",
            created_at=1,
        )
        self.fates |= fates | dict.fromkeys(released, Disposition.PASSED)
        self.parked += chosen[Disposition.PARKED]
        self.commit(self.chain.extend(transaction), step.aborted)

    def commit(self, manifest: Manifest, aborted: int = 0) -> None:
        payload = encode_manifest(manifest, SchemaId(7))
        self.entries.append((self.ends["lineage"] + aborted, manifest))
        self.payloads.append(payload)
        self.ends["lineage"] += aborted + 2
        self.chain = PartitionChain.resume(manifest, payload, self.entries[-1][0])

    def _write(self, topic: str, truth: dict[int, int], offsets: Sequence[int], aborted: int) -> Span | None:
        self.ends[topic] += aborted
        if not offsets:
            return None
        span = Span(self.ends[topic], len(offsets))
        truth.update(zip(range(span.base, span.end), offsets, strict=True))
        self.ends[topic] = span.end + 1
        return span

    def read(self, start: int, end: int) -> list[tuple[int, Manifest]]:
        return [(at, manifest) for at, manifest in self.entries if start <= at < end]


Simulate = Callable[[Sequence[Step]], Simulation]


@pytest.fixture(scope="session")
def simulate() -> Simulate:
    """Run transactions one after the other from ingress offset 0."""

    def run(steps: Sequence[Step]) -> Simulation:
        simulation = Simulation(PartitionChain.start("operations.flights", "cluster", 0, TOPICS, 0))
        for step in steps:
            simulation.run(step)
        return simulation

    return run


@pytest.fixture(scope="session")
def random_steps() -> Callable[[int], list[Step]]:
    """Steps that use every fate, from a seed."""

    def steps(seed: int) -> list[Step]:
        dice = random.Random(seed)
        return [
            Step([dice.choice(FATES) for _ in range(dice.randrange(6))], dice.randrange(3), dice.choice([0, 0, 0, 3]))
            for _ in range(dice.randrange(1, 40))
        ]

    return steps
