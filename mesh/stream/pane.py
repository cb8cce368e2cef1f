"""One window of one key: its records, what was made of it, and both as entries of the changelog."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mesh.consumer.record import Record
from mesh.errors import LineageBroken
from mesh.kafka import Message
from mesh.lineage import Identity
from mesh.stream.arrival import Arrival
from mesh.stream.values import decode_value, encode_value

Ident = tuple[int, ...]
"""What tells the windows of a key apart: start and end of a fixed one, the offset of a session's first record."""

PaneName = tuple[Ident, bytes]
Decode = Callable[[Message], Record]

# An entry is one Kafka record and must stay well below what a topic takes; a large window has several.
_MOST_BYTES: Final = 500_000
_HEAD: Final = struct.Struct(">I")
_ROW: Final = struct.Struct(">qiqqiiH")
_FIELD: Final = struct.Struct(">HI")
_ABSENT: Final = -1
_NULL: Final = 0xFFFFFFFF


@dataclass(slots=True)
class Pane:
    """``arrivals`` only grows, so that a snapshot needs no copy of it. ``revision`` is that of the last output."""

    ident: Ident
    key_bytes: bytes
    start: int
    end: int
    arrivals: list[Arrival] = field(default_factory=list)
    revision: int = -1
    previous: Identity | None = None
    closed: bool = False
    chunks: int = 0
    pending: list[Arrival] = field(default_factory=list)

    @property
    def name(self) -> PaneName:
        """Its name among the windows of a log."""
        return self.ident, self.key_bytes

    def add(self, arrival: Arrival) -> None:
        """A record falls into it."""
        self.arrivals.append(arrival)
        self.pending.append(arrival)

    def in_order(self) -> list[Arrival]:
        """Its records in the order of the log."""
        return sorted(self.arrivals, key=_offset)

    def chunks_now(self) -> Iterator[bytes]:
        """The values of the entries that the changes since the last commit make; at least one."""
        head: dict[str, Any] = {
            "window": [self.start, self.end],
            "revision": self.revision,
            "previous": None if self.previous is None else self.previous.slot + self.previous.digest,
            "closed": self.closed,
        }
        packed = encode_value(head)
        start = _HEAD.pack(len(packed)) + packed
        body: list[bytes] = []
        size = 0
        for arrival in self.pending:
            row = _row(arrival)
            if size + len(row) > _MOST_BYTES and body:
                yield start + b"".join(body)
                body, size = [], 0
            body.append(row)
            size += len(row)
        yield start + b"".join(body)


def _offset(arrival: Arrival) -> int:
    return arrival.offset


@dataclass(slots=True)
class Chunk:
    """An entry as it is read back."""

    head: dict[str, Any]
    body: bytes


def read_chunk(value: bytes) -> Chunk:
    """Take an entry apart; raises LineageBroken."""
    try:
        (length,) = _HEAD.unpack_from(value)
        head = decode_value(value[_HEAD.size : _HEAD.size + length])
        return Chunk(head, value[_HEAD.size + length :])
    except struct.error:
        raise LineageBroken("a processor's state", "an entry of a window is cut off") from None


def pane_of(ident: Ident, key_bytes: bytes, chunks: Sequence[Chunk], stored: StoredRecords) -> Pane:
    """A window from its entries in order."""
    head = chunks[-1].head
    previous = head["previous"]
    pane = Pane(ident, key_bytes, *head["window"])
    pane.revision, pane.closed = head["revision"], head["closed"]
    pane.previous = None if previous is None else Identity(previous[:16], previous[16:])
    pane.chunks = len(chunks)
    pane.arrivals = [arrival for chunk in chunks for arrival in stored.arrivals(chunk.body)]
    return pane


def _row(arrival: Arrival) -> bytes:
    at, key, value, record = arrival.reference, arrival.key, arrival.value, arrival.record
    key_size = _ABSENT if key is None else len(key)
    value_size = _ABSENT if value is None else len(value)
    row = _ROW.pack(
        arrival.offset, at.partition, at.offset, record.timestamp, key_size, value_size, len(record.headers)
    )
    return b"".join((row, key or b"", value or b"", *map(_header, record.headers)))


def _header(header: tuple[str, bytes | None]) -> bytes:
    name, content = header[0].encode(), header[1]
    size = _NULL if content is None else len(content)
    return _FIELD.pack(len(name), size) + name + (content or b"")


@dataclass(frozen=True, slots=True)
class StoredRecords:
    """Makes records again from their bytes; ``topic`` is the public one they came from."""

    topic: str
    decode: Decode

    def arrivals(self, body: bytes) -> Iterable[Arrival]:
        """The records of an entry; raises LineageBroken."""
        at = 0
        try:
            while at < len(body):
                arrival, at = self._one(body, at)
                yield arrival
        except struct.error:
            raise LineageBroken("a processor's state", "a record of a window is cut off") from None

    def _one(self, body: bytes, at: int) -> tuple[Arrival, int]:
        log_offset, partition, offset, timestamp, key_size, value_size, count = _ROW.unpack_from(body, at)
        at += _ROW.size
        key, at = _cut(body, at, key_size)
        value, at = _cut(body, at, value_size)
        headers: list[tuple[str, bytes | None]] = []
        for _ in range(count):
            name_size, size = _FIELD.unpack_from(body, at)
            name, at = _cut(body, at + _FIELD.size, name_size)
            content, at = _cut(body, at, _ABSENT if size == _NULL else size)
            headers.append(((name or b"").decode(), content))
        message = StoredMessage(self.topic, partition, offset, key, value, headers, timestamp)
        return Arrival.of(self.decode(message), key, value, log_offset), at


def _cut(body: bytes, at: int, size: int) -> tuple[bytes | None, int]:
    return (None, at) if size == _ABSENT else (body[at : at + size], at + size)


class StoredMessage:
    """A record's bytes in the shape that readers take."""

    __slots__ = ("_headers", "_key", "_offset", "_partition", "_timestamp", "_topic", "_value")

    def __init__(
        self,
        topic: str,
        partition: int,
        offset: int,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes | None]],
        timestamp: int,
    ) -> None:
        self._topic, self._partition, self._offset = topic, partition, offset
        self._key, self._value, self._headers, self._timestamp = key, value, headers, timestamp

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return self._headers or None

    def timestamp(self) -> tuple[int, int]:
        return 1, self._timestamp
