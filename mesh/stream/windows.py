"""Windows: gathered by key and event time, closed by the watermark of their log, revised by late records."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mesh.lineage import Descent, ParentSet, Reference, window_slot
from mesh.stream.arrival import Arrival, Changes, Fate, Names, Outcome, Output, Punctuation
from mesh.stream.calling import calling
from mesh.stream.declared import Window, Windowed
from mesh.stream.each import checked, key_bytes
from mesh.stream.pane import Ident, Pane, StoredRecords
from mesh.stream.panes import KIND, Panes
from mesh.stream.parking import Parking
from mesh.stream.scope import Scope
from mesh.stream.task import WindowFailed
from mesh.stream.timekeeping import Timekeeper
from mesh.stream.values import decode_value
from mesh.stream.watermark import Source

_FILTERED: Final = Outcome(Fate.FILTERED)
_KNOWN: Final = Outcome(Fate.KNOWN)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a task with state needs to know of its place: names, its part of the changelog, sources, stored records.

    ``parking`` is there where a record that fails must leave a state as it was.
    """

    names: Names
    scope: Scope
    sources: tuple[Source, ...]
    stored: StoredRecords
    repartitioned: bool = False
    parking: Parking | None = None


class WindowTask(ABC):
    """What fixed windows and sessions share; they differ in where a record falls."""

    def __init__(self, declared: Windowed, setting: Setting) -> None:
        self._declared, self._setting, self._shape = declared, setting, declared.shape
        self._time = Timekeeper(
            setting.scope, setting.sources, declared.shape.lateness, repartitioned=setting.repartitioned
        )
        self._panes = Panes(setting.scope, declared.shape.retention)

    def apply(self, arrival: Arrival) -> Outcome:
        """Close what the record's time closes, then put it where it falls; a record without a time is filtered."""
        time = arrival.time
        if time is None:
            return _FILTERED
        key = key_bytes(self._declared.key, arrival)
        if self._time.has(arrival):
            return _KNOWN
        outputs: list[Output] = []
        if self._time.record(arrival, time):
            self._advance(arrival.reference, outputs)
        if key is None:
            return Outcome(Fate.FILTERED, outputs)
        return Outcome(self._place(arrival, time, key, outputs), outputs)

    @abstractmethod
    def _place(self, arrival: Arrival, time: int, key: bytes, outputs: list[Output]) -> Fate:
        """Put a record where it falls; a window that is closed already gives a revision."""

    def punctuate(self, punctuation: Punctuation) -> Outcome:
        """Time goes on without a record."""
        if self._time.has(punctuation):
            return Outcome(Fate.USED)
        outputs: list[Output] = []
        if self._time.punctuation(punctuation) and self._time.last is not None:
            self._advance(self._time.last, outputs)
        return Outcome(Fate.USED, outputs)

    def finish(self) -> Outcome:
        """Close every open window."""
        outputs: list[Output] = []
        end = self._panes.last_end()
        if end is not None and self._time.last is not None and self._time.close(end):
            self._advance(self._time.last, outputs)
        return Outcome(Fate.USED, outputs)

    def _advance(self, driving: Reference, outputs: list[Output]) -> None:
        for pane in self._panes.due(self._time.mark):
            self._panes.changing(pane).closed = True
            self._emit(pane, driving, outputs)
        self._panes.expire(self._time.mark)

    def _settle(self, pane: Pane, arrival: Arrival, outputs: list[Output]) -> None:
        """After a record fell into a window: a revision at once where its end has passed."""
        pane.closed = pane.end <= self._time.mark
        if pane.closed:
            self._emit(pane, arrival.reference, outputs)

    def _emit(self, pane: Pane, driving: Reference, outputs: list[Output]) -> None:
        key, window = decode_value(pane.key_bytes), Window.of_ms(pane.start, pane.end)
        arrivals = pane.in_order()
        function = self._declared.function
        where = f"the window {window.start:%Y-%m-%dT%H:%M:%S} of {arrivals[-1].record.coordinate}"
        with calling(function, where, WindowFailed):
            value = function(key, window, [arrival.record for arrival in arrivals])
        if value is None:
            return
        descent = self._descent(pane, driving, len(outputs))
        pane.revision += 1
        pane.previous = descent.identity(self._setting.names.processor, self._setting.names.output)
        outputs.append(Output(checked(value), descent))

    def _descent(self, pane: Pane, driving: Reference, index: int) -> Descent:
        names, scope = self._setting.names, self._setting.scope
        key = scope.name.encode() + b"\0" + pane.key_bytes
        window = pane.start, pane.end
        slot = window_slot(names.processor, names.output, scope.partition, window, key, pane.revision + 1)
        parents = ParentSet.of(arrival.reference for arrival in pane.arrivals)
        return Descent(driving, index, parents, None, slot, pane.previous)

    def changes(self) -> Changes:
        """The windows and the event time."""
        changes = self._panes.changes()
        changes.puts += self._time.entries()
        return changes

    def committed(self) -> None:
        """Everything since the last commit is in Kafka."""
        self._panes.committed()
        self._time.committed()

    def rolled_back(self) -> None:
        """Nothing since the last commit has happened."""
        self._panes.rolled_back()
        self._time.rolled_back()

    def watermark(self) -> int | None:
        """How far event time has come here."""
        return self._time.known

    def restore(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """Take up windows and time; what has expired meanwhile is let go."""
        panes: list[tuple[bytes, bytes]] = []
        for key, value in entries:
            if Scope.parse(key)[1] == KIND:
                panes.append((key, value))
            else:
                self._time.restore(value)
        self._panes.restore(panes, self._setting.stored)
        self._panes.expire(self._time.mark)


class FixedTask(WindowTask):
    """Tumbling and hopping windows."""

    def _place(self, arrival: Arrival, time: int, key: bytes, outputs: list[Output]) -> Fate:
        mark, retention = self._time.mark, self._shape.retention
        fate = Fate.LATE
        for start, end in self._shape.windows(time):
            pane = self._panes.get(((start, end), key))
            if pane is None and end + retention <= mark:
                continue
            fate = Fate.USED
            if pane is None:
                pane = self._panes.new(Pane((start, end), key, start, end))
            self._panes.changing(pane).add(arrival)
            self._settle(pane, arrival, outputs)
        return fate


class SessionTask(WindowTask):
    """Windows that end when a key has been quiet for the gap.

    A record joins every session that it is nearer to than the gap, and makes them one. Sessions that have both given
    outputs stay two, because an output supersedes one other: the record then joins the earlier.
    """

    def _place(self, arrival: Arrival, time: int, key: bytes, outputs: list[Output]) -> Fate:
        gap = self._shape.gap or 0
        near = sorted((pane for pane in self._panes.of_key(key) if pane.start - gap < time < pane.end), key=_earliest)
        if not near and time + gap + self._shape.retention <= self._time.mark:
            return Fate.LATE
        pane = self._joined(near) if near else Pane((arrival.offset,), key, time, time + gap)
        pane.start, pane.end = min(pane.start, time), max(pane.end, time + gap)
        pane.add(arrival)
        self._settle(pane, arrival, outputs)
        if near:
            self._panes.schedule(pane)
        else:
            self._panes.new(pane)
        return Fate.USED

    def _joined(self, near: list[Pane]) -> Pane:
        base = next((pane for pane in near if pane.revision >= 0), near[0])
        self._panes.changing(base)
        for other in near:
            if other is not base and other.revision < 0:
                self._absorb(base, other)
        return base

    def _absorb(self, base: Pane, other: Pane) -> None:
        for arrival in other.arrivals:
            base.add(arrival)
        base.start, base.end = min(base.start, other.start), max(base.end, other.end)
        self._panes.remove(other)


def _earliest(pane: Pane) -> tuple[int, Ident]:
    return pane.start, pane.ident
