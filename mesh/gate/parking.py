"""The topic of state: held keys and parked records as they lie there, compacted away when they are done with.

Kafka's key says what an entry is: ``h`` or ``p``, the id of the ingress topic (16 bytes), then for a held key its name,
for a parked record its ingress offset (8 bytes, big-endian) and its own key. A held key's value is JSON; a parked
record's is the byte 0 for a null value, else the byte 1 and the value itself, since a null would delete the entry.
Headers and timestamp of a parked record are its own.
"""

from __future__ import annotations

import json
import struct
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Self
from uuid import UUID

from mesh.errors import LineageBroken
from mesh.gate.holds import NOBODY, Hold, Parked, name_of
from mesh.kafka import Message
from mesh.types import Headers

_VERSION: Final = 1
_HELD, _PARKED = b"h", b"p"
_HEAD: Final = struct.Struct(">1s16s")
_OFFSET: Final = struct.Struct(">q")
_LEAST: Final = {_HELD: _HEAD.size, _PARKED: _HEAD.size + _OFFSET.size}
_NULL, _PRESENT = b"\x00", b"\x01"
_WHAT: Final = "an entry of the topic of state"


def held_key(ingress: UUID, name: bytes) -> bytes:
    """The key of the entry about a held key."""
    return _HEAD.pack(_HELD, ingress.bytes) + name


def held_value(holder: int) -> bytes:
    """The value of the entry about a held key."""
    return json.dumps({"v": _VERSION, "holder": holder}).encode()


def parked_key(ingress: UUID, offset: int, key: bytes) -> bytes:
    """The key of the entry of a parked record."""
    return _HEAD.pack(_PARKED, ingress.bytes) + _OFFSET.pack(offset) + key


def parked_value(value: bytes | None) -> bytes:
    """The value of the entry of a parked record."""
    return _NULL if value is None else _PRESENT + value


@dataclass(frozen=True, slots=True)
class ParkedRecord:
    """A record as the ingress had it: ``ingress`` is its offset there, ``arrived`` its timestamp in milliseconds."""

    ingress: int
    key: bytes
    value: bytes | None
    headers: Headers
    arrived: int

    @property
    def size(self) -> int:
        return len(self.key) + len(self.value or b"")

    @classmethod
    def of(cls, message: Message) -> Self | None:
        """The record of an entry; None for an entry about a held key, and for one that is done with.

        Raises LineageBroken for a value that no gate wrote.
        """
        key, value = message.key() or b"", message.value()
        if key[:1] != _PARKED or value is None:
            return None
        if value[:1] not in (_NULL, _PRESENT):
            raise LineageBroken(_WHAT, "it does not hold a record; update the mesh")
        start = _HEAD.size + _OFFSET.size
        (offset,) = _OFFSET.unpack(key[_HEAD.size : start])
        content = None if value[:1] == _NULL else value[1:]
        return cls(offset, key[start:], content, message.headers() or (), message.timestamp()[1])


@dataclass(slots=True)
class Kept:
    """What the entries of one partition come to.

    ``stale`` are the keys of entries about records that are read again, since the ingress was set back; ``foreign``
    counts records of an ingress topic that is not there any more.
    """

    held: dict[bytes, Hold] = field(default_factory=dict)
    stale: list[bytes] = field(default_factory=list)
    foreign: int = 0


def kept(entries: Iterable[Message], ingress: UUID, ingress_next: int) -> Kept:
    """Fold a partition, whole and in order; raises LineageBroken for what no gate wrote."""
    holders: dict[bytes, int] = {}
    waiting: dict[int, tuple[bytes, Parked]] = {}
    foreign: set[bytes] = set()
    for message in entries:
        key = message.key() or b""
        if len(key) < _LEAST.get(key[:1], len(key) + 1):
            raise LineageBroken(_WHAT, f"its key is none of the gate's: {key[:40].hex()}")
        if UUID(bytes=key[1 : _HEAD.size]) != ingress:
            (foreign.discard if message.value() is None else foreign.add)(key)
        elif key[:1] == _HELD:
            _fold_held(holders, key[_HEAD.size :], message.value())
        else:
            _fold_parked(waiting, key, message)
    found = Kept(foreign=sum(key[:1] == _PARKED for key in foreign))
    _assemble(found, ingress, ingress_next, holders, waiting)
    return found


def _fold_held(holders: dict[bytes, int], name: bytes, value: bytes | None) -> None:
    if value is None:
        holders.pop(name, None)
        return
    try:
        holders[name] = int(json.loads(value)["holder"])
    except (ValueError, KeyError, TypeError):
        raise LineageBroken(_WHAT, "it does not say who holds the key; update the mesh") from None


def _fold_parked(waiting: dict[int, tuple[bytes, Parked]], key: bytes, message: Message) -> None:
    (offset,) = _OFFSET.unpack(key[_HEAD.size : _HEAD.size + _OFFSET.size])
    record = ParkedRecord.of(message)
    if record is None:
        waiting.pop(offset, None)
    else:
        waiting[offset] = record.key, Parked(offset, record.size, message.offset())


def _assemble(
    found: Kept,
    ingress: UUID,
    ingress_next: int,
    holders: dict[bytes, int],
    waiting: dict[int, tuple[bytes, Parked]],
) -> None:
    for name, holder in holders.items():
        if holder < ingress_next:
            found.held[name] = Hold(holder)
        else:
            found.stale.append(held_key(ingress, name))
    for offset in sorted(waiting):
        key, parked = waiting[offset]
        if offset < ingress_next:
            # Without its hold it would wait for ever; so it may go as soon as it is looked at.
            found.held.setdefault(name_of(key), Hold(NOBODY, deque())).waiting.append(parked)
        else:
            found.stale.append(parked_key(ingress, offset, key))
    for name in [name for name, hold in found.held.items() if hold.leaving and not hold.waiting]:
        del found.held[name]
        found.stale.append(held_key(ingress, name))
