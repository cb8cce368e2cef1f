"""Tasks without state: every record by itself, and keying records anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel

from mesh.errors import UsageError
from mesh.lineage import Descent
from mesh.stream.arrival import Arrival, Changes, Fate, Outcome, Output, Punctuation, Value
from mesh.stream.calling import failure
from mesh.stream.declared import Each, KeyOf
from mesh.stream.parking import Parking
from mesh.stream.step import Step, as_values
from mesh.stream.tables import Tables
from mesh.stream.values import encode_value

# Asking the enumeration costs, and every record is one or the other.
_USED: Final = Fate.USED
_FILTERED: Final = Fate.FILTERED


class Stateless:
    """The part of a task that has nothing to keep."""

    def restore(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """Nothing to take up."""

    def changes(self) -> Changes:
        """None."""
        return Changes()

    def committed(self) -> None:
        """Nothing follows the commit."""

    def rolled_back(self) -> None:
        """Nothing to undo."""

    def watermark(self) -> int | None:
        """None."""
        return None

    def punctuate(self, punctuation: Punctuation) -> Outcome:
        """Time changes nothing here."""
        return Outcome(Fate.USED)

    def finish(self) -> Outcome:
        """Nothing is open."""
        return Outcome(Fate.USED)


class EachTask(Stateless):
    """Outputs named by the record that drove them and their number."""

    def __init__(self, declared: Each, tables: Tables, parking: Parking | None = None) -> None:
        self._function, self._tables, self._parking = declared.function, tables, parking

    def apply(self, arrival: Arrival) -> Outcome:
        """Call the function; all outputs are made before any is given, so that a waiting lookup leaves none behind."""
        step = Step(arrival, self._tables)
        try:  # not by ``calling``: entering a context costs as much as a small function
            given = self._function(arrival.record, step)
            if type(given) is dict and step.alone:  # what ``driven`` makes of it as well, at twice the cost
                outputs = [Output(given, arrival.reference)]
            else:
                outputs = list(driven(arrival, step, as_values(given)))
            if self._parking is not None:
                outputs = self._parking.sealed(outputs)
        except Exception as error:
            raise failure(self._function, arrival.record.coordinate, error) from error
        finally:
            step.close()
        return Outcome(_USED if outputs else _FILTERED, outputs)


def driven(arrival: Arrival, step: Step, values: Iterable[Any]) -> Iterator[Output]:
    """Outputs in order; the parents of each are what the step knew when it was made."""
    for index, value in enumerate(values):
        if index == 0 and step.alone:
            yield Output(checked(value), arrival.reference)
        else:
            yield Output(checked(value), Descent(arrival.reference, index, step.parents()))


def checked(value: Any) -> Value:
    """A user's output, if it can be one; raises UsageError."""
    if type(value) is dict or isinstance(value, (Mapping, BaseModel)):
        return value
    raise UsageError(f"an output is a mapping or a model of the derived product's fields, not {type(value).__name__}")


class RouteTask(Stateless):
    """Gives every record a new key, under which it goes to the repartitioned log; None filters."""

    def __init__(self, key: KeyOf) -> None:
        self._key = key

    def apply(self, arrival: Arrival) -> Outcome:
        """The key's bytes, the same for equal keys."""
        key = key_bytes(self._key, arrival)
        return Outcome(Fate.FILTERED) if key is None else Outcome(Fate.USED, routed=key)


def key_bytes(key: KeyOf, arrival: Arrival) -> bytes | None:
    """What a key function says of a record, as bytes; None leaves the record out."""
    try:
        found = key(arrival.record)
    except Exception as error:
        raise failure(key, arrival.record.coordinate, error) from error
    return None if found is None else encode_value(found)
