"""Records that keep a contract, or break exactly one clause of it; each is checked by a judge before it is given out.

A record is drawn field by field, so that it keeps the clauses of its fields, then changed until the judge says what
was asked for: the changes are worked out backwards from the rules (``aims``), the judge decides which ones stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final, TypeAlias

from mesh.contract.clauses import Clause
from mesh.contract.contract import Contract
from mesh.contract.expression_probe import Probe, Steps
from mesh.contract.sample.aims import Aim, Edits
from mesh.contract.sample.domains import Domains
from mesh.contract.sample.edits import steps_to, value_at, written
from mesh.contract.shape import Record, shape_of
from mesh.errors import UsageError

Judged: TypeAlias = Callable[[Mapping[str, Any]], frozenset[str]]
"""The clauses that a record breaks; asked about every record before it is given out."""

_STARTS: Final = 8
_ENOUGH: Final = 2
_CHANGES: Final = 60
_POOL: Final = 64
_CHANCE: Final = 0.05
_NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Sample:
    """A record and the clauses it breaks. ``note`` says why they are more than was asked for."""

    record: Mapping[str, Any]
    breaks: frozenset[str] = _NONE
    note: str = ""


@dataclass(frozen=True, slots=True)
class Unreached:
    """No record was found. ``clause`` is empty where one that keeps the contract was wanted."""

    clause: str
    why: str


class Sampler:
    """Makes records of one contract. The same seed, and the same calls, give the same records."""

    def __init__(
        self, contract: Contract, judge: Judged, seed: int = 0, known: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        """``known`` are records to start from, where a contract is too intricate to meet by chance."""
        shape = shape_of(contract.value_schema)
        assert isinstance(shape, Record)  # noqa: S101  (the value of a product is a record by derivation)
        self.shape: Record = shape
        self._clauses = {clause.id: clause for clause in contract.clauses}
        self._judge, self._known = judge, known
        self._good: list[Mapping[str, Any]] = []
        self._hopeless = False
        self._rng = Random(seed)  # noqa: S311  (samples, no secrets)
        self._domains = Domains(shape, contract.clauses, self._rng)
        self._probe = Probe(contract.value_schema)
        self._aim = Aim(self._probe, self._domains, self._rng)

    @property
    def clauses(self) -> tuple[str, ...]:
        """The ids of the clauses, in the contract's order."""
        return tuple(self._clauses)

    def satisfying(self) -> Sample | Unreached:
        """A record that keeps every clause."""
        record, broken = self._search(_NONE, self._starts())
        if not broken:
            self._good = [*self._good[1 - _POOL :], record]
            return Sample(record)
        return Unreached("", f"every record tried breaks something; the nearest breaks {_listed(broken)}")

    def breaking(self, clause: str) -> Sample | Unreached:
        """A record that breaks this clause and, where possible, no other; raises UsageError for no clause's id."""
        if clause not in self._clauses:
            raise UsageError(f"the contract has no clause {clause}; it has {', '.join(self._clauses)}")
        target = frozenset((clause,))
        record, broken = self._search(target, self._good_starts())
        if broken == target:
            return Sample(record, broken)
        if clause in broken:
            others = _listed(broken - target)
            return Sample(record, broken, f"no record was found that breaks it alone; this one breaks {others} too")
        return Unreached(clause, self._why(self._clauses[clause]))

    def _why(self, clause: Clause) -> str:
        if clause.expression is not None:
            return "no record was found that breaks the rule; perhaps the schema or other clauses leave none"
        place, _ = self._domains.at(steps_to({}, clause.path, self._domains))
        what = "enum of the schema" if place.shape.kind == "enum" else "schema"
        return f"no record was found that breaks it; perhaps the {what} already says the same"

    def _starts(self) -> Iterator[Mapping[str, Any]]:
        while True:
            yield self._domains.fresh()
            if self._known:
                yield self._rng.choice(self._known)

    def _good_starts(self) -> Iterator[Mapping[str, Any]]:
        while True:
            if len(self._good) < _POOL and not self._hopeless:
                found = self.satisfying()
                self._hopeless = isinstance(found, Unreached)
            yield self._rng.choice(self._good) if self._good else self._domains.fresh()

    def _search(
        self, target: frozenset[str], starts: Iterator[Mapping[str, Any]]
    ) -> tuple[Mapping[str, Any], frozenset[str]]:
        """The nearest record found, and what it breaks."""
        best: tuple[Mapping[str, Any], frozenset[str]] | None = None
        for number, start in zip(range(_STARTS), starts, strict=False):
            found = self._climb(start, target)
            if best is None or _distance(found[1], target) < _distance(best[1], target):
                best = found
            if best[1] == target or (number >= _ENOUGH and target and target <= best[1]):
                break
        assert best is not None  # noqa: S101  (there is a first start)
        return best

    def _climb(self, start: Mapping[str, Any], target: frozenset[str]) -> tuple[Mapping[str, Any], frozenset[str]]:
        record, broken = start, self._judge(start)
        best = record, broken
        for _ in range(_CHANGES):
            wrong = sorted((broken ^ target) & self._clauses.keys())
            if not wrong:
                break
            changed = self._changed(record, self._chosen(wrong, broken, target), broken)
            now = self._judge(changed) if changed is not record else broken
            if self._better(now, broken, target) or self._rng.random() < _CHANCE:
                record, broken = changed, now
            if _distance(broken, target) < _distance(best[1], target):
                best = record, broken
        return best

    def _chosen(self, wrong: Sequence[str], broken: frozenset[str], target: frozenset[str]) -> Clause:
        missing = target - broken
        return self._clauses[min(missing) if missing else self._rng.choice(wrong)]

    @staticmethod
    def _better(now: frozenset[str], broken: frozenset[str], target: frozenset[str]) -> bool:
        if target and (target <= now) != (target <= broken):
            return target <= now
        return len(now ^ target) <= len(broken ^ target)

    def _changed(self, record: Mapping[str, Any], clause: Clause, broken: frozenset[str]) -> Mapping[str, Any]:
        for steps, value in self._edits(record, clause, keep=clause.id in broken):
            record = written(record, steps, value, self._domains)
        return record

    def _edits(self, record: Mapping[str, Any], clause: Clause, *, keep: bool) -> Edits:
        if clause.expression is not None:
            tree = clause.expression.tree
            aimed = self._aim.at(tree, keep, record) if self._rng.random() < 0.85 else []
            return [self._fitted(*edit) for edit in aimed] or self._aim.redraw(tree)
        steps = steps_to(record, clause.path, self._domains)
        if keep:
            place, path = self._domains.at(steps)
            return [(steps, self._domains.draw(place, path))]
        found = self._domains.breaking(clause, steps, value_at(record, steps))
        return [(steps, found[0])] if found else []

    def _fitted(self, steps: Steps, value: Any) -> tuple[Steps, Any]:
        """Whole numbers for fields of whole numbers: a rule may compare them with others."""
        try:
            place, _ = self._domains.at(steps)
        except LookupError:
            return steps, value
        if isinstance(value, float) and place.shape.kind in ("int", "long") and value.is_integer():
            return steps, int(value)
        return steps, float(value) if place.shape.kind in ("float", "double") and type(value) is int else value


def _distance(broken: frozenset[str], target: frozenset[str]) -> tuple[bool, int]:
    return not target <= broken, len(broken ^ target)


def _listed(clauses: frozenset[str]) -> str:
    return ", ".join(sorted(clauses))
