"""The windows of one log: which are due, which are past, and what has changed since the last commit."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from heapq import heapify, heappop, heappush

from mesh.errors import LineageBroken
from mesh.stream.arrival import Changes
from mesh.stream.pane import Chunk, Ident, Pane, PaneName, StoredRecords, pane_of, read_chunk
from mesh.stream.scope import Scope
from mesh.stream.values import decode_value, encode_value

KIND = "pane"

_Due = tuple[int, int, bytes, Ident]


class Panes:
    """Windows by name; changes are kept apart until the commit, so that they can be undone."""

    def __init__(self, scope: Scope, retention: int) -> None:
        self._scope, self._retention = scope, retention
        self._panes: dict[PaneName, Pane] = {}
        self._of_key: defaultdict[bytes, list[Pane]] = defaultdict(list)
        self._before: dict[PaneName, tuple[Pane, int] | None] = {}
        self._open: list[_Due] = []
        self._kept: list[_Due] = []
        self._written: dict[PaneName, int] = {}

    def get(self, name: PaneName) -> Pane | None:
        """A window that is kept."""
        return self._panes.get(name)

    def of_key(self, key_bytes: bytes) -> list[Pane]:
        """The windows of a key, in no order."""
        return self._of_key.get(key_bytes, [])

    def new(self, pane: Pane) -> Pane:
        """A window of which there was none."""
        self._before.setdefault(pane.name, None)
        self._panes[pane.name] = pane
        self._of_key[pane.key_bytes].append(pane)
        self.schedule(pane)
        return pane

    def changing(self, pane: Pane) -> Pane:
        """Say so before a window changes."""
        if pane.name not in self._before:
            self._before[pane.name] = replace(pane, pending=[]), len(pane.arrivals)
        return pane

    def remove(self, pane: Pane) -> None:
        """It is past, or has gone into another."""
        self.changing(pane)
        del self._panes[pane.name]
        rest = self._of_key[pane.key_bytes]
        rest.remove(pane)
        if not rest:
            del self._of_key[pane.key_bytes]

    def schedule(self, pane: Pane) -> None:
        """Its end has moved, or it is new."""
        if not pane.closed:
            heappush(self._open, (pane.end, pane.start, pane.key_bytes, pane.ident))
        heappush(self._kept, (pane.end + self._retention, pane.start, pane.key_bytes, pane.ident))

    def due(self, mark: int) -> Iterator[Pane]:
        """The open windows that end at the watermark or before, by end, start and key."""
        while self._open and self._open[0][0] <= mark:
            end, _, key_bytes, ident = heappop(self._open)
            pane = self._panes.get((ident, key_bytes))
            if pane is not None and not pane.closed and pane.end == end:
                yield pane

    def expire(self, mark: int) -> None:
        """Let go of what no late record can reach any more."""
        while self._kept and self._kept[0][0] <= mark:
            until, _, key_bytes, ident = heappop(self._kept)
            pane = self._panes.get((ident, key_bytes))
            if pane is not None and pane.end + self._retention == until:
                self.remove(pane)

    def last_end(self) -> int | None:
        """The latest end of all."""
        return max((pane.end for pane in self._panes.values()), default=None)

    def changes(self) -> Changes:
        """New entries of what changed, and the removal of what is gone."""
        changes = Changes()
        for name, before in self._before.items():
            pane = self._panes.get(name)
            if pane is None:
                written = 0 if before is None else before[0].chunks
                changes.removals += [self._key(name, number) for number in range(written)]
            else:
                numbered = enumerate(pane.chunks_now(), pane.chunks)
                puts = [(self._key(name, number), value) for number, value in numbered]
                self._written[name] = len(puts)
                changes.puts += puts
        return changes

    def _key(self, name: PaneName, number: int) -> bytes:
        ident, key_bytes = name
        place = b"," + encode_value(list(ident)) + b"," + key_bytes + b"," + str(number).encode()
        return self._scope.key(KIND, place)

    def committed(self) -> None:
        """What changed is in Kafka."""
        for name in self._before:
            pane = self._panes.get(name)
            if pane is not None:
                pane.chunks += self._written.get(name, 0)
                pane.pending = []
        self._before.clear()
        self._written.clear()

    def rolled_back(self) -> None:
        """Everything as it was at the last commit."""
        for name, before in self._before.items():
            self._panes.pop(name, None)
            if before is not None:
                pane, count = before
                del pane.arrivals[count:]
                self._panes[name] = pane
        self._before.clear()
        self._written.clear()
        self._index()

    def _index(self) -> None:
        self._of_key.clear()
        self._open.clear()
        self._kept.clear()
        for pane in self._panes.values():
            self._of_key[pane.key_bytes].append(pane)
            self._kept.append((pane.end + self._retention, pane.start, pane.key_bytes, pane.ident))
            if not pane.closed:
                self._open.append((pane.end, pane.start, pane.key_bytes, pane.ident))
        heapify(self._open)
        heapify(self._kept)

    def restore(self, entries: Iterable[tuple[bytes, bytes]], stored: StoredRecords) -> None:
        """Take up what the changelog holds; raises LineageBroken where entries of a window are missing."""
        chunks: defaultdict[PaneName, dict[int, Chunk]] = defaultdict(dict)
        for key, value in entries:
            ident, key_value, number = json.loads(key)[3:]
            name = tuple(ident), encode_value(decode_value(json.dumps(key_value).encode()))
            chunks[name][number] = read_chunk(value)
        for name, found in chunks.items():
            if sorted(found) != list(range(len(found))):
                raise LineageBroken("a processor's state", "entries of a window are missing")
            self._panes[name] = pane_of(*name, [found[number] for number in range(len(found))], stored)
        self._index()
