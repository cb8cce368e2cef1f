"""Running aggregates and joins: a state per key that every record changes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from mesh.lineage import Descent, Identity, ParentSet, output_slot
from mesh.stream.arrival import Arrival, Changes, Fate, Outcome, Output, Punctuation
from mesh.stream.calling import calling, failure
from mesh.stream.declared import Aggregated, Joined
from mesh.stream.each import checked, driven, key_bytes
from mesh.stream.parentage import single
from mesh.stream.step import Step, as_values
from mesh.stream.tables import Tables
from mesh.stream.values import decode_value, encode_value
from mesh.stream.windows import Setting

KIND = "fold"


@dataclass(slots=True)
class Fold:
    """``state`` of one key, its ``previous`` output, and the records since then, which are not in an output yet."""

    state: Any
    previous: Identity | None = None
    since: ParentSet = field(default_factory=ParentSet)
    applied: int = -1

    def entry(self) -> bytes:
        """Value, parents and applied offset together, so that none of them is ever without the others."""
        previous = None if self.previous is None else self.previous.slot + self.previous.digest
        return encode_value(
            {"state": self.state, "previous": previous, "since": self.since.encode(), "applied": self.applied}
        )

    @classmethod
    def of(cls, entry: bytes) -> Fold:
        """From its entry."""
        found = decode_value(entry)
        previous = found["previous"]
        identity = None if previous is None else Identity(previous[:16], previous[16:])
        return cls(found["state"], identity, ParentSet.decode(found["since"]), found["applied"])


class Folds:
    """The states of one log by key. What a function changed in place is undone from the bytes it was written as."""

    def __init__(self, setting: Setting) -> None:
        self._scope = setting.scope
        self._folds: dict[bytes, Fold] = {}
        self._written: dict[bytes, bytes] = {}
        self._changed: dict[bytes, bytes | None] = {}

    def changing(self, key: bytes, start: Any) -> Fold:
        """The state of a key, which is about to change; ``start`` makes the first."""
        fold = self._folds.get(key)
        if fold is None:
            fold = self._folds[key] = Fold(start())
        if key not in self._changed:
            self._changed[key] = self._written.get(key)
        return fold

    def changes(self) -> Changes:
        """One entry per key that changed."""
        changes = Changes()
        for key in self._changed:
            self._written[key] = self._folds[key].entry()
            changes.puts.append((self._scope.key(KIND, b"," + key), self._written[key]))
        return changes

    def committed(self) -> None:
        """What changed is in Kafka."""
        self._changed.clear()

    def rolled_back(self) -> None:
        """Every state as it was at the last commit."""
        for key, entry in self._changed.items():
            if entry is None:
                del self._folds[key]
                self._written.pop(key, None)
            else:
                self._folds[key] = Fold.of(entry)
                self._written[key] = entry
        self._changed.clear()

    def restore(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """Take up the states."""
        for name, entry in entries:
            key = encode_value(decode_value(json.dumps(json.loads(name)[3]).encode()))
            self._folds[key], self._written[key] = Fold.of(entry), entry


class _FoldTask:
    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._folds = Folds(setting)

    def punctuate(self, punctuation: Punctuation) -> Outcome:
        """Time changes nothing here."""
        return Outcome(Fate.USED)

    def finish(self) -> Outcome:
        """Nothing is open."""
        return Outcome(Fate.USED)

    def changes(self) -> Changes:
        """One entry per key that changed."""
        return self._folds.changes()

    def committed(self) -> None:
        """Everything since the last commit is in Kafka."""
        self._folds.committed()

    def rolled_back(self) -> None:
        """Nothing since the last commit has happened."""
        self._folds.rolled_back()

    def restore(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """Take up the states."""
        self._folds.restore(entries)

    def watermark(self) -> int | None:
        """Nothing depends on event time."""
        return None

    def _named(self, descent: Descent) -> Descent:
        """Out of a repartitioned log, a source's records reach an output partition in no order of their own.

        So the output's name is written out: without one, the gate would take a lower offset for one it has passed.
        """
        names = self._setting.names
        if not self._setting.repartitioned:
            return descent
        return replace(descent, slot=output_slot(names.processor, names.output, descent.driving, descent.index))


class AggregateTask(_FoldTask):
    """Outputs continue each other: their parents are the records since the last one."""

    def __init__(self, declared: Aggregated, setting: Setting) -> None:
        super().__init__(setting)
        self._declared = declared

    def apply(self, arrival: Arrival) -> Outcome:
        """Fold the record into its key's state."""
        key = key_bytes(self._declared.key, arrival)
        if key is None:
            return Outcome(Fate.FILTERED)
        fold = self._folds.changing(key, self._declared.start)
        if fold.applied >= arrival.offset:  # made again after a crash
            return Outcome(Fate.USED)
        function = self._declared.function
        try:
            fold.state, value = function(fold.state, arrival.record)
        except Exception as error:
            raise failure(function, arrival.record.coordinate, error) from error
        fold.applied = arrival.offset
        fold.since = fold.since | single(arrival.reference) if fold.since.lots else single(arrival.reference)
        if value is None:
            return Outcome(Fate.USED)
        descent = self._named(Descent(arrival.reference, 0, fold.since, None, None, fold.previous))
        fold.previous = descent.identity(self._setting.names.processor, self._setting.names.output)
        fold.since = ParentSet()
        return Outcome(Fate.USED, [Output(checked(value), descent)])


class JoinTask(_FoldTask):
    """Outputs out of a function's own state, which says itself what they are made from."""

    def __init__(self, declared: Joined, setting: Setting) -> None:
        super().__init__(setting)
        self._declared = declared

    def apply(self, arrival: Arrival) -> Outcome:
        """Let the function change its key's state."""
        key = key_bytes(self._declared.key, arrival)
        if key is None:
            return Outcome(Fate.FILTERED)
        fold = self._folds.changing(key, self._declared.start)
        if fold.applied >= arrival.offset:
            return Outcome(Fate.USED)
        # No tables: a lookup that waits would leave behind what the function changed in place.
        step = Step(arrival, Tables(), captures=False)
        function = self._declared.function
        with calling(function, arrival.record.coordinate):
            outputs = list(driven(arrival, step, as_values(function(fold.state, arrival.record, step))))
        step.close()
        fold.applied = arrival.offset
        return Outcome(Fate.USED, [Output(each.value, self._named(each.descent)) for each in outputs])
