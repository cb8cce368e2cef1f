"""Running aggregates and joins: a state per key that every record changes."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from mesh.lineage import Descent, Identity, ParentSet, output_slot
from mesh.stream.arrival import Arrival, Changes, Fate, Outcome, Output, Punctuation
from mesh.stream.calling import failure
from mesh.stream.declared import Aggregated, Joined, KeyOf
from mesh.stream.each import checked, driven, key_bytes
from mesh.stream.parking import OF_ONE_RECORD
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
    topic: bytes = b""
    """The id of the topic in which ``applied`` is an offset; empty for a repartitioned log, and in older entries."""

    def has(self, arrival: Arrival) -> bool:
        """Whether a record is in there already: somebody has set the group back. A topic made again begins at 0."""
        return self.applied >= arrival.offset and self.topic in (b"", arrival.reference.topic_id.bytes)

    def applies(self, arrival: Arrival, *, repartitioned: bool) -> None:
        """The record is in there now."""
        self.applied = arrival.offset
        self.topic = b"" if repartitioned else arrival.reference.topic_id.bytes

    def entry(self) -> bytes:
        """Value, parents and applied offset together, so that none of them is ever without the others."""
        previous = None if self.previous is None else self.previous.slot + self.previous.digest
        return encode_value(
            {
                "state": self.state,
                "previous": previous,
                "since": self.since.encode(),
                "applied": self.applied,
                "topic": self.topic,
            }
        )

    @classmethod
    def of(cls, entry: bytes) -> Fold:
        """From its entry."""
        found = decode_value(entry)
        previous = found["previous"]
        identity = None if previous is None else Identity(previous[:16], previous[16:])
        return cls(
            found["state"], identity, ParentSet.decode(found["since"]), found["applied"], found.get("topic", b"")
        )


class Folds:
    """The states of one log by key. What a function changed in place is undone from the bytes it was written as.

    Those bytes are read when a record of their key comes: a restart takes up all keys, and meets few of them at once.
    """

    def __init__(self, setting: Setting) -> None:
        self._scope = setting.scope
        self._folds: dict[bytes, Fold] = {}
        self._written: dict[bytes, bytes] = {}
        self._changed: dict[bytes, bytes | None] = {}

    def changing(self, key: bytes, start: Any) -> Fold:
        """The state of a key, which is about to change; ``start`` makes the first."""
        fold = self.known(key)
        if fold is None:
            fold = self._folds[key] = Fold(start())
        if key not in self._changed:
            self._changed[key] = self._written.get(key)
        return fold

    def known(self, key: bytes) -> Fold | None:
        """The state of a key; None where it has none."""
        fold = self._folds.get(key)
        if fold is None and (entry := self._written.get(key)) is not None:
            fold = self._folds[key] = Fold.of(entry)
        return fold

    def copied(self, key: bytes) -> Fold | None:
        """A key's state as bytes, which no function changes; None where it has none."""
        fold = self.known(key)
        return None if fold is None else replace(fold, state=encode_value(fold.state))

    def put_back(self, key: bytes, copied: Fold | None) -> None:
        """As it was when it was copied, after a record that failed."""
        if copied is not None:
            self._folds[key] = replace(copied, state=decode_value(copied.state))
        elif key in self._folds:
            del self._folds[key], self._changed[key]

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
            del self._folds[key]
            if entry is None:
                self._written.pop(key, None)
            else:
                self._written[key] = entry
        self._changed.clear()

    def restore(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """Take up the states."""
        before = self._scope.key(KIND)[:-1] + b","
        for name, entry in entries:
            self._written[name[len(before) : -1] if name.startswith(before) else _key_in(name)] = entry


def _key_in(name: bytes) -> bytes:
    """A state's key in an entry's, however that is written."""
    return encode_value(decode_value(json.dumps(json.loads(name)[3]).encode()))


class _FoldTask(ABC):
    def __init__(self, key: KeyOf, setting: Setting) -> None:
        self._key, self._setting = key, setting
        self._folds, self._parking = Folds(setting), setting.parking

    def apply(self, arrival: Arrival) -> Outcome:
        """The record and its key's state; where it fails and is to be parked, the state stays as it was."""
        key = key_bytes(self._key, arrival)
        if key is None:
            return Outcome(Fate.FILTERED)
        fold = self._folds.known(key)
        if fold is not None and fold.has(arrival):
            return Outcome(Fate.KNOWN)
        if self._parking is None:
            return Outcome(Fate.USED, self._fold(key, arrival))
        copied = self._folds.copied(key)
        try:
            return Outcome(Fate.USED, self._parking.sealed(self._fold(key, arrival)))
        except OF_ONE_RECORD:
            self._folds.put_back(key, copied)
            raise

    @abstractmethod
    def _fold(self, key: bytes, arrival: Arrival) -> list[Output]:
        """Change the state of a key by a record that is not in there yet."""

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
        super().__init__(declared.key, setting)
        self._declared = declared

    def _fold(self, key: bytes, arrival: Arrival) -> list[Output]:
        fold = self._folds.changing(key, self._declared.start)
        function = self._declared.function
        try:
            fold.state, value = function(fold.state, arrival.record)
        except Exception as error:
            raise failure(function, arrival.record.coordinate, error) from error
        fold.applies(arrival, repartitioned=self._setting.repartitioned)
        parent = ParentSet.of_one(arrival.reference)
        fold.since = fold.since | parent if fold.since.lots else parent
        if value is None:
            return []
        descent = self._named(Descent(arrival.reference, 0, fold.since, None, None, fold.previous))
        fold.previous = descent.identity(self._setting.names.processor, self._setting.names.output)
        fold.since = ParentSet()
        return [Output(checked(value), descent)]


class JoinTask(_FoldTask):
    """Outputs out of a function's own state, which says itself what they are made from."""

    def __init__(self, declared: Joined, setting: Setting) -> None:
        super().__init__(declared.key, setting)
        self._declared = declared

    def _fold(self, key: bytes, arrival: Arrival) -> list[Output]:
        fold = self._folds.changing(key, self._declared.start)
        # No tables: a lookup that waits would leave behind what the function changed in place.
        step = Step(arrival, Tables(), captures=False)
        function = self._declared.function
        try:
            outputs = list(driven(arrival, step, as_values(function(fold.state, arrival.record, step))))
        except Exception as error:
            raise failure(function, arrival.record.coordinate, error) from error
        finally:
            step.close()
        fold.applies(arrival, repartitioned=self._setting.repartitioned)
        return [Output(each.value, self._named(each.descent)) for each in outputs]
