"""What a user's function has at hand while it makes something of one record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from mesh.consumer.record import Record
from mesh.errors import UsageError
from mesh.lineage import ParentSet, Reference
from mesh.stream.arrival import Arrival, reference_of
from mesh.stream.tables import Tables
from mesh.types import Coordinate


class Step:
    """One record's processing. What is looked up here becomes a parent of the outputs that follow.

    It ends with the record: used afterwards, from a thread or a later call, it raises UsageError, because the mesh
    could not tell which outputs its records went into.
    """

    __slots__ = ("_captures", "_found", "_named", "_over", "_tables", "record")

    def __init__(self, arrival: Arrival, tables: Tables, *, captures: bool = True) -> None:
        self.record = arrival.record
        self._tables, self._captures = tables, captures
        self._found: list[Reference] = [arrival.reference]
        self._named: ParentSet | None = None
        self._over = False

    def lookup(self, product: str, key: Any, asof: datetime | None = None) -> Record | None:
        """The row of a key in an input that is looked up; a tuple for a key of several fields.

        With ``asof`` the latest row of that event time or earlier: the record at hand waits until the table has come
        so far, so a replay finds the same row. Without, the latest row there is now; after a newer row came, a replay
        finds another one, and the gate will say that the output diverged. Raises UsageError for what is no input.
        """
        self._check_open()
        found = self._tables[product].find(key, asof)
        if found is not None:
            self._found.append(reference_of(found.coordinate))
        return found

    def derive(self, *parents: Record | Coordinate) -> None:
        """Say exactly which records the outputs that follow are made from, instead of what was captured.

        For what the mesh cannot see: records that a function kept in its own state. A coordinate is a record's own
        ``coordinate``, which state can hold.
        """
        self._check_open()
        if not parents:
            raise UsageError("derive() names no parent; name the records that the output is made from")
        places = (each.coordinate if isinstance(each, Record) else each for each in parents)
        self._named = ParentSet.of(reference_of(place) for place in places)

    @property
    def derived(self) -> bool:
        """Whether the parents were named by ``derive``."""
        return self._named is not None

    @property
    def alone(self) -> bool:
        """Whether the record at hand is the only parent so far."""
        return self._named is None and self._captures and len(self._found) == 1

    def parents(self) -> ParentSet:
        """The parents of an output that is made now; raises UsageError where only ``derive`` can tell."""
        if self._named is not None:
            return self._named
        if not self._captures:
            raise UsageError(
                "the mesh cannot see which records this output is made from, because it comes out of the function's "
                "own state; name them before it is returned: step.derive(record, state['other'], ...)"
            )
        return ParentSet.of_one(self._found[0]) if len(self._found) == 1 else ParentSet.of(self._found)

    def close(self) -> None:
        """The record is done with."""
        self._over = True

    def _check_open(self) -> None:
        if self._over:
            raise UsageError(
                f"the step of {self.record.coordinate} is over: what it finds now could not be told as a parent; look "
                "up within the function's call, or name a later output's parents with that record's step.derive(...)"
            )


def as_values(given: Any) -> Iterable[Any]:
    """What a function gave as outputs: None for none, one, or several."""
    if given is None:
        return ()
    return given if isinstance(given, (list, tuple, Iterator)) else (given,)
