"""The cases every contract proves of itself: golden records, generated records, the step from its last version."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from mesh.contract import Contract
from mesh.contract.sample import Sample, Sampler, Unreached
from mesh.errors import MeshError
from mesh.testing.evolution import Previous, steps_from
from mesh.testing.golden import Golden, read_golden, samples_of
from mesh.testing.judging import OfflineJudge

GENERATED: Final = 20
"""Records that keep the contract, drawn for each."""


class Status(StrEnum):
    """How a case ended. ``skipped``: nothing could be proved, and the text says why."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to prove of one contract; ``prove`` gives the status and a text for people."""

    file: Path
    group: str
    name: str
    prove: Callable[[], tuple[Status, str]]
    line: int = 1

    def run(self) -> Outcome:
        """Prove it; what the mesh raises is a failure."""
        started = time.perf_counter()
        try:
            status, told = self.prove()
        except MeshError as error:
            status, told = Status.FAILED, str(error)
        return Outcome(self, status, told, time.perf_counter() - started)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one case ended, in how many seconds."""

    case: Case
    status: Status
    text: str
    seconds: float


def cases_of(document: Path, previous: Previous | None = None, seed: int = 0) -> list[Case]:
    """The cases of a document; where it is no contract, one case that says so. Never raises MeshError."""
    try:
        contract = Contract.read(document)
    except MeshError as error:
        return [Case(document, "contract", "document", _failing(str(error)))]
    try:
        samples = samples_of(document)
        golden = read_golden(samples, contract) if samples.exists() else []
    except MeshError as error:
        return [Case(samples, "golden", "samples", _failing(str(error)))]
    proof = _Proof(contract, golden, seed)
    return [
        *proof.golden_cases(samples),
        Case(document, "generated", "satisfying", proof.satisfying),
        *proof.clause_cases(document),
        *([Case(document, "evolution", previous.name, _evolution(contract, document, previous))] if previous else []),
    ]


def run_cases(documents: Sequence[Path], previous: Previous | None = None, seed: int = 0) -> Iterator[Outcome]:
    """Prove every case of these documents."""
    for document in documents:
        for case in cases_of(document, previous, seed):
            yield case.run()


class _Proof:
    """What the cases of one contract share."""

    def __init__(self, contract: Contract, golden: Sequence[Golden], seed: int) -> None:
        self._contract, self._golden = contract, golden
        self._rows, self._columns = OfflineJudge(contract), OfflineJudge(contract, columns=True)
        known = [each.record for each in golden if not each.verdict and each.record is not None and not each.given]
        self._sampler = Sampler(contract, self._rows.broken, seed, known)

    def golden_cases(self, file: Path) -> Iterator[Case]:
        """A case for each golden record."""
        for each in self._golden:
            name = f"line {each.line}" + (f": {each.why}" if each.why else "")
            yield Case(file, "golden", name, lambda each=each: self._golden_verdict(each), each.line)  # type: ignore[misc]

    def clause_cases(self, file: Path) -> Iterator[Case]:
        """A case for each clause."""
        for clause in self._contract.clauses:
            line = self._contract.document.line(self._contract.promise.rules.places[clause.id])
            prove = lambda clause=clause: self._clause(clause.id)  # noqa: E731
            yield Case(file, "generated", f"breaking {clause.id}", prove, line)

    def satisfying(self) -> tuple[Status, str]:
        """Records made to keep the contract are accepted, by both judges."""
        for _ in range(GENERATED):
            found = self._sampler.satisfying()
            if isinstance(found, Unreached):
                return Status.SKIPPED, found.why
            if told := self._disagreement(found):
                return Status.FAILED, told
        return Status.PASSED, f"{GENERATED} generated records are accepted"

    def _golden_verdict(self, golden: Golden) -> tuple[Status, str]:
        found = golden.findings(self._rows)
        told = golden.difference(found)
        if not told and golden.findings(self._columns) != found:
            told = "the column judge says otherwise than the row judge; this is a fault of the mesh, please report it"
        return (Status.FAILED if told else Status.PASSED), told

    def _clause(self, clause: str) -> tuple[Status, str]:
        found = self._sampler.breaking(clause)
        if isinstance(found, Unreached):
            return Status.SKIPPED, found.why
        told = self._disagreement(found)
        return (Status.FAILED, told) if told else (Status.PASSED, found.note)

    def _disagreement(self, sample: Sample) -> str:
        found = self._columns.broken(sample.record)
        if found == sample.breaks:
            return ""
        seen, expected = (", ".join(sorted(each)) or "nothing" for each in (found, sample.breaks))
        return f"the column judge finds {seen}, the row judge {expected}; this is a fault of the mesh, please report it"


def _failing(told: str) -> Callable[[], tuple[Status, str]]:
    return lambda: (Status.FAILED, told)


def _evolution(contract: Contract, document: Path, previous: Previous) -> Callable[[], tuple[Status, str]]:
    def prove() -> tuple[Status, str]:
        earlier = previous.contract(document)
        if earlier is None:
            return Status.SKIPPED, f"{previous.name} has no such contract; it is new"
        found = steps_from(earlier, contract)
        return (
            (Status.FAILED, "\n".join(found)) if found else (Status.PASSED, f"{earlier.version} to {contract.version}")
        )

    return prove
