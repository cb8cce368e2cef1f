"""The direction of a changed rule from records that both versions judge, where its form does not show it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import product
from random import Random
from typing import Any, Final, Protocol

from mesh.contract import Clause, Contract
from mesh.contract.diff import Decide, Way
from mesh.contract.expression_tree import Has, Name, Node, Select
from mesh.judge.rules import Clauses
from mesh.judge.specimens import Specimens, parts

RECORDS: Final = 3000
# How often a value is one between which the clauses tell, and not any that is close.
_NEAR: Final = 0.7


class Sampler(Protocol):
    """Makes records that come near to what two clauses tell apart."""

    def __call__(self, old: Contract, new: Contract, before: Clause, after: Clause) -> Iterator[Mapping[str, object]]:
        """Records with every field of both contracts, as plain values."""


def specimens(old: Contract, new: Contract, before: Clause, after: Clause) -> Iterator[Mapping[str, object]]:
    """Records whose values lie around the constants of both clauses: every combination where those are few enough,
    then random ones, the same each time."""
    used = sorted(_used(before) | _used(after))
    makers = [Specimens(each.value_schema, (before, after), Random(seed)) for seed, each in enumerate((old, new))]  # noqa: S311
    draw = Random(2)  # noqa: S311  (no secret)
    fixed = makers[0].record() | makers[1].record()
    notable = [makers[1].notable(name) for name in used]
    if math.prod(map(len, notable)) <= RECORDS:
        for values in product(*notable):
            yield fixed | dict(zip(used, values, strict=True))
    for _ in range(RECORDS):
        varied = makers[1].record()
        near = {name: draw.choice(values) for name, values in zip(used, notable, strict=True)}
        yield fixed | {name: near[name] if draw.random() < _NEAR else varied[name] for name in used}


def sampled(sampler: Sampler = specimens) -> Decide:
    """A way to decide directions for ``mesh.contract.diff.diff``, by the records of a sampler.

    What is found is observed, not proven: a difference no record showed stays unseen. It finds nothing where the
    clauses read fields that are not of one type in both contracts, or where no record told them apart.
    """

    def decide(old: Contract, new: Contract, before: Clause, after: Clause) -> Way | None:
        if not _comparable(old, new, _used(before) | _used(after)):
            return None
        only_old = only_new = False
        one, other = Clauses(old), Clauses(new)
        for record in sampler(old, new, before, after):
            was, now = _kept(one, before, record), _kept(other, after, record)
            only_old, only_new = only_old or (was and not now), only_new or (now and not was)
            if only_old and only_new:
                return Way.REWRITTEN
        return Way.TIGHTENED if only_old else Way.LOOSENED if only_new else None

    return decide


def _kept(clauses: Clauses, clause: Clause, record: Mapping[str, object]) -> bool:
    return all(finding.clause != clause.id for finding in clauses.findings(record))


def _comparable(old: Contract, new: Contract, used: frozenset[str]) -> bool:
    schemas: list[dict[str, Any]] = [
        {part["name"]: part["type"] for part in each.value_schema["fields"]} for each in (old, new)
    ]
    return all(name in schemas[0] and schemas[0][name] == schemas[1].get(name) for name in used)


def _used(clause: Clause) -> frozenset[str]:
    """The fields of the record that a clause reads."""
    if clause.path:
        return frozenset({clause.path.partition(".")[0].removesuffix("[]")})
    return frozenset(_fields(clause.expression.tree)) if clause.expression else frozenset()


def _fields(tree: Node) -> Iterator[str]:
    for part in parts(tree):
        if isinstance(part, Select | Has) and isinstance(part.operand, Name) and part.operand.name == "message":
            yield part.field
