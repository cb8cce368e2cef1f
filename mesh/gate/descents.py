"""What a derived product's records say of their parents: checked, and each output passed once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mesh.contract.derivation import Derivation
from mesh.gate.deposits import Deposits
from mesh.gate.inputs import UNDECLARED, Inputs
from mesh.gate.passage import Passage
from mesh.gate.product import GatedProduct
from mesh.gate.repetition import Repetitions
from mesh.judge import Batch, Verdicts
from mesh.lineage import Descent, PartitionChain, descent_in
from mesh.types import Finding, Headers, TopicPartition

MOST_BYTES: Final = 4 * 1024 * 1024
"""Of headers in one transaction and partition: their column is no larger, and a manifest takes 8 MiB."""


@dataclass(slots=True)
class Examined:
    """A judged batch with what its descents add. Rows without a place in ``descents`` are of a product of source.

    ``rows`` is how many of them fit into the transaction; the others have to come again.
    """

    verdicts: Verdicts
    rows: int
    descents: Sequence[Descent | None] = ()
    repeated: frozenset[int] = frozenset()
    size: int = 0
    """Bytes of the headers that were looked at."""

    def decided(self, verdicts: Verdicts, parked: frozenset[int]) -> Examined:
        """As many rows as there are verdicts now, some of which are ``parked``."""
        rows = len(verdicts.event_times)
        repeated = frozenset(row for row in self.repeated - parked if row < rows) if self.repeated else self.repeated
        return Examined(verdicts, rows, self.descents[:rows], repeated, self.size)


class _Rows:
    """The batch under examination: row by row a descent, or what is wrong."""

    def __init__(self, refused: Iterable[int]) -> None:
        self._refused = set(refused)
        self.descents: list[Descent | None] = []
        self.findings: dict[int, list[Finding]] = {}
        self.size = 0

    def read(self, headers: Sequence[Headers], room: int) -> int:
        """Read every row's descent; gives how many rows fit into ``room`` bytes of a column."""
        for row, each in enumerate(headers):
            found, size = descent_in(each)
            if self.size + size > room:
                return row
            self.size += size
            if isinstance(found, Finding):
                self.refuse(row, found)
            self.descents.append(found if isinstance(found, Descent) else None)
        return len(headers)

    def sound(self) -> Iterator[tuple[int, Descent]]:
        """The rows that would pass, by what is known yet."""
        return ((row, each) for row, each in enumerate(self.descents) if each is not None and row not in self._refused)

    def refuse(self, row: int, finding: Finding) -> None:
        """One more reason why a row does not pass."""
        self.findings.setdefault(row, []).append(finding)
        self._refused.add(row)


class Descents:
    """Examines the records of derived products."""

    def __init__(self, inputs: Inputs, deposits: Deposits, repetitions: Repetitions) -> None:
        self._inputs, self._deposits, self._repetitions = inputs, deposits, repetitions

    def examine(
        self,
        product: GatedProduct,
        partition: TopicPartition,
        chain: PartitionChain,
        batch: Batch,
        verdicts: Verdicts,
        passage: Passage | None = None,
        barred: Collection[int] = (),
    ) -> Examined:
        """Look at what the headers say; ``passage`` is what the transaction has let pass already.

        ``barred`` are rows that cannot pass though nothing is wrong with them.

        Raises MeshError when the cluster or the lineage cannot be asked; the records have to wait then.
        """
        derivation = product.contract.derivation
        if derivation is None:
            return Examined(verdicts, len(batch))
        passing = (passage or Passage.after(chain, derivation.processor)).fork()
        rows = _Rows(verdicts.refusals.union(barred))
        fitting = min(rows.read(batch.headers, MOST_BYTES - passing.size), self._placed(product, derivation, rows))
        outputs = [(row, output) for row, output in rows.sound() if row < fitting]
        repetition = self._repetitions.among(product, partition, chain, passing, outputs)
        for row, finding in repetition.refusals.items():
            rows.refuse(row, finding)
        joined = _joined(verdicts, rows)
        judged = joined if fitting == len(batch) else joined.first(fitting)
        return Examined(judged, fitting, rows.descents, repetition.repeated, rows.size)

    def _placed(self, product: GatedProduct, derivation: Derivation, rows: _Rows) -> int:
        """Refuse the rows whose parents lie where they must not; gives how many rows there was time to look at."""
        declared = self._inputs.declared(product.contract, derivation, [each for _, each in rows.sound()])
        for row, descent in list(rows.sound()):
            if problem := declared.objection(descent):
                rows.refuse(row, Finding(UNDECLARED, "", problem))
        lying = [(row, each.deposit) for row, each in rows.sound() if each.deposit is not None]
        problems = self._deposits.problems(product.topics.parents, [deposit for _, deposit in lying], declared)
        for (row, _), finding in zip(lying, problems, strict=False):
            if finding is not None:
                rows.refuse(row, finding)
        return lying[len(problems)][0] if len(problems) < len(lying) else len(rows.descents)

    def settled(self, partition: TopicPartition, passage: Passage) -> None:
        """A transaction has committed with this."""
        self._repetitions.settled(partition, passage)

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """These belong to somebody else now, or are taken up anew."""
        self._repetitions.forget(partitions)


def _joined(verdicts: Verdicts, rows: _Rows) -> Verdicts:
    if not rows.findings:
        return verdicts
    added = {row: (*verdicts.findings.get(row, ()), *found) for row, found in rows.findings.items()}
    return Verdicts({**verdicts.findings, **added}, verdicts.event_times)
