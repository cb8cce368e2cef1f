"""The part of the writer that deals with loops: ``exists``, ``all``, ``exists_one``, ``filter`` and ``map``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mesh.contract.expression_calls import CallWriter
from mesh.contract.expression_code import NO_TRUTH, NOTHING, Truth, Value, both, guarded
from mesh.contract.expression_tree import Loop, Quantifier
from mesh.contract.expression_types import STRING, Type

_NO_NESTING = (
    "a loop inside a loop walks a part of the outer loop's item, as in "
    "message.legs.all(l, l.stops.exists(s, s == l.via)); for pairs of items write the option uniqueItems, or a map"
)


class LoopWriter(CallWriter):
    """Adds the loops."""

    __slots__ = ()

    @contextmanager
    def _item(self, variable: str, item: Value) -> Iterator[None]:
        around = self._scope
        # The innermost variable is the last; one of the same name hides the outer one.
        self._scope = {**{name: value for name, value in around.items() if name != variable}, variable: item}
        yield
        self._scope = around

    def _walked(self, node: Quantifier | Loop) -> tuple[Value, Value] | None:
        """What a loop walks, and its variable."""
        target = self.value(node.target)
        if not target.known:
            return None
        if target.type.kind not in ("list", "map"):
            self._refuse(node.at, f"{node.kind} walks a list or the keys of a map, not {target.type}")
            return None
        if not self.cheap(node.target):
            self._refuse(node.at, _NO_NESTING)
            return None
        item = STRING if target.type.kind == "map" else target.type.element
        return self._atom(self._sure(target)), Value(item, self._name("e"), atom=True)

    def quantified(self, node: Quantifier) -> Truth:
        """The source of ``exists`` or ``all``."""
        walked = self._walked(node)
        if walked is None:
            return NO_TRUTH
        target, each = walked
        with self._item(node.variable, each):
            inner = self.truth(node.condition)
        word = "any" if node.kind == "exists" else "all"
        yes, maybe = (f"{word}({text} for {each.text} in {target.text})" for text in (inner.yes, inner.maybe))
        return Truth(guarded(target.guard, yes).yes, guarded(target.guard, maybe).maybe, inner.known)

    def single(self, node: Loop) -> Truth:
        """The source of ``exists_one``: an error about any item is one about all."""
        walked = self._walked(node)
        if walked is None:
            return NO_TRUTH
        target, each = walked
        with self._item(node.variable, each):
            inner = self.truth(node.body)
        if not inner.known:
            return NO_TRUTH
        around = f"for {each.text} in {target.text}"
        sure = "" if inner.certain else f"all({inner.yes} == {inner.maybe} {around})"
        return guarded(both(target.guard, sure), f"(sum(1 {around} if {inner.yes}) == 1)")

    def collected(self, node: Loop) -> Value:
        """The source of the list that ``filter`` or ``map`` makes."""
        walked = self._walked(node)
        if walked is None:
            return NOTHING
        target, each = walked
        with self._item(node.variable, each):
            return self._filtered(node, target, each) if node.kind == "filter" else self._mapped(node, target, each)

    def _filtered(self, node: Loop, target: Value, each: Value) -> Value:
        inner = self.truth(node.body)
        if not inner.known:
            return NOTHING
        around = f"for {each.text} in {target.text}"
        sure = "" if inner.certain else f"all({inner.yes} == {inner.maybe} {around})"
        return Value(Type("list", item=each.type), f"[{each.text} {around} if {inner.yes}]", both(target.guard, sure))

    def _mapped(self, node: Loop, target: Value, each: Value) -> Value:
        inner = self.value(node.body)
        if not inner.known:
            return NOTHING
        if inner.type.kind not in ("int", "double", "bool", "timestamp", "duration") and not self.cheap(node.body):
            return self._refuse(node.body.at, "map gives numbers, times, truths or parts of the item")
        around = f"for {each.text} in {target.text}"
        sure = f"all({inner.guard} {around})" if inner.guard else ""
        # What the guard of an item binds is bound again for the item.
        text = f"{inner.text} {around} if {inner.guard}" if inner.guard else f"{inner.text} {around}"
        return Value(Type("list", item=inner.type), f"[{text}]", both(target.guard, sure))
