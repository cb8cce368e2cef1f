"""What is being processed in a task: the record that drives what it sends, and the parents seen so far."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field

from mesh.lineage import Descent, ParentSet, Reference, output_slot
from mesh.stream.arrival import Names
from mesh.stream.faust.ledger import Entry


@dataclass(slots=True, eq=False)
class Scope:
    """One record being processed by one task, or what ``derive`` says instead.

    A task that outlives its record keeps the scope, but the scope is closed then: parents would be guesses.
    """

    entry: Entry
    timestamp: float | None = None
    parents: set[Reference] = field(default_factory=set)
    taken: tuple[Entry, ...] = ()
    """Records that are processed together, outside of any one's own time."""
    closed: bool = False

    def descend(self, names: Names) -> Descent:
        """What the next output says of itself.

        Where outputs need not leave in the order of what drove them, the slot is written out: without one, the gate
        would take a lower offset for one it has passed.
        """
        driving, number = self.entry.driving, self.entry.number()
        parents = ParentSet.of(self.parents or {driving})
        unordered = self.taken or self.entry.base
        slot = output_slot(names.processor, names.output, driving, number) if unordered else None
        return Descent(driving, number, parents, slot=slot)


_current: ContextVar[Scope | None] = ContextVar("mesh_stream_faust_scope", default=None)


def current() -> Scope | None:
    """The scope of this task while its record is being processed; None once that is over."""
    scope = _current.get()
    return None if scope is None or scope.closed else scope


def enter(scope: Scope) -> None:
    """A task goes on to its next record: what it had before is over, also where nobody said so."""
    before = _current.get()
    if before is not None:
        before.closed = True
    _current.set(scope)


def swap(scope: Scope | None) -> Scope | None:
    """Put a scope in place of the present one, which is given back."""
    before = _current.get()
    _current.set(scope)
    return before
