"""Loops of rules over columns: a condition about all items at once, then what it means for what holds them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import numpy as np

from mesh.contract.expression_tree import Call, Conditional, Loop, Node, Quantifier
from mesh.judge.columns.arrays import Bools, Ints, Unsupported, flip
from mesh.judge.columns.column import Items
from mesh.judge.columns.moments import KINDS, Moments
from mesh.judge.columns.outcomes import Condition, Outcome, guarded
from mesh.judge.columns.scene import Scene
from mesh.judge.columns.values import Got, Operand, join


class _Walked(NamedTuple):
    """Certainly true and not certainly false, per item; whose items they are; where the collection is an error."""

    yes: Bools
    maybe: Bools
    owners: Ints
    error: Bools | None


class Walks(Moments):
    """Adds the loops."""

    @abstractmethod
    def condition(self, node: Node) -> Condition:
        """A condition."""

    def walk(self, node: Quantifier | Loop) -> Condition:
        """``exists``, ``all`` or ``exists_one``."""
        key, walked = self._walked(node)
        decide = _DECIDED.get(node.kind)
        if decide is None:
            raise Unsupported(f"{node.kind} as a condition")
        return Condition(key, lambda scene: decide(scene, walked(scene)))

    def _operand(self, node: Node) -> Operand:
        match node:
            case Call(function="size", arguments=(Loop(kind="filter") as loop,)):
                key, walked = self._walked(loop)
                return Operand("int", f"size({key})", lambda scene: _counted(scene, walked(scene)), 1 << 40)
            case Conditional():
                return _chosen(self.condition(node.condition), self.operand(node.then), self.operand(node.otherwise))
        return super()._operand(node)

    def _walked(self, node: Quantifier | Loop) -> tuple[str, Callable[[Scene], _Walked]]:
        path = self._path(node.target)
        target, slot = self.column(path), self._layout.slots[path]
        if target.kind != "items" or slot.owner != self._within:
            raise Unsupported(f"{path}: no collection of this item")
        with self._item(node.variable, f"{path}[]" if slot.shape.kind == "array" else f"{path}{{key}}", slot.number):
            inner = self.condition(node.condition if isinstance(node, Quantifier) else node.body)

        def run(scene: Scene) -> _Walked:
            got = target.sure(scene)
            owners = cast(Items, got.values).owners
            inside = scene.inside(slot.number, owners)
            yes, maybe = inner.of(inside)
            if inside.doubt is not None:
                scene.doubtful(scene.any(inside.doubt, owners))
            return _Walked(yes, maybe, owners, got.error)

        return f"{path}.{node.kind}({inner.key})", run

    @contextmanager
    def _item(self, variable: str, path: str, number: int) -> Iterator[None]:
        around, within = self._variables, self._within
        self._variables, self._within = {**around, variable: path}, number
        try:
            yield
        finally:
            self._variables, self._within = around, within


def _chosen(test: Condition, then: Operand, otherwise: Operand) -> Operand:
    """One of two values; unlike a choice of conditions it may be null."""
    if then.kind != otherwise.kind or then.kind not in ("int", "double", "bool", *KINDS):
        raise Unsupported(f"a choice of {then.kind} and {otherwise.kind}")

    def run(scene: Scene) -> Got:
        yes, maybe = test.of(scene)
        a, b = then.of(scene), otherwise.of(scene)
        unsure = None if yes is maybe else yes != maybe
        error = join(unsure, _either(yes, a.error, b.error))
        return Got(np.where(yes, a.values, b.values), _either(yes, a.null, b.null), error)

    key = f"value ({test.key} ? {then.key} : {otherwise.key})"
    return Operand(then.kind, key, run, max(then.reach, otherwise.reach))


def _either(yes: Bools, left: Bools | None, right: Bools | None) -> Bools | None:
    if left is None and right is None:
        return None
    found: Bools = np.where(yes, False if left is None else left, False if right is None else right)
    return found


def _exists(scene: Scene, walked: _Walked) -> Outcome:
    yes, maybe, owners, error = walked
    holds = scene.any(yes, owners)
    perhaps = holds if yes is maybe else scene.any(maybe, owners)
    return _around(Outcome(holds, perhaps), error)


def _all(scene: Scene, walked: _Walked) -> Outcome:
    yes, maybe, owners, error = walked
    holds = flip(scene.any(flip(yes), owners))
    perhaps = holds if yes is maybe else flip(scene.any(flip(maybe), owners))
    return _around(Outcome(holds, perhaps), error)


def _one(scene: Scene, walked: _Walked) -> Outcome:
    got = _counted(scene, walked)
    return guarded(got.values == 1, got.error)


def _around(outcome: Outcome, error: Bools | None) -> Outcome:
    return outcome if error is None else Outcome(outcome.yes & flip(error), outcome.maybe | error)


def _counted(scene: Scene, walked: _Walked) -> Got:
    yes, maybe, owners, error = walked
    counts: Any = np.bincount(owners[yes], minlength=len(scene.all))
    unsure = None if yes is maybe else scene.any(yes != maybe, owners)
    return Got(counts.astype(np.int64), None, join(error, unsure))


_DECIDED = {"exists": _exists, "all": _all, "exists_one": _one}
