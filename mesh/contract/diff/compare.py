"""Two contracts of one product beside each other: every change, what breaks first."""

from __future__ import annotations

from collections.abc import Sequence

from mesh.contract.compatibility import Reader
from mesh.contract.contract import Contract
from mesh.contract.diff.change import Change, Diff, Effect, Pair
from mesh.contract.diff.direction import Decide
from mesh.contract.diff.rules import rule_changes
from mesh.contract.diff.schema import schema_changes
from mesh.contract.diff.terms import term_changes
from mesh.contract.diff.words import word_changes


def diff(
    old: Contract, new: Contract, *, decide: Decide | None = None, readers: Sequence[Reader] | None = None
) -> Diff:
    """Every change from one contract to another; a contract differs from itself in nothing.

    ``decide`` finds the direction of rules that their form does not show; without it those are ``REWRITTEN``.
    ``readers`` are those registered for the product, None when they are not known; they matter under READERS only.
    """
    pair = Pair(old, new)
    found = [*schema_changes(pair, readers), *rule_changes(pair, decide), *term_changes(pair), *word_changes(pair)]
    return Diff(old, new, tuple(sorted(found, key=_order)))


def _order(change: Change) -> tuple[bool, bool, str, str, str]:
    asked = Effect.ACKNOWLEDGE in change.effects
    return (not change.breaking, not asked, change.kind, change.path, change.told)
