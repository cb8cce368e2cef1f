"""The direction of a changed rule, where its two forms show it: bounds, lengths, lists of values, expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Protocol

from mesh.contract.clauses import Clause, ClauseKind
from mesh.contract.contract import Contract
from mesh.contract.diff.change import Way
from mesh.contract.diff.implication import implies


class Decide(Protocol):
    """Finds the direction of a rule that its form does not show, for example from records that both judge."""

    def __call__(self, old: Contract, new: Contract, before: Clause, after: Clause) -> Way | None:
        """The direction from ``before``, a clause of ``old``, to ``after``, of ``new``; None when it cannot be told."""


def way_of(before: Clause, after: Clause) -> Way | None:
    """The direction between two clauses of one path and kind; None when the forms do not show it. Never wrong."""
    if same_argument(before, after):
        return Way.EQUIVALENT
    if before.kind is ClauseKind.CEL:
        return _by_trees(before, after)
    judged = _BY_KIND.get(before.kind)
    try:
        return judged(before.argument, after.argument) if judged else None
    except TypeError:  # a bound of another physical type
        return None


def same_argument(before: Clause, after: Clause) -> bool:
    """Whether two clauses of one kind say the very same."""
    return type(before.argument) is type(after.argument) and before.argument == after.argument


def _by_trees(before: Clause, after: Clause) -> Way | None:
    if before.expression is None or after.expression is None:
        return None
    old, new = before.expression.tree, after.expression.tree
    tighter, looser = implies(new, old), implies(old, new)
    if tighter and looser:
        return Way.EQUIVALENT
    return Way.TIGHTENED if tighter else Way.LOOSENED if looser else None


def _low(before: Any, after: Any) -> Way:
    return Way.EQUIVALENT if before == after else Way.TIGHTENED if after > before else Way.LOOSENED


def _high(before: Any, after: Any) -> Way:
    return Way.EQUIVALENT if before == after else Way.TIGHTENED if after < before else Way.LOOSENED


def _values(before: Any, after: Any) -> Way:
    old, new = set(before), set(after)
    if old == new:
        return Way.EQUIVALENT
    return Way.TIGHTENED if new < old else Way.LOOSENED if old < new else Way.REWRITTEN


def _multiple(before: Any, after: Any) -> Way | None:
    if not all(isinstance(each, int | Decimal) and each for each in (before, after)):
        return None
    if after % before == 0:
        return Way.TIGHTENED
    return Way.LOOSENED if before % after == 0 else Way.REWRITTEN


_BY_KIND: Mapping[ClauseKind, Callable[[Any, Any], Way | None]] = {
    ClauseKind.MINIMUM: _low,
    ClauseKind.EXCLUSIVE_MINIMUM: _low,
    ClauseKind.MIN_LENGTH: _low,
    ClauseKind.MIN_ITEMS: _low,
    ClauseKind.MAXIMUM: _high,
    ClauseKind.EXCLUSIVE_MAXIMUM: _high,
    ClauseKind.MAX_LENGTH: _high,
    ClauseKind.MAX_ITEMS: _high,
    ClauseKind.VALUES: _values,
    ClauseKind.MULTIPLE_OF: _multiple,
}
