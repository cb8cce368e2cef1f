"""Two contracts of one product beside each other: every change, what breaks first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

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
    return Diff(old, new, tuple(sorted((_affecting(each, old) for each in found), key=_order)))


def _affecting(change: Change, old: Contract) -> Change:
    """The change with everybody who may read the product, where it breaks subscribers and nobody was named."""
    if change.affects or Effect.BREAKS_SUBSCRIBERS not in change.effects:
        return change
    holders = (name for role in old.roles if role.access == "read" for name in role.principals)
    return replace(change, affects=tuple(dict.fromkeys(holders)))


def _order(change: Change) -> tuple[bool, bool, str, str, str]:
    asked = Effect.ACKNOWLEDGE in change.effects
    return (not change.breaking, not asked, change.kind, change.path, change.told)
