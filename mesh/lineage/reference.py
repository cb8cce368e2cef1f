"""One parent of a derived record in 29 bytes, whatever the topic is called."""

from __future__ import annotations

import struct
from typing import NamedTuple
from uuid import UUID

from mesh.errors import LineageBroken

_LAYOUT = struct.Struct(">B16siq")
_VERSION = 1

SIZE = _LAYOUT.size
"""29: version (1), topic id (16), partition (4), offset (8), big-endian."""

OFFSET_BYTES = 8
"""Of them the last ones: all that differs between references to one partition."""


class Reference(NamedTuple):
    """A coordinate by topic id, so that a re-created topic of the same name is not mistaken for the parent's."""

    topic_id: UUID
    partition: int
    offset: int

    def pack(self) -> bytes:
        """The 29 bytes that travel."""
        return _LAYOUT.pack(_VERSION, self.topic_id.bytes, self.partition, self.offset)

    @classmethod
    def unpack(cls, packed: bytes) -> Reference:
        """Read 29 bytes; raises LineageBroken for another length, version or a negative position."""
        if len(packed) != SIZE:
            raise LineageBroken("a parent reference", f"it has {len(packed)} bytes instead of {SIZE}")
        version, topic_id, partition, offset = _LAYOUT.unpack(packed)
        if version != _VERSION:
            raise LineageBroken("a parent reference", f"its version {version} is unknown; update the mesh")
        if partition < 0 or offset < 0:
            raise LineageBroken("a parent reference", "its partition or offset is negative")
        return cls(UUID(bytes=topic_id), partition, offset)
