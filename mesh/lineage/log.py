"""One lineage partition in Kafka: its manifests, their index, and how each hangs on the one before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, overload

from mesh.errors import LineageBroken
from mesh.kafka.message import Message
from mesh.lineage.encoding import decode_manifest
from mesh.lineage.evidence import Link
from mesh.lineage.manifest import Manifest, digest_of
from mesh.lineage.search import CHUNK, Entry, PartitionIndex
from mesh.types import TopicPartition

_BURST = 512
"""Lineage offsets per read of a list."""


class Reader(Protocol):
    """Committed records by offset; ``mesh.kafka.log.LogReader`` is one."""

    def bounds(self, partition: TopicPartition) -> tuple[int, int]:
        """The first offset held and the offset after the last readable one."""

    def read(self, partition: TopicPartition, start: int, end: int) -> Iterator[Message]:
        """Every readable record with ``start <= offset < end``, ascending."""

    def fetch(self, partition: TopicPartition, offset: int) -> Message | None:
        """The record at exactly this offset."""


class LineageLog:
    """The manifests of one partition, as far as they are kept."""

    def __init__(self, reader: Reader, partition: TopicPartition) -> None:
        self._reader, self._partition = reader, partition
        self.begin, self.end = reader.bounds(partition)
        self.index = PartitionIndex(self._manifests, self.begin, self.end)

    def link(self, at: int, manifest: Manifest) -> Link:
        """How the manifest at lineage offset ``at`` hangs on its predecessor; raises LineageBroken when it does not."""
        where = f"{self._partition}/{at}"
        predecessor = self._payload_before(at)
        if predecessor is not None and digest_of(predecessor) == manifest.previous:
            return Link.INTACT
        if predecessor is not None:
            raise LineageBroken(where, "the manifest before it is not the one it was chained to")
        if not manifest.previous:
            return Link.FIRST
        if self.begin > 0:
            return Link.UNVERIFIABLE
        raise LineageBroken(where, "the manifest before it is gone though nothing has expired")

    def settling(self) -> Iterator[Entry]:
        """The manifests that settle commands or release records, newest first, as far as they are kept.

        Follows their own list.
        """
        last = self.index.last()
        if last is None:
            return
        at = last[0] if last[1].settles else last[1].settled_before
        yield from self.linked(at, lambda manifest: manifest.settled_before)

    def linked(self, at: int, before: Callable[[Manifest], int]) -> Iterator[Entry]:
        """The manifests of a list, newest first, as far as they are kept: that of ``at``, then each ``before`` it."""
        known: dict[int, Manifest] = {}
        while at >= self.begin:
            if at not in known:
                # They come in bursts, so the ones before are near.
                known = dict(self._manifests(max(self.begin, at + 1 - _BURST), at + 1))
            if at not in known:
                raise LineageBroken(f"{self._partition}/{at}", "a manifest of a list is gone though none expired")
            yield at, known[at]
            at = before(known[at])

    def backwards(self) -> Iterator[Entry]:
        """Every manifest kept, newest first."""
        end, size = self.end, CHUNK
        while end > self.begin:
            start = max(self.begin, end - size)
            yield from reversed(self._manifests(start, end))
            end, size = start, min(2 * size, _BURST)

    def entries(self, start: int, end: int) -> Sequence[Entry]:
        """The manifests at these lineage offsets; raises LineageBroken for what is none."""
        return self._manifests(start, end)

    def _manifests(self, start: int, end: int) -> Sequence[Entry]:
        return _Undecoded([*self._reader.read(self._partition, start, end)], self._manifest)

    def _manifest(self, message: Message) -> Manifest:
        payload = message.value()
        try:
            return decode_manifest(payload or b"")
        except LineageBroken as error:
            raise LineageBroken(f"{self._partition}/{message.offset()}", error.reason) from None

    def _payload_before(self, at: int) -> bytes | None:
        end, size = at, CHUNK
        while end > self.begin:
            start = max(self.begin, end - size)
            payloads = [message.value() for message in self._reader.read(self._partition, start, end)]
            if payloads:
                return payloads[-1]
            end, size = start, size * 2
        return None


class _Undecoded(Sequence[Entry]):
    """Manifests that are decoded when they are looked at: a search looks at few of those it reads."""

    def __init__(self, messages: Sequence[Message], decode: Callable[[Message], Manifest]) -> None:
        self._messages, self._decode = messages, decode
        self._decoded: dict[int, Entry] = {}

    def __len__(self) -> int:
        return len(self._messages)

    @overload
    def __getitem__(self, at: int) -> Entry: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[Entry]: ...

    def __getitem__(self, at: int | slice) -> Entry | Sequence[Entry]:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self)))]
        place = range(len(self._messages))[at]
        if place not in self._decoded:
            message = self._messages[place]
            self._decoded[place] = message.offset(), self._decode(message)
        return self._decoded[place]
